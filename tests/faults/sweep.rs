//! Disturbs one command at many points, one after the other, and looks at the site each time.

use std::path::PathBuf;

use crate::invariants::{self, Before};
use crate::sandbox::load::{self, Load};
use crate::sandbox::{Program, Site};
use crate::settings::port_of;
use crate::trace::{self, Fault, Point};

/// A fresh site after so many points, so that its history stays short.
const POINTS_A_SITE: usize = 15;

/// Every how many points one is tried when not all are.
pub const STRIDE: usize = 10;

/// The command that is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    Release,
    Rollback,
    Prune,
}

/// One sweep.
#[derive(Debug, Clone, Copy)]
pub struct Sweep {
    pub name: &'static str,
    pub settings: fn() -> String,
    pub operation: Operation,
    pub fault: Fault,
    /// Of the points that are tried anyway, only each of these; 1 tries them all.
    pub every: usize,
}

/// What a sweep has to say.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub tried: usize,
    pub struck: usize,
    pub violations: Vec<String>,
}

impl Sweep {
    /// Tries the points: all of them, or every tenth.
    pub fn run(&self, is_all: bool) -> Tally {
        let mut tally = Tally::default();
        let points = self.fault.possible(self.points());
        let stride = if is_all { 1 } else { STRIDE * self.every };
        // Sweeps that share a stride do not share their points.
        let first = self.name.bytes().map(usize::from).sum::<usize>() % stride;
        let chosen: Vec<_> = points.into_iter().skip(first).step_by(stride).collect();
        for few in chosen.chunks(POINTS_A_SITE) {
            let mut ground = Ground::new(*self);
            for point in few {
                if tally.violations.len() >= 5 {
                    return tally;
                }
                tally.tried += 1;
                match ground.try_point(point) {
                    Ok(has_struck) => tally.struck += usize::from(has_struck),
                    Err(violation) => {
                        let place = format!("{} ({}) at {point}", self.name, self.fault);
                        tally.violations.push(format!("{place}: {violation}"));
                        ground = Ground::new(*self);
                    }
                }
            }
        }
        tally
    }

    fn points(&self) -> Vec<Point> {
        let mut ground = Ground::new(*self);
        let before = ground.arrange();
        let program = ground.command(&before);
        let points = trace::points(program, ground.site.scratch());
        assert!(points.len() > 40, "only {} points", points.len());
        points
    }
}

/// A site on which one point after the other is tried.
struct Ground {
    sweep: Sweep,
    site: Site,
    /// Where nginx leads users to it.
    port: Option<u16>,
    version: usize,
    turns: usize,
}

impl Ground {
    fn new(sweep: Sweep) -> Ground {
        let settings = (sweep.settings)();
        let mut ground = Ground {
            sweep,
            site: Site::below(&memory(), &settings),
            port: port_of(&settings),
            version: 0,
            turns: 0,
        };
        (0..3).for_each(|_| ground.release());
        ground
    }

    fn release(&mut self) {
        self.version += 1;
        self.site.release(&format!("v{}", self.version));
    }

    /// Brings the site into the state that the command needs.
    fn arrange(&mut self) -> Before {
        let has_enough = || match self.sweep.operation {
            Operation::Release => true,
            Operation::Rollback => !self.site.does("--json list").json()["previous"].is_null(),
            Operation::Prune => self.site.directories().len() > 2,
        };
        while !has_enough() {
            self.version += 1;
            self.site.release(&format!("v{}", self.version));
        }
        let previous = || self.site.does("--json list").json()["previous"].take();
        let to = match self.sweep.operation {
            Operation::Release => None,
            Operation::Rollback => previous().as_str().map(str::to_owned),
            Operation::Prune => self.site.current(),
        };
        if self.sweep.operation == Operation::Release {
            self.version += 1;
        }
        Before {
            from: self.site.current().unwrap(),
            to,
            to_version: format!("v{}", self.version),
        }
    }

    fn command(&self, before: &Before) -> Program {
        match self.sweep.operation {
            Operation::Release => self.site.releasing(&before.to_version),
            Operation::Rollback => self.site.zdd("--json rollback"),
            Operation::Prune => self.site.zdd("--json prune --keep 1"),
        }
    }

    fn try_point(&mut self, point: &Point) -> Result<bool, String> {
        let before = self.arrange();
        let program = self.command(&before);
        let fault = self.sweep.fault;
        let users = self.port.map(Load::on);
        let (output, has_struck) = trace::disturb(program, point, fault, self.site.scratch());
        let with_words = |what: String| format!("{what}\n{output}");
        let is_broken = fault == Fault::ErrorFromHereOn("EIO");
        invariants::after_fault(&self.site, &before, &output, is_broken).map_err(with_words)?;
        self.recover().map_err(with_words)?;
        invariants::after_recovery(&self.site).map_err(with_words)?;
        let Some((answered, failed)) = users.map(Load::end) else {
            return Ok(has_struck);
        };
        if failed > 0 || answered == 0 {
            let what = format!("behind nginx {failed} requests failed, {answered} were answered");
            return Err(with_words(what));
        }
        let served = self.port.and_then(load::ask);
        if served != self.site.version() {
            return Err(with_words(format!("nginx leads to {served:?}")));
        }
        Ok(has_struck)
    }

    /// The next command recovers by itself, whichever it is.
    fn recover(&mut self) -> Result<(), String> {
        self.turns += 1;
        let next = match self.turns % 3 {
            0 => "recover",
            1 => "release",
            _ => "prune",
        };
        let begun = std::time::Instant::now();
        loop {
            let output = if next == "release" {
                self.version += 1;
                self.site.releasing(&format!("v{}", self.version)).run()
            } else {
                self.site.zdd("--json").arg(next).run()
            };
            let is_orphan_at_work = output.code == 5 && begun.elapsed().as_secs() < 5;
            match output.code {
                0 => return Ok(()),
                _ if is_orphan_at_work => std::thread::sleep(std::time::Duration::from_millis(50)),
                _ => return Err(format!("the next command did not recover:\n{output}")),
            }
        }
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        load::end_nginx(&self.site.root.join("nginx.pid"));
    }
}

/// A file system in memory where there is one: killing needs no disk, and waiting for one takes
/// most of the time.
fn memory() -> PathBuf {
    let memory = PathBuf::from("/dev/shm");
    match tempfile::tempfile_in(&memory) {
        Ok(_) => memory,
        Err(_) => std::env::temp_dir(),
    }
}
