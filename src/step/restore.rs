//! Puts the services back to what they were before the command: each runs what it ran then, or
//! what `current` names again, and is no unhealthier.

use super::outcome::Running;
use super::tell::{self, How, Told};
use super::{Stage, name_of, prove, worker};
use crate::config::schema::{Role, SwitchWay};
use crate::error::{Error, Result};
use crate::health::wait::until_healthy;
use crate::running::Until;
use crate::service::{Unit, UnitState};

/// Puts the service at `place` back, when it was told anything.
///
/// # Errors
/// When it does not run again, or runs something else than before.
pub fn service(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let told = stage.known::<Told>(&tell::key(place));
    let was_quieted = stage.known(&worker::quiet_key(place)) == Some(true);
    if told.is_none() && !was_quieted {
        return Ok(());
    }
    let service = stage.mission.config.service[place].clone();
    if service.has_instances() {
        return match service.role {
            Role::Worker => worker::give_back(stage, place),
            Role::Web => Ok(()),
        };
    }
    let Some(unit) = Unit::of(&service) else {
        return told.map_or(Ok(()), |told| run_command_again(stage, place, told));
    };
    let before = stage
        .mission
        .services_before
        .get(place)
        .and_then(|before| before.unit.clone());
    let Some(before) = before.filter(UnitState::is_active) else {
        if service.role == Role::Web && stage.mission.takes_over(place, &service) {
            // It is let finish and ended by the step that started it.
            return Ok(());
        }
        unit.stop(service.stop_timeout.duration(), &stage.patience())?;
        let what = format!("{}: it was not active before", unit.name());
        stage.report.finished("Stopped", &what, None);
        return Ok(());
    };
    let now = unit.state()?;
    let is_untouched = now.is_active() && now.is_same_run(&before);
    // Only a new start lets a quiet worker take jobs again.
    if is_untouched && !was_quieted && service.switch == SwitchWay::Reload {
        let is_told = tell::tell_unit(stage, place, &unit, How::Reload).is_ok();
        if is_told && is_back(stage, place) {
            return Ok(());
        }
    }
    // A unit that did not fail needs none, and to restart it matters more.
    let _ = unit.reset_failed(service.switch_timeout.duration(), &stage.patience());
    tell::tell_unit(stage, place, &unit, How::Restart)?;
    if is_back(stage, place) {
        return Ok(());
    }
    Err(Error::failed(format!(
        "`{}` does not run what it ran before",
        unit.name()
    )))
}

/// Waits until every health check that was good before is good again.
///
/// # Errors
/// The first check that stays bad.
pub fn health(stage: &Stage<'_>) -> Result<()> {
    for (check, before) in stage.checks.iter().zip(&stage.mission.health_before) {
        if !before.ok {
            continue;
        }
        let healthy = until_healthy(check, &stage.patience(), &|| None, &mut |_, _| {});
        healthy.map_err(Error::from)?;
        stage.report.finished("Healthy", &check.name(), None);
    }
    Ok(())
}

fn run_command_again(stage: &mut Stage<'_>, place: usize, told: Told) -> Result<()> {
    match stage.mission.from.clone() {
        Some(from) if told.how == How::Command => tell::run_command(stage, place, &from),
        _ => Ok(()),
    }
}

/// Whether the service runs the old release again, or just what it ran before the command.
fn is_back(stage: &mut Stage<'_>, place: usize) -> bool {
    let Some(from) = stage.mission.from.clone() else {
        return true;
    };
    let name = name_of(&stage.mission.config.service[place]);
    let Ok(now) = prove::observe(stage, place, &from, Until::AsBefore) else {
        return false;
    };
    stage.restored.retain(|known| known.service != name);
    stage.restored.push(Running::new(&name, &now));
    let before = stage.mission.services_before.get(place);
    let before = before.and_then(|before| before.observation.as_ref());
    let is_as_before = before.is_some_and(|before| now.is_like(before));
    if now.verdict.is_failure() && !is_as_before {
        return false;
    }
    let release = now.release.as_deref().unwrap_or("an unknown release");
    stage
        .report
        .finished("Restored", &format!("{name}: it runs {release}"), None);
    true
}
