//! A log that others write, from a moment on. It is held open meanwhile, so that what was written
//! before a rotation is read too: from the old file, then from the one that took its name.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use nix::libc::O_NONBLOCK;

/// A longer line is cut.
const LINE_BYTES: usize = 16 * 1024;

/// A log and where its end was.
#[derive(Debug)]
pub struct LogFile {
    path: Utf8PathBuf,
    /// None where there was no file.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    file: File,
    place: (u64, u64),
    end: u64,
}

/// What was read.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// The lines, the oldest first.
    pub lines: Vec<String>,
    /// Whether there was more than was to be read.
    pub is_cut: bool,
}

impl LogFile {
    /// The log at its end, as it is now. One that is not there has its end at its beginning.
    ///
    /// # Errors
    /// When it may not be read, or is no regular file.
    pub fn at_end(path: &Utf8Path) -> io::Result<LogFile> {
        let held = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            opened => Some(opened?),
        };
        Ok(LogFile {
            path: path.to_owned(),
            held,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// What was written since, at most so many bytes of it.
    ///
    /// # Errors
    /// When it cannot be read any more.
    pub fn lines_since(&mut self, most: u64) -> io::Result<Lines> {
        let mut all = Lines::default();
        let mut left = most;
        if let Some(held) = &mut self.held {
            // One that was copied away and emptied begins anew.
            let is_emptied = held.file.metadata()?.len() < held.end;
            let begin = if is_emptied { 0 } else { held.end };
            left = read(&mut held.file, begin, left, &mut all)?;
        }
        let named = match open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(all),
            opened => opened?,
        };
        let was_here = |held: &Held| held.place == named.place;
        if !self.held.as_ref().is_some_and(was_here) {
            let mut file = named.file;
            read(&mut file, 0, left, &mut all)?;
        }
        Ok(all)
    }
}

/// A pipe or a device under the name of a log must not be waited for.
fn open(path: &Utf8Path) -> io::Result<Held> {
    let mut options = OpenOptions::new();
    let file = options.read(true).custom_flags(O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    Ok(Held {
        file,
        place: (metadata.dev(), metadata.ino()),
        end: metadata.len(),
    })
}

/// Adds the lines from `begin` on. Returns how many of `most` bytes are left.
fn read(file: &mut File, begin: u64, most: u64, all: &mut Lines) -> io::Result<u64> {
    file.seek(SeekFrom::Start(begin))?;
    let there = file.metadata()?.len().saturating_sub(begin);
    all.is_cut |= there > most;
    let lines = BufReader::new(file.take(most)).split(b'\n');
    for line in lines {
        let mut line = line?;
        line.truncate(LINE_BYTES);
        let text = String::from_utf8_lossy(&line);
        all.lines.push(text.trim_end().to_owned());
    }
    Ok(most.saturating_sub(there))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    const MOST: u64 = 1 << 20;

    fn log(text: &str) -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap().join("a.log");
        fs::write(&path, text).unwrap();
        (directory, path)
    }

    fn append(path: &Utf8Path, text: &str) {
        let mut options = OpenOptions::new();
        let mut file = options.append(true).create(true).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    fn since(log: &mut LogFile) -> Vec<String> {
        log.lines_since(MOST).unwrap().lines
    }

    #[test]
    fn only_what_was_written_since_is_read() {
        let (_guard, path) = log("old\n");
        let mut log = LogFile::at_end(&path).unwrap();
        assert_eq!(since(&mut log), [""; 0]);
        append(&path, "one\ntwo\n");
        assert_eq!(since(&mut log), ["one", "two"]);
    }

    #[test]
    fn a_rotated_log_is_read_on_in_both_files() {
        let (_guard, path) = log("old\n");
        let mut log = LogFile::at_end(&path).unwrap();
        append(&path, "before\n");
        fs::rename(&path, path.with_extension("log.1")).unwrap();
        assert_eq!(since(&mut log), ["before"]);
        append(&path, "after\n");
        assert_eq!(since(&mut log), ["before", "after"]);
    }

    #[test]
    fn an_emptied_log_is_read_from_its_beginning() {
        let (_guard, path) = log("a long line from before\n");
        let mut log = LogFile::at_end(&path).unwrap();
        fs::write(&path, "new\n").unwrap();
        assert_eq!(since(&mut log), ["new"]);
    }

    #[test]
    fn a_log_that_was_not_there_is_read_whole_and_never_more_than_asked() {
        let (_guard, path) = log("");
        fs::remove_file(&path).unwrap();
        let mut log = LogFile::at_end(&path).unwrap();
        append(&path, "one\ntwo\n");
        assert_eq!(since(&mut log), ["one", "two"]);
        let cut = log.lines_since(4).unwrap();
        assert_eq!((cut.lines.len(), cut.is_cut), (1, true));
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let (guard, path) = log("");
        let pipe = path.with_extension("pipe");
        nix::unistd::mkfifo(pipe.as_std_path(), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(LogFile::at_end(&pipe).is_err());
        let directory = Utf8Path::from_path(guard.path()).unwrap();
        assert!(LogFile::at_end(directory).is_err());
    }
}
