//! What `release` and `rollback` have in common from the lock to the last line.

use std::time::{Duration, Instant};

use super::ending::{self, Outcome};
use super::{Context, drive, unfinished};
use crate::error::{Error, ErrorKind, Finding, Result};
use crate::exit_code::ExitCode;
use crate::hook::Point;
use crate::plan::Plan;
use crate::saga::millis_since;
use crate::site::record::StepTime;
use crate::site::{History, Record};

/// What can be asked of both.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// How long to wait for the lock.
    pub wait: Duration,
    /// Print the plan and stop.
    pub is_dry_run: bool,
    /// Hooks to leave out.
    pub skipped_hooks: Vec<Point>,
}

/// What a command comes to once everything was looked at.
#[derive(Debug)]
pub enum Prepared {
    /// There is something to do.
    Plan(Box<(Plan, Record)>),
    /// There is not: what is live is what was asked for, as this text says.
    Unchanged(String),
}

/// Prepares a plan, drives it, and tells how it ended.
///
/// # Errors
/// When the result cannot be printed.
pub fn run(
    context: &Context<'_>,
    request: &Request,
    prepare: impl FnOnce(&History) -> Result<Prepared>,
) -> Result<ExitCode> {
    let ended = if request.is_dry_run {
        show(context, prepare)
    } else {
        drive_prepared(context, request.wait, prepare).map(Some)
    };
    match ended {
        Ok(Some(outcome)) => ending::tell(context, &outcome),
        Ok(None) => Ok(ExitCode::Done),
        Err(error) => ending::tell(context, &Outcome::refused(Some(&context.site), error)),
    }
}

/// Prints the plan; changes nothing.
fn show(
    context: &Context<'_>,
    prepare: impl FnOnce(&History) -> Result<Prepared>,
) -> Result<Option<Outcome>> {
    let began = Instant::now();
    let history = History::load(&context.site)?;
    unfinished::note(context);
    match prepare(&history)? {
        Prepared::Plan(planned) => {
            let (plan, _) = *planned;
            context.print(&plan, || plan.to_string())?;
            Ok(None)
        }
        Prepared::Unchanged(already) => {
            let outcome = Outcome::unchanged(&context.site, already, preconditions(began));
            Ok(Some(outcome))
        }
    }
}

fn drive_prepared(
    context: &Context<'_>,
    wait: Duration,
    prepare: impl FnOnce(&History) -> Result<Prepared>,
) -> Result<Outcome> {
    let began = Instant::now();
    let _lock = context.take_over(wait)?;
    let history = context.settled_history()?;
    match prepare(&history)? {
        Prepared::Plan(planned) => {
            let (plan, record) = *planned;
            if let Some(line) = &plan.mission.migrated_since() {
                context.report.note(line);
            }
            drive::begin(context, &plan, record, vec![preconditions(began)])
        }
        Prepared::Unchanged(already) => {
            let preconditions = preconditions(began);
            Ok(Outcome::unchanged(&context.site, already, preconditions))
        }
    }
}

fn preconditions(began: Instant) -> StepTime {
    StepTime {
        name: "preconditions".to_owned(),
        ms: millis_since(began),
        ok: true,
    }
}

/// All findings as one refusal; none lets the command go on.
///
/// # Errors
/// The findings.
pub fn refuse(findings: Vec<Finding>) -> Result<()> {
    if findings.is_empty() {
        return Ok(());
    }
    Err(Error::from_findings(ErrorKind::Failed, findings))
}
