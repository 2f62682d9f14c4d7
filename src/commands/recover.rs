//! `zdd recover`: finish or undo what was interrupted. Every changing command does this first.

use std::time::Duration;

use super::ending::{self, Outcome};
use super::{Context, unfinished};
use crate::error::Result;
use crate::exit_code::ExitCode;

/// Recovers, and says what the site serves.
///
/// # Errors
/// When the lock cannot be had, or a human must look.
pub fn run(context: &Context<'_>, wait: Duration) -> Result<ExitCode> {
    let _lock = context.take_lock(wait)?;
    let outcome = unfinished::recover(context, wait)?;
    context.settled_history()?;
    match outcome {
        None => {
            context
                .report
                .note(&format!("nothing is unfinished: {}", context.state_line()));
            Ok(ExitCode::Done)
        }
        Some(outcome) if outcome.exit_code() == ExitCode::NeedsHuman => {
            ending::tell(context, &outcome)
        }
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
