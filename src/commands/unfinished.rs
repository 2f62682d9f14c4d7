//! What an interrupted command left, and what becomes of it. Every changing command settles it
//! first; the others only say it.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use fs_err as fs;
use serde::Serialize;

use super::drive::{self, Direction};
use super::ending::Outcome;
use super::{Context, ending};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::exit_code::ExitCode;
use crate::hook;
use crate::host::signal::Patience;
use crate::host::{atomic_file, process};
use crate::plan::Plan;
use crate::saga::journal::{self, Event, Journal, Progress};
use crate::saga::{LAST_ATTEMPT, Reversible};
use crate::site::record::{self, Found};
use crate::site::{Record, ReleaseId, State, link, lock};
use crate::source::git;
use crate::step::run_hook::{self, Leader};
use crate::step::{Means, Stage, prune};

/// How often a hook that is waited for is looked at.
const HOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A command that did not end, as `status` tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfinished {
    /// Which command.
    pub command: String,
    /// The release it was about.
    pub release: ReleaseId,
    /// The last step it began.
    pub step: Option<String>,
    /// What the next changing command will do about it.
    pub will: String,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an interrupted {} of {}", self.command, self.release)?;
        if let Some(step) = &self.step {
            write!(f, " (in step {step})")?;
        }
        write!(f, " will {}; at once with: zdd recover", self.will)
    }
}

/// An interrupted command, read from its journal.
struct Interrupted {
    plan: Plan,
    events: Vec<Event>,
    progress: Progress,
}

/// What is unfinished, when nobody is at work on it. Changes nothing; to those who may not read
/// the journal, nothing is.
///
/// # Errors
/// When the journal is not understood.
pub fn look(context: &Context<'_>) -> Result<Option<Unfinished>> {
    let site = &context.site;
    let is_private = fs::File::open(site.journal_path())
        .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied);
    if is_private || lock::holder(site).is_some() {
        return Ok(None);
    }
    let Some(found) = read(context)? else {
        return Ok(None);
    };
    let last = found.progress.started.checked_sub(1);
    let last = last.and_then(|place| found.plan.steps.get(place));
    let name = |step| Reversible::<Stage<'_>>::name(step).to_owned();
    let step = match found.progress.is_committed {
        true => Some("finish".to_owned()),
        false => last.map(name),
    };
    Ok(Some(Unfinished {
        command: found.plan.mission.verb.word().to_owned(),
        release: found.plan.mission.release.clone(),
        step,
        will: direction_of(context, &found)?.map_or_else(
            || "be set aside: `current` was changed by hand".to_owned(),
            |direction| match direction {
                Direction::Finish => "be finished".to_owned(),
                Direction::Forward(_) => "be verified, then committed or undone".to_owned(),
                Direction::Back { .. } => "be undone".to_owned(),
            },
        ),
    }))
}

/// Says what is unfinished, for commands that change nothing.
pub fn note(context: &Context<'_>) {
    match look(context) {
        Ok(None) => {}
        Ok(Some(found)) => {
            context.report.note(&found.to_string());
        }
        Err(error) => context
            .report
            .warning(&format!("an interrupted command: {error}")),
    }
}

/// Recovers what is unfinished, before a changing command begins its own work.
///
/// # Errors
/// When a human must look first, or a hook of the interrupted command still runs after `wait`.
pub fn settle(context: &Context<'_>, wait: Duration) -> Result<()> {
    let Some(outcome) = recover(context, wait)? else {
        return Ok(());
    };
    let kind = match outcome.exit_code() {
        ExitCode::NeedsHuman => ErrorKind::NeedsHuman,
        _ if context.site.journal_path().exists() => ErrorKind::Failed,
        _ => return Ok(()),
    };
    let cause = outcome
        .cause
        .map(|error| error.to_string())
        .unwrap_or_default();
    Err(
        Error::new(kind, "what was interrupted could not be recovered")
            .cause(cause)
            .hint("zdd status"),
    )
}

