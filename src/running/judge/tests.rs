//! Each rule of the running release as a case of a few lines. The usual service is gunicorn: a
//! master (pid 10) that holds the listening socket with its workers, `A` the old release, `B` the
//! wanted one, the flip at tick 100.

mod a_reload_of_forking_workers;
mod an_exec_after_the_flip;
mod counting;
mod preloading;
mod rights;
mod without_a_flip;

use super::super::answer::{EvidenceKind, Known, Observation, Verdict};
use super::super::evidence::{Place, Seen};
use super::{Case, judge};
use crate::host::ticks::Ticks;

const SYSTEMD: u64 = 1;
const MASTER: u64 = 77;
const SOCKET: u64 = 5000;

fn case() -> Case<'static> {
    Case {
        wanted: "B",
        flipped_at: Some(Ticks(100)),
        main: Some(10),
        ..Case::default()
    }
}

/// A process started at a tick, with the image of the master and its socket.
fn process(pid: u32, started: u64) -> Seen {
    Seen {
        pid,
        parent: if pid == 10 { 1 } else { 10 },
        started: Ticks(started),
        image: MASTER,
        parent_image: if pid == 10 { SYSTEMD } else { MASTER },
        command: format!("process {pid}"),
        sockets: vec![SOCKET],
        program: "/usr/bin/python3.11".into(),
        ..Seen::default()
    }
}

fn place(path: &str) -> Place {
    let id = path.split('/').next().unwrap();
    Place {
        release: id.to_owned(),
        path: format!("/srv/releases/{path}").into(),
    }
}

trait Builder {
    fn cwd(self, path: &str) -> Self;
    fn exe(self, path: &str) -> Self;
    fn maps(self, paths: &[&str]) -> Self;
    fn argv(self, path: &str) -> Self;
    fn through_current(self) -> Self;
    fn image(self, image: u64) -> Self;
    fn parent(self, parent: u32) -> Self;
    fn silent(self) -> Self;
    fn denied(self) -> Self;
}

impl Builder for Seen {
    fn cwd(mut self, path: &str) -> Self {
        self.cwd = Some(place(path));
        self
    }
    fn exe(mut self, path: &str) -> Self {
        self.exe = Some(place(path));
        self.program = place(path).path;
        self
    }
    fn maps(mut self, paths: &[&str]) -> Self {
        self.maps = paths.iter().map(|path| place(path)).collect();
        self
    }
    fn argv(mut self, path: &str) -> Self {
        self.argv = Some(place(path));
        self
    }
    fn through_current(mut self) -> Self {
        self.through_current = Some("/srv/current/.venv/bin/python".into());
        self
    }
    fn image(mut self, image: u64) -> Self {
        self.image = image;
        self
    }
    fn parent(mut self, parent: u32) -> Self {
        self.parent = parent;
        self.parent_image = SYSTEMD;
        self
    }
    fn silent(mut self) -> Self {
        self.sockets.clear();
        self
    }
    fn denied(mut self) -> Self {
        self.is_denied = true;
        self.sockets.clear();
        self.image = 0;
        self
    }
}

/// Three workers of one release, started together.
fn workers(first: u32, started: u64, shape: impl Fn(Seen) -> Seen) -> Vec<Seen> {
    (first..first + 3)
        .map(|pid| shape(process(pid, started)))
        .collect()
}

fn service(main: Seen, workers: impl IntoIterator<Item = Vec<Seen>>) -> Vec<Seen> {
    std::iter::once(main)
        .chain(workers.into_iter().flatten())
        .collect()
}

/// What was observed before the flip: a master and three workers, all on `A`.
fn before(verdict: Verdict) -> Observation {
    let known = |pid| Known {
        pid,
        started: Ticks(50),
        image: MASTER,
        is_judged: pid != 10,
    };
    Observation {
        release: Some("A".to_owned()),
        verdict,
        reason: String::new(),
        evidence: Vec::new(),
        leaving: Vec::new(),
        notes: Vec::new(),
        judged: 3,
        arrived: 3,
        known: [10, 11, 12, 13].map(known).to_vec(),
    }
}

fn verdict(seen: &[Seen]) -> Verdict {
    judge(&case(), seen).verdict
}
