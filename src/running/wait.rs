//! Looking at a service until it runs the wanted release, or until it is plain that it does not.

use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind, Result};
use crate::host::signal::Patience;

use super::answer::{Observation, Verdict};
use super::question::{Processes, Question};
use super::seen::Observer;

/// Pause between two looks: short at first, as most servers need less than a second.
const FIRST_INTERVAL: Duration = Duration::from_millis(20);
const LONGEST_INTERVAL: Duration = Duration::from_millis(200);

/// How long an answer that is neither good nor bad must hold: a worker that is still loading its
/// code shows only its working directory.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// How long the state from before must hold after an undo, when that state was no good one.
const UNDO_SETTLE_TIME: Duration = Duration::from_millis(500);

/// What is waited for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Until {
    /// The wanted release runs.
    #[default]
    Proved,
    /// As above, or the service is back in the state of [`Question::before`], however that was.
    AsBefore,
}

/// How long and for what is waited.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long the service may take to run the wanted release.
    pub switch_timeout: Duration,
    /// How long old processes may finish what they began.
    pub drain: Duration,
    /// What is waited for.
    pub until: Until,
}

/// Looks once.
pub fn observe(question: &Question, processes: &Processes) -> Observation {
    Observer::new(question).look(processes)
}

/// Looks until the wanted release is proved and the old processes have left; a stale or mixed
/// service is given `switch_timeout`, leaving processes `drain`. What is then still leaving stands
/// in the answer. `processes` tells before each look which processes belong to the service, and
/// ends the wait when the service died. `on_progress` learns of every change.
///
/// # Errors
/// What `processes` fails with, or the interrupt.
pub fn wait_for(
    question: &Question,
    limits: &Limits,
    patience: &Patience,
    processes: &mut dyn FnMut() -> Result<Processes>,
    on_progress: &mut dyn FnMut(&Observation),
) -> Result<Observation> {
    let observer = Observer::new(question);
    let mut wait = Wait::new(question, limits);
    let mut interval = FIRST_INTERVAL;
    loop {
        let observation = observer.look(&processes()?);
        if wait.takes_as_news(&observation) {
            on_progress(&observation);
        }
        if wait.is_over(&observation) {
            return Ok(observation);
        }
        if !patience.sleep(interval) {
            return Err(Error::new(
                ErrorKind::Interrupted,
                format!(
                    "interrupted while waiting for release `{}`",
                    question.wanted
                ),
            ));
        }
        interval = (interval * 5 / 4).min(LONGEST_INTERVAL);
    }
}

/// Decides when it has been waited long enough.
struct Wait<'a> {
    question: &'a Question,
    limits: &'a Limits,
    began: Instant,
    last: Option<Observation>,
    steady_since: Instant,
}

impl<'a> Wait<'a> {
    fn new(question: &'a Question, limits: &'a Limits) -> Self {
        let began = Instant::now();
        Wait {
            question,
            limits,
            began,
            last: None,
            steady_since: began,
        }
    }

    fn takes_as_news(&mut self, observation: &Observation) -> bool {
        let is_news = self.last.as_ref() != Some(observation);
        if is_news {
            self.last = Some(observation.clone());
            self.steady_since = Instant::now();
        }
        is_news
    }

    fn is_over(&self, observation: &Observation) -> bool {
        let waited = self.began.elapsed();
        let steady = self.steady_since.elapsed();
        let has_drained = observation.leaving.is_empty() || waited >= self.limits.drain;
        let is_late = waited >= self.limits.switch_timeout;
        match observation.verdict {
            Verdict::Proved => has_drained,
            Verdict::Unproved | Verdict::Unreadable => {
                has_drained && (steady >= SETTLE_TIME || is_late)
            }
            Verdict::Mixed | Verdict::Stale => {
                is_late || (self.is_back(observation) && steady >= UNDO_SETTLE_TIME)
            }
        }
    }

    fn is_back(&self, observation: &Observation) -> bool {
        let before = self.question.before.as_ref();
        self.limits.until == Until::AsBefore
            && before.is_some_and(|before| observation.is_like(before))
    }
}

#[cfg(test)]
mod tests;
