//! Starting an instance: enabled, started, asked at its own address until it is healthy, and
//! proved to run its release. Users know nothing of it yet.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use super::own_daemon;
use super::runner::Runner;
use super::watch::Watch;
use super::{Begun, Instance, key};
use crate::config::schema::{Kind, Role};
use crate::config::units::Span;
use crate::error::{Error, ErrorKind, Result};
use crate::health::own;
use crate::host::socket::Address;
use crate::host::ticks::Ticks;
use crate::running::front::as_server;
use crate::step::answer::{self, Started};
use crate::step::{Stage, prove, worker};

/// How often it is looked whether an instance listens.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Looks whether an instance died; a text says how.
type Died<'a> = dyn Fn() -> Option<String> + 'a;

pub(super) fn run(stage: &mut Stage<'_>, instance: &Instance) -> Result<()> {
    let began = Instant::now();
    let since = Ticks::now();
    let name = instance.name();
    let begun = instance.find()?;
    stage.fact(key(instance.place), begun)?;
    if begun.ran {
        stage
            .report
            .note(&format!("{name} still runs: it was kept for a rollback"));
    }
    stage.report.started("Starting", &name);
    instance
        .begin(stage, begun)
        .and_then(|()| match instance.service.role {
            Role::Web => await_answer(stage, instance),
            Role::Worker => await_stay(stage, instance),
        })
        .and_then(|()| await_running(stage, instance))
        .map_err(|error| with_last_lines(error, instance, since))?;
    if !begun.ran {
        let pid = instance.processes()?.main;
        let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        let what = format!("{name}{pid}");
        stage
            .report
            .finished("Started", &what, Some(began.elapsed()));
    }
    match instance.service.kind() {
        // It still runs the release that is about to be left; it is told after the flip.
        Kind::Unit => Ok(()),
        _ => prove::prove(stage, instance.place),
    }
}

/// Waits until a worker has run for a moment: it answers nobody.
fn await_stay(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let mut watch = Watch::of(instance)?;
    worker::stays_up(stage, &instance.name(), &mut || watch.death())
}

/// Supervisor calls a program running when it has stayed up for its `startsecs`; a daemon has named
/// itself then.
fn await_running(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let program = match instance.runner() {
        Runner::Program(program) => program,
        Runner::Process => return own_daemon::take_down(stage, instance),
        Runner::Unit(_) => return Ok(()),
    };
    let deadline = Instant::now() + instance.switch_timeout();
    let mut watch = Watch::of(instance)?;
    loop {
        let state = program.state()?;
        if state.is_running() {
            return Ok(());
        }
        let text = watch.death();
        if text.is_some() || Instant::now() >= deadline {
            let what = format!("`{}` did not stay up", program.name());
            return Err(Error::failed(what).cause(text.unwrap_or(state.in_words())));
        }
        if !stage.patience().sleep(LOOK_INTERVAL) {
            let what = format!("interrupted while watching `{}`", program.name());
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    }
}

/// Starts it once more, as it was. It need not run when this returns.
///
/// # Errors
/// When it does not start.
pub fn start_again(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let begun = Begun {
        ran: false,
        was_enabled: false,
    };
    instance.begin(stage, begun)
}

/// Starts a worker once more, as it was, and waits until it stays up.
///
/// # Errors
/// When it does not start, or ends at once; its last lines are with the error.
pub fn start_worker_again(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let since = Ticks::now();
    start_again(stage, instance)
        .and_then(|()| await_stay(stage, instance))
        .and_then(|()| await_running(stage, instance))
        .map_err(|error| with_last_lines(error, instance, since))
}

/// Waits until it listens, then until it answers, within its `switch_timeout` as a whole.
///
/// # Errors
/// When it ends, or does not answer in time.
pub fn await_answer(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let limit = instance.service.switch_timeout.duration();
    let deadline = Instant::now() + limit;
    let watch = RefCell::new(Watch::of(instance)?);
    let died = || watch.borrow_mut().death();
    let Some(address) = await_address(stage, instance, deadline, &died)? else {
        return Ok(());
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Span::millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1));
    let check = own::readiness(&address, &instance.service, left)?;
    let started = Started {
        name: &instance.name(),
        check: &check,
        died: &died,
        processes: &|| instance.processes().unwrap_or_default(),
        must_speak_http: instance.service.health.is_some(),
    };
    answer::wait(&started, stage.report, &stage.patience()).map(drop)
}

/// Where it listens, once it does. A shared unit whose socket cannot be found has to do without.
fn await_address(
    stage: &Stage<'_>,
    instance: &Instance,
    deadline: Instant,
    died: &Died<'_>,
) -> Result<Option<Address>> {
    let name = instance.name();
    loop {
        if let Some(address) = instance.address() {
            return Ok(Some(address));
        }
        if let Some(text) = died() {
            return Err(Error::failed(format!("`{name}` did not start")).cause(text));
        }
        let is_shared = instance.service.kind() == Kind::Unit;
        if is_shared && instance.service.socket.is_none() {
            return Ok(None);
        }
        if Instant::now() >= deadline {
            let limit = instance.service.switch_timeout;
            let (cause, hint) = unheard(instance);
            let what = format!("`{name}` listens nowhere within {limit}");
            return Err(Error::failed(what).cause(cause).hint(hint));
        }
        if !stage.patience().sleep(LOOK_INTERVAL) {
            let what = format!("interrupted while waiting for `{name}`");
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    }
}

/// Why no address was found.
fn unheard(instance: &Instance) -> (String, &'static str) {
    match &instance.service.port_file {
        Some(file) => (
            format!("no port stands in `{}`", instance.directory().join(file)),
            "let the server write its port there, or name its `socket`",
        ),
        None if instance.service.pid_file.is_some() => own_daemon::unheard(instance),
        None => {
            let places: Vec<String> = instance.listening().iter().map(as_server).collect();
            let cause = match places.is_empty() {
                true => {
                    "none of its processes that zdd may look at has a listening socket".to_owned()
                }
                false => format!(
                    "which of {} users are led to cannot be told",
                    places.join(", ")
                ),
            };
            (cause, "name its `socket` or `port_file` in zdd.toml")
        }
    }
}

/// The error with what the instance printed last.
fn with_last_lines(error: Error, instance: &Instance, since: Ticks) -> Error {
    let tail = instance.last_lines(since);
    if tail.is_empty() {
        error
    } else {
        error.tail(tail)
    }
}
