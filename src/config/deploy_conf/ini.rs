//! The grammar of the file: what the crate `configparser` reads, and above it what Python's
//! `ConfigParser` of those days has and the crate has not: where comments may stand, `%(key)s`,
//! the section `[DEFAULT]`, and the line of each key.

use std::collections::BTreeMap;

use configparser::ini::{Ini as Parser, IniDefault};

/// The section whose keys every other one has, too.
const DEFAULT: &str = "DEFAULT";

/// How deep one value may refer to another.
const DEEPEST: usize = 10;

/// What is wrong in a line.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub what: String,
    /// What to do.
    pub hint: String,
}

/// A file that was read. Names of keys are in lower case.
#[derive(Debug)]
pub struct Ini {
    parser: Parser,
    /// The sections in the order of the file, with the lines where they first begin.
    sections: Vec<(String, usize)>,
    /// The lines of the keys, by section and key.
    places: BTreeMap<(String, String), usize>,
    text: String,
}

impl Ini {
    /// Reads a text.
    ///
    /// # Errors
    /// All lines that are neither a section, a key with its value, nor a comment.
    pub fn parse(text: &str) -> Result<Ini, Vec<Failure>> {
        let mut sections: Vec<(String, usize)> = Vec::new();
        let mut places = BTreeMap::new();
        let (mut failures, mut kept) = (Vec::new(), String::new());
        let mut section: Option<String> = None;
        let mut has_key = false;
        for (number, line) in text.lines().enumerate() {
            let place = number + 1;
            if is_comment(line) {
                continue;
            }
            let is_indented = line.starts_with(char::is_whitespace);
            let kept_line = if is_indented && has_key {
                format!(" {}", line.trim())
            } else if let Some(name) = header(line) {
                has_key = false;
                section = Some(name.to_owned());
                if !sections.iter().any(|(known, _)| known == name) {
                    sections.push((name.to_owned(), place));
                }
                format!("[{name}]")
            } else {
                let option = without_inline_comment(line.trim());
                let at = option.find(['=', ':']).filter(|at| *at > 0);
                let (Some(section), Some(at)) = (&section, at) else {
                    failures.push(unreadable(place, line, section.is_some()));
                    continue;
                };
                has_key = true;
                let key = option[..at].trim().to_lowercase();
                places.insert((section.clone(), key.clone()), place);
                let value = option[at + 1..].trim();
                let value = if value == "\"\"" { "" } else { value };
                format!("{key}={value}")
            };
            kept += &kept_line;
            kept.push('\n');
        }
        let mut rules = IniDefault::default();
        rules.comment_symbols.clear();
        rules.enable_inline_comments = false;
        rules.case_sensitive = true;
        rules.multiline = true;
        let mut parser = Parser::new_from_defaults(rules);
        if let Err(error) = parser.read(kept) {
            failures.push(Failure {
                line: 1,
                what: error,
                hint: "correct the line".to_owned(),
            });
        }
        if !failures.is_empty() {
            return Err(failures);
        }
        Ok(Ini {
            parser,
            sections,
            places,
            text: text.to_lowercase(),
        })
    }

