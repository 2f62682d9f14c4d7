//! zdd killed at its system calls while it releases in place, by a `deploy.conf`: users ask a real
//! nginx all the time.

use std::fs;
use std::os::unix::fs::MetadataExt;

use crate::sandbox::Output;
use crate::sandbox::in_place::Place;
use crate::sandbox::load::Load;
use crate::sandbox::site::names_in;
use crate::sweep::{STRIDE, Tally};
use crate::trace::{self, Fault, Point};

const KILL: Fault = Fault::Signal("SIGKILL");

/// Tries the points: all of them, or every tenth.
pub fn sweep(is_all: bool) -> Tally {
    let mut tally = Tally::default();
    let mut ground = Ground::new();
    let points = ground.points();
    let stride = if is_all { 1 } else { STRIDE };
    for point in points.iter().step_by(stride) {
        tally.tried += 1;
        match ground.try_point(point) {
            Ok(has_struck) => tally.struck += usize::from(has_struck),
            Err(violation) => {
                let text = format!("in place ({KILL}) at {point}: {violation}");
                tally.violations.push(text);
                if tally.violations.len() >= 5 {
                    break;
                }
                ground = Ground::new();
            }
        }
    }
    tally
}

/// The site before a release that is killed.
struct Before {
    version: String,
    /// The settings of nginx, and the port in them.
    settings: String,
    port: String,
    /// Which file they are: another one takes its place.
    inode: u64,
}

/// A site on which one point after the other is tried.
struct Ground {
    place: Place,
    version: usize,
    turns: usize,
}

impl Ground {
    fn new() -> Ground {
        let place = Place::new().unwrap();
        place.release().exits(0);
        Ground {
            place,
            version: 1,
            turns: 0,
        }
    }

    fn next_code(&mut self) -> String {
        self.version += 1;
        let version = format!("v{}", self.version);
        self.place.code(&version, "good");
        version
    }

    fn points(&mut self) -> Vec<Point> {
        self.next_code();
        let points = trace::points(self.place.zdd("release"), &self.place.root);
        assert!(points.len() > 40, "only {} points", points.len());
        points
    }

    fn try_point(&mut self, point: &Point) -> Result<bool, String> {
        let pid = self.place.pid("web.pid");
        let before = Before {
            version: self.place.serves().unwrap(),
            settings: self.place.read("nginx.conf").unwrap(),
            port: self.place.read(&format!("{pid}.port")).unwrap(),
            inode: self.inode(),
        };
        let to = self.next_code();
        let users = self.place.load();
        let program = self.place.zdd("release");
        let (output, has_struck) = trace::disturb(program, point, KILL, &self.place.root);
        let result = self
            .after_fault(&before, &to, &output)
            .and_then(|()| self.recover(&output, &before, &to));
        let lost = lost(users);
        match result.and(lost) {
            Ok(()) => Ok(has_struck),
            Err(what) => Err(format!("{what}\n{output}")),
        }
    }

    /// Right after the fault, before anything recovers.
    fn after_fault(&self, before: &Before, to: &str, output: &Output) -> Result<(), String> {
        let place = &self.place;
        let served = place.serves();
        let is_new = served.as_deref() == Some(to);
        let is_old = served.as_ref() == Some(&before.version);
        let is_true = match (output.code, output.signal) {
            (-1, Some(9)) => is_old || is_new,
            (0, None) => is_new,
            _ => false,
        };
        if !is_true {
            return Err(format!("exit {} with {served:?} served", output.code));
        }
        // Those of before, or those that lead to an instance that runs: never a part of them.
        let settings = place.read("nginx.conf").unwrap_or_default();
        let ports = place.servers().into_iter();
        let ports = ports.filter_map(|pid| place.read(&format!("{pid}.port")));
        let mut whole = ports.map(|port| before.settings.replace(&before.port, &port));
        if settings == before.settings {
            return Ok(());
        }
        if !whole.any(|text| text == settings) {
            return Err(format!("the settings of nginx are not whole:\n{settings}"));
        }
        match self.inode() == before.inode {
            true => Err("the settings of nginx were overwritten, not replaced".to_owned()),
            false => Ok(()),
        }
    }

    fn inode(&self) -> u64 {
        fs::metadata(self.place.root.join("nginx.conf"))
            .unwrap()
            .ino()
    }

    /// The next command recovers by itself, whichever it is, and nothing of the killed one is left.
    fn recover(&mut self, killed: &Output, before: &Before, to: &str) -> Result<(), String> {
        self.turns += 1;
        let is_recover = self.turns.is_multiple_of(2);
        let wanted = match (is_recover, killed.code) {
            (false, _) => vec![self.next_code()],
            (true, 0) => vec![to.to_owned()],
            (true, _) => vec![to.to_owned(), before.version.clone()],
        };
        let next = if is_recover { "recover" } else { "release" };
        let place = &self.place;
        let output = place.zdd(next).run();
        if output.code != 0 {
            return Err(format!("the next command did not recover:\n{output}"));
        }
        let served = place.serves().filter(|served| wanted.contains(served));
        if served.is_none() {
            let served = place.serves();
            return Err(format!("{served:?} is served, not {wanted:?}"));
        }
        let named = [place.pid("web.pid"), place.pid("web.current.pid")];
        let servers = place.servers();
        if servers != [named[0]] || named[0] != named[1] {
            return Err(format!("{servers:?} run, {named:?} are named"));
        }
        for directory in ["", ".zdd"] {
            let names = names_in(&place.root.join(directory)).into_iter();
            let is_left =
                |name: &String| name.starts_with(".zdd-tmp-") || name.starts_with("in-place.jsonl");
            if let Some(name) = names.into_iter().find(is_left) {
                return Err(format!("`{directory}/{name}` is left"));
            }
        }
        let status = place.zdd("status").run();
        match status.code {
            0 => Ok(()),
            _ => Err(format!("all is well, and still:\n{status}")),
        }
    }
}

fn lost(users: Load) -> Result<(), String> {
    match users.end() {
        (1.., 0) => Ok(()),
        (answered, failed) => Err(format!(
            "{failed} requests failed, {answered} were answered"
        )),
    }
}
