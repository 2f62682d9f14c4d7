//! Starting an instance: enabled, started, asked at its own address until it is healthy, and
//! proved to run its release. Users know nothing of it yet.

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use fs_err as fs;

use super::{Begun, Instance, key, own_process, retire};
use crate::config::schema::{Kind, Role};
use crate::config::units::Span;
use crate::error::{Error, ErrorKind, Result};
use crate::health::wait::{Reason, Unhealthy};
use crate::health::{Attempt, own, wait};
use crate::host::disk;
use crate::host::signal::Patience;
use crate::host::socket::Address;
use crate::host::ticks::Ticks;
use crate::report::Event;
use crate::running::Processes;
use crate::service::{Unit, UnitState, UnitWatch};
use crate::step::{Stage, prove, surroundings};

/// How often it is looked whether an instance listens.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// How long something that speaks no HTTP must be connected to, with its processes unchanged, to
/// count as ready.
const MUTE_TIME: Duration = Duration::from_secs(2);

/// How long a worker must run to count as started.
const STAY_TIME: Duration = Duration::from_secs(1);

/// How many lines of the journal explain a failure.
const JOURNAL_LINES: usize = 20;

/// Looks whether an instance died; a text says how.
type Died<'a> = dyn Fn() -> Option<String> + 'a;