/// Finishes or undoes what is unfinished; none when nothing was. Temporary files of killed commands
/// go in any case.
///
/// # Errors
/// When the journal is not understood, `current` was changed by hand, or a hook still runs after
/// `wait`.
pub fn recover(context: &Context<'_>, wait: Duration) -> Result<Option<Outcome>> {
    sweep(context)?;
    let found = match read(context) {
        Ok(Some(found)) => found,
        Ok(None) => {
            mark_abandoned(context)?;
            return Ok(None);
        }
        // A disk that does not answer now says nothing about what is on it.
        Err(error) if fs::read(context.site.journal_path()).is_err() => return Err(error),
        Err(error) => return Err(set_aside(context, &error.to_string())),
    };
    await_hook(&found, wait)?;
    let Some(direction) = direction_of(context, &found)? else {
        let why = "`current` names neither the old nor the new release";
        return Err(set_aside(context, why));
    };
    go_on(context, found, direction).map(Some).map_err(|error| {
        let what = "what was interrupted could not be recovered";
        Error::new(ErrorKind::NeedsHuman, what).cause(error)
    })
}

fn go_on(context: &Context<'_>, found: Interrupted, direction: Direction) -> Result<Outcome> {
    let Interrupted {
        plan,
        events,
        progress,
    } = found;
    let (verb, release) = (plan.mission.verb.word(), plan.mission.release.clone());
    let way = match &direction {
        Direction::Finish => "finishing",
        Direction::Forward(_) => "verifying",
        Direction::Back { .. } => "undoing",
    };
    context.report.started(
        "Recovering",
        &format!("{way} an interrupted {verb} of {release}"),
    );
    let path = context.site.journal_path();
    let mut journal = Journal::reopen(&path)?;
    let attempt = progress.attempts + 1;
    // On a full disk the way back is more important than its count.
    let _ = journal.write(&Event::Recovery { attempt });
    let record = record_of(context, &plan);
    let means = Means::still_there(&plan.mission.config, context.report)?;
    let surface = (context.report, context.clock);
    let (site, mission) = (&context.site, &plan.mission);
    let stage = Stage::new(site, mission, surface, means, journal, record).recovered(events);
    let outcome = drive::resume(context, &plan, stage, direction);
    let state = ending::state_line(site);
    if !path.exists() {
        let text = format!("an interrupted {verb}: {state}");
        context.report.finished("Recovered", &text, None);
    } else if attempt >= LAST_ATTEMPT {
        // What cannot be undone must not stand in the way of a release that mends it.
        let error = set_aside(context, &format!("{attempt} attempts failed"));
        context.report.warning(&error.to_string());
    }
    Ok(outcome)
}

/// The journal as a plan with its progress; none when nothing is unfinished. A journal without a
/// whole first line announced nothing and is removed by the next changing command.
fn read(context: &Context<'_>) -> Result<Option<Interrupted>> {
    let Some(events) = journal::read(&context.site.journal_path())? else {
        return Ok(None);
    };
    let Some(Event::Plan { plan }) = events.first() else {
        return Ok(None);
    };
    let plan = serde_json::from_value(plan.clone()).context("the plan is not understood")?;
    Ok(Some(Interrupted {
        plan,
        progress: Progress::of(&events),
        events,
    }))
}

/// Which way it goes on; none when `current` was changed by hand.
fn direction_of(context: &Context<'_>, found: &Interrupted) -> Result<Option<Direction>> {
    let mission = &found.plan.mission;
    let progress = found.progress;
    let current = link::read(&context.site)?;
    let is_new = current.release() == Some(&mission.release);
    let is_old = match &mission.from {
        Some(from) => current.release() == Some(from),
        None => current == link::Current::Missing,
    };
    if progress.is_committed {
        return Ok(is_new.then_some(Direction::Finish));
    }
    // A link to a new release whose files were deleted is worth putting back.
    if !is_old && !current.names(&mission.release) {
        return Ok(None);
    }
    let verify = found.plan.switch_place() + 1;
    let is_switched = progress.succeeded >= verify && is_new;
    if is_switched && !progress.is_unwinding && progress.attempts < LAST_ATTEMPT {
        return Ok(Some(Direction::Forward(verify)));
    }
    Ok(Some(Direction::Back {
        started: progress.started,
        reason: Error::failed("the command was interrupted"),
    }))
}

