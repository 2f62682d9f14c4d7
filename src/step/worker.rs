//! Background workers: of each one copy runs at a time. The old one is told to take no further
//! jobs, ended and waited for before the new one starts.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::instance::{self, Instance, disable, stop_at_once};
use super::tell::{self, How};
use super::{Stage, name_of, surroundings};
use crate::config::schema::Service;
use crate::error::{Error, ErrorKind, Result};
use crate::host::command::Command;
use crate::service::Unit;
use crate::site::ReleaseId;

/// How long a worker must run to count as started.
const STAY_TIME: Duration = Duration::from_secs(1);

/// How often it is looked meanwhile.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// More of what a `queue` line prints is not kept.
const QUEUE_CHARACTERS: usize = 2_000;

/// What waited for a worker, as in the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// How messages name the worker.
    pub service: String,
    /// What its `queue` line printed before it was told.
    pub before: Option<String>,
    /// The same after it ran the new release.
    pub after: Option<String>,
}

/// The key of the journal that says that a worker was told to take no further jobs.
pub fn quiet_key(place: usize) -> String {
    format!("quiet:{place}")
}

/// Lets every worker that can take no further jobs. One that cannot is told with the others, and
/// said.
///
/// # Errors
/// When the journal cannot be written: the way back must know.
pub fn quiet_all(stage: &mut Stage<'_>) -> Result<()> {
    for place in stage.services_of(crate::config::schema::Role::Worker) {
        let service = stage.mission.config.service[place].clone();
        let (Some(line), Some(from)) = (&service.quiet, stage.mission.from.clone()) else {
            continue;
        };
        stage.fact(quiet_key(place), true)?;
        let name = name_of(&service);
        stage.or_warn(&format!("{name}: `quiet`"), |stage| {
            ask(stage, &service, line, &from).map(drop)
        });
        stage.report.finished("Quieted", &name, None);
    }
    Ok(())
}

/// What waits for a worker now, in the words of its `queue` line.
pub fn queue(stage: &Stage<'_>, place: usize, release: &ReleaseId) -> Option<String> {
    let service = &stage.mission.config.service[place];
    let line = service.queue.as_deref()?;
    let text = match ask(stage, service, line, release) {
        Ok(text) => text,
        Err(error) => error.to_string(),
    };
    let text = stage.surroundings.mask.apply(text.trim());
    Some(text.chars().take(QUEUE_CHARACTERS).collect())
}

/// Ends the copy of the release that is left, and starts the new one.
///
/// # Errors
/// When the old one does not end, or the new one does not start.
pub fn hand_over(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    tell::note(stage, place, How::HandOver)?;
    if let Some(old) = old_copy(stage, place) {
        end(stage, &old)?;
    }
    instance::run(stage, place)
}

/// Waits until the worker that was just told has run for a while: it answers nobody, and its
/// process shows the new release before it has loaded any of it.
///
/// # Errors
/// When it ended meanwhile, or an interrupt came.
pub fn stays_told(stage: &Stage<'_>, place: usize) -> Result<()> {
    let Some(unit) = Unit::of(&stage.mission.config.service[place]) else {
        return Ok(());
    };
    let from = unit.state()?;
    let mut watch = unit.watch(from);
    let mut death = || watch.processes().err().map(|error| error.to_string());
    stays_up(stage, unit.name(), &mut death)
}

/// Looks for a second whether something ended; `death` tells how it did.
///
/// # Errors
/// When it ended, or an interrupt came.
pub fn stays_up(
    stage: &Stage<'_>,
    name: &str,
    death: &mut dyn FnMut() -> Option<String>,
) -> Result<()> {
    let until = Instant::now() + STAY_TIME;
    loop {
        if let Some(text) = death() {
            return Err(Error::failed(format!("`{name}` did not stay up")).cause(text));
        }
        if Instant::now() >= until {
            return Ok(());
        }
        if !stage.patience().sleep(LOOK_INTERVAL) {
            let what = format!("interrupted while watching `{name}`");
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    }
}

/// Ends the copy of the release that is taken back, and starts the old one again, which must then
/// stay up: what was migrated meanwhile may be too new for it.
///
/// # Errors
/// When the new one does not end, or the old one ran before and does not now.
pub fn give_back(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let new = Instance::of_mission(stage, place);
    end(stage, &new)?;
    let Some(old) = old_copy(stage, place) else {
        return Ok(());
    };
    end(stage, &old)?;
    let started = instance::start_worker_again(stage, &old);
    match started {
        Ok(()) => stage.report.finished("Started", &old.name(), None),
        Err(error) if ran_before(stage, place) => return Err(error),
        Err(error) => {
            let text = format!("{}: {error}; it did not run before either", old.name());
            stage.report.warning(&text);
        }
    }
    Ok(())
}

fn ran_before(stage: &Stage<'_>, place: usize) -> bool {
    let before = stage.mission.services_before.get(place);
    before.is_some_and(|before| before.observation.is_some())
}

fn end(stage: &Stage<'_>, copy: &Instance) -> Result<()> {
    let patience = stage.patience();
    disable(copy, &patience)?;
    stop_at_once(copy, stage.report, &patience)
}

/// The copy that ran before, where the release that is left had one.
fn old_copy(stage: &Stage<'_>, place: usize) -> Option<Instance> {
    let from = stage.mission.from.as_ref()?;
    let (today, leaving) = (&stage.mission.config.service, &stage.mission.leaving);
    let place = Service::counterpart(today, place, leaving)?;
    Some(Instance::new(stage.site, from, place, &leaving[place]))
}

/// Runs a line of the settings in a release, and returns what it printed.
fn ask(stage: &Stage<'_>, service: &Service, line: &str, release: &ReleaseId) -> Result<String> {
    let facts = surroundings::facts(stage.site, stage.mission, release, None);
    let finished = Command::shell(line)
        .env(stage.surroundings.variables(&facts))
        .cwd(stage.site.release_dir(release))
        .timeout(service.switch_timeout.duration())
        .capture(&stage.patience())?;
    match finished.ending.is_success() {
        true => Ok(finished.stdout),
        false => Err(tell::failure(line, finished)),
    }
}
