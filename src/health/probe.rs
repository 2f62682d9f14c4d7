//! The probe: steady requests in the background while a release is switched. It informs and never
//! decides; and it must not cost what it measures, so it has one request in flight, at most `rate`
//! a second, and sleeps at least nine times as long as the last answer took.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::error::{Context, Result};
use crate::host::signal::Patience;

use super::check::Check;
use super::figures::{Figures, Sample};
use super::release_of::Names;
use super::target::Target;

/// The pause after an answer, as a multiple of the time it took.
const PAUSE_FACTOR: u32 = 9;

/// A probe at work. Dropped unfinished, it stops by itself.
#[derive(Debug)]
pub struct Probe {
    state: Arc<State>,
    thread: Option<JoinHandle<Vec<Request>>>,
}

/// What a probe measured.
#[derive(Debug, Clone)]
pub struct Measured {
    /// The figures for the outcome, the record and the JSON.
    pub figures: Figures,
    /// Every request, in order.
    pub samples: Vec<Sample>,
    /// How long after the switch it was taken back, in milliseconds, when it was.
    pub taken_back_ms: Option<u64>,
}

#[derive(Debug, Default)]
struct State {
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Orders {
    has_to_stop: bool,
    switched: Option<Instant>,
    taken_back: Option<Instant>,
}

/// One request as it was made.
#[derive(Debug)]
struct Request {
    started: Instant,
    took: Duration,
    ok: bool,
    release: Option<String>,
}

impl Probe {
    /// Begins to ask the target, at most `rate` times a second (at least 1).
    ///
    /// # Errors
    /// When the operating system refuses a thread.
    pub fn start(target: &Target, rate: u32) -> Result<Self> {
        let state = Arc::new(State::default());
        let (its_state, check) = (Arc::clone(&state), Arc::clone(&target.check));
        let ask = move || ask_steadily(&check, rate, &its_state);
        let builder = thread::Builder::new().name("probe".into());
        let thread = builder.spawn(ask).context("cannot start the probe")?;
        Ok(Probe {
            state,
            thread: Some(thread),
        })
    }

    /// Says that users get the new code from now on. The first call counts.
    pub fn mark_switch(&self) {
        self.state
            .orders()
            .switched
            .get_or_insert_with(Instant::now);
    }

    /// Says that users get the old code again from now on. The first call counts.
    pub fn mark_taken_back(&self) {
        self.state
            .orders()
            .taken_back
            .get_or_insert_with(Instant::now);
    }

    /// Ends the probe, after the request in flight, and counts. Without a mark, everything counts
    /// as before the switch. `new` is the release that was switched to.
    pub fn finish(mut self, new: &Names) -> Measured {
        self.state.stop();
        let requests = self.thread.take().and_then(|thread| thread.join().ok());
        let Orders {
            switched,
            taken_back,
            ..
        } = *self.state.orders();
        let taken_back_ms = taken_back.zip(switched).map(|(back, switched)| {
            let after = back.saturating_duration_since(switched).as_millis();
            u64::try_from(after).unwrap_or(u64::MAX)
        });
        let switched = switched.unwrap_or_else(Instant::now);
        let samples: Vec<Sample> = requests
            .unwrap_or_default()
            .into_iter()
            .map(|request| request.relative_to(switched))
            .collect();
        Measured {
            figures: Figures::of(&samples, new),
            samples,
            taken_back_ms,
        }
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.state.stop();
    }
}

impl State {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        self.orders().has_to_stop = true;
        self.changed.notify_all();
    }

    /// Sleeps until then. Returns whether the probe goes on.
    fn rest_until(&self, until: Instant) -> bool {
        let mut orders = self.orders();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if orders.has_to_stop || left.is_zero() {
                return !orders.has_to_stop;
            }
            let woken = self.changed.wait_timeout(orders, left);
            orders = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

fn ask_steadily(check: &Check, rate: u32, state: &State) -> Vec<Request> {
    let interval = Duration::from_secs(1) / rate.max(1);
    let mut requests = Vec::new();
    loop {
        let started = Instant::now();
        let attempt = check.attempt(&Patience::fresh());
        let took = attempt.elapsed;
        requests.push(Request {
            started,
            took,
            ok: attempt.ok,
            release: attempt.answered,
        });
        let next = (started + interval).max(Instant::now() + took * PAUSE_FACTOR);
        if !state.rest_until(next) {
            return requests;
        }
    }
}

impl Request {
    fn relative_to(self, switched: Instant) -> Sample {
        let before = switched.saturating_duration_since(self.started);
        let after = self.started.saturating_duration_since(switched);
        Sample {
            at_ms: signed(after.as_millis()) - signed(ceil_ms(before)),
            took_ms: u64::try_from(ceil_ms(self.took)).unwrap_or(u64::MAX),
            ok: self.ok,
            release: self.release,
        }
    }
}

fn ceil_ms(time: Duration) -> u128 {
    time.as_micros().div_ceil(1000)
}

fn signed(millis: u128) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX)
}
