//! The small files with a number in them that the services and others' scripts share.

use std::time::SystemTime;

use camino::Utf8Path;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::error::{Context, Result};
use crate::host::atomic_file;
use crate::host::ticks::Ticks;

/// How much later than its file a process may seem to have started: clocks are read at two places.
const SLACK: u64 = 20;

/// A file as it was, to be put back with its time: that is what tells the process it names from a
/// later one with the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    text: String,
    modified: Option<SystemTime>,
}

impl Kept {
    /// The file as it is; none when it is not there.
    pub fn of(path: &Utf8Path) -> Option<Kept> {
        let text = fs::read(path).ok()?;
        let modified = fs::metadata(path).and_then(|it| it.modified()).ok();
        Some(Kept {
            text: String::from_utf8_lossy(&text).into_owned(),
            modified,
        })
    }

    /// The number in it.
    pub fn number(&self) -> Option<u32> {
        self.text.trim().parse().ok().filter(|number| *number != 0)
    }

    /// Whether it was written after this moment, as what a process that started then wrote or what
    /// was written about it. An older one speaks of an earlier process with the same pid.
    pub fn is_written_since(&self, started: Ticks) -> bool {
        let written = self.modified.map(Ticks::of);
        written.is_some_and(|written| started.0 <= written.0 + SLACK)
    }
}

/// That no new process is named in a file where one should be, and what to do about it.
pub fn unnamed(path: &Utf8Path) -> (String, &'static str) {
    (
        format!("no pid of a new process in `{path}`"),
        "let the service write its pid there, or correct `pid_file`",
    )
}

/// Makes a file what it was.
///
/// # Errors
/// When the file system refuses.
pub fn put_back(path: &Utf8Path, kept: Option<&Kept>) -> Result<()> {
    let what = format!("cannot put `{path}` back");
    if Kept::of(path).as_ref() == kept {
        return Ok(());
    }
    let Some(kept) = kept else {
        return atomic_file::remove(path).context(what);
    };
    atomic_file::replace(path, kept.text.as_bytes(), 0o644).context(what.clone())?;
    if let Some(modified) = kept.modified {
        let file = fs::OpenOptions::new().write(true).open(path);
        let file = file.context(what.clone())?;
        file.file().set_modified(modified).context(what)?;
    }
    Ok(())
}

/// Writes a bare number, as the original did.
///
/// # Errors
/// When the file system refuses.
pub fn write_number(path: &Utf8Path, number: u32) -> Result<()> {
    let text = number.to_string();
    atomic_file::replace(path, text.as_bytes(), 0o644).context(format!("cannot write `{path}`"))
}

/// The number in a file now.
pub fn number_in(path: &Utf8Path) -> Option<u32> {
    Kept::of(path)?.number()
}
