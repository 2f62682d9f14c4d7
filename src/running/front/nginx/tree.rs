//! The settings of nginx as a tree of directives, with the files they include.

use std::iter::Peekable;
use std::str::Chars;

use camino::{Utf8Path, Utf8PathBuf};

use crate::running::front::settings::{self, Directive};

/// How deep files may include files.
const DEPTH_LIMIT: usize = 8;

/// All directives that could be read. What could not is missing: nobody judges by the absence of
/// a directive alone.
#[derive(Debug, Default)]
pub struct Tree {
    /// Those that stand in no braces.
    pub directives: Vec<Directive>,
}

impl Tree {
    /// Reads a file and what it includes.
    pub fn read(file: &Utf8Path) -> Self {
        let base = file.parent().unwrap_or(Utf8Path::new("/"));
        Tree {
            directives: read(file, base, 0),
        }
    }

    /// The directives that stand in no braces.
    pub fn directives(&self) -> &[Directive] {
        &self.directives
    }

    /// Every directive, those in braces after the one that opens them.
    pub fn all(&self) -> Vec<&Directive> {
        self.directives.iter().flat_map(Directive::all).collect()
    }
}

fn read(file: &Utf8Path, base: &Utf8Path, depth: usize) -> Vec<Directive> {
    match settings::read(file) {
        Ok(text) => {
            let mut words = Words::of(&text);
            with_included(block(&mut words, file), base, depth)
        }
        Err(_) => Vec::new(),
    }
}

/// Puts the directives of included files in the place of each `include`; relative paths begin
/// beside the first file.
fn with_included(directives: Vec<Directive>, base: &Utf8Path, depth: usize) -> Vec<Directive> {
    let mut result = Vec::new();
    for mut directive in directives {
        if let ("include", [pattern]) = (directive.name(), directive.arguments()) {
            if depth < DEPTH_LIMIT {
                for file in included(&base.join(pattern)) {
                    result.extend(read(&file, base, depth + 1));
                }
            }
        } else {
            directive.block = with_included(directive.block, base, depth);
            result.push(directive);
        }
    }
    result
}

fn included(pattern: &Utf8Path) -> Vec<Utf8PathBuf> {
    settings::files(pattern).unwrap_or_default()
}

/// The directives up to the closing brace.
fn block(words: &mut Words<'_>, file: &Utf8Path) -> Vec<Directive> {
    let mut directives = Vec::new();
    let mut current: Vec<String> = Vec::new();
    let mut line = 0;
    while let Some(token) = words.next_token() {
        match token {
            Token::Word(word) => {
                if current.is_empty() {
                    line = words.line;
                }
                current.push(word);
            }
            Token::Close => break,
            Token::End | Token::Open => {
                let is_block = token == Token::Open;
                let below = if is_block {
                    block(words, file)
                } else {
                    Vec::new()
                };
                directives.push(Directive {
                    file: file.to_owned(),
                    line,
                    words: std::mem::take(&mut current),
                    block: below,
                });
            }
        }
    }
    directives
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    End,
    Open,
    Close,
}

/// The text as words and marks, without comments.
struct Words<'a> {
    letters: Peekable<Chars<'a>>,
    line: usize,
}

impl<'a> Words<'a> {
    fn of(text: &'a str) -> Self {
        Words {
            letters: text.chars().peekable(),
            line: 1,
        }
    }

    fn next_letter(&mut self) -> Option<char> {
        let letter = self.letters.next();
        self.line += usize::from(letter == Some('\n'));
        letter
    }

    fn next_token(&mut self) -> Option<Token> {
        loop {
            let letter = self.next_letter()?;
            return Some(match letter {
                '#' => {
                    while self.next_letter().is_some_and(|letter| letter != '\n') {}
                    continue;
                }
                letter if letter.is_whitespace() => continue,
                ';' => Token::End,
                '{' => Token::Open,
                '}' => Token::Close,
                quote @ ('"' | '\'') => Token::Word(self.quoted(quote)),
                first => Token::Word(self.bare(first)),
            });
        }
    }

    fn quoted(&mut self, quote: char) -> String {
        let mut word = String::new();
        while let Some(letter) = self.next_letter() {
            match letter {
                '\\' => word.extend(self.next_letter()),
                letter if letter == quote => break,
                letter => word.push(letter),
            }
        }
        word
    }

    /// A brace after `$` belongs to a variable.
    fn bare(&mut self, first: char) -> String {
        let mut word = String::new();
        let mut letter = first;
        loop {
            if letter == '\\' {
                word.extend(self.next_letter());
            } else {
                word.push(letter);
            }
            let ends = |next: &char| match next {
                '{' => !word.ends_with('$'),
                next => next.is_whitespace() || *next == ';',
            };
            if self.letters.peek().is_none_or(ends) {
                return word;
            }
            match self.next_letter() {
                Some(next) => letter = next,
                None => return word,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Vec<Directive> {
        block(&mut Words::of(text), Utf8Path::new("/n.conf"))
    }

    #[test]
    fn comments_quotes_and_variables_do_not_end_a_directive() {
        let found = parse(
            "user www-data; # a { b;\nlog_format x '$a; {' \"b\\\"c\";\nset $y ${host}/#1;\n\
             if ($z ~ \"^{2}\") { return 200; }\nlast on;\n",
        );
        let words: Vec<_> = found.iter().map(|it| it.words.join("|")).collect();
        let wanted = [
            "user|www-data",
            "log_format|x|$a; {|b\"c",
            "set|$y|${host}/#1",
            "if|($z|~|^{2}|)",
            "last|on",
        ];
        assert_eq!(words, wanted);
        assert_eq!((found[1].line, found[4].line), (2, 5));
        assert!(found[3].block[0].is(&["return", "200"]));
    }

    #[test]
    fn included_files_stand_in_the_place_of_the_include() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        std::fs::create_dir(root.join("sites")).unwrap();
        std::fs::write(
            root.join("n.conf"),
            "http { include sites/*; include missing; }\ninclude n.conf;",
        )
        .unwrap();
        std::fs::write(
            root.join("sites/a"),
            "upstream a { include sites/one.inc; }",
        )
        .unwrap();
        std::fs::write(root.join("sites/one.inc"), "server x;").unwrap();
        let tree = Tree::read(&root.join("n.conf"));
        let all = tree.all();
        let names: Vec<_> = all.iter().take(4).map(|it| it.name()).collect();
        assert_eq!(names, ["http", "upstream", "server", "server"]);
        assert_eq!(all[2].place(), format!("`{root}/sites/one.inc` line 1"));
    }
}
