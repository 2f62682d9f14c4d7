//! Asks the site, after the switch, whether it is well: every health check, then the watch.

use std::sync::Arc;
use std::time::Instant;

use super::crash_watch::{self, CrashWatch};
use super::{Stage, instance, prove};
use crate::config::schema::Role;
use crate::error::{Error, Result};
use crate::health::release_of;
use crate::health::{self, Check};
use crate::report::Event;

/// Waits until every health check is good, then watches for as long as `[probe] watch` says. A unit
/// that dies ends both at once.
///
/// # Errors
/// The first check that does not become good, with its last answer; or what happened in the
/// watch.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    stage.health.clear();
    // What was proved before an interruption may have died with it.
    if stage.is_recovering {
        for place in stage.services_of(Role::Web) {
            instance::ensure_ready(stage, place)?;
            prove::prove(stage, place)?;
        }
    }
    let units = crash_watch::of(stage)?;
    for check in stage.checks.clone() {
        await_good(stage, &check, &units)?;
    }
    if stage.is_recovering {
        return Ok(());
    }
    watch(stage, &units)
}

fn await_good(stage: &mut Stage<'_>, check: &Arc<Check>, units: &CrashWatch) -> Result<()> {
    let began = Instant::now();
    let name = check.name();
    stage.report.started("Checking", &name);
    let on_attempt = &mut |attempt: &health::Attempt, number: u32| {
        let text = format!("attempt {number}: {}", attempt.detail);
        stage.report.event(Event::Progress(&text));
    };
    let died = || units.finding();
    let healthy = health::wait::until_healthy(check, &stage.patience(), &died, on_attempt);
    stage.note_health(check, healthy.as_ref().err());
    healthy.map_err(Error::from)?;
    if check.names_release() {
        names_new(stage, check)?;
    }
    stage
        .report
        .finished("Healthy", &name, Some(began.elapsed()));
    Ok(())
}

/// A check that names its release must name the new one on every connection.
fn names_new(stage: &Stage<'_>, check: &Arc<Check>) -> Result<()> {
    let release = &stage.mission.release;
    let names = stage.names_of(release);
    let answers = release_of::ask(check, &names, stage.connections(), &stage.patience());
    if answers.are_all_new() {
        return Ok(());
    }
    let what = format!("`{}` does not answer as release `{release}`", check.name());
    Err(Error::failed(what).cause(answers))
}

fn watch(stage: &Stage<'_>, units: &CrashWatch) -> Result<()> {
    let probe = &stage.mission.config.probe;
    if probe.watch.is_zero() {
        return Ok(());
    }
    let began = Instant::now();
    let what = format!("for {}", probe.watch);
    stage.report.started("Watching", &what);
    let on_attempt = &mut |name: &str, attempt: &health::Attempt| {
        stage
            .report
            .event(Event::Progress(&format!("{name}: {}", attempt.detail)));
    };
    let abort = || units.finding();
    health::watch::watch(&stage.checks, probe, &stage.patience(), &abort, on_attempt)?;
    stage
        .report
        .finished("Watched", &what, Some(began.elapsed()));
    Ok(())
}
