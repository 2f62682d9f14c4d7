//! What an nginx complained of since a moment, from the files it writes.

use camino::Utf8PathBuf;

use crate::host::log_file::LogFile;

/// How much is read of each file.
const MOST: u64 = 64 * 1024;

/// How many lines are told.
const LINES: usize = 20;

/// The words of the levels that tell why settings are not used.
const LEVELS: [&str; 4] = ["[emerg]", "[alert]", "[crit]", "[error]"];

/// The files that a master has open.
#[derive(Debug)]
pub struct Log {
    files: Vec<LogFile>,
}

impl Log {
    /// As they are now. None where this user may not look.
    pub fn of(pid: u32) -> Log {
        let entries = std::fs::read_dir(format!("/proc/{pid}/fd"));
        let entries = entries.into_iter().flatten().flatten();
        let paths = entries.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let paths = paths.filter_map(|path| Utf8PathBuf::from_path_buf(path).ok());
        let mut paths: Vec<_> = paths.filter(|path| path.is_file()).collect();
        paths.sort_unstable();
        paths.dedup();
        let files = paths.iter().filter_map(|path| LogFile::at_end(path).ok());
        Log {
            files: files.collect(),
        }
    }

    /// The complaints that were written since, the oldest first.
    pub fn complaints(&mut self) -> Vec<String> {
        let is_complaint = |line: &String| LEVELS.iter().any(|level| line.contains(level));
        let read = |file: &mut LogFile| file.lines_since(MOST).unwrap_or_default().lines;
        let lines = self.files.iter_mut().flat_map(read);
        let mut lines: Vec<String> = lines.filter(is_complaint).collect();
        lines.split_off(lines.len().saturating_sub(LINES))
    }
}
