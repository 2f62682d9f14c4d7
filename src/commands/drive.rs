//! Drives a plan to its end: forward to the commit, or back. `release`, `rollback` and `recover`
//! all end here; there is no second way.

use std::time::Duration;

use super::ending::{Outcome, SCHEMA, serving, value_of};
use super::{Context, aftermath, pause};
use crate::error::{Error, Result};
use crate::health::{Figures, Probe, Sample, Target};
use crate::plan::Plan;
use crate::saga::journal::{Event, Journal};
use crate::saga::{self, Stopped, millis_since};
use crate::site::Record;
use crate::site::record::StepTime;
use crate::step::outcome::Ending;
use crate::step::{Means, Stage, finish};

/// Begins the journal and drives the plan. `before` are the steps that were already done.
///
/// # Errors
/// When the settings cannot be used or the journal cannot be begun: nothing was changed then.
pub fn begin(
    context: &Context<'_>,
    plan: &Plan,
    record: Record,
    before: Vec<StepTime>,
) -> Result<Outcome> {
    let means = Means::of(&plan.mission.config)?;
    let target = Target::of(&plan.mission.config)?;
    let journal = Journal::begin(&context.site.journal_path(), value_of(plan))?;
    let surface = (context.report, context.clock);
    let (site, mission) = (&context.site, &plan.mission);
    let mut stage = Stage::new(site, mission, surface, means, journal, record);
    stage.steps = before;
    stage.probe = target.and_then(|target| start_probe(context, plan, &target));
    let result = saga::advance(&plan.steps, 0, &mut stage);
    Ok(end(context, plan, stage, result))
}

/// Goes on with a command that was interrupted: forward from the step `first`, or straight back.
pub fn resume(
    context: &Context<'_>,
    plan: &Plan,
    stage: Stage<'_>,
    direction: Direction,
) -> Outcome {
    let mut stage = stage;
    let result = match direction {
        Direction::Forward(first) => saga::advance(&plan.steps, first, &mut stage),
        Direction::Back { started, reason } => Err(Stopped::between(started, reason)),
        Direction::Finish => return live(plan, stage),
    };
    end(context, plan, stage, result)
}

/// Which way an interrupted command goes on.
#[derive(Debug)]
pub enum Direction {
    /// From this step on.
    Forward(usize),
    /// Everything is undone.
    Back {
        /// How many steps were started.
        started: usize,
        /// Why.
        reason: Error,
    },
    /// It was committed; only the last step is missing.
    Finish,
}

fn end(
    context: &Context<'_>,
    plan: &Plan,
    mut stage: Stage<'_>,
    result: Result<(), Box<Stopped>>,
) -> Outcome {
    let committed = result.and_then(|()| {
        let written = saga::Stage::journal(&mut stage).write(&Event::Committed);
        written.map_err(|error| Stopped::between(plan.steps.len(), error))
    });
    match committed {
        Ok(()) => live(plan, stage),
        Err(stopped) => aftermath::of(context, plan, stage, *stopped),
    }
}

fn live(plan: &Plan, mut stage: Stage<'_>) -> Outcome {
    let (cutover, mut notes) = finish_with_figures(&mut stage);
    if let Some(releases) = still_migrated(plan) {
        notes.push(releases);
    }
    let doubt = (!stage.doubts.is_empty()).then(|| not_proved(&stage.doubts));
    Outcome {
        doubt,
        notes,
        ..outcome(plan, stage, Ending::Live, cutover)
    }
}

/// After the commit: the records, the last step, the end of the journal. No signal stops it any
/// more; one that arrives later shortens the wait it meets. Returns what the probe saw, and the
/// lines about it.
pub(super) fn finish_with_figures(stage: &mut Stage<'_>) -> (Option<Figures>, Vec<String>) {
    stage.renew_patience();
    let cutover = stop_probe(stage);
    let notes = cutover.iter().map(ToString::to_string);
    let notes = notes.chain(pause::note(stage)).collect();
    stage.keep_figures();
    if finish::run(stage) {
        stage.or_warn("journal", |stage| stage.journal.end());
    }
    (cutover, notes)
}

/// What a rollback leaves in the database, in short: it was told in full before.
fn still_migrated(plan: &Plan) -> Option<String> {
    let migrations = plan.mission.migrations.iter();
    let releases: Vec<String> = migrations.map(|it| it.release.to_string()).collect();
    let text = format!(
        "the code is back, the migrations of {} were not taken back by zdd",
        releases.join(", ")
    );
    (!releases.is_empty()).then_some(text)
}

fn not_proved(doubts: &[String]) -> String {
    format!(
        "not proved: {}; add `release = \"header:X-Release\"` to a health check",
        doubts.join("; ")
    )
}

/// The end of the command, without what an ending of its kind adds.
pub(super) fn outcome(
    plan: &Plan,
    stage: Stage<'_>,
    ending: Ending,
    cutover: Option<Figures>,
) -> Outcome {
    Outcome {
        schema: SCHEMA,
        outcome: ending,
        release: Some(plan.mission.release.clone()),
        from: plan.mission.from.clone(),
        serving: serving(stage.site),
        error: None,
        errors: Vec::new(),
        steps: stage.steps,
        cutover,
        running: stage.running,
        replaced: stage.replaced,
        queues: stage.queues,
        complaints: stage.complaints,
        migrations: plan.mission.migrations.clone(),
        restored: stage.restored,
        already: None,
        doubt: None,
        cause: None,
        notes: Vec::new(),
    }
}

/// The probe only informs: a release goes on without it.
fn start_probe(context: &Context<'_>, plan: &Plan, target: &Target) -> Option<Probe> {
    if plan.mission.is_first() {
        return None;
    }
    context.report.detail(&format!("probing {}", target.name()));
    let started = Probe::start(target, plan.mission.config.probe.rate);
    started
        .inspect_err(|error| context.report.warning(&format!("no probe: {error}")))
        .ok()
}

/// Ends the probe, and takes note of how long the site was away.
pub(super) fn stop_probe(stage: &mut Stage<'_>) -> Option<Figures> {
    let names = stage.names_of(&stage.mission.release);
    let measured = stage.probe.take()?.finish(&names);
    let end = stage.switched_at.map_or(0, millis_since);
    stage.away = longest_gap(&measured.samples, i64::try_from(end).unwrap_or(i64::MAX));
    let figures = measured.figures.clone();
    stage.measured = Some(measured);
    Some(figures)
}

/// For how long in a row the probe got no good answer; `end` is when it was stopped, in
/// milliseconds after the switch.
fn longest_gap(samples: &[Sample], end: i64) -> Option<Duration> {
    let mut longest = None;
    let mut since = None;
    for sample in samples {
        match (sample.ok, since) {
            (false, None) => since = Some(sample.at_ms),
            (true, Some(first)) => {
                longest = longest.max(Some(sample.at_ms - first));
                since = None;
            }
            _ => {}
        }
    }
    let longest = longest.max(since.map(|first| end - first));
    longest
        .and_then(|ms| u64::try_from(ms).ok())
        .map(Duration::from_millis)
}
