//! Which processes were exec'ed after the flip, and what a forked process merely inherited.
//!
//! A start time tells only when a process was forked: the worker that an old master forks after
//! the flip is young and may still run old code. An exec is told by the address of the stack,
//! which the kernel draws anew with each exec and a fork leaves as it is. Where addresses are not
//! random, an exec goes unnoticed and less is proved, never more.

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8Path;

use super::evidence::Seen;
use super::judge::Case;

/// How the processes of a service descend from each other.
pub(super) struct Kinship<'a> {
    by_pid: BTreeMap<u32, &'a Seen>,
    fresh: BTreeSet<u32>,
}

impl<'a> Kinship<'a> {
    pub fn of(case: &Case<'_>, seen: &'a [Seen]) -> Self {
        let by_pid: BTreeMap<_, _> = seen.iter().map(|process| (process.pid, process)).collect();
        let mut kinship = Kinship {
            by_pid,
            fresh: BTreeSet::new(),
        };
        let old_images = kinship.old_images(case, seen);
        let is_fresh = |process: &&Seen| kinship.is_exec_after_flip(case, &old_images, process);
        kinship.fresh = seen
            .iter()
            .filter(is_fresh)
            .map(|process| process.pid)
            .collect();
        kinship
    }

    /// Whether it was exec'ed after the flip.
    pub fn is_fresh(&self, process: &Seen) -> bool {
        self.fresh.contains(&process.pid)
    }

    /// The parent it was forked from without an exec since, when that was an old one.
    pub fn forked_from(&self, process: &Seen) -> Option<&'a Seen> {
        if self.is_fresh(process) {
            return None;
        }
        let parent = self.by_pid.get(&process.parent).copied()?;
        (parent.is_denied || parent.image == process.image).then_some(parent)
    }

    /// Whether it has this file mapped only because its parent has.
    pub fn is_inherited(&self, process: &Seen, path: &Utf8Path) -> bool {
        let parent = self.forked_from(process);
        parent.is_some_and(|parent| parent.maps.iter().any(|place| place.path == path))
    }

    /// Whether one descends from the other.
    pub fn is_below(&self, process: &Seen, ancestor: u32) -> bool {
        let mut parent = process.parent;
        for _ in 0..self.by_pid.len() {
            if parent == ancestor {
                return true;
            }
            match self.by_pid.get(&parent) {
                Some(next) => parent = next.parent,
                None => return false,
            }
        }
        false
    }

    /// The images of what ran before the flip, and of whoever starts the service: between its fork
    /// and its exec a new process still is the starter.
    fn old_images(&self, case: &Case<'_>, seen: &[Seen]) -> BTreeSet<u64> {
        let before = case.known_before().iter().map(|known| known.image);
        let is_old = |process: &&Seen| {
            let is_older = case.flipped_at.is_some_and(|flip| process.started <= flip);
            is_older && !was_executed_anew(case, process)
        };
        let own = seen.iter().filter(is_old).map(|process| process.image);
        let is_from_outside = |process: &&Seen| !self.by_pid.contains_key(&process.parent);
        let starters = seen
            .iter()
            .filter(is_from_outside)
            .map(|process| process.parent_image);
        let images = before.chain(own).chain(starters);
        images.filter(|image| *image != 0).collect()
    }

    fn is_exec_after_flip(
        &self,
        case: &Case<'_>,
        old_images: &BTreeSet<u64>,
        process: &Seen,
    ) -> bool {
        let Some(flip) = case.flipped_at else {
            return false;
        };
        if process.started <= flip {
            return was_executed_anew(case, process) && !old_images.contains(&process.image);
        }
        if process.image == 0 || old_images.contains(&process.image) {
            return false;
        }
        match self.by_pid.get(&process.parent) {
            Some(parent) if parent.image == 0 => false,
            Some(parent) if parent.image == process.image => {
                let is_older = (parent.started, parent.pid) < (process.started, process.pid);
                is_older && self.is_exec_after_flip(case, old_images, parent)
            }
            Some(_) => true,
            None => case.main == Some(process.pid) || case.knows_all_images(),
        }
    }
}

/// Whether it replaced its own program since it was known: uWSGI does so on HUP.
fn was_executed_anew(case: &Case<'_>, process: &Seen) -> bool {
    let is_same = |known: &&super::answer::Known| {
        (known.pid, known.started) == (process.pid, process.started)
    };
    let known = case.known_before().iter().find(is_same);
    known
        .is_some_and(|known| known.image != 0 && process.image != 0 && known.image != process.image)
}
