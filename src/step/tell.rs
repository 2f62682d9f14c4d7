//! Tells a service that `current` names another release.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::{Stage, name_of, surroundings, worker};
use crate::config::schema::{Role, Service, SwitchWay};
use crate::error::{Error, ErrorKind, Result};
use crate::host::command::{Command, Ending, Finished};
use crate::host::ticks::Ticks;
use crate::service::{Unit, UnitState};
use crate::site::ReleaseId;

/// How a service was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum How {
    /// `systemctl reload`.
    Reload,
    /// `systemctl restart`.
    Restart,
    /// `systemctl start`: it was not active.
    Start,
    /// Its own command was run.
    Command,
    /// The copy of the old release was ended and one of the new release started.
    HandOver,
}

impl How {
    /// While it is done, and when it is done.
    fn verbs(self) -> (&'static str, &'static str) {
        match self {
            How::Reload => ("Reloading", "Reloaded"),
            How::Restart => ("Restarting", "Restarted"),
            How::Start => ("Starting", "Started"),
            How::Command => ("Running", "Ran"),
            How::HandOver => ("Replacing", "Replaced"),
        }
    }
}

/// That a service was told, and when: processes that began earlier know nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// In which way.
    pub how: How,
    /// The moment before, after the flip.
    pub since: Ticks,
}

/// The key of the journal for the service at `place`.
pub fn key(place: usize) -> String {
    format!("told:{place}")
}

/// Tells the service at `place` of the release that is to become live. A service with a process of
/// its own needs no telling.
///
/// # Errors
/// When it refuses, or takes longer than its `switch_timeout`.
pub fn tell(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let service = stage.mission.config.service[place].clone();
    if let Some(unit) = Unit::of(&service) {
        let how = way_for(stage, &service, &unit.state()?);
        return tell_unit(stage, place, &unit, how);
    }
    if service.reload.is_some() {
        let release = stage.mission.release.clone();
        return run_command(stage, place, &release);
    }
    Ok(())
}

/// Tells every service that was not told yet, web services first. What goes wrong is a warning.
pub fn tell_the_rest(stage: &mut Stage<'_>) {
    for role in [Role::Web, Role::Worker] {
        for place in stage.services_of(role) {
            if stage.known::<Told>(&key(place)).is_none() {
                let name = name_of(&stage.mission.config.service[place]);
                let has_copies = stage.mission.config.service[place].has_instances();
                stage.or_warn(&name, |stage| match (has_copies, role) {
                    (true, Role::Worker) => worker::hand_over(stage, place),
                    _ => tell(stage, place),
                });
            }
        }
    }
}

/// Tells a unit in a given way, and notes it in the journal before.
///
/// # Errors
/// As [`tell`]; the unit's own last lines are with the error.
pub fn tell_unit(stage: &mut Stage<'_>, place: usize, unit: &Unit, how: How) -> Result<()> {
    let began = Instant::now();
    let limit = stage.mission.config.service[place]
        .switch_timeout
        .duration();
    note(stage, place, how)?;
    let (doing, done) = how.verbs();
    stage.report.started(doing, unit.name());
    let patience = stage.patience();
    match how {
        How::Reload => unit.reload(limit, &patience)?,
        How::Restart => unit.restart(limit, &patience)?,
        How::Start | How::Command | How::HandOver => unit.start(limit, &patience)?,
    }
    stage
        .report
        .finished(done, unit.name(), Some(began.elapsed()));
    Ok(())
}

/// Runs the `reload` command of a service in a release.
///
/// # Errors
/// When it fails or takes too long; its last lines are with the error.
pub fn run_command(stage: &mut Stage<'_>, place: usize, release: &ReleaseId) -> Result<()> {
    let began = Instant::now();
    let service = stage.mission.config.service[place].clone();
    let line = service.reload.unwrap_or_default();
    note(stage, place, How::Command)?;
    stage.report.started("Running", &line);
    let facts = surroundings::facts(stage.site, stage.mission, release, None);
    let finished = Command::shell(&line)
        .env(stage.surroundings.variables(&facts))
        .cwd(stage.site.release_dir(release))
        .timeout(service.switch_timeout.duration())
        .stream(&stage.patience(), |_| {}, &mut |_| {})?;
    if !finished.ending.is_success() {
        return Err(failure(&line, finished));
    }
    stage.report.finished("Ran", &line, Some(began.elapsed()));
    Ok(())
}

/// A line of the settings that failed, with what it printed last.
pub fn failure(line: &str, finished: Finished) -> Error {
    let kind = match finished.ending {
        Ending::Interrupted => ErrorKind::Interrupted,
        _ => ErrorKind::Failed,
    };
    let error = Error::new(kind, format!("`{line}` failed")).cause(finished.ending);
    error.tail(finished.tail)
}

/// Writes down that the service is about to be told. On the way back a full disk must not stop it.
///
/// # Errors
/// On the way forward, when the journal cannot be written.
pub fn note(stage: &mut Stage<'_>, place: usize, how: How) -> Result<()> {
    let told = Told {
        how,
        since: Ticks::fence(),
    };
    let is_known = stage.known::<Told>(&key(place)).is_some();
    match stage.fact(key(place), told) {
        Err(_) if is_known => {
            stage.remember(key(place), told);
            Ok(())
        }
        written => written,
    }
}

/// A unit that is not active is started; one that ran before the first release is restarted, since
/// a reload cannot move it here.
fn way_for(stage: &Stage<'_>, service: &Service, state: &UnitState) -> How {
    if !state.is_active() {
        How::Start
    } else if stage.mission.is_first() || service.switch == SwitchWay::Restart {
        How::Restart
    } else {
        How::Reload
    }
}
