//! The demo that the README begins with, run as a newcomer runs it: it goes as told, no request
//! fails, and nothing is left behind, also when it is stopped in the middle.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

/// Both load the machine; cargo would make one wait for the other anyway.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

#[test]
fn the_demo_goes_as_told_and_leaves_nothing_behind() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let output = start(scratch.path()).wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    let codes: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("(exit code ")?.strip_suffix(')'))
        .collect();
    assert_eq!(codes, ["0", "0", "3", "0", "0"], "{said}");
    let sum = text.lines().find(|line| line.contains(" requests, "));
    let sum = sum.unwrap_or_else(|| panic!("no sum of requests:\n{said}"));
    let (requests, failed) = sum.split_once(" requests, ").unwrap();
    assert!(requests.parse::<usize>().unwrap() > 100, "{said}");
    assert_eq!(failed, "0 failed", "{said}");
    let states = ["live", "bad", "bad"];
    let listed = text
        .lines()
        .skip_while(|line| *line != "$ zdd list")
        .skip(2);
    for (line, state) in listed.zip(states) {
        assert!(line.contains(state), "`{line}` is not {state}:\n{said}");
    }
    for version in ["by v1", "by v2", "by v3"] {
        assert!(text.contains(version), "no answer {version}:\n{said}");
    }
    assert_nothing_left(scratch.path());
}

#[test]
fn a_demo_that_is_stopped_leaves_nothing_behind() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let mut demo = start(scratch.path());
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines();
    let is_under_way = |line: &String| line.starts_with("== v2");
    assert!(
        lines
            .by_ref()
            .map_while(Result::ok)
            .any(|line| is_under_way(&line))
    );
    kill(Pid::from_raw(demo.id().cast_signed()), Signal::SIGTERM).unwrap();
    let ended = demo.wait().unwrap();
    let mut said = String::new();
    demo.stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    assert_eq!(ended.code(), Some(1), "{said}");
    assert!(said.contains("interrupted"), "{said}");
    assert_nothing_left(scratch.path());
}

#[test]
fn a_first_ctrl_c_cuts_no_request_short() {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let scratch = tempfile::tempdir().unwrap();
    let mut demo = start(scratch.path());
    let mut lines = BufReader::new(demo.stderr.take().unwrap()).lines();
    let menus = lines.by_ref().map_while(Result::ok);
    let is_nearly_live = |line: &String| line.contains("Healthy") && line.contains("/menu");
    assert_eq!(menus.filter(is_nearly_live).take(2).count(), 2);
    let group = Pid::from_raw(demo.id().cast_signed());
    killpg(group, Signal::SIGINT).unwrap();
    demo.wait().unwrap();
    let said: Vec<String> = lines.map_while(Result::ok).collect();
    assert!(
        !said.iter().any(|line| line.contains("killed")),
        "{said:#?}"
    );
    assert_nothing_left(scratch.path());
}

/// The program itself, built by cargo as the README has it, with a place for its files.
fn start(scratch: &Path) -> Child {
    let target = Path::new(env!("CARGO_BIN_EXE_zdd")).parent().unwrap();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--example", "demo", "--target-dir"]);
    build.arg(target.parent().unwrap());
    if target.ends_with("release") {
        build.arg("--release");
    }
    assert!(build.status().unwrap().success());
    Command::new(target.join("examples/demo"))
        .env("TMPDIR", scratch)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .unwrap()
}

fn assert_nothing_left(scratch: &Path) {
    let files: Vec<_> = fs::read_dir(scratch).unwrap().collect();
    assert!(files.is_empty(), "{files:?}");
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let program = fs::read_link(entry.path().join("exe")).ok()?;
        program.starts_with(scratch).then(|| entry.file_name())
    });
    let processes: Vec<_> = processes.collect();
    assert!(processes.is_empty(), "{processes:?}");
}
