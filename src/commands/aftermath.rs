//! What follows a plan that did not come to its commit: the way back, the hooks and the record of a
//! failed release, and the words for it.

use std::time::Instant;

use super::Context;
use super::drive::{finish_with_figures, outcome, stop_probe};
use super::ending::{self, Outcome};
use crate::error::{Error, ErrorKind};
use crate::hook::{Point, Verb};
use crate::host::signal::Patience;
use crate::plan::Plan;
use crate::report::Event;
use crate::report::time::duration;
use crate::saga::journal;
use crate::saga::{self, Stopped};
use crate::site::State;
use crate::site::record::Failure;
use crate::step::outcome::Ending;
use crate::step::{SWITCH, Stage, complaints, prune, run_hook, tell, unit_logs};

/// Takes everything back, or lets a failed rollback stay where it is, and says how it ended.
pub fn of(context: &Context<'_>, plan: &Plan, stage: Stage<'_>, stopped: Stopped) -> Outcome {
    let text = match &stopped.step {
        Some(step) => format!("step {step}: {}", stopped.error.what),
        None => stopped.error.what.clone(),
    };
    context.report.event(Event::Failed {
        verb: "Failed",
        what: &text,
    });
    let mut stage = stage;
    stage.renew_patience();
    if stays(plan, &stage, &stopped) {
        staying(plan, stage, stopped)
    } else {
        taken_back(plan, stage, stopped)
    }
}

/// A rollback whose target fails goes back only to what was healthy when it began: two bad
/// releases are no reason to flip twice.
fn stays(plan: &Plan, stage: &Stage<'_>, stopped: &Stopped) -> bool {
    let has_failed = stopped.step.is_some() && stopped.error.kind != ErrorKind::Interrupted;
    has_failed
        && plan.mission.verb == Verb::Rollback
        && stage.was_switched()
        && !plan.mission.was_healthy()
}

/// The target stays live, though it failed: it is committed, and the failure is written down.
fn staying(plan: &Plan, mut stage: Stage<'_>, stopped: Stopped) -> Outcome {
    let Stopped { step, error, .. } = stopped;
    let error = stage.surroundings.masked(error);
    tell::tell_the_rest(&mut stage);
    if let Err(error) = stage.journal.write(&journal::Event::Committed) {
        stage.report.warning(&error.to_string());
    }
    let failure = ending::failure(step, &error);
    let (cutover, mut notes) = finish_with_figures(&mut stage);
    stage.record.error = Some(failure.clone());
    stage.or_warn("record", |stage| stage.record.save(stage.site));
    let release = &plan.mission.release;
    notes.push(format!(
        "release {release} stays: what was live before was not healthy either"
    ));
    Outcome {
        error: Some(failure),
        errors: error.findings.clone(),
        cause: Some(error.hint("zdd status")),
        notes,
        ..outcome(plan, stage, Ending::RollbackFailed, cutover)
    }
}

/// The way back, and what has to be told of it.
fn taken_back(plan: &Plan, mut stage: Stage<'_>, stopped: Stopped) -> Outcome {
    let began = Instant::now();
    let was_switched = stage.was_switched();
    let logs = unit_logs::until_now(&stage);
    let failures = saga::unwind(&plan.steps, stopped.started, &mut stage);
    stage.renew_patience();
    complaints::take(&mut stage);
    let cutover = stop_probe(&mut stage);
    let Stopped { step, error, .. } = stopped;
    // What was left beside the site, a process say, makes it no worse for its users.
    let is_worse = failures.iter().any(|(step, _)| step == SWITCH);
    let ending = match (&error.kind, was_switched) {
        _ if is_worse => Ending::RollbackFailed,
        (_, true) if !plan.mission.is_first() => Ending::RolledBack,
        (ErrorKind::Interrupted, false) => Ending::Interrupted,
        _ => Ending::Failed,
    };
    let mut notes = Vec::new();
    if was_switched {
        notes.extend(cutover.iter().map(ToString::to_string));
        let took = duration(began.elapsed());
        notes.push(match stage.away {
            Some(away) => format!(
                "the site was away for {}; putting it back took {took}",
                duration(away)
            ),
            None => format!("putting the site back took {took}"),
        });
    }
    let error = match error.tail.is_empty() && error.change.is_none() {
        true => error.tail(logs.tail()),
        false => error,
    };
    let error = stage.surroundings.masked(error);
    let next = match stage.is_stuck {
        true => ending::STUCK.to_owned(),
        false => next_command(plan, step.as_deref(), ending, !failures.is_empty()),
    };
    let error = told(error, &failures, next);
    let failure = ending::failure(step, &error);
    let is_back = failures.is_empty();
    let is_release = plan.mission.verb == Verb::Release;
    if is_release && is_back && stage.record.is_migrated {
        stage.or_warn("hook revert", |stage| {
            let release = stage.mission.release.clone();
            run_hook::run_in(stage, Point::Revert, &release, &Patience::fresh())
        });
    }
    if is_release {
        close_failed(&mut stage, failure.clone());
    } else if was_switched {
        keep_failure(&mut stage, failure.clone());
    }
    stage.or_warn("prune", |stage| prune::after_command(stage).map(drop));
    if is_back {
        stage.or_warn("journal", |stage| stage.journal.end());
    }
    Outcome {
        error: Some(failure),
        errors: error.findings.clone(),
        cause: Some(error),
        notes,
        ..outcome(plan, stage, ending, cutover)
    }
}

/// The error with what could not be undone, and one command to run next.
fn told(mut error: Error, failures: &[(String, Error)], next: String) -> Error {
    for (step, failure) in failures {
        error
            .tail
            .push(format!("undo of step {step} failed: {failure}"));
    }
    if error.hint.is_some() && failures.is_empty() {
        error
    } else {
        error.hint(next)
    }
}

/// The command that shows most of why a step failed.
fn next_command(plan: &Plan, step: Option<&str>, ending: Ending, is_left: bool) -> String {
    let release = &plan.mission.release;
    match step {
        _ if ending == Ending::RollbackFailed => "zdd status".to_owned(),
        _ if is_left => "zdd recover".to_owned(),
        Some(step) if step.starts_with("hook_") => format!("zdd logs {release} {step}"),
        _ => format!("zdd show {release}"),
    }
}

/// The record of a failed release, and the hook that tells people of it. Nothing is due for one
/// that was not even begun.
fn close_failed(stage: &mut Stage<'_>, failure: Failure) {
    if !matches!(stage.record.state, State::Failed | State::Bad) {
        return;
    }
    keep_failure(stage, failure);
    stage.or_warn("hook failed", |stage| {
        let release = stage.mission.release.clone();
        run_hook::run_in(stage, Point::Failed, &release, &Patience::fresh())
    });
}

/// What happened, for `zdd show`. The target of a rollback that was taken back stays in its state.
fn keep_failure(stage: &mut Stage<'_>, failure: Failure) {
    stage.record.error = Some(failure);
    stage.keep_figures();
    stage.record.steps.clone_from(&stage.steps);
    stage.or_warn("record", |stage| stage.record.save(stage.site));
}
