//! What the command in flight has done: one JSON object a line, each durable before the effect it
//! announces. The first line is the plan. The file is there only while a command is unfinished.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Context, Result};
use crate::host::atomic_file;

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What is to be done; everything recovery needs.
    Plan {
        /// The plan as data.
        plan: Value,
    },
    /// A step is about to run.
    Started {
        /// Its place in the plan.
        place: usize,
        /// Its name.
        step: String,
    },
    /// A step ended well.
    Succeeded {
        /// Its place in the plan.
        place: usize,
        /// How long it took.
        ms: u64,
    },
    /// A step failed.
    Failed {
        /// Its place in the plan.
        place: usize,
        /// Why.
        message: String,
    },
    /// A step is about to be undone.
    UndoStarted {
        /// Its place in the plan.
        place: usize,
    },
    /// A step was undone.
    UndoFinished {
        /// Its place in the plan.
        place: usize,
    },
    /// A step could not be undone.
    UndoFailed {
        /// Its place in the plan.
        place: usize,
        /// Why.
        message: String,
    },
    /// Something a step wants to be known to whoever undoes or resumes it.
    Fact {
        /// What it is about.
        key: String,
        /// What is known.
        value: Value,
    },
    /// The new state is decided; nothing is undone after this.
    Committed,
    /// A later command tries to finish or undo this one.
    Recovery {
        /// Which attempt it is, counted from 1.
        attempt: u32,
    },
}

/// The journal of the command in flight, open for more lines.
#[derive(Debug)]
pub struct Journal {
    path: Utf8PathBuf,
    file: fs::File,
    /// Up to where the file holds whole lines.
    length: u64,
}

impl Journal {
    /// Begins a journal with its plan.
    ///
    /// # Errors
    /// When the file system refuses; nothing is left behind that says a command is unfinished.
    pub fn begin(path: &Utf8Path, plan: Value) -> Result<Journal> {
        let what = "cannot begin the journal";
        let line = serde_json::to_string(&Event::Plan { plan }).context(what)?;
        atomic_file::replace(path, format!("{line}\n").as_bytes(), 0o600).context(what)?;
        Journal::reopen(path)
    }

    /// Opens the journal of a command that did not end. A torn last line is cut off, so that the
    /// next one does not run into it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn reopen(path: &Utf8Path) -> Result<Journal> {
        let what = "cannot open the journal";
        let mut options = fs::OpenOptions::new();
        options.append(true);
        options.options_mut().custom_flags(nix::libc::O_NOFOLLOW);
        let file = options.open(path).context(what)?;
        let bytes = fs::read(path).context(what)?;
        let length = whole_lines(&bytes).len() as u64;
        file.set_len(length).context(what)?;
        Ok(Journal {
            path: path.to_owned(),
            file,
            length,
        })
    }

    /// Writes one line and makes it durable.
    ///
    /// # Errors
    /// When the file system refuses. What was written of the line is taken back: the next line must
    /// not run into it, and nobody may read later what was given up.
    pub fn write(&mut self, event: &Event) -> Result<()> {
        let what = "cannot write the journal";
        let line = serde_json::to_string(event).context(what)? + "\n";
        let written = self.file.write_all(line.as_bytes());
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            let _ = self.file.set_len(self.length);
            return Err(error).context(what);
        }
        self.length += line.len() as u64;
        Ok(())
    }

    /// Writes down something that undo or recovery must know.
    ///
    /// # Errors
    /// As [`Journal::write`].
    pub fn fact(&mut self, key: impl Into<String>, value: impl Serialize) -> Result<()> {
        let value = serde_json::to_value(value).context("cannot write the journal")?;
        self.write(&Event::Fact {
            key: key.into(),
            value,
        })
    }

    /// Ends the journal: nothing is unfinished any more.
    ///
    /// # Errors
    /// When the file cannot be removed.
    pub fn end(&self) -> Result<()> {
        atomic_file::remove(&self.path).context("cannot remove the journal")
    }

    /// Puts the journal out of the way without losing it, for a human to look at.
    ///
    /// # Errors
    /// When the file cannot be renamed.
    pub fn set_aside(path: &Utf8Path, suffix: &str) -> Result<Utf8PathBuf> {
        let aside = Utf8PathBuf::from(format!("{path}.{suffix}"));
        fs::rename(path, &aside).context("cannot set the journal aside")?;
        Ok(aside)
    }
}

/// The events of an unfinished command, or nothing when none is unfinished.
///
/// A last line without a newline was being written when the command ended: what it announces never
/// happened, and it is left out.
///
/// # Errors
/// When the file cannot be read, or a line in the middle is no event.
pub fn read(path: &Utf8Path) -> Result<Option<Vec<Event>>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut events = Vec::new();
    for (number, line) in whole_lines(&bytes).split(|byte| *byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        let event = serde_json::from_slice(line)
            .context(format!("line {} of `{path}` is no event", number + 1))?;
        events.push(event);
    }
    Ok(Some(events))
}

/// The text up to its last newline.
fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |last| last + 1);
    &bytes[..end]
}

/// What the events say happened to the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// How many steps were started.
    pub started: usize,
    /// How many of them ended well.
    pub succeeded: usize,
    /// Whether the way back was begun.
    pub is_unwinding: bool,
    /// Whether the commit was written.
    pub is_committed: bool,
    /// How often a later command tried to finish it.
    pub attempts: u32,
}

impl Progress {
    /// Sums the events up.
    pub fn of(events: &[Event]) -> Progress {
        let mut progress = Progress::default();
        for event in events {
            match event {
                Event::Started { place, .. } => progress.started = place + 1,
                Event::Succeeded { place, .. } => progress.succeeded = place + 1,
                Event::Failed { .. } => progress.is_unwinding = true,
                // A commit that could not be made durable was given up.
                Event::UndoStarted { .. } | Event::UndoFailed { .. } => {
                    progress.is_unwinding = true;
                    progress.is_committed = false;
                }
                Event::Committed => progress.is_committed = true,
                Event::Recovery { attempt } => progress.attempts = *attempt,
                Event::Plan { .. } | Event::UndoFinished { .. } | Event::Fact { .. } => {}
            }
        }
        progress
    }
}

/// The names of the steps that ended well, and how long each took in milliseconds.
pub fn steps_done(events: &[Event]) -> Vec<(String, u64)> {
    let mut names = Vec::new();
    let mut done = Vec::new();
    for event in events {
        match event {
            Event::Started { place, step } => {
                names.resize(names.len().max(place + 1), String::new());
                names[*place].clone_from(step);
            }
            Event::Succeeded { place, ms } => {
                done.extend(names.get(*place).map(|name| (name.clone(), *ms)));
            }
            _ => {}
        }
    }
    done
}

/// The last value written for a fact.
pub fn fact_of<'a>(events: &'a [Event], wanted: &str) -> Option<&'a Value> {
    events.iter().rev().find_map(|event| match event {
        Event::Fact { key, value } if key == wanted => Some(value),
        _ => None,
    })
}
