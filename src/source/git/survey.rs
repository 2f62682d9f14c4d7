//! What a commit holds, from git's own list: how much room it takes, and which submodules. That the
//! list can be made proves that every file of it is in the mirror.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use camino::Utf8Path;

use super::program;
use crate::error::Result;
use crate::host::command::Ending;
use crate::host::signal::Patience;
use crate::host::tree::measure::Room;

/// What a commit holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Survey {
    /// The room that its files and folders will take.
    pub room: Room,
    /// Whether the directory that was asked for is one.
    pub has_subdir: bool,
    /// The submodules: path from the top of the repository, and recorded commit.
    pub modules: Vec<(PathBuf, String)>,
}

impl Survey {
    /// Lists a commit of a mirror; none when not all of it is there, or it is none.
    ///
    /// # Errors
    /// When git cannot be run, or a signal asked to stop.
    pub fn of(
        mirror: &Utf8Path,
        id: &str,
        subdir: Option<&Utf8Path>,
        patience: &Patience,
    ) -> Result<Option<Survey>> {
        // git looks for a repository elsewhere when there is none.
        if !mirror.is_dir() {
            return Ok(None);
        }
        let command = program::local(mirror)
            .arg("--literal-pathspecs")
            .args(["ls-tree", "-r", "-t", "-l", "-z", "--full-tree", id, "--"])
            .args(subdir.map(|subdir| format!("{subdir}/")));
        let (finished, survey) = command
            .read(patience, |list| Survey::read(list, subdir))
            .map_err(|error| program::not_started(&error))?;
        match finished.ending {
            Ending::Interrupted => Err(program::interrupted()),
            ending => Ok(survey.filter(|_| ending.is_success())),
        }
    }

    /// None when a line says that something is missing.
    fn read(list: impl Read, subdir: Option<&Utf8Path>) -> Option<Survey> {
        let mut survey = Survey {
            has_subdir: subdir.is_none(),
            ..Survey::default()
        };
        survey.room.add(0);
        let mut list = BufReader::new(list);
        let mut line = Vec::new();
        loop {
            line.clear();
            if list.read_until(0, &mut line).ok()? == 0 {
                return Some(survey);
            }
            survey.take(line.strip_suffix(b"\0").unwrap_or(&line), subdir)?;
        }
    }

    /// One line: `100644 blob ID    SIZE\tPATH`.
    fn take(&mut self, line: &[u8], subdir: Option<&Utf8Path>) -> Option<()> {
        let tab = line.iter().position(|byte| *byte == b'\t')?;
        let (facts, path) = (std::str::from_utf8(&line[..tab]).ok()?, &line[tab + 1..]);
        let facts: Vec<&str> = facts.split_ascii_whitespace().collect();
        let [_, kind, id, size] = facts[..] else {
            return None;
        };
        let path = Path::new(OsStr::from_bytes(path));
        if let Some(subdir) = subdir {
            self.has_subdir |= kind == "tree" && path == subdir;
            // The folders above it are listed, too.
            if !path.starts_with(subdir) {
                return Some(());
            }
        }
        match kind {
            "blob" => self.room.add(size.parse().ok()?),
            "commit" => {
                self.modules.push((path.to_owned(), id.to_owned()));
                self.room.add(1);
            }
            _ => self.room.add(1),
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_folders_and_submodules_are_counted_and_what_is_missing_is_seen() {
        let list = b"040000 tree aa       -\tapp\x00100644 blob bb    5000\tapp/a\n\xff\x00160000 commit cc       -\tlib\x00";
        let survey = Survey::read(&list[..], None).unwrap();
        assert_eq!(survey.modules, [("lib".into(), "cc".to_owned())]);
        assert_eq!(survey.room.inodes, 4);
        assert_eq!(survey.room.bytes, 4 * 4096);
        assert_eq!(
            Survey::read(&b"100644 blob bb     BAD\ta\x00"[..], None),
            None
        );
        assert_eq!(Survey::read(&b""[..], None).unwrap().room.inodes, 1);
    }
}
