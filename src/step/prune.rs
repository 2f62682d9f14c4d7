//! Deletes old releases. What is current, previous, pinned or still run by a process stays. A
//! release is renamed out of the way first, so that no half-deleted one can be switched to.

use fs_err as fs;

use super::Stage;
use crate::error::{Error, Result};
use crate::hook::Verb;
use crate::host::signal::Patience;
use crate::host::tree::delete::{self, Deleted};
use crate::report::Report;
use crate::running::{self, InUse};
use crate::site::retention::{self, Candidate, Quota};
use crate::site::{Bridged, History, ReleaseId, Site, State, TRASH_PREFIX};

/// What was or would be deleted, and why the rest stays.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Deleted releases, oldest first.
    pub removed: Vec<ReleaseId>,
    /// Kept releases with the reason, oldest first.
    pub kept: Vec<(ReleaseId, String)>,
    /// Bytes that became free.
    pub freed_bytes: u64,
    /// How many processes this user may not look at: what they run is not known.
    pub unreadable: usize,
    /// What could not be deleted.
    pub problems: Vec<String>,
}

/// Decides what goes and what stays, and changes nothing. `in_flight` is a release that a command
/// is working on: it stays and counts nowhere.
///
/// # Errors
/// When the releases cannot be read.
pub fn decide(
    site: &Site,
    history: &History,
    quota: Quota,
    in_flight: Option<&ReleaseId>,
) -> Result<Pruned> {
    let in_use = running::in_use(&site.releases_dir());
    let current_seq = history.live().map_or(i64::MAX, |live| live.seq);
    let candidates: Vec<Candidate> = history
        .releases()
        .iter()
        .rev()
        .filter(|record| history.is_present(&record.id) && Some(&record.id) != in_flight)
        .map(|record| Candidate {
            id: record.id.clone(),
            state: history.state_of(record),
            is_pinned: record.pinned,
            in_use: user_of(&in_use, &record.id),
            is_newer_than_current: record.seq > current_seq,
        })
        .collect();
    let previous = history.previous().map(|record| &record.id);
    let verdicts = retention::decide(&candidates, history.current().release(), previous, quota);
    let mut pruned = Pruned {
        unreadable: in_use.unreadable,
        ..Pruned::default()
    };
    for (id, why) in verdicts.into_iter().rev() {
        match why {
            Some(why) => pruned.kept.push((id, why)),
            None => pruned.removed.push(id),
        }
    }
    Ok(pruned)
}

/// Deletes what was decided. A release that cannot be deleted is a problem, not an end.
pub fn delete(site: &Site, history: &History, mut decided: Pruned, report: &dyn Report) -> Pruned {
    let mut removed = Vec::new();
    for id in std::mem::take(&mut decided.removed) {
        match delete_one(site, history, &id) {
            Ok(bytes) => {
                decided.freed_bytes += bytes;
                report.detail(&format!("deleted release {id}"));
                removed.push(id);
            }
            Err(error) => decided.problems.push(error.to_string()),
        }
    }
    decided.removed = removed;
    decided
}

/// Prunes to the quota of the settings, after a release or a rollback; samples of the probe first.
///
/// # Errors
/// When the releases cannot be read, or one cannot be deleted.
pub fn after_command(stage: &mut Stage<'_>) -> Result<Pruned> {
    let config = &stage.mission.config;
    let quota = Quota {
        good: config.keep as usize,
        failed: config.keep_failed as usize,
    };
    let mut history = History::load(stage.site)?;
    // On a full disk the deletion makes room, so it comes in any case.
    let forgotten = history.forget_samples(stage.site, &stage.mission.release);
    sweep(stage.site)?;
    // Who goes back looks at what was left, or finds that it was not to blame.
    let left = stage.mission.from.as_ref();
    let left = left.filter(|_| stage.mission.verb == Verb::Rollback);
    let decided = decide(stage.site, &history, quota, left)?;
    let pruned = delete(stage.site, &history, decided, stage.report);
    if !pruned.removed.is_empty() {
        let what = match pruned.removed.as_slice() {
            [id] => format!("release {id}"),
            many => format!("{} old releases", many.len()),
        };
        stage.report.finished("Pruned", &what, None);
    }
    match pruned.problems.first() {
        Some(problem) => Err(Error::failed(problem.clone())),
        None => forgotten.map(|()| pruned),
    }
}

/// Deletes what an interrupted prune had already renamed.
///
/// # Errors
/// When it cannot be deleted.
pub fn sweep(site: &Site) -> Result<()> {
    for entry in fs::read_dir(site.releases_dir())? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if let Some(Ok(id)) = name.strip_prefix(TRASH_PREFIX).map(str::parse::<ReleaseId>) {
            let trash = site.trash_dir(&id);
            whole(delete::delete(
                site.root(),
                &site.release_dir(&id),
                &trash,
                &Patience::fresh(),
            )?)?;
        }
    }
    Ok(())
}

fn delete_one(site: &Site, history: &History, id: &ReleaseId) -> Result<u64> {
    let (from, trash) = (site.release_dir(id), site.trash_dir(id));
    let deleted = delete::delete(site.root(), &from, &trash, &Patience::fresh())?;
    if let Some(mut record) = history.find(id).cloned() {
        record.state = State::Pruned;
        record.save(site)?;
    }
    Bridged::forget(site, id)?;
    let logs = site.logs_dir(id);
    if logs.is_dir() {
        fs::remove_dir_all(logs)?;
    }
    whole(deleted)
}

/// The bytes that came free, when nothing was left behind.
fn whole(deleted: Deleted) -> Result<u64> {
    match deleted.failures.into_iter().next() {
        Some(failure) => Err(Error::failed(failure)),
        None => Ok(deleted.bytes),
    }
}

/// "pid 4123 (gunicorn)", and how many more.
fn user_of(in_use: &InUse, id: &ReleaseId) -> Option<String> {
    let users = in_use.by_release.get(id.as_str())?;
    let first = users.first()?;
    let others = users.len() - 1;
    let more = if others > 0 {
        format!(" and {others} more")
    } else {
        String::new()
    };
    Some(format!("pid {} ({}){more}", first.pid, first.command))
}