/// A hook whose zdd was killed may still write into the release.
fn await_hook(found: &Interrupted, wait: Duration) -> Result<()> {
    let patience = Patience::of_command();
    let deadline = Instant::now() + wait;
    while let Some(Leader { point, pid, .. }) = running_hook(found) {
        if Instant::now() >= deadline {
            let name = point.name();
            let what = format!("hook {name} of an interrupted command still runs (pid {pid})");
            let error = Error::new(ErrorKind::Locked, what);
            return Err(error.hint(format!("wait for it with `--wait 5m`, or: kill -- -{pid}")));
        }
        if !patience.sleep(HOOK_INTERVAL) {
            let what = "interrupted while waiting for a hook";
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    }
    Ok(())
}

/// The leader of the last hook that was begun, while it lives.
fn running_hook(found: &Interrupted) -> Option<Leader> {
    let leader = journal::fact_of(&found.events, run_hook::LEADER).cloned()?;
    let leader: Leader = serde_json::from_value(leader).ok()?;
    let is_alive = process::is_alive(leader.pid, leader.started?);
    is_alive.then_some(leader)
}

fn record_of(context: &Context<'_>, plan: &Plan) -> Record {
    let mission = &plan.mission;
    match record::read(&context.site.record_path(&mission.release)) {
        Found::Record(record) => *record,
        _ => Record::new(mission.release.clone(), mission.seq, State::Building),
    }
}

/// Puts the journal out of the way for a human.
fn set_aside(context: &Context<'_>, why: &str) -> Error {
    let suffix = format!("stale-{}", context.clock.now().unix_timestamp());
    let error = Error::new(
        ErrorKind::NeedsHuman,
        "an interrupted command cannot be recovered",
    );
    let error = error.cause(why);
    match Journal::set_aside(&context.site.journal_path(), &suffix) {
        Ok(aside) => error.hint(format!(
            "see {aside} and zdd status, then run the command again"
        )),
        Err(_) => error,
    }
}

/// Removes what killed commands left half written. What cannot be deleted of a pruned release is
/// no reason to stop.
fn sweep(context: &Context<'_>) -> Result<()> {
    let site = &context.site;
    link::remove_leftovers(site)?;
    for directory in [
        site.root().to_owned(),
        site.zdd_dir(),
        site.records_dir(),
        site.instances_dir(),
    ] {
        if directory.is_dir() {
            atomic_file::remove_leftovers(&directory)?;
        }
    }
    let journal = site.journal_path();
    if matches!(journal::read(&journal), Ok(Some(events)) if events.is_empty()) {
        fs::remove_file(&journal)?;
    }
    hook::sweep_notes();
    git::sweep(site);
    if let Err(error) = prune::sweep(site) {
        context.report.warning(&error.to_string());
    }
    Ok(())
}

/// A release that was begun and has no journal any more is not going on. Where the link names it,
/// the link wins.
fn mark_abandoned(context: &Context<'_>) -> Result<()> {
    let history = crate::site::History::load(&context.site)?;
    for record in history.releases() {
        if matches!(record.state, State::Building | State::Ready) {
            let mut record = record.clone();
            record.state = match history.state_of(&record) {
                State::Live => State::Live,
                _ => State::Failed,
            };
            // On a full disk, `prune` must not be kept from making room.
            if let Err(error) = record.save(&context.site) {
                context.report.warning(&error.to_string());
            }
        }
    }
    Ok(())
}
