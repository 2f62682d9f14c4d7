//! What a unit wrote to systemd's journal, entry by entry.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;

use super::Unit;
use crate::config::schema::Scope;
use crate::error::{Error, Result};
use crate::host::command::Command;
use crate::host::signal::Patience;

/// How long reading the journal may take; it only informs.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many entries are looked through, the newest ones.
const ENTRIES: usize = 5000;

/// What journalctl says on its standard error when some of the journal may not be read.
const DENIALS: [&str; 2] = ["insufficient permissions", "not seeing messages"];

/// One entry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// The process that wrote it, or that systemd wrote it about.
    pub pid: Option<u32>,
    /// How urgent it is: 3 and below are errors. What a program prints has 6.
    pub priority: u8,
    /// The text; it may have several lines.
    pub message: String,
}

impl Unit {
    /// What the unit, or systemd about it, wrote from one moment to another, the oldest first.
    ///
    /// # Errors
    /// When this user may not read it, or there is no journal.
    pub fn entries(&self, since: OffsetDateTime, until: OffsetDateTime) -> Result<Vec<Entry>> {
        let asked = Command::new("journalctl")
            .args(["--no-pager", "--reverse", "--output=json"])
            .arg("--output-fields=MESSAGE,PRIORITY,_PID")
            .arg(format!("--lines={ENTRIES}"))
            .arg(format!("--since={}", moment(since)))
            .arg(format!("--until={}", moment(until)))
            .arg(self.journal_flag())
            .timeout(TIMEOUT)
            .capture(&Patience::fresh())?;
        let said = asked.tail.join(" ");
        let may_read = !DENIALS.iter().any(|denial| said.contains(denial));
        if asked.ending.is_success() && may_read {
            return Ok(asked.stdout.lines().rev().filter_map(entry).collect());
        }
        let what = "systemd's journal cannot be read";
        Err(match may_read {
            true => Error::failed(what).cause(said),
            false => Error::failed(what)
                .cause("this user may not")
                .hint("usermod -aG systemd-journal USER, and a new login"),
        })
    }

    /// The command with which people read it from a moment on.
    pub fn journal_command(&self, since: OffsetDateTime) -> String {
        let seconds = since.unix_timestamp();
        format!("journalctl {} --since=@{seconds}", self.journal_flag())
    }

    /// The words of journalctl for the unit.
    pub(super) fn journal_flag(&self) -> String {
        let flag = match self.scope() {
            Scope::System => "--unit",
            Scope::User => "--user-unit",
        };
        format!("{flag}={}", self.name())
    }
}

/// A moment as journalctl reads it.
fn moment(time: OffsetDateTime) -> String {
    format!("@{}.{:06}", time.unix_timestamp(), time.microsecond())
}

/// One line of its JSON. What is no UTF-8 is a list of bytes.
fn entry(line: &str) -> Option<Entry> {
    let fields: Value = serde_json::from_str(line).ok()?;
    let number = |key: &str| fields[key].as_str()?.parse().ok();
    let message = match &fields["MESSAGE"] {
        Value::String(text) => text.clone(),
        Value::Array(bytes) => {
            let byte = |it: &Value| u8::try_from(it.as_u64()?).ok();
            let bytes: Vec<u8> = bytes.iter().filter_map(byte).collect();
            String::from_utf8_lossy(&bytes).into_owned()
        }
        _ => return None,
    };
    Some(Entry {
        pid: number("_PID"),
        priority: number("PRIORITY")
            .and_then(|it| u8::try_from(it).ok())
            .unwrap_or(6),
        message,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_whatever_bytes_it_has() {
        let line = r#"{"MESSAGE":"oh\nno","PRIORITY":"3","_PID":"12","__CURSOR":"s=1"}"#;
        let read = entry(line).unwrap();
        assert_eq!((read.pid, read.priority), (Some(12), 3));
        assert_eq!(read.message, "oh\nno");
        let bytes = entry(r#"{"MESSAGE":[72,105,255]}"#).unwrap();
        assert_eq!(bytes.message, "Hi\u{fffd}");
        assert_eq!(bytes.priority, 6);
        assert_eq!(entry("{}"), None);
        assert_eq!(entry("no json"), None);
    }
}
