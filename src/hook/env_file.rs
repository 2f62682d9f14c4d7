//! A file of `KEY=value` lines, read as systemd reads an `EnvironmentFile=` (systemd.exec(5)), so
//! that hooks and the service see the same values. Nothing is expanded. Added: `export ` before a
//! key. Where systemd would drop a line with a warning in its own log, it is an error here.

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::{Context, Error, ErrorKind, Finding, Result};

/// A longer file is refused: it is not one of settings.
const FILE_BYTES: u64 = 1 << 20;

/// The settings of one file, in its order; a key set twice is in it once, with its last value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EnvFile {
    variables: Vec<(String, String)>,
}

impl EnvFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, and with all its mistakes, each with its line.
    pub fn read(path: &Utf8Path) -> Result<EnvFile> {
        let size = fs_err::metadata(path)
            .context("cannot read `env_file`")?
            .len();
        if size > FILE_BYTES {
            let what = format!("`{path}` is too long for an `env_file`");
            return Err(Error::usage(what).cause(format!("{size} bytes, at most {FILE_BYTES}")));
        }
        let text = fs_err::read_to_string(path).context("cannot read `env_file`")?;
        EnvFile::parse(&text, path)
    }

    /// Reads the text of a file, which is named only in errors.
    ///
    /// # Errors
    /// With all mistakes in it, each with its line.
    pub fn parse(text: &str, path: &Utf8Path) -> Result<EnvFile> {
        let mut reader = Reader::new(path);
        text.chars().for_each(|character| reader.take(character));
        reader.end()
    }

    /// Keys and values.
    pub fn variables(&self) -> &[(String, String)] {
        &self.variables
    }

    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&str> {
        let found = self.variables.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.as_str())
    }

    fn set(&mut self, key: &str, value: String) {
        self.variables.retain(|(known, _)| known != key);
        self.variables.push((key.to_owned(), value));
    }
}

/// Where in a line the reader is. The states are those of systemd's own reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    BeforeKey,
    Comment,
    Key,
    BeforeValue,
    Value,
    ValueEscape,
    SingleQuotes,
    DoubleQuotes,
    DoubleQuotesEscape,
}

/// Takes the text one character at a time.
struct Reader {
    path: Utf8PathBuf,
    state: State,
    /// The current line, and the one the current setting began on.
    line: usize,
    first_line: usize,
    key: String,
    value: String,
    /// How long the value is without the blanks that are dropped when the line ends here.
    kept: usize,
    read: EnvFile,
    findings: Vec<Finding>,
}

impl Reader {
    fn new(path: &Utf8Path) -> Self {
        Reader {
            path: path.to_owned(),
            state: State::BeforeKey,
            line: 1,
            first_line: 1,
            key: String::new(),
            value: String::new(),
            kept: 0,
            read: EnvFile::default(),
            findings: Vec::new(),
        }
    }

    fn take(&mut self, character: char) {
        let is_end = matches!(character, '\n' | '\r');
        match self.state {
            State::BeforeKey if matches!(character, '#' | ';') => self.state = State::Comment,
            State::BeforeKey if is_blank(character) => {}
            State::BeforeKey => {
                self.first_line = self.line;
                self.key.push(character);
                self.state = State::Key;
            }
            State::Comment if is_end => self.state = State::BeforeKey,
            State::Comment => {}
            State::Key if is_end => self.refuse_line(),
            State::Key if character == '=' => self.state = State::BeforeValue,
            State::Key => self.key.push(character),
            State::BeforeValue | State::Value if is_end => self.finish_setting(),
            State::BeforeValue if character == '\'' => self.state = State::SingleQuotes,
            State::BeforeValue if character == '"' => self.state = State::DoubleQuotes,
            State::BeforeValue if is_blank(character) => {}
            State::BeforeValue | State::Value if character == '\\' => {
                self.state = State::ValueEscape;
            }
            State::BeforeValue | State::Value => {
                self.state = State::Value;
                self.value.push(character);
                if !is_blank(character) {
                    self.kept = self.value.len();
                }
            }
            State::ValueEscape => {
                self.state = State::Value;
                self.keep_unless(is_end, &[character]);
            }
            State::SingleQuotes if character == '\'' => self.state = State::BeforeValue,
            State::DoubleQuotes if character == '"' => self.state = State::BeforeValue,
            State::DoubleQuotes if character == '\\' => self.state = State::DoubleQuotesEscape,
            State::SingleQuotes | State::DoubleQuotes => self.keep_unless(false, &[character]),
            State::DoubleQuotesEscape => {
                self.state = State::DoubleQuotes;
                if matches!(character, '"' | '\\' | '`' | '$') {
                    self.keep_unless(false, &[character]);
                } else {
                    self.keep_unless(character == '\n', &['\\', character]);
                }
            }
        }
        self.line += usize::from(character == '\n');
    }

    /// Takes characters that stay even at the end of a line, unless they are a line that goes on.
    fn keep_unless(&mut self, is_continuation: bool, characters: &[char]) {
        if !is_continuation {
            self.value.extend(characters);
        }
        self.kept = self.value.len();
    }

    fn end(mut self) -> Result<EnvFile> {
        match self.state {
            State::BeforeKey | State::Comment => {}
            State::Key => self.refuse_line(),
            State::BeforeValue | State::Value | State::ValueEscape => self.finish_setting(),
            State::SingleQuotes | State::DoubleQuotes | State::DoubleQuotesEscape => {
                let key = self.key.trim_end().to_owned();
                self.refuse(format!("the quote of `{key}` is never closed"));
            }
        }
        if self.findings.is_empty() {
            return Ok(self.read);
        }
        Err(Error::from_findings(ErrorKind::Usage, self.findings))
    }

    fn finish_setting(&mut self) {
        self.state = State::BeforeKey;
        self.value.truncate(self.kept);
        self.kept = 0;
        let value = std::mem::take(&mut self.value);
        let written = std::mem::take(&mut self.key);
        let key = written.trim_end();
        let key = match key.strip_prefix("export") {
            Some(exported) if exported.starts_with(is_blank) => exported.trim_start(),
            _ => key,
        };
        if !is_variable_name(key) {
            self.refuse(format!("`{key}` is not a name for a variable"));
        } else if value.contains('\0') {
            self.refuse(format!("the value of `{key}` contains a NUL byte"));
        } else {
            self.read.set(key, value);
        }
    }

    /// The text of the line is not repeated: it may be part of a secret.
    fn refuse_line(&mut self) {
        self.state = State::BeforeKey;
        self.key.clear();
        self.refuse("this line is no `KEY=value` and no comment".to_owned());
    }

    fn refuse(&mut self, message: String) {
        let (path, line) = (&self.path, self.first_line);
        self.findings.push(Finding {
            file: Some(path.to_string()),
            line: Some(line),
            ..Finding::new(format!("`{path}` line {line}: {message}"))
        });
    }
}

fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// As systemd and POSIX have it: letters, digits and `_`, not beginning with a digit.
fn is_variable_name(key: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    key.bytes().all(is_word) && key.bytes().next().is_some_and(|b| !b.is_ascii_digit())
}

#[cfg(test)]
mod tests;
