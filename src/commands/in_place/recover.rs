//! What an interrupted release in place left, and what becomes of it.

use std::fmt;

use fs_err as fs;
use serde::Serialize;

use super::{InPlace, drive};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::host::atomic_file;
use crate::saga::journal::{self, Event, Journal, Progress};
use crate::saga::{LAST_ATTEMPT, Stopped};
use crate::site::lock;
use crate::step::in_place::{Deployment, Stage};
use crate::step::outcome::Ending;

/// A release that did not end, as `status` tells it.
#[derive(Debug, Serialize)]
pub struct Unfinished {
    command: &'static str,
    release: Option<()>,
    step: Option<String>,
    will: &'static str,
}

impl fmt::Display for Unfinished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an interrupted release")?;
        if let Some(step) = &self.step {
            write!(f, " (in step {step})")?;
        }
        write!(f, " will {}; at once with: zdd recover", self.will)
    }
}

/// What is unfinished, when nobody is at work on it.
pub(super) fn look(site: &InPlace<'_>) -> Result<Option<Unfinished>> {
    let is_private = fs::File::open(site.site.in_place_journal_path())
        .is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
    if is_private || lock::holder(&site.site).is_some() {
        return Ok(None);
    }
    let Some((deployment, events)) = read(site)? else {
        return Ok(None);
    };
    let progress = Progress::of(&events);
    let last = progress.started.checked_sub(1);
    let last = last.and_then(|place| deployment.steps().into_iter().nth(place));
    Ok(Some(Unfinished {
        command: "release",
        release: None,
        step: last.map(|step| step.name),
        will: match progress.is_committed {
            true => "be finished",
            false => "be undone",
        },
    }))
}

/// Finishes what was committed and undoes what was not, before a command begins its own work.
/// Returns whether there was anything.
///
/// # Errors
/// When it cannot be put back: a human must look.
pub(super) fn settle(site: &InPlace<'_>) -> Result<bool> {
    sweep(site)?;
    let path = site.site.in_place_journal_path();
    let found = match read(site) {
        Ok(found) => found,
        Err(error) if fs::read(&path).is_err() => return Err(error),
        Err(error) => return Err(set_aside(site, &error.to_string())),
    };
    let Some((deployment, events)) = found else {
        return Ok(false);
    };
    let progress = Progress::of(&events);
    let way = match progress.is_committed {
        true => "finishing",
        false => "undoing",
    };
    let report = site.surface.report;
    report.started("Recovering", &format!("{way} an interrupted release"));
    let mut journal = Journal::reopen(&path)?;
    let attempt = progress.attempts + 1;
    // On a full disk the way back is more important than its count.
    let _ = journal.write(&Event::Recovery { attempt });
    let steps = deployment.steps();
    let stage = Stage::new(&site.site, &deployment, report, journal, events);
    let is_done = progress.succeeded == steps.len() && !progress.is_unwinding;
    let outcome = if progress.is_committed {
        drive::live(stage)
    } else if is_done && attempt < LAST_ATTEMPT && all_run(&stage) {
        drive::end(&steps, stage, Ok(()))
    } else {
        let reason = Error::failed("the command was interrupted");
        let stopped = Stopped::between(progress.started, reason);
        drive::end(&steps, stage, Err(stopped))
    };
    if !path.exists() {
        report.finished("Recovered", "an interrupted release", None);
        return Ok(true);
    }
    let cause = outcome.cause.map(|error| error.tail.join("; "));
    let cause = cause.unwrap_or_default();
    if attempt >= LAST_ATTEMPT {
        // What cannot be undone must not stand in the way of a release that mends it.
        let error = set_aside(site, &format!("{attempt} attempts failed"));
        report.warning(&error.to_string());
        return Ok(true);
    }
    let kind = match outcome.outcome {
        Ending::RollbackFailed => ErrorKind::NeedsHuman,
        _ => ErrorKind::Failed,
    };
    let error = Error::new(kind, "what was interrupted could not be recovered");
    Err(error.cause(cause).hint("zdd status"))
}

/// Whether the new instances of a release that only lacked its last word still run.
fn all_run(stage: &Stage<'_>) -> bool {
    let places = 0..stage.services().len();
    let mut instances = places.map(|place| stage.instance(place));
    instances.all(|instance| instance.is_some_and(|it| it.process.is_running()))
}

fn read(site: &InPlace<'_>) -> Result<Option<(Deployment, Vec<Event>)>> {
    let Some(events) = journal::read(&site.site.in_place_journal_path())? else {
        return Ok(None);
    };
    let Some(Event::Plan { plan }) = events.first() else {
        return Ok(None);
    };
    let plan = serde_json::from_value(plan.clone()).context("the plan is not understood")?;
    Ok(Some((plan, events)))
}

/// Removes what a killed command left half written below the site. Other directories may be
/// shared with other sites.
fn sweep(site: &InPlace<'_>) -> Result<()> {
    let conf = &site.conf;
    let pid_files = conf.services.iter().map(|service| &service.pid_file);
    let files = pid_files.chain([&conf.nginx.output]);
    let mut directories = vec![site.site.root().to_owned(), site.site.zdd_dir()];
    directories.extend(files.filter_map(|file| Some(file.parent()?.to_owned())));
    directories.sort();
    directories.dedup();
    for directory in directories {
        if directory.starts_with(site.site.root()) && directory.is_dir() {
            atomic_file::remove_leftovers(&directory)?;
        }
    }
    Ok(())
}

/// Puts the journal out of the way for a human.
fn set_aside(site: &InPlace<'_>, why: &str) -> Error {
    let suffix = format!("stale-{}", site.surface.clock.now().unix_timestamp());
    let what = "an interrupted command cannot be recovered";
    let error = Error::new(ErrorKind::NeedsHuman, what).cause(why);
    match Journal::set_aside(&site.site.in_place_journal_path(), &suffix) {
        Ok(aside) => error.hint(format!("see {aside} and zdd status, then run it again")),
        Err(_) => error,
    }
}
