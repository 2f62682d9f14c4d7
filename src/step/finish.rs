//! What is left after the commit. Nothing here can fail the command any more: it warns and goes on,
//! and everything can be repeated by recovery.

use super::{Stage, complaints, prune, replaced, run_hook, standby};
use crate::error::Result;
use crate::hook::{Point, Verb};
use crate::host::signal::Patience;
use crate::saga::millis_since;
use crate::site::{History, State, revisions_log};

/// Writes the records, ends what is no longer needed, prunes, and runs the last hook. Returns
/// whether nothing is left that a later command should try again: processes do not end by
/// themselves.
pub fn run(stage: &mut Stage<'_>) -> bool {
    let began = std::time::Instant::now();
    stage.or_warn("records", write_records);
    stage.or_warn("revisions.log", log_revision);
    // A signal must not cut off requests that the old processes still answer.
    let is_old_stopped = stage.or_warn("the old release's processes", |stage| {
        stage.undisturbed(stop_old)
    });
    // What it took to end the old processes, users may have felt.
    replaced::take(stage);
    complaints::take(stage);
    stage.or_warn("prune", |stage| prune::after_command(stage).map(drop));
    stage.or_warn("hook finish", |stage| run_hook::run(stage, Point::Finish));
    stage.or_warn("hook revert", revert_left);
    crate::saga::Stage::took(stage, "finish", millis_since(began), true);
    stage.or_warn("record", |stage| {
        stage.record.steps.clone_from(&stage.steps);
        stage.record.save(stage.site)
    });
    is_old_stopped
}

/// The new release is live, the old one retired; one that was left by a rollback is bad.
fn write_records(stage: &mut Stage<'_>) -> Result<()> {
    let mission = stage.mission;
    let is_new = !stage.is_recovering || stage.record.state != State::Live;
    stage.record.state = State::Live;
    stage.record.error = None;
    stage.record.standby_until = None;
    stage.record.config = Some(mission.config.clone());
    // A recovery that repeats this has nothing new to say.
    if is_new {
        stage.record.live_at = Some(stage.clock.now());
    }
    if is_new && mission.verb == Verb::Release {
        let took = stage.clock.now() - mission.started_at;
        stage.record.took_ms = u64::try_from(took.whole_milliseconds()).ok();
    }
    stage.record.save(stage.site)?;
    let history = History::load(stage.site)?;
    let left = mission
        .from
        .as_ref()
        .filter(|from| **from != mission.release);
    for record in history.releases() {
        let is_left = Some(&record.id) == left;
        if record.id == mission.release || !(is_left || record.state == State::Live) {
            continue;
        }
        let is_bad = is_left && mission.verb == Verb::Rollback;
        let mut record = record.clone();
        record.state = if is_bad { State::Bad } else { State::Retired };
        record.save(stage.site)?;
    }
    Ok(())
}

fn log_revision(stage: &mut Stage<'_>) -> Result<()> {
    let (mission, record) = (stage.mission, &stage.record);
    match mission.verb {
        Verb::Release => revisions_log::released(
            stage.site,
            &record.id,
            record.branch.as_deref(),
            record.revision.as_deref(),
            &mission.performer,
        ),
        Verb::Rollback => revisions_log::rolled_back(stage.site, &record.id, &mission.performer),
    }
}

/// Ends what only the release that was left ran on, or keeps it for a rollback.
fn stop_old(stage: &mut Stage<'_>) -> Result<()> {
    let Some(from) = &stage.mission.from else {
        return Ok(());
    };
    if *from == stage.mission.release {
        return Ok(());
    }
    standby::leave(stage, from)
}

/// A rollback past a release whose migration was begun runs that release's `revert`.
fn revert_left(stage: &mut Stage<'_>) -> Result<()> {
    let Some(from) = stage.mission.from.clone() else {
        return Ok(());
    };
    if stage.mission.verb != Verb::Rollback {
        return Ok(());
    }
    let history = History::load(stage.site)?;
    if history.find(&from).is_some_and(|record| record.is_migrated) {
        run_hook::run_in(stage, Point::Revert, &from, &Patience::fresh())
    } else {
        Ok(())
    }
}
