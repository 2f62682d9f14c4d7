//! What an nginx complained of since a moment, from the files it writes.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;

/// How much is read of each file.
const MOST: u64 = 64 * 1024;

/// How many lines are told.
const LINES: usize = 20;

/// The words of the levels that tell why settings are not used.
const LEVELS: [&str; 4] = ["[emerg]", "[alert]", "[crit]", "[error]"];

/// The files that a master has open, and how long each was.
#[derive(Debug)]
pub struct Log {
    files: BTreeMap<PathBuf, u64>,
}

impl Log {
    /// As they are now. None where this user may not look.
    pub fn of(pid: u32) -> Log {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let entries = entries.into_iter().flatten().flatten();
        let files = entries.filter_map(|entry| {
            let path = std::fs::read_link(entry.path()).ok()?;
            let metadata = std::fs::metadata(&path).ok()?;
            metadata.is_file().then_some((path, metadata.len()))
        });
        Log {
            files: files.collect(),
        }
    }

    /// The complaints that were written since, the oldest first.
    pub fn complaints(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (path, length) in &self.files {
            let mut text = Vec::new();
            let read = std::fs::File::open(path).and_then(|mut file| {
                file.seek(SeekFrom::Start(*length))?;
                file.take(MOST).read_to_end(&mut text)
            });
            if read.is_ok() {
                let text = String::from_utf8_lossy(&text);
                let complaints = text.lines();
                let complaints =
                    complaints.filter(|line| LEVELS.iter().any(|it| line.contains(it)));
                lines.extend(complaints.map(str::to_owned));
            }
        }
        let first = lines.len().saturating_sub(LINES);
        lines.split_off(first)
    }
}
