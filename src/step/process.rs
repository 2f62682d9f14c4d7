//! Processes, each told from a later one with the same pid, and all that belong to one that was
//! started.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use camino::Utf8Path;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::pid_file::Kept;
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;
use crate::host::{pidfd, process};
use crate::running::sockets::{self, Address};

/// The variable that marks the processes of an instance, those that leave its session, too.
pub const MARK: &str = "ZDD_INSTANCE";

/// How long killed processes may take to be gone.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How often they are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// A process, told from a later one with the same pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// When it started.
    pub started: Ticks,
}

impl Process {
    /// The process that has this pid now.
    pub fn of(pid: u32) -> Option<Process> {
        let stat = process::stat(pid).seen().filter(|stat| !stat.is_zombie)?;
        Some(Process {
            pid,
            started: stat.started,
        })
    }

    /// Whether it still runs.
    pub fn is_running(self) -> bool {
        process::is_alive(self.pid, self.started)
    }

    /// Sends it a signal; it may have ended.
    pub fn signal(self, signal: Signal) {
        let _ = pidfd::signal(self.pid, self.started, signal);
    }

    /// The port that stands in its port file, unless an earlier process with its pid wrote it.
    pub fn port_in(self, file: &Utf8Path) -> Option<u16> {
        let kept = Kept::of(file).filter(|kept| kept.is_written_since(self.started))?;
        u16::try_from(kept.number()?).ok()
    }

    /// It and all its children, now.
    pub fn tree(self) -> Vec<Process> {
        if !self.is_running() {
            return Vec::new();
        }
        let tree = process::tree(self.pid).into_iter();
        tree.filter_map(Process::of).collect()
    }
}

/// The processes that have this mark in their environment, and their descendants, which may have
/// taken it from theirs.
pub fn marked(mark: &str) -> BTreeSet<Process> {
    let has_mark = |pid: &u32| {
        let variable = process::variable(*pid, MARK).seen().flatten();
        variable.is_some_and(|value| value == mark)
    };
    let marked = process::all().into_iter().filter(has_mark);
    let marked = marked.filter_map(Process::of);
    marked.flat_map(Process::tree).collect()
}

/// All that belongs to an instance: what has its mark, and its main process with its children.
pub fn all_of(mark: &str, main: Option<Process>) -> BTreeSet<Process> {
    let mut all = marked(mark);
    all.extend(main.into_iter().flat_map(Process::tree));
    all
}

/// Waits until none of them runs; `more` looks for those that were started meanwhile. Returns
/// whether none does.
pub fn have_ended(
    all: &mut BTreeSet<Process>,
    more: &dyn Fn() -> BTreeSet<Process>,
    limit: Duration,
    patience: &Patience,
) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        all.retain(|process| process.is_running());
        if all.is_empty() {
            all.extend(more());
            if all.is_empty() {
                return true;
            }
        }
        if Instant::now() >= deadline || !patience.sleep(LOOK_INTERVAL) {
            return false;
        }
    }
}

/// Kills what is left. Returns whether all of it is gone.
pub fn kill(all: &mut BTreeSet<Process>, more: &dyn Fn() -> BTreeSet<Process>) -> bool {
    all.extend(more());
    for process in all.iter() {
        process.signal(Signal::SIGKILL);
    }
    have_ended(all, more, KILL_GRACE, &Patience::endless())
}

/// The TCP addresses where these processes listen.
pub fn listening(processes: impl IntoIterator<Item = Process>) -> BTreeSet<SocketAddr> {
    let pids: Vec<u32> = processes.into_iter().map(|process| process.pid).collect();
    let addresses = sockets::listening(&pids).into_iter();
    addresses
        .filter_map(|address| match address {
            Address::Tcp(address) => Some(address),
            Address::Unix(_) => None,
        })
        .collect()
}

/// Where to ask for what listens on a port: as nginx does, unless it listens elsewhere only.
pub fn address_of(port: u16, listening: &BTreeSet<SocketAddr>) -> SocketAddr {
    let usual = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut own = listening.iter().filter(|it| it.port() == port);
    let is_reached = own
        .clone()
        .any(|it| it.ip().is_unspecified() || it.ip() == usual.ip());
    match own.next() {
        Some(other) if !is_reached => *other,
        _ => usual,
    }
}
