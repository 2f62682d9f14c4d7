//! What a hook wants to be remembered: `key=value` lines that it appends to the file in
//! ZDD_OUTPUT. They are kept in the record of the release.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

use camino::Utf8PathBuf;
use nix::unistd::fchown;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::account::Account;
use super::mask::Mask;
use crate::host::process::{self, Look};
use crate::report::{Report, printable};

/// Where the files lie: all users can reach it, whoever a hook runs as.
const DIRECTORY: &str = "/tmp";

/// How their names begin; the process id of zdd follows.
const PREFIX: &str = "zdd-output-";

/// More than this is not read.
const NOTES_BYTES: u64 = 64 * 1024;

/// Longer keys are not taken.
const KEY_BYTES: usize = 64;

/// Notes of one hook, or of all hooks of a release.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notes(pub BTreeMap<String, String>);

impl Notes {
    /// Adds the notes of a later hook; a key set again has its last value.
    pub fn merge(&mut self, later: Notes) {
        self.0.extend(later.0);
    }
}

/// The file a hook writes its notes to. It is deleted when this is dropped.
pub(super) struct NotesFile {
    file: NamedTempFile,
    path: Utf8PathBuf,
}

/// Deletes the files of this user that killed commands left.
pub fn sweep() {
    let entries = fs_err::read_dir(DIRECTORY).into_iter().flatten().flatten();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.split('-').next());
        let Some(pid) = pid.and_then(|pid| pid.parse().ok()) else {
            continue;
        };
        if process::stat(pid) == Look::Gone {
            // One that belongs to somebody else stays: the directory does not let it be deleted.
            let _ = fs_err::remove_file(entry.path());
        }
    }
}

impl NotesFile {
    /// Makes an empty file that only the account can read and write. It lies where all users can
    /// reach it, not below the private directories of the site.
    pub(super) fn create(account: Option<&Account>) -> io::Result<NotesFile> {
        let file = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
            .tempfile_in(DIRECTORY)?;
        if let Some(identity) = account.and_then(|account| account.identity.as_ref()) {
            fchown(&file, Some(identity.uid), Some(identity.gid))?;
        }
        let path = Utf8PathBuf::try_from(file.path().to_owned()).map_err(|e| e.into_io_error())?;
        Ok(NotesFile { file, path })
    }

    /// What the hook is told in ZDD_OUTPUT.
    pub(super) fn path(&self) -> &Utf8PathBuf {
        &self.path
    }

    /// Reads what was written. Lines that are no notes are said and skipped. The file is read
    /// through the descriptor it was made with: what lies at its path now is not looked at.
    pub(super) fn read(mut self, mask: &Mask, report: &dyn Report) -> Notes {
        let mut bytes = Vec::new();
        let file = self.file.as_file_mut();
        if let Err(error) = file
            .rewind()
            .and_then(|()| file.take(NOTES_BYTES).read_to_end(&mut bytes))
        {
            report.warning(&format!(
                "cannot read what the hook wrote to ZDD_OUTPUT: {error}"
            ));
        }
        let text = String::from_utf8_lossy(&bytes);
        let mut notes = Notes::default();
        let mut skipped = 0;
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once('=').filter(|(key, _)| is_key(key)) {
                Some((key, value)) => {
                    notes
                        .0
                        .insert(key.to_owned(), mask.apply(&printable(value)));
                }
                None => skipped += 1,
            }
        }
        if skipped > 0 {
            report.warning(&format!(
                "ZDD_OUTPUT: {skipped} lines are no `key=value` and were skipped"
            ));
        }
        if bytes.len() as u64 == NOTES_BYTES {
            report.warning(&format!(
                "ZDD_OUTPUT: only the first {NOTES_BYTES} bytes were read"
            ));
        }
        notes
    }
}

fn is_key(key: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    (1..=KEY_BYTES).contains(&key.len()) && key.bytes().all(is_word)
}
