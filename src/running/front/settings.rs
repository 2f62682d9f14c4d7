//! Reading the settings of other programs: the files, the directives in them, and the command
//! lines that name them. What a directive means is known to each front's own module.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use nix::libc::O_NONBLOCK;

/// The most that is read of one file.
const LENGTH_LIMIT: u64 = 1024 * 1024;

/// One directive with what stands in its braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directive {
    /// The file it stands in.
    pub file: Utf8PathBuf,
    /// Its line, counted from 1.
    pub line: usize,
    /// Its words, the name first, without quotes.
    pub words: Vec<String>,
    /// The directives in its braces.
    pub block: Vec<Directive>,
}

impl Directive {
    /// Its first word.
    pub fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The words after the first.
    pub fn arguments(&self) -> &[String] {
        self.words.get(1..).unwrap_or_default()
    }

    /// Whether it has exactly these words.
    pub fn is(&self, words: &[&str]) -> bool {
        self.words == words
    }

    /// The place for people: the file and the line.
    pub fn place(&self) -> String {
        format!("`{}` line {}", self.file, self.line)
    }

    /// It and all directives below it.
    pub fn all(&self) -> Vec<&Directive> {
        let below = self.block.iter().flat_map(Directive::all);
        std::iter::once(self).chain(below).collect()
    }
}

/// The text of a regular file. The path may come from another user's command line, so that a pipe
/// or a device there must not be waited for.
///
/// # Errors
/// When it cannot be read, is none, or is too long.
pub fn read(path: &Utf8Path) -> io::Result<String> {
    let mut options = File::options();
    let file = options.read(true).custom_flags(O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > LENGTH_LIMIT {
        return Err(io::Error::other("no file of settings"));
    }
    let mut bytes = Vec::new();
    file.take(LENGTH_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The files that a path with `*` and `?` in its last part stands for, in order of their names. A
/// path without them stands for itself.
///
/// # Errors
/// When the directory cannot be read.
pub fn files(pattern: &Utf8Path) -> io::Result<Vec<Utf8PathBuf>> {
    let name = pattern.file_name().unwrap_or_default();
    if !name.contains(['*', '?']) {
        return Ok(vec![pattern.to_owned()]);
    }
    let directory = pattern.parent().unwrap_or(Utf8Path::new("."));
    let mut found = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?.file_name();
        let entry = entry.to_str().filter(|entry| {
            (!entry.starts_with('.') || name.starts_with('.')) && fits(name, entry)
        });
        found.extend(entry.map(|entry| directory.join(entry)));
    }
    found.sort();
    Ok(found)
}

/// Whether a name fits a pattern.
fn fits(pattern: &str, name: &str) -> bool {
    let mut letters = pattern.chars();
    match letters.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = letters.as_str();
            let mut ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.any(|at| fits(rest, &name[at..]))
        }
        Some(letter) => {
            let mut others = name.chars();
            let other = others.next();
            other.is_some_and(|other| letter == '?' || letter == other)
                && fits(letters.as_str(), others.as_str())
        }
    }
}

/// The words that follow these options in a command line, in order.
pub fn values(words: &[String], options: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let joined = options
            .iter()
            .find_map(|option| word.strip_prefix(&format!("{option}=")));
        match joined {
            Some(value) => found.push(value.to_owned()),
            None if options.contains(&word.as_str()) => found.extend(words.get(at + 1).cloned()),
            None => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_stands_for_the_files_that_fit_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        for name in ["b.conf", "a.conf", "a.conf.bak", ".hidden.conf"] {
            fs::write(root.join(name), "").unwrap();
        }
        let found = files(&root.join("*.conf")).unwrap();
        assert_eq!(found, [root.join("a.conf"), root.join("b.conf")]);
        assert_eq!(files(&root.join("none")).unwrap(), [root.join("none")]);
        assert_eq!(
            files(&root.join("?.conf.*")).unwrap(),
            [root.join("a.conf.bak")]
        );
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().join("pipe");
        nix::unistd::mkfifo(path.as_std_path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read(&path).is_err());
    }

    #[test]
    fn the_value_of_an_option_stands_behind_it_or_an_equals_sign() {
        let words = ["caddy", "run", "--config", "/a", "--config=/b", "-c"].map(str::to_owned);
        assert_eq!(values(&words, &["--config", "-c"]), ["/a", "/b"]);
    }
}
