//! Waiting until what was just started answers at its own address. What answers there, but not in
//! HTTP, is ready when it and its children stay as they are.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::health::wait::{self, Reason, Unhealthy};
use crate::health::{Attempt, Check};
use crate::host::signal::Patience;
use crate::report::{Event, Report};

/// How long something that speaks no HTTP must be connected to, with its processes unchanged, to
/// count as ready.
const MUTE_TIME: Duration = Duration::from_secs(2);

/// Why such a wait ends.
const SPEAKS_NO_HTTP: &str = "it speaks no HTTP";

/// What was started, and how it is asked. `P` is all its processes at one moment.
pub struct Started<'a, P> {
    /// What it is called.
    pub name: &'a str,
    /// What is asked of it.
    pub check: &'a Arc<Check>,
    /// Looks whether it died; a text says how.
    pub died: &'a dyn Fn() -> Option<String>,
    /// Looks at its processes.
    pub processes: &'a dyn Fn() -> P,
    /// Whether it must speak HTTP, since a path is asked for.
    pub must_speak_http: bool,
}

/// What it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speech {
    /// HTTP, and the answer was good.
    Http,
    /// Something else.
    Other,
}

/// Waits until it answers; that it speaks no HTTP is said.
///
/// # Errors
/// When it ends, or gives no good answer in time.
pub fn wait<P: PartialEq>(
    started: &Started<'_, P>,
    report: &dyn Report,
    patience: &Patience,
) -> Result<Speech> {
    let mute = Mute::new(started.processes);
    let on_attempt = &mut |attempt: &Attempt, _: u32| {
        report.event(Event::Progress(&attempt.detail));
        mute.take(attempt.is_foreign() && !started.must_speak_http);
    };
    let speaks_otherwise = || mute.is_ready().then(|| SPEAKS_NO_HTTP.to_owned());
    let abort = || (started.died)().or_else(speaks_otherwise);
    match wait::until_healthy(started.check, patience, &abort, on_attempt) {
        Ok(_) => Ok(Speech::Http),
        Err(unhealthy) if is_mute(&unhealthy) => {
            let name = started.name;
            let text = format!("{name} speaks no HTTP: it counts as ready, since it stays up");
            report.note(&text);
            Ok(Speech::Other)
        }
        Err(unhealthy) => Err(Error::from(unhealthy)),
    }
}

fn is_mute(unhealthy: &Unhealthy) -> bool {
    matches!(&unhealthy.reason, Reason::Aborted(text) if text == SPEAKS_NO_HTTP)
}

/// Something that answers connections, but not in HTTP, again and again. Silence is no answer: a
/// master accepts before any worker lives.
struct Mute<'a, P> {
    processes: &'a dyn Fn() -> P,
    since: RefCell<Option<(Instant, P)>>,
}

impl<'a, P: PartialEq> Mute<'a, P> {
    fn new(processes: &'a dyn Fn() -> P) -> Self {
        Mute {
            processes,
            since: RefCell::new(None),
        }
    }

    /// Takes an answer.
    fn take(&self, is_foreign: bool) {
        match is_foreign {
            true => self.look(),
            false => drop(self.since.take()),
        }
    }

    /// A worker that dies of each connection is seen between two of them: without it the master
    /// that begins another one looks the same after each.
    fn look(&self) {
        let now = (self.processes)();
        let mut since = self.since.borrow_mut();
        match &*since {
            Some((_, before)) if *before == now => {}
            _ => *since = Some((Instant::now(), now)),
        }
    }

    /// Whether it has answered so for long enough, and is still the same.
    fn is_ready(&self) -> bool {
        if self.since.borrow().is_none() {
            return false;
        }
        self.look();
        let since = self.since.borrow();
        since
            .as_ref()
            .is_some_and(|(at, _)| at.elapsed() >= MUTE_TIME)
    }
}
