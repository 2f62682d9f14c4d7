//! The new instance of a service, and all processes that belong to it.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use camino::Utf8Path;
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};

use super::Deployment;
use super::files::Kept;
use crate::host::ticks::Ticks;
use crate::host::{pidfd, process};
use crate::running::sockets::{self, Address};

/// The variable that marks the processes of a run.
pub const MARK: &str = "ZDD_INSTANCE";

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

    /// Under which key the journal has the main process of the service at a place.
    pub fn key(place: usize) -> String {
        format!("main:{place}")
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

/// A ready instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its main process.
    #[serde(flatten)]
    pub process: Process,
    /// Where it answers.
    pub address: SocketAddr,
    /// Whether it speaks no HTTP there.
    #[serde(default)]
    pub is_mute: bool,
}

impl Instance {
    /// A process that answers there, in HTTP as far as is known.
    pub fn at(process: Process, address: SocketAddr) -> Instance {
        Instance {
            process,
            address,
            is_mute: false,
        }
    }

    /// Under which key the journal has that of the service at a place.
    pub fn key(place: usize) -> String {
        format!("instance:{place}")
    }
}

impl Deployment {
    /// What marks the processes of the service at a place.
    pub fn mark_of(&self, place: usize) -> String {
        format!("{}-{place}", self.mark)
    }

    /// All processes that were started for the service at a place: those with the mark, and their
    /// descendants, which may have taken it from their environment.
    pub fn processes_of(&self, place: usize) -> BTreeSet<Process> {
        let mark = self.mark_of(place);
        let has_mark = |pid: &u32| {
            let variable = process::variable(*pid, MARK).seen().flatten();
            variable.is_some_and(|value| value == mark)
        };
        let marked = process::all().into_iter().filter(has_mark);
        let marked = marked.filter_map(Process::of);
        marked.flat_map(Process::tree).collect()
    }
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
