//! `zdd prune [--keep N]`: delete old releases; never current, previous, a pinned one, or one that
//! a process still runs.

use std::time::Duration;

use serde::Serialize;

use super::ending::tell_failure;
use super::{Context, unfinished};
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::report::time::bytes;
use crate::site::retention::Quota;
use crate::site::{History, ReleaseId};
use crate::step::prune::{self, Pruned};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// How many good releases to keep; the settings say it otherwise.
    pub keep: Option<u32>,
    /// How long to wait for the lock.
    pub wait: Duration,
    /// Say what would go, and stop.
    pub is_dry_run: bool,
}

/// What went and what stayed, as in the JSON.
#[derive(Debug, Serialize)]
struct Told<'a> {
    schema: u32,
    removed: &'a [ReleaseId],
    kept: Vec<Kept>,
    freed_bytes: u64,
}

/// One kept release, as in the JSON.
#[derive(Debug, Serialize)]
struct Kept {
    id: ReleaseId,
    why: String,
}

/// Prunes and tells what went and what stayed.
///
/// # Errors
/// When something cannot be deleted; the rest was deleted all the same.
pub fn run(context: &Context<'_>, request: &Request) -> Result<ExitCode> {
    let keep = request.keep.unwrap_or(context.config.keep);
    if keep == 0 {
        return Err(Error::usage("`--keep 0` would delete what is live").hint("zdd prune --keep 1"));
    }
    let quota = Quota {
        good: keep as usize,
        failed: context.config.keep_failed as usize,
    };
    let pruned = if request.is_dry_run {
        unfinished::note(context);
        let history = History::load(&context.site)?;
        prune::decide(&context.site, &history, quota, None)?
    } else {
        let _lock = context.take_over(request.wait)?;
        let history = context.settled_history()?;
        history.current().usable(&context.site)?;
        let decided = prune::decide(&context.site, &history, quota, None)?;
        prune::delete(&context.site, &history, decided, context.report)
    };
    if pruned.unreadable > 0 {
        let text =
            "processes of other users cannot be looked at: of those, the records alone decide";
        context
            .report
            .note(&format!("{} {text}", pruned.unreadable));
    }
    tell(context, &pruned, request.is_dry_run)?;
    match pruned.problems.first() {
        // The object on standard output is printed; there is no second one.
        Some(problem) => Ok(tell_failure(context, &Error::failed(problem.clone()))),
        None => Ok(ExitCode::Done),
    }
}

fn tell(context: &Context<'_>, pruned: &Pruned, is_dry_run: bool) -> Result<ExitCode> {
    let kept = |(id, why): &(ReleaseId, String)| Kept {
        id: id.clone(),
        why: why.clone(),
    };
    let object = Told {
        schema: super::ending::SCHEMA,
        removed: &pruned.removed,
        kept: pruned.kept.iter().map(kept).collect(),
        freed_bytes: pruned.freed_bytes,
    };
    context.print(&object, || {
        let verb = if is_dry_run {
            "would remove"
        } else {
            "removed"
        };
        let removed = pruned.removed.iter().map(|id| format!("{verb} {id}\n"));
        let kept = pruned
            .kept
            .iter()
            .map(|(id, why)| format!("kept    {id}  {why}\n"));
        let mut text: String = removed.chain(kept).collect();
        if !is_dry_run {
            text += &format!("{} free again\n", bytes(pruned.freed_bytes));
        }
        text
    })
}