pub(super) fn run(stage: &mut Stage<'_>, instance: &Instance) -> Result<()> {
    let began = Instant::now();
    let since = Ticks::now();
    let name = instance.name();
    let begun = find(instance)?;
    stage.fact(key(instance.place), begun)?;
    if begun.ran {
        stage
            .report
            .note(&format!("{name} still runs: it was kept for a rollback"));
    }
    stage.report.started("Starting", &name);
    begin(stage, instance, begun)
        .and_then(|()| match instance.service.role {
            Role::Web => await_answer(stage, instance),
            Role::Worker => stays_up(stage, instance),
        })
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

/// How it stands before anything is done.
fn find(instance: &Instance) -> Result<Begun> {
    let Some(unit) = instance.unit() else {
        return Ok(Begun {
            ran: instance.is_running()?,
            was_enabled: true,
        });
    };
    let state = unit.state()?;
    Ok(Begun {
        ran: state.is_active(),
        was_enabled: state.is_enabled() || state.cannot_be_enabled(),
    })
}

/// Enables and starts it, as far as that is not so.
fn begin(stage: &Stage<'_>, instance: &Instance, begun: Begun) -> Result<()> {
    if let Some(unit) = instance.unit() {
        if !begun.ran {
            remove_dead_socket(instance);
        }
        let limit = instance.service.switch_timeout.duration();
        return enable_and_start(&unit, limit, &stage.patience());
    }
    if begun.ran {
        return Ok(());
    }
    // What an earlier command could not stop would be lost from sight.
    retire(instance, stage.report, &stage.patience())?;
    let address = instance.told_socket().map(Address::Unix);
    let id = &instance.release;
    let facts = surroundings::facts(stage.site, stage.mission, id, address);
    instance.start_process(stage.surroundings.variables(&facts))
}

/// Lets a unit start at boot, durably, and starts it now, as far as that is not so.
///
/// # Errors
/// When systemd refuses either.
pub fn enable_and_start(unit: &Unit, limit: Duration, patience: &Patience) -> Result<()> {
    let state = unit.state()?;
    if !state.is_enabled() && !state.cannot_be_enabled() {
        unit.enable(limit, patience)?;
        sync_units(&state);
    }
    if state.is_active() {
        return Ok(());
    }
    if state.active_state == "failed" {
        unit.reset_failed(limit, patience)?;
    }
    unit.start(limit, patience)
}

/// After a power cut, what is to be started at boot must be known: systemd does not see to it.
fn sync_units(state: &UnitState) {
    let own = state.fragment_path.as_deref().and_then(Utf8Path::parent);
    for directory in [Some(Utf8Path::new("/etc")), own].into_iter().flatten() {
        let _ = disk::sync_file_system(directory);
    }
}

/// A socket file in the release that nobody listens on would make the server's bind fail.
fn remove_dead_socket(instance: &Instance) {
    let Some(socket) = instance.socket_path() else {
        return;
    };
    if let Some(directory) = socket
        .parent()
        .filter(|dir| dir.starts_with(instance.directory()))
    {
        let _ = crate::site::make_dir(directory, 0o755);
        let _ = fs::remove_file(&socket);
    }
}

/// A worker answers nobody: it must not end while it loads its code.
fn stays_up(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let until = Instant::now() + STAY_TIME;
    let mut watch = Watch::of(instance)?;
    let name = instance.name();
    while Instant::now() < until {
        if let Some(text) = watch.death() {
            return Err(Error::failed(format!("`{name}` did not stay up")).cause(text));
        }
        if !stage.patience().sleep(LOOK_INTERVAL) {
            let what = format!("interrupted while watching `{name}`");
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    }
    Ok(())
}

/// Starts it once more, as it was: the way back waits for no answer.
///
/// # Errors
/// When it does not start.
pub fn start_again(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let begun = Begun {
        ran: false,
        was_enabled: false,
    };
    begin(stage, instance, begun)
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
    let check = own::readiness(&address, instance.service.health.as_deref(), left)?;
    let mute = Mute::new(instance);
    let on_attempt = &mut |attempt: &Attempt, _: u32| {
        stage.report.event(Event::Progress(&attempt.detail));
        mute.take(attempt);
    };
    let abort = || died().or_else(|| mute.is_ready().then(|| "it speaks no HTTP".to_owned()));
    match wait::until_healthy(&check, &stage.patience(), &abort, on_attempt) {
        Ok(_) => Ok(()),
        Err(Unhealthy {
            reason: Reason::Aborted(_),
            ..
        }) if mute.is_ready() => {
            let name = instance.name();
            let text = format!("{name} speaks no HTTP: it counts as ready, since it stays up");
            stage.report.note(&text);
            Ok(())
        }
        Err(unhealthy) => Err(Error::from(unhealthy)),
    }
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
        None => (
            "none of its processes that zdd may look at has a listening socket".to_owned(),
            "name its `socket` or `port_file` in zdd.toml",
        ),
    }
}

/// The instance as it must stay while it is waited for.
enum Watch<'a> {
    Unit(Box<UnitWatch>),
    Process(&'a Instance),
}

impl<'a> Watch<'a> {
    fn of(instance: &'a Instance) -> Result<Watch<'a>> {
        Ok(match instance.unit() {
            Some(unit) => {
                let from = unit.state()?;
                Watch::Unit(Box::new(unit.watch(from)))
            }
            None => Watch::Process(instance),
        })
    }

    fn death(&mut self) -> Option<String> {
        match self {
            Watch::Unit(watch) => watch.processes().err().map(|error| error.to_string()),
            Watch::Process(instance) => match own_process::running(instance) {
                Ok(None) => Some("its process ended".to_owned()),
                _ => None,
            },
        }
    }
}

/// Something that answers connections, but not in HTTP: an answer that is none, again and again
/// with the same processes. Silence is no answer: a master accepts before any worker lives.
struct Mute<'a> {
    instance: &'a Instance,
    since: Cell<Option<Instant>>,
    processes: RefCell<Processes>,
}

impl<'a> Mute<'a> {
    fn new(instance: &'a Instance) -> Mute<'a> {
        Mute {
            instance,
            since: Cell::new(None),
            processes: RefCell::default(),
        }
    }

    fn take(&self, attempt: &Attempt) {
        let is_foreign = attempt.detail.starts_with("answer is not http")
            || attempt.detail.starts_with("connection closed");
        let processes = self.instance.processes().unwrap_or_default();
        let is_same = *self.processes.borrow() == processes;
        if !is_foreign || self.instance.service.health.is_some() {
            self.since.set(None);
        } else if !is_same || self.since.get().is_none() {
            self.since.set(Some(Instant::now()));
        }
        self.processes.replace(processes);
    }

    fn is_ready(&self) -> bool {
        self.since
            .get()
            .is_some_and(|since| since.elapsed() >= MUTE_TIME)
    }
}

/// The error with what the instance printed last.
fn with_last_lines(error: Error, instance: &Instance, since: Ticks) -> Error {
    let tail = match instance.unit() {
        Some(unit) => unit.journal_tail(since, JOURNAL_LINES),
        None => own_process::tail_of(&own_process::log_path(instance)),
    };
    if tail.is_empty() {
        error
    } else {
        error.tail(tail)
    }
}

impl Instance {
    /// Links the socket to where a proxy looks for it through `current`, unless it lies there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn link_socket(&self) -> Result<()> {
        let Some(socket) = self.socket_path().filter(|_| self.has_socket_elsewhere()) else {
            return Ok(());
        };
        let Some(name) = socket.file_name() else {
            return Ok(());
        };
        let link = self.site.socket_path(&self.release, name);
        if fs::read_link(&link).is_ok_and(|target| target == socket.as_std_path()) {
            return Ok(());
        }
        if let Some(parent) = link.parent() {
            crate::site::make_dir(parent, 0o755)?;
        }
        let _ = fs::remove_file(&link);
        fs::os::unix::fs::symlink(&socket, &link)?;
        Ok(())
    }
}
