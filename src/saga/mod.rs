//! Steps that can be undone, driven forward and back. The saga knows no step: it drives any
//! [`Reversible`], and writes each event to the journal before the effect it announces.
//!
//! Its rules: undo runs for every *started* step, newest first, the failing one too; an undo that
//! fails is written down and the rest goes on; after the commit nothing is undone.

pub mod journal;
#[cfg(test)]
mod tests;

use std::time::Instant;

use crate::error::{Error, ErrorKind, Result};
use crate::host::signal::Patience;

use journal::{Event, Journal};

/// After so many attempts a switch is undone instead of resumed, and what may be left out is.
pub const LAST_ATTEMPT: u32 = 3;

/// A step and its way back, told in one file. `S` is what the steps work on.
pub trait Reversible<S> {
    /// Its stable name, as the JSON and the journal have it.
    fn name(&self) -> &str;

    /// Does the work.
    ///
    /// # Errors
    /// Anything that must take the whole command back.
    fn run(&self, stage: &mut S) -> Result<()>;

    /// Takes the work back. It is right after none, half or all of `run`, and after itself.
    ///
    /// # Errors
    /// When the state before the step cannot be brought back.
    fn undo(&self, stage: &mut S) -> Result<()>;
}

/// What the saga needs of the stage its steps work on.
pub trait Stage {
    /// The journal of the command.
    fn journal(&mut self) -> &mut Journal;

    /// Until when the command wants to go on. While steps are undone, it is a fresh one.
    fn patience(&self) -> Patience;

    /// Takes note of how a step ended.
    fn took(&mut self, step: &str, ms: u64, is_ok: bool);
}

/// The step that ended the way forward, and why.
#[derive(Debug)]
pub struct Stopped {
    /// The name of the step; none when it stopped between two steps.
    pub step: Option<String>,
    /// How many steps were started: so many are to be undone.
    pub started: usize,
    /// Why.
    pub error: Error,
}

impl Stopped {
    /// Between two steps, or after the last one.
    pub fn between(started: usize, error: Error) -> Box<Stopped> {
        Box::new(Stopped {
            step: None,
            started,
            error,
        })
    }
}

/// Runs the steps from place `first` on, in order, until one fails or a signal asks to stop.
///
/// # Errors
/// The step that failed; it and all before it are still to be undone by [`unwind`].
pub fn advance<S: Stage>(
    steps: &[impl Reversible<S>],
    first: usize,
    stage: &mut S,
) -> Result<(), Box<Stopped>> {
    for (place, step) in steps.iter().enumerate().skip(first) {
        if stage.patience().is_over() {
            return Err(Stopped::between(place, interrupted()));
        }
        let began = Instant::now();
        let announced = stage.journal().write(&Event::Started {
            place,
            step: step.name().into(),
        });
        let result = announced.and_then(|()| step.run(stage));
        let ms = millis_since(began);
        stage.took(step.name(), ms, result.is_ok());
        if let Err(error) = &result {
            // The way back needs no line of the way forward: a full disk must not stop it.
            let _ = stage.journal().write(&Event::Failed {
                place,
                message: error.to_string(),
            });
        }
        result
            .and_then(|()| stage.journal().write(&Event::Succeeded { place, ms }))
            .map_err(|error| {
                Box::new(Stopped {
                    step: Some(step.name().to_owned()),
                    started: place + 1,
                    error,
                })
            })?;
    }
    if stage.patience().is_over() {
        return Err(Stopped::between(steps.len(), interrupted()));
    }
    Ok(())
}

/// Undoes the first `started` steps, newest first, and goes on past undos that fail.
///
/// Returns the names of the steps whose undo failed, with the reasons.
pub fn unwind<S: Stage>(
    steps: &[impl Reversible<S>],
    started: usize,
    stage: &mut S,
) -> Vec<(String, Error)> {
    let mut failures = Vec::new();
    for (place, step) in steps.iter().enumerate().take(started).rev() {
        // An undo that cannot be announced is done all the same: it is right to repeat it.
        let _ = stage.journal().write(&Event::UndoStarted { place });
        match step.undo(stage) {
            Ok(()) => {
                let _ = stage.journal().write(&Event::UndoFinished { place });
            }
            Err(error) => {
                let message = error.to_string();
                let _ = stage.journal().write(&Event::UndoFailed { place, message });
                failures.push((step.name().to_owned(), error));
            }
        }
    }
    failures
}

/// Whole milliseconds since `began`.
pub fn millis_since(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted")
}
