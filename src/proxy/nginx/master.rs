//! The master of an nginx and its workers, as `/proc` shows them.

use camino::Utf8Path;
use nix::errno::Errno;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use crate::host::ticks::Ticks;
use crate::host::{pidfd, process};

/// A master that runs, or ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    /// Its pid.
    pub pid: u32,
    /// When it started, which tells it from a later process with the same pid.
    pub started: Ticks,
}

/// A process of a master, told from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Child {
    pid: u32,
    started: Ticks,
}

impl Master {
    /// The master whose pid stands in this file.
    pub fn of_pid_file(file: &Utf8Path) -> Option<Master> {
        let text = fs_err::read_to_string(file).ok()?;
        Master::of_pid(text.trim().parse().ok()?)
    }

    /// The master that has this pid.
    pub fn of_pid(pid: u32) -> Option<Master> {
        let stat = process::stat(pid).seen().filter(|stat| !stat.is_zombie)?;
        let title = process::argv(pid).seen().unwrap_or_default().join(" ");
        let is_nginx = process::name(pid).is_some_and(|name| name == "nginx");
        let is_master = title.contains("master process") || !title.starts_with("nginx:");
        (is_nginx && is_master).then_some(Master {
            pid,
            started: stat.started,
        })
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        process::is_alive(self.pid, self.started)
    }

    /// Whether it has done all that it was told to. It blocks signals while it works on one, a whole
    /// reload long, and lets them through where it waits for the next. One that is hidden never
    /// counts.
    pub fn is_at_rest(&self) -> bool {
        process::awaits_signal(self.pid, Signal::SIGHUP as i32).unwrap_or_default()
    }

    /// The processes that it has started, those that are shutting down too.
    pub fn children(&self) -> Vec<Child> {
        let all = process::all().into_iter();
        let own = all.filter_map(|pid| process::stat(pid).seen());
        own.filter(|stat| stat.parent == self.pid && !stat.is_zombie)
            .map(|stat| Child {
                pid: stat.pid,
                started: stat.started,
            })
            .collect()
    }

    /// The workers that it has now, those that are shutting down left out.
    pub fn workers(&self) -> Vec<Child> {
        let mut children = self.children();
        children.retain(|child| is_at_work(child.pid));
        children
    }

    /// Whether it has workers that are none of those before, and no others. Where `before` was
    /// looked at while it was [at rest](Self::is_at_rest), these have the settings that were in
    /// place then, or later ones: whoever told it to read them.
    pub fn has_renewed(&self, before: &[Child]) -> bool {
        let now = self.workers();
        !now.is_empty() && now.iter().all(|worker| !before.contains(worker))
    }

    /// Tells it to read its settings again. Returns whether it was still there.
    ///
    /// # Errors
    /// When it belongs to somebody else.
    pub fn hang_up(&self) -> Result<bool, Errno> {
        pidfd::signal(self.pid, self.started, Signal::SIGHUP)
    }

    /// Tells it to end once its workers have answered. Returns whether it was still there.
    ///
    /// # Errors
    /// When it belongs to somebody else.
    pub fn quit(&self) -> Result<bool, Errno> {
        pidfd::signal(self.pid, self.started, Signal::SIGQUIT)
    }
}

/// Whether it is a worker that takes requests: its title says so.
fn is_at_work(pid: u32) -> bool {
    let title = process::argv(pid).seen().unwrap_or_default().join(" ");
    title.contains("worker process") && !title.contains("shutting down")
}