    /// The sections in the order of the file.
    pub fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(|(name, _)| name.as_str())
    }

    /// Whether there is such a section.
    pub fn has_section(&self, section: &str) -> bool {
        self.section_place(section).is_some()
    }

    /// The line where a section first begins.
    pub fn section_place(&self, section: &str) -> Option<usize> {
        let found = self.sections.iter().find(|(name, _)| name == section);
        found.map(|(_, place)| *place)
    }

    /// The line where a key last stands in the section, or in `[DEFAULT]`.
    pub fn place(&self, section: &str, key: &str) -> Option<usize> {
        let of = |section: &str| self.places.get(&(section.to_owned(), key.to_owned()));
        of(section).or_else(|| of(DEFAULT)).copied()
    }

    /// Every section and key with its line.
    pub fn places(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        let all = self.places.iter();
        all.map(|((section, key), line)| (section.as_str(), key.as_str(), *line))
    }

    /// Whether some value refers to this key.
    pub fn is_referred_to(&self, key: &str) -> bool {
        self.text.contains(&format!("%({key})s"))
    }

    /// A value of a section, or of `[DEFAULT]`, with what it refers to filled in.
    ///
    /// # Errors
    /// When it refers to what is not there, or to itself, or holds a lone `%`.
    pub fn value(&self, section: &str, key: &str) -> Result<Option<String>, Failure> {
        let Some(raw) = self.raw(section, key).filter(|_| self.has_section(section)) else {
            return Ok(None);
        };
        let filled = self.filled(section, raw, 1);
        filled.map(Some).map_err(|(what, hint)| Failure {
            line: self.place(section, key).unwrap_or_default(),
            what: format!("`{key}` in `[{section}]`: {what}"),
            hint,
        })
    }

    fn raw(&self, section: &str, key: &str) -> Option<&str> {
        let map = self.parser.get_map_ref();
        let of = |section: &str| map.get(section)?.get(key)?.as_deref();
        of(section).or_else(|| of(DEFAULT))
    }

    fn filled(&self, section: &str, raw: &str, depth: usize) -> Result<String, (String, String)> {
        let mut text = String::new();
        let mut rest = raw;
        while let Some(at) = rest.find('%') {
            text += &rest[..at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                text.push('%');
                rest = after;
                continue;
            }
            let name = rest
                .strip_prefix('(')
                .and_then(|rest| rest.split_once(")s"));
            let Some((name, after)) = name else {
                let hint = "write `%%` for a percent sign, `%(key)s` for the value of a key";
                return Err(("a lone `%`".to_owned(), hint.to_owned()));
            };
            let key = name.to_lowercase();
            let Some(raw) = self.raw(section, &key) else {
                let what = format!("`%({name})s` refers to a key that is not there");
                let hint = format!("add `{name}` to `[{section}]` or to `[DEFAULT]`");
                return Err((what, hint));
            };
            if depth >= DEEPEST {
                let hint = format!("see what `{name}` is made of");
                return Err((format!("`%({name})s` refers to itself"), hint));
            }
            text += &self.filled(section, raw, depth + 1)?;
            rest = after;
        }
        Ok(text + rest)
    }
}

/// A whole line that says nothing: blank, from `#` or `;` at its very beginning, or from the word
/// `rem`.
fn is_comment(line: &str) -> bool {
    let word = line.split_whitespace().next();
    word.is_none() || line.starts_with(['#', ';']) || {
        let is_rem = word.is_some_and(|word| word.eq_ignore_ascii_case("rem"));
        is_rem && line.starts_with(['r', 'R'])
    }
}

/// The name in the brackets of a section.
fn header(line: &str) -> Option<&str> {
    let (name, _) = line.strip_prefix('[')?.split_once(']')?;
    (!name.is_empty()).then_some(name)
}

/// The first `;` of the value begins a comment when a blank is before it. A later one never does.
fn without_inline_comment(line: &str) -> &str {
    let value = line.find(['=', ':']).map_or(0, |at| at + 1);
    match line[value..].find(';').map(|at| value + at) {
        Some(at) if line[..at].ends_with(char::is_whitespace) => line[..at].trim_end(),
        _ => line,
    }
}

fn unreadable(line: usize, text: &str, is_in_section: bool) -> Failure {
    let text = text.trim();
    let (what, hint) = match (text.starts_with('['), is_in_section) {
        (true, _) => (
            format!("`{text}` is no section"),
            "close its bracket: `[service:web]`",
        ),
        (_, false) => (
            format!("`{text}` stands before any section"),
            "begin the file with `[nginx]` or `[service:web]`",
        ),
        _ => (
            format!("`{text}` is no key with a value"),
            "write `key = value`, or indent it when it goes on with the line above",
        ),
    };
    Failure {
        line,
        what,
        hint: hint.to_owned(),
    }
}
