//! The watch after the switch: all health checks go on being asked for a while, before the release
//! is committed and while the old one is still warm.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::Instant;

use crate::config::schema;
use crate::error::{Error, ErrorKind};
use crate::host::signal::Patience;

use super::check::{Attempt, Check, LOOK_INTERVAL};
use super::failure;

/// Why a watch ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// A check failed too often.
    Failing {
        /// What was asked.
        check: String,
        /// How often it failed.
        failures: usize,
        /// In how many attempts, from the first of these failures on.
        attempts: usize,
        /// What the last attempt showed.
        detail: String,
    },
    /// The caller saw something worse, for instance a crash loop.
    Aborted(String),
    /// A signal asked to stop.
    Interrupted,
}

/// One attempt and the check it belongs to.
type Answered = (usize, Attempt);

/// Asks every check, each at its own interval, for `settings.watch`. `abort` is asked about every
/// 100 ms; a text ends the watch. `on_attempt` is told every attempt with the check's name. No
/// time to watch is a good watch.
///
/// # Errors
/// When a check failed more than `settings.max_failures` times, in a row or in half of its last
/// attempts, `abort` gave a reason, or the patience is over.
pub fn watch(
    checks: &[Arc<Check>],
    settings: &schema::Probe,
    patience: &Patience,
    abort: &dyn Fn() -> Option<String>,
    on_attempt: &mut dyn FnMut(&str, &Attempt),
) -> Result<(), Alarm> {
    let until = Instant::now() + settings.watch.duration();
    let asking = Asking::start(checks, *patience);
    let mut recent: Vec<_> = checks
        .iter()
        .map(|_| Recent::bearing(settings.max_failures))
        .collect();
    while Instant::now() < until {
        if patience.is_over() {
            return Err(Alarm::Interrupted);
        }
        if let Some(reason) = abort() {
            return Err(Alarm::Aborted(reason));
        }
        let Some((number, attempt)) = asking.next(until) else {
            continue;
        };
        let name = checks[number].name();
        on_attempt(&name, &attempt);
        if let Some((failures, attempts)) = recent[number].note(attempt.ok) {
            return Err(Alarm::Failing {
                check: name,
                failures,
                attempts,
                detail: attempt.detail,
            });
        }
    }
    Ok(())
}

/// The last attempts of a check: twice as many as would be one failure too many. Code that fails
/// every other time is as bad as code that always does; a blip now and then is not.
struct Recent {
    borne: usize,
    attempts: VecDeque<bool>,
}

impl Recent {
    fn bearing(max_failures: u32) -> Self {
        Recent {
            borne: usize::try_from(max_failures).unwrap_or(usize::MAX),
            attempts: VecDeque::new(),
        }
    }

    /// How often it failed, and in how many attempts, when that is too often.
    fn note(&mut self, is_good: bool) -> Option<(usize, usize)> {
        self.attempts.push_back(is_good);
        if self.attempts.len() > self.borne.saturating_add(1).saturating_mul(2) {
            self.attempts.pop_front();
        }
        let since_first = self.attempts.iter().skip_while(|is_good| **is_good);
        let failures = since_first.clone().filter(|is_good| !**is_good).count();
        (failures > self.borne).then(|| (failures, since_first.count()))
    }
}

/// A thread for each check. They end by themselves after the attempt they are at.
struct Asking {
    answers: Receiver<Answered>,
    is_over: Arc<AtomicBool>,
}

impl Asking {
    fn start(checks: &[Arc<Check>], patience: Patience) -> Self {
        let (sender, answers) = mpsc::sync_channel(checks.len());
        let is_over = Arc::new(AtomicBool::new(false));
        for (number, check) in checks.iter().enumerate() {
            let (check, its_sender) = (Arc::clone(check), sender.clone());
            let its_end = Arc::clone(&is_over);
            let ask = move || ask_on(number, &check, patience, &its_sender, &its_end);
            if let Err(error) = thread::Builder::new().spawn(ask) {
                let _ = sender.try_send((number, Attempt::failed(failure::io_text(&error))));
            }
        }
        Asking { answers, is_over }
    }

    /// The next attempt that ends, or nothing for a short while.
    fn next(&self, until: Instant) -> Option<Answered> {
        let left = until
            .saturating_duration_since(Instant::now())
            .min(LOOK_INTERVAL);
        match self.answers.recv_timeout(left) {
            Ok(answered) => Some(answered),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                thread::sleep(left);
                None
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn ask_on(
    number: usize,
    check: &Check,
    patience: Patience,
    answers: &SyncSender<Answered>,
    is_over: &AtomicBool,
) {
    while !is_over.load(Ordering::Relaxed) {
        // An error means that the watch has ended, which is looked at next.
        let _ = answers.send((number, check.attempt(&patience)));
        if !patience.sleep(check.settings().interval.duration()) {
            return;
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Alarm::Failing {
                check,
                failures,
                attempts,
                detail,
            } if failures == attempts => {
                write!(f, "`{check}` failed {failures} times in a row: {detail}")
            }
            Alarm::Failing {
                check,
                failures,
                attempts,
                detail,
            } => write!(
                f,
                "`{check}` failed {failures} of its last {attempts} times: {detail}"
            ),
            Alarm::Aborted(reason) => f.write_str(reason),
            Alarm::Interrupted => f.write_str("interrupted during the watch"),
        }
    }
}

impl From<Alarm> for Error {
    fn from(alarm: Alarm) -> Self {
        let kind = match alarm {
            Alarm::Interrupted => ErrorKind::Interrupted,
            Alarm::Failing { .. } | Alarm::Aborted(_) => ErrorKind::Failed,
        };
        Error::new(kind, alarm.to_string())
    }
}
