//! `zdd pin RELEASE` and `zdd unpin RELEASE`: keep a release whatever prune is told.

use std::time::Duration;

use super::Context;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::site::ReleaseId;

/// Pins a release, or lets it go again.
///
/// # Errors
/// When there is no such release, or its record cannot be written.
pub fn run(
    context: &Context<'_>,
    id: &ReleaseId,
    is_pinned: bool,
    wait: Duration,
) -> Result<ExitCode> {
    let _lock = context.take_over(wait)?;
    let history = context.settled_history()?;
    let mut record = history.named(id)?.clone();
    record.pinned = is_pinned;
    record.save(&context.site)?;
    let verb = if is_pinned { "Pinned" } else { "Unpinned" };
    context
        .report
        .finished(verb, &format!("release {id}"), None);
    Ok(ExitCode::Done)
}
