//! Waiting until a check is good.

use std::cell::OnceCell;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::units::Span;
use crate::error::{Error, ErrorKind};
use crate::host::signal::Patience;

use super::check::{Attempt, Check, LOOK_INTERVAL};

/// A check became good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Healthy {
    /// After so many attempts.
    pub attempts: u32,
    /// After so long.
    pub elapsed: Duration,
}

/// A check did not become good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unhealthy {
    /// What was asked.
    pub check: String,
    /// How many attempts were finished.
    pub attempts: u32,
    /// How long it was given.
    pub within: Span,
    /// What the attempts showed last, when there was one.
    pub last: Option<String>,
    /// Why the wait ended.
    pub reason: Reason,
}

/// Why a wait ended without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The time was over.
    Late,
    /// There was nothing left to wait for; the text says why.
    Aborted(String),
    /// A signal asked to stop.
    Interrupted,
}

/// Asks a check until it was good `successes` times in a row, pausing `interval` between two
/// attempts, for at most `within` by the monotonic clock. `abort` is asked about every 100 ms: a
/// text ends the wait at once (a unit that died will not answer any more). Each finished attempt
/// is told with its number, counted from 1.
///
/// # Errors
/// When the time, the patience or the hope is over.
pub fn until_healthy(
    check: &Arc<Check>,
    patience: &Patience,
    abort: &dyn Fn() -> Option<String>,
    on_attempt: &mut dyn FnMut(&Attempt, u32),
) -> Result<Healthy, Unhealthy> {
    let settings = check.settings();
    let started = Instant::now();
    let until = started + settings.within.duration();
    let end = OnceCell::new();
    let is_over = || {
        end.get().is_some()
            || reason_to_end(until, patience, abort).is_some_and(|reason| end.set(reason).is_ok())
    };
    let mut seen = Seen::default();
    while let Some(attempt) = check.attempt_until(until, patience, &is_over) {
        seen.take(&attempt);
        on_attempt(&attempt, seen.attempts);
        if seen.in_a_row >= settings.successes.max(1) {
            return Ok(Healthy {
                attempts: seen.attempts,
                elapsed: started.elapsed(),
            });
        }
        if !pause(settings.interval.duration(), &is_over) {
            break;
        }
    }
    Err(Unhealthy {
        check: check.name(),
        attempts: seen.attempts,
        within: settings.within,
        last: seen.text(settings.successes),
        reason: end.into_inner().unwrap_or(Reason::Late),
    })
}

fn reason_to_end(
    until: Instant,
    patience: &Patience,
    abort: &dyn Fn() -> Option<String>,
) -> Option<Reason> {
    let text = abort();
    // What is asked about may fail of the interruption itself.
    if patience.is_over() {
        return Some(Reason::Interrupted);
    }
    if let Some(text) = text {
        return Some(Reason::Aborted(text));
    }
    (Instant::now() >= until).then_some(Reason::Late)
}

/// Sleeps in short pieces. Returns whether the wait goes on.
fn pause(time: Duration, is_over: &dyn Fn() -> bool) -> bool {
    let until = Instant::now() + time;
    loop {
        if is_over() {
            return false;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        std::thread::sleep(left.min(LOOK_INTERVAL));
    }
}

/// What the attempts showed so far.
#[derive(Default)]
struct Seen {
    attempts: u32,
    in_a_row: u32,
    failure: Option<String>,
}

impl Seen {
    fn take(&mut self, attempt: &Attempt) {
        self.attempts += 1;
        if attempt.ok {
            self.in_a_row += 1;
        } else {
            self.in_a_row = 0;
            self.failure = Some(format!("{} at attempt {}", attempt.detail, self.attempts));
        }
    }

    fn text(self, successes: u32) -> Option<String> {
        if self.in_a_row == 0 {
            return self.failure;
        }
        let row = format!(
            "only {} of {successes} good answers in a row",
            self.in_a_row
        );
        Some(match self.failure {
            Some(failure) => format!("{row}, before that {failure}"),
            None => row,
        })
    }
}

impl Unhealthy {
    fn what(&self) -> String {
        match &self.reason {
            Reason::Late => format!("`{}` not healthy within {}", self.check, self.within),
            Reason::Aborted(text) => format!("`{}` not healthy: {text}", self.check),
            Reason::Interrupted => format!("interrupted while waiting for `{}`", self.check),
        }
    }

    fn cause(&self) -> String {
        let last = self.last.clone();
        last.unwrap_or_else(|| "no answer at attempt 1".to_owned())
    }
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what(), self.cause())
    }
}

impl From<Unhealthy> for Error {
    fn from(unhealthy: Unhealthy) -> Self {
        let kind = match unhealthy.reason {
            Reason::Interrupted => ErrorKind::Interrupted,
            Reason::Late | Reason::Aborted(_) => ErrorKind::Failed,
        };
        Error::new(kind, unhealthy.what()).cause(unhealthy.cause())
    }
}
