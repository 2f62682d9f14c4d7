//! The new instance of a service, and all processes that belong to it.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::Deployment;
use crate::step::process::{Process, all_of, marked};

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

    /// Under which key the journal has the main process of one that is not ready yet.
    pub fn main_key(place: usize) -> String {
        format!("main:{place}")
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
        marked(&self.mark_of(place))
    }

    /// The same, with the process that the service named as its own.
    pub fn everything(&self, place: usize, main: Option<Process>) -> BTreeSet<Process> {
        all_of(&self.mark_of(place), main)
    }
}
