//! `revisions.log`, in the very lines that Capistrano writes: error trackers read them.

use std::collections::BTreeSet;

use fs_err as fs;

use super::{ReleaseId, Site};
use crate::error::Result;
use crate::host::atomic_file;

/// Notes that a release went live. `branch` and `revision` are what is known of the commit.
///
/// # Errors
/// When the file cannot be written.
pub fn released(
    site: &Site,
    id: &ReleaseId,
    branch: Option<&str>,
    revision: Option<&str>,
    user: &str,
) -> Result<()> {
    let branch = branch.unwrap_or("unknown");
    let revision = revision.unwrap_or("unknown");
    append(
        site,
        &format!("Branch {branch} (at {revision}) deployed as release {id} by {user}"),
    )
}

/// Notes that the site went back to a release.
///
/// # Errors
/// When the file cannot be written.
pub fn rolled_back(site: &Site, id: &ReleaseId, user: &str) -> Result<()> {
    append(site, &format!("{user} rolled back to release {id}"))
}

/// The releases that the log says were live once.
pub fn logged(site: &Site) -> BTreeSet<ReleaseId> {
    let text = fs::read_to_string(site.revisions_log_path()).unwrap_or_default();
    let named = |line: &str| {
        let (_, after) = line.rsplit_once("as release ")?;
        after.split_whitespace().next()?.parse().ok()
    };
    text.lines().filter_map(named).collect()
}

/// A line that is already the last one is not written twice: recovery repeats this step.
fn append(site: &Site, line: &str) -> Result<()> {
    let path = site.revisions_log_path();
    let text = fs::read_to_string(&path).unwrap_or_default();
    if text.lines().next_back() == Some(line) {
        return Ok(());
    }
    Ok(atomic_file::append_line(&path, line, 0o644)?)
}
