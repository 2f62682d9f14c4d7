//! One changing command at a time. The lock is a `flock` on a file that is never deleted: the
//! kernel frees it whatever happens to its holder. The text inside is information only.

use std::io::{Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use fs_err as fs;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::stat::{major, minor};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Site;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::host::signal::Patience;
use crate::report::time::{ago, local};

/// How often a waiting command tries again.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Who holds the lock, as the holder wrote it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// The name of its user.
    pub user: String,
    /// When it took the lock.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// What it does: `zdd release .`.
    pub command: String,
}

/// The held lock; it is free again when this is dropped or the process ends.
#[derive(Debug)]
pub struct Lock {
    _file: Flock<std::fs::File>,
}

/// Takes the lock of a site, waiting for it at most `wait`.
///
/// # Errors
/// `Locked`, naming the holder, when it is not free in time; `Interrupted` when a signal ends the
/// wait.
pub fn take(site: &Site, holder: &Holder, wait: Duration, patience: &Patience) -> Result<Lock> {
    let path = site.lock_path();
    let deadline = Instant::now() + wait;
    loop {
        if let Some(lock) = attempt(&path, holder)? {
            return Ok(lock);
        }
        if Instant::now() >= deadline {
            return Err(held_by_another(&path));
        }
        if !patience.sleep(RETRY_INTERVAL) {
            return Err(Error::new(
                ErrorKind::Interrupted,
                "interrupted while waiting for the lock",
            ));
        }
    }
}

/// Who holds the lock now, without touching it. Works for anyone who may read `/proc/locks`; the
/// text of the holder only for the owner of the site.
pub fn holder(site: &Site) -> Option<Holder> {
    let path = site.lock_path();
    let place = place_of(&path)?;
    let written = written_holder(&path);
    let locks = fs::read_to_string("/proc/locks").ok()?;
    // On an overlay the device there is another one; the pid then says whose lock it is.
    let (_, inode) = place.rsplit_once(':')?;
    let pid = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, "WRITE", pid, found, ..] = words[..] else {
            return None;
        };
        let pid: u32 = pid.parse().ok()?;
        let is_holders = written.as_ref().is_some_and(|known| known.pid == pid);
        let has_inode = found
            .rsplit_once(':')
            .is_some_and(|(_, number)| number == inode);
        (found == place || has_inode && is_holders).then_some(pid)
    })?;
    Some(written.unwrap_or(Holder {
        pid,
        user: "unknown".into(),
        since: OffsetDateTime::UNIX_EPOCH,
        command: "unknown".into(),
    }))
}

/// Device and inode of a file, in the words of `/proc/locks`.
fn place_of(path: &Utf8Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let (major, minor) = (major(metadata.dev()), minor(metadata.dev()));
    Some(format!("{major:02x}:{minor:02x}:{}", metadata.ino()))
}

/// Opens, locks, and makes sure that the locked file is still the one with the name.
fn attempt(path: &Utf8Path, holder: &Holder) -> Result<Option<Lock>> {
    let what = || format!("cannot lock `{path}`");
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options
        .options_mut()
        .mode(0o600)
        .custom_flags(nix::libc::O_NOFOLLOW);
    let file = options.open(path).context(what())?.into_file();
    let Ok(mut file) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
        return Ok(None);
    };
    let locked = nix::sys::stat::fstat(file.as_fd()).context(what())?;
    if fs::metadata(path).map_or(true, |named| named.ino() != locked.st_ino) {
        return Ok(None);
    }
    let text = serde_json::to_string(holder).context(what())?;
    // The text is for people; a full disk must not keep a rollback from its lock.
    let _ = file
        .set_len(0)
        .and_then(|()| file.rewind())
        .and_then(|()| writeln!(file, "{text}"));
    Ok(Some(Lock { _file: file }))
}

fn held_by_another(path: &Utf8Path) -> Error {
    let what = match written_holder(path) {
        Some(holder) => format!(
            "`{}` of {} (pid {}) is at work on this site since {} ({})",
            holder.command,
            holder.user,
            holder.pid,
            local(holder.since),
            ago(holder.since, OffsetDateTime::now_utc())
        ),
        None => "another zdd is at work on this site".to_owned(),
    };
    Error::new(ErrorKind::Locked, what).hint("wait for it with `--wait 5m`")
}

/// The text in the lock file; a holder may be about to write it.
fn written_holder(path: &Utf8Path) -> Option<Holder> {
    for _ in 0..5 {
        let mut text = String::new();
        fs::File::open(path)
            .ok()?
            .take(64 * 1024)
            .read_to_string(&mut text)
            .ok()?;
        if let Ok(holder) = serde_json::from_str(&text) {
            return Some(holder);
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    None
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;
    use time::macros::datetime;

    use super::*;

    fn site() -> (tempfile::TempDir, Site) {
        let directory = tempfile::tempdir().unwrap();
        let site = Site::new(Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap());
        site.prepare().unwrap();
        (directory, site)
    }

    fn me() -> Holder {
        Holder {
            pid: std::process::id(),
            user: "deploy".into(),
            since: datetime!(2026-11-22 01:42:28 UTC),
            command: "zdd release .".into(),
        }
    }

    #[test]
    fn a_held_lock_is_refused_with_its_holder_and_free_after_the_drop() {
        let (_guard, site) = site();
        let patience = Patience::of_command();
        let lock = take(&site, &me(), Duration::ZERO, &patience).unwrap();
        assert_eq!(holder(&site), Some(me()));
        let refused = take(&site, &me(), Duration::ZERO, &patience).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Locked);
        assert!(refused.what.contains("`zdd release .` of deploy (pid "));
        let since = &refused.what[refused.what.find("since ").unwrap()..];
        let (moment, ago) = since.split_once(" (").unwrap();
        assert_eq!(moment, format!("since {}", local(me().since)));
        assert!(!since.contains(".0") && !ago.is_empty(), "{since}");
        drop(lock);
        assert_eq!(holder(&site), None);
        take(&site, &me(), Duration::ZERO, &patience).unwrap();
    }

    #[test]
    fn a_lock_file_that_was_deleted_meanwhile_does_not_let_two_in() {
        let (_guard, site) = site();
        let patience = Patience::of_command();
        let _first = take(&site, &me(), Duration::ZERO, &patience).unwrap();
        assert!(take(&site, &me(), Duration::from_millis(120), &patience).is_err());
    }
}
