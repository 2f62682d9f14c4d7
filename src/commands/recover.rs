//! `zdd recover`: finish or undo what was interrupted. Every changing command does this first.

use std::time::Duration;

use super::ending::{self, Outcome};
use super::{Context, unfinished};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::site::History;
use crate::step::{boot, in_force};

/// What it is called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// By a person: whatever is unfinished.
    Repair,
    /// By the unit at boot: the live release must run.
    Boot,
    /// By the timer: the time of what was kept for a rollback is over.
    Standby,
}

/// Recovers, and says what the site serves.
///
/// # Errors
/// When the lock cannot be had, or a human must look.
pub fn run(context: &Context<'_>, purpose: Purpose, wait: Duration) -> Result<ExitCode> {
    let _lock = context.take_lock(wait)?;
    let recovered = unfinished::recover(context, wait);
    if purpose == Purpose::Boot {
        // Also where a human must look first: until then users are to get what `current` names.
        let history = History::load(&context.site)?;
        let config = in_force::of_live(&history, &context.config);
        boot::start_live(&context.site, &config, &history, context.report);
    }
    let outcome = recovered?;
    context.settled_history()?;
    let is_stuck = |outcome: &Outcome| outcome.exit_code() == ExitCode::NeedsHuman;
    // Users may still be led to what seems to be needed no more.
    if !outcome.as_ref().is_some_and(is_stuck) {
        context.end_surplus();
    }
    match outcome {
        None if purpose == Purpose::Standby => Ok(ExitCode::Done),
        None => {
            context
                .report
                .note(&format!("nothing is unfinished: {}", context.state_line()));
            Ok(ExitCode::Done)
        }
        Some(outcome) if is_stuck(&outcome) => ending::tell(context, &outcome),
        Some(Outcome {
            release: Some(release),
            ..
        }) => {
            context
                .report
                .note(&format!("release {release}: {}", context.state_line()));
            Ok(ExitCode::Done)
        }
        Some(_) => Ok(ExitCode::Done),
    }
}
