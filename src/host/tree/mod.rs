//! Trees of files: list, copy, link, unpack, measure, delete. Which files belong to a release is said by
//! `source`; which releases go is said by `commands::prune`.
//!
//! Names that are not UTF-8 are carried as they are; only messages show them with replacements.

pub mod copy;
pub mod delete;
pub mod link;
pub mod listing;
pub mod measure;
pub mod unpack;

mod anchor;
#[cfg(test)]
mod scratch;

use std::thread;

use crate::error::Error;

/// Runs the same work in as many threads as there are processors and returns what each of them
/// returns. Where no further thread can be had, fewer do it.
fn in_parallel<R: Send>(work: impl Fn() -> R + Sync) -> Vec<R> {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let others: Vec<_> = (1..processors)
            .filter_map(|_| thread::Builder::new().spawn_scoped(scope, &work).ok())
            .collect();
        let own = work();
        let others = others.into_iter().map(|worker| match worker.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        });
        std::iter::once(own).chain(others).collect()
    })
}

/// "cannot delete `x`: Permission denied".
fn cannot(verb: &str, path: &std::path::Path, cause: impl Into<std::io::Error>) -> Error {
    Error::failed(format!("cannot {verb} `{}`", path.display())).cause(cause.into())
}
