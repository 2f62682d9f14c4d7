//! The log of one hook: private, bounded, and never a reason for a release to fail.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err::os::unix::fs::OpenOptionsExt;
use fs_err::{File, OpenOptions};

use crate::report::Report;

/// A log grows to this size; of what comes after it only the last lines are added at the end.
const LOG_BYTES: u64 = 16 << 20;

/// A file that lines are added to.
pub(super) struct Log<'a> {
    path: Utf8PathBuf,
    report: &'a dyn Report,
    /// `None` after the first failure, which was said.
    file: Option<File>,
    size: u64,
    left_out: u64,
}

impl<'a> Log<'a> {
    /// Opens the log at the path, behind what an earlier attempt wrote to it; its directory is
    /// made when it is not there. Both are private whatever the umask.
    pub(super) fn open(path: &Utf8Path, report: &'a dyn Report) -> Log<'a> {
        let mut log = Log {
            path: path.to_owned(),
            report,
            file: None,
            size: 0,
            left_out: 0,
        };
        match open_private(path) {
            Ok((file, size)) => (log.file, log.size) = (Some(file), size),
            Err(error) => log.give_up(&error),
        }
        log
    }

    /// Adds a line, unless the log is full.
    pub(super) fn line(&mut self, line: &str) {
        let bytes = line.len() as u64 + 1;
        if self.size + bytes > LOG_BYTES {
            self.size = LOG_BYTES;
            self.left_out += 1;
        } else {
            self.size += bytes;
            self.write(line);
        }
    }

    /// Ends a log that became full: with how much is missing, and with the last lines, which
    /// mostly say why a hook failed.
    pub(super) fn end(mut self, tail: &[String]) {
        if self.left_out > 0 {
            let limit = LOG_BYTES >> 20;
            self.write(&format!(
                "[zdd: the log was cut at {limit} MiB, {} lines are left out; the last lines were:]",
                self.left_out
            ));
            tail.iter().for_each(|line| self.write(line));
        }
    }

    fn write(&mut self, line: &str) {
        if let Some(file) = &mut self.file
            && let Err(error) = file.write_all(format!("{line}\n").as_bytes())
        {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.file = None;
        let path = &self.path;
        self.report
            .warning(&format!("the log `{path}` is not complete: {error}"));
    }
}

fn open_private(path: &Utf8Path) -> io::Result<(File, u64)> {
    if let Some(directory) = path.parent()
        && let Err(error) = std::fs::DirBuilder::new().mode(0o700).create(directory)
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(io::Error::new(
            error.kind(),
            format!("cannot make `{directory}`: {error}"),
        ));
    }
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::report::Event;

    #[derive(Default)]
    struct Warnings(Mutex<Vec<String>>);

    impl Report for Warnings {
        fn event(&self, event: Event<'_>) {
            if let Event::Warning(text) = event {
                self.0.lock().unwrap().push(text.to_owned());
            }
        }
    }

    #[test]
    fn a_full_disk_is_said_once() {
        let report = Warnings::default();
        let file = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = Log {
            path: "/dev/full".into(),
            report: &report,
            file: Some(file),
            size: 0,
            left_out: 0,
        };
        log.line("one");
        log.line("two");
        log.end(&[]);
        let warnings = report.0.into_inner().unwrap();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains("No space left on device"));
    }
}
