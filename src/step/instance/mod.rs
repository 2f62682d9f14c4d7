//! Instances: the own running copies of a release. One is started and asked at its own address
//! before any user meets it, and ended when its release is left, once nobody talks to it. A unit
//! that all releases share is treated alike where it takes over from another kind of service.

mod address;
mod last_words;
mod left_behind;
mod own_daemon;
mod own_process;
mod own_program;
mod own_unit;
mod retire;
mod runner;
mod start;
mod watch;

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::{Mission, Stage};
use crate::config::schema::{Kind, Role, Service};
use crate::error::{Error, Finding, Result};
use crate::host::process;
use crate::host::ticks::Ticks;
use crate::running::Processes;
use crate::site::{ReleaseId, Site, instance};

pub use last_words::is_told;
pub use own_process::Variables;
pub use retire::{disable, drain_and_stop, retire, stop_at_once, stop_soon};
pub use runner::Runner;
pub use start::{await_answer, start_again, start_worker_again};

/// Pause between two tries to start what a boot is starting, too.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// For how long an instance that users could not be led away from is kept from later commands.
const STUCK_TIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// One release's copy of a service. It need not run.
#[derive(Debug, Clone)]
pub struct Instance {
    /// The release.
    pub release: ReleaseId,
    /// The place of the service in the settings that it was started with.
    pub place: usize,
    /// The service, as those settings have it.
    pub service: Service,
    site: Site,
}

/// What was found of an instance before it was started, as the journal has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Begun {
    /// It ran already: it was kept for a rollback.
    ran: bool,
    /// It would have been started at boot.
    was_enabled: bool,
}

/// Starts the instance of the service at `place`, waits until it answers at its own address, and
/// proves that it runs the release.
///
/// # Errors
/// When it cannot be started, ends, does not become healthy in time, or runs something else; its
/// last lines are with the error.
pub fn run(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let instance = Instance::of_mission(stage, place);
    start::run(stage, &instance)
}

/// Stops the instance of the release that did not become live. One that was kept for a rollback
/// goes on as before, and so does one that users could not be led away from.
///
/// # Errors
/// When it does not end, or must not.
pub fn undo(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let instance = Instance::of_mission(stage, place);
    match stage.known::<Begun>(&key(place)) {
        None => Ok(()),
        Some(_) if stage.is_stuck => leave_running(stage, &instance),
        Some(Begun {
            ran: true,
            was_enabled: true,
        }) => Ok(()),
        Some(Begun { ran: true, .. }) => disable(&instance, &stage.patience()),
        Some(_) if stage.was_switched() => {
            stage.record.standby_until = None;
            retire(&instance, stage.report, &stage.patience())
        }
        // Only zdd's own checks ever talked to it.
        Some(_) => {
            let disabled = disable(&instance, &stage.patience());
            stop_at_once(&instance, stage.report, &stage.patience())?;
            disabled
        }
    }
}

/// Keeps it from every later command, too, but for the one that leads users back: what was left is
/// set aside after some attempts, and a release that mends it must not begin with ending it.
fn leave_running(stage: &mut Stage<'_>, instance: &Instance) -> Result<()> {
    stage.record.standby_until = Some(stage.clock.now() + STUCK_TIME);
    let what = format!(
        "users may still be led to {} of release {}: it is left running",
        instance.name(),
        instance.release
    );
    Err(Error::failed(what))
}

/// Sees to it that the instance of the service at `place` runs and answers: after a boot, it may be
/// about to.
///
/// # Errors
/// As [`run`].
pub fn ensure_ready(stage: &Stage<'_>, place: usize) -> Result<()> {
    let instance = Instance::of_mission(stage, place);
    if !instance.service.has_instances() {
        return Ok(());
    }
    let deadline = Instant::now() + instance.service.switch_timeout.duration();
    let run = || match instance.is_running()? {
        true => instance.processes().map(drop),
        false => start_again(stage, &instance),
    };
    // It, or what runs it, may be about to come up.
    while let Err(error) = run() {
        if Instant::now() >= deadline || !stage.patience().sleep(RETRY_INTERVAL) {
            return Err(error);
        }
    }
    await_answer(stage, &instance)
}

/// The places of the services whose instances are to be ready before the flip: web services with
/// copies of their own, and units that take over from another kind of service.
pub fn ready_before_flip(mission: &Mission) -> impl Iterator<Item = usize> {
    let web = mission.services_of(Role::Web);
    let starts = web
        .filter(|(place, service)| service.has_instances() || mission.takes_over(*place, service));
    starts.map(|(place, _)| place)
}

/// The key of the journal for the instance of the service at `place`.
fn key(place: usize) -> String {
    format!("instance:{place}")
}

impl Instance {
    /// The copy of a release of the service at a place.
    pub fn new(site: &Site, release: &ReleaseId, place: usize, service: &Service) -> Instance {
        Instance {
            release: release.clone(),
            place,
            service: service.clone(),
            site: site.clone(),
        }
    }

    /// The copy of the release that is to become live.
    pub fn of_mission(stage: &Stage<'_>, place: usize) -> Instance {
        let mission = stage.mission;
        let service = &mission.config.service[place];
        Instance::new(stage.site, &mission.release, place, service)
    }

    /// Every copy of its own that a release can have running by these settings, and every process
    /// that is written down for it.
    ///
    /// # Errors
    /// When the pid files cannot be read.
    pub fn all(site: &Site, release: &ReleaseId, services: &[Service]) -> Result<Vec<Instance>> {
        let listed = services.iter().enumerate();
        let listed = listed.filter(|(_, service)| service.has_instances());
        let mut all: Vec<Instance> = listed
            .map(|(place, service)| Instance::new(site, release, place, service))
            .collect();
        for place in instance::places(site, release)? {
            let is_process =
                |known: &Instance| known.place == place && known.service.kind() == Kind::Process;
            if !all.iter().any(is_process) {
                let unknown = Service {
                    start: Some("a process".to_owned()),
                    ..Service::default()
                };
                all.push(Instance::new(site, release, place, &unknown));
            }
        }
        Ok(all)
    }

    /// The directory of its release.
    pub fn directory(&self) -> Utf8PathBuf {
        self.site.release_dir(&self.release)
    }

    /// The directory that a process of its own runs in.
    pub fn working_directory(&self) -> Utf8PathBuf {
        match &self.service.cwd {
            Some(cwd) => self.directory().join(cwd),
            None => self.directory(),
        }
    }

    /// Starts it as a process of its own, in this environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_process(&self, environment: Variables) -> Result<()> {
        own_process::start(self, environment).map(drop)
    }

    /// Why supervisor cannot run it here; nothing for other kinds.
    pub fn obstacles(&self) -> Vec<Finding> {
        match self.runner() {
            Runner::Program(program) => own_program::obstacles(self, &program),
            Runner::Unit(_) | Runner::Process => Vec::new(),
        }
    }

    /// The logs that it is told to write by the file of its program; none for other kinds.
    pub fn named_logs(&self) -> Vec<Utf8PathBuf> {
        match self.runner() {
            Runner::Program(program) => own_program::logs(self, &program),
            Runner::Unit(_) | Runner::Process => Vec::new(),
        }
    }
}

/// The moment before an instance was started. It and all its children were executed for its
/// release, however long before the flip.
pub fn begun_after(processes: &Processes) -> Option<Ticks> {
    let started = process::stat(processes.main?).seen()?.started;
    Some(Ticks(started.0.saturating_sub(1)))
}
