//! Signals. INT and TERM are counted and looked at between steps and in waits; HUP is taken and
//! ignored, so that a closed terminal stops nothing. Handlers, not `SIG_IGN`: an ignored signal
//! would be inherited by hooks through exec.

use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::{Context, Result};

/// How many times INT or TERM arrived in this process.
static ARRIVED: Mutex<u32> = Mutex::new(0);

/// Wakes the sleepers when [`ARRIVED`] changes.
static ARRIVAL: Condvar = Condvar::new();

/// Takes over HUP, INT and TERM for the life of the process.
///
/// # Errors
/// When the operating system refuses a handler or a thread.
pub fn install() -> Result<()> {
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("cannot handle signals")?;
    let count = move || {
        for signal in signals.forever() {
            if signal != SIGHUP {
                *arrived() += 1;
                ARRIVAL.notify_all();
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(count)
        .context("cannot handle signals")?;
    Ok(())
}

fn arrived() -> std::sync::MutexGuard<'static, u32> {
    ARRIVED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How long someone goes on waiting: until a signal arrives that the holder has not yet accounted
/// for. Work that must go on after an interrupt (undoing it, say) takes a fresh one.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    accounted: i64,
}

impl Patience {
    /// Ends with the first INT or TERM of the whole process, one already received included.
    pub fn of_command() -> Self {
        Patience { accounted: 0 }
    }

    /// Ends with the next INT or TERM.
    pub fn fresh() -> Self {
        Patience {
            accounted: i64::from(*arrived()),
        }
    }

    /// Ends with the second INT or TERM of the whole process, or with the next one after more of
    /// them: for work that is to be done with care even after a first one, wherever that arrives.
    pub fn after_the_first() -> Self {
        Patience {
            accounted: i64::from(*arrived()).max(1),
        }
    }

    /// Never ends: for what must not be broken off and has a limit of its own.
    pub fn endless() -> Self {
        Patience {
            accounted: i64::MAX,
        }
    }

    /// Over from the start: for tests of what ends early.
    #[cfg(test)]
    pub fn over() -> Self {
        Patience { accounted: -1 }
    }

    /// Whether a signal asked to stop.
    pub fn is_over(&self) -> bool {
        i64::from(*arrived()) > self.accounted
    }

    /// Sleeps, and returns early when the patience ends. Returns whether it still holds.
    pub fn sleep(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let mut count = arrived();
        loop {
            if i64::from(*count) > self.accounted {
                return false;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            count = ARRIVAL
                .wait_timeout(count, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}
