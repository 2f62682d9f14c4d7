//! System calls of `zdd` counted, and disturbed, by strace.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::sandbox::{Output, Program};

/// Every system call that changes something outside the process, or starts or ends another one.
pub const CALLS: [&str; 36] = [
    "openat",
    "openat2",
    "mkdir",
    "mkdirat",
    "write",
    "pwrite64",
    "rename",
    "renameat",
    "renameat2",
    "symlink",
    "symlinkat",
    "link",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "fsync",
    "fdatasync",
    "syncfs",
    "flock",
    "ftruncate",
    "fchmod",
    "fchmodat",
    "chmod",
    "utimensat",
    "copy_file_range",
    "sendfile",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "wait4",
    "waitid",
    "kill",
    "connect",
];

/// What happens at a system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// This signal arrives. With SIGKILL the call is not executed any more.
    Signal(&'static str),
    /// This call fails, once.
    Error(&'static str),
    /// This call and all further ones of the same name fail.
    ErrorFromHereOn(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Signal(name) => write!(f, "{name}"),
            Fault::Error(name) => write!(f, "{name} once"),
            Fault::ErrorFromHereOn(name) => write!(f, "{name} from here on"),
        }
    }
}

impl Fault {
    /// The points at which it can strike: processes do not fail for want of room on the disk.
    pub fn possible(self, points: Vec<Point>) -> Vec<Point> {
        let not_of_the_disk = [
            "clone", "clone3", "fork", "vfork", "execve", "wait4", "waitid", "kill", "connect",
            "flock",
        ];
        let is_error = !matches!(self, Fault::Signal(_));
        // What is there can be opened on a full disk, too.
        let is_full = self == Fault::ErrorFromHereOn("ENOSPC");
        let is_possible = |call: &str| {
            !(is_error && not_of_the_disk.contains(&call) || is_full && call == "openat")
        };
        points
            .into_iter()
            .filter(|point| is_possible(&point.call))
            .collect()
    }
}

/// The `number`-th call of a name, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    pub call: String,
    pub number: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.call, self.number)
    }
}

/// Runs a program undisturbed, and lists the points at which its first thread can be disturbed, in
/// the order in which they are met.
pub fn points(program: Program, scratch: &Path) -> Vec<Point> {
    let log = scratch.join("strace.log");
    let options = format!("-qq -o {} -e trace={}", log.display(), known_calls());
    before(program, &options).run().exits(0);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let text = fs::read_to_string(&log).unwrap();
    let mut points = Vec::new();
    for line in text.lines() {
        let Some((call, rest)) = line
            .split_once('(')
            .filter(|(call, _)| CALLS.contains(call))
        else {
            continue;
        };
        let number = counts.entry(call.to_owned()).or_default();
        *number += 1;
        if is_of_the_site(call, rest, scratch) {
            points.push(Point {
                call: call.to_owned(),
                number: *number,
            });
        }
    }
    points
}

/// Opening a library or a file of `/proc` for reading changes nothing, and there are hundreds.
fn is_of_the_site(call: &str, arguments: &str, scratch: &Path) -> bool {
    let is_writing = ["O_CREAT", "O_WRONLY", "O_RDWR"]
        .iter()
        .any(|flag| arguments.contains(flag));
    !call.starts_with("openat") || is_writing || arguments.contains(scratch.to_str().unwrap())
}

/// Runs a program and disturbs it at a point; also tells whether it came that far.
pub fn disturb(program: Program, point: &Point, fault: Fault, scratch: &Path) -> (Output, bool) {
    let log = scratch.join("strace.log");
    let Point { call, number } = point;
    let what = match fault {
        Fault::Signal(name) => format!("signal={name}:when={number}"),
        Fault::Error(name) => format!("error={name}:when={number}"),
        Fault::ErrorFromHereOn(name) => format!("error={name}:when={number}+"),
    };
    let options = format!(
        "-qq -o {} -e trace={call} -e inject={call}:{what}",
        log.display()
    );
    let output = before(program, &options).run();
    let text = fs::read_to_string(&log).unwrap_or_default();
    let has_struck = match fault {
        Fault::Signal(name) => text.contains(name),
        _ => text.contains("(INJECTED)"),
    };
    (output, has_struck)
}

/// The program, each call of this name held back for a while, in all its processes.
pub fn slowed(program: Program, call: &str, time: Duration, scratch: &Path) -> Program {
    let log = scratch.join("strace.log");
    let options = format!(
        "-f -qq -o {} -e trace={call} -e inject={call}:delay_enter={}",
        log.display(),
        time.as_micros()
    );
    before(program, &options)
}

fn before(program: Program, options: &str) -> Program {
    let inner = program.into_command();
    let mut outer = Program::new("strace")
        .words(options)
        .arg(inner.get_program());
    for word in inner.get_args() {
        outer = outer.arg(word);
    }
    match inner.get_current_dir() {
        Some(directory) => outer.dir(directory),
        None => outer,
    }
}

/// strace refuses the name of a call that this machine does not have; `?` makes it forgive that.
fn known_calls() -> String {
    CALLS.map(|call| format!("?{call}")).join(",")
}
