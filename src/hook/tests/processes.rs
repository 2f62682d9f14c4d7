//! How hooks run and how they end.

use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::*;
use crate::config::units::Span;

#[test]
fn a_good_hook_is_streamed_logged_and_ends_well() {
    let site = Site::new();
    let ended = site.run_script("echo out; echo err >&2; pwd");
    ended.result.unwrap();
    let release = site.facts.release_path.canonicalize_utf8().unwrap();
    assert_eq!(site.output(), ["out", "err", release.as_str()]);
    assert_eq!(site.log(), format!("out\nerr\n{release}\n"));
}

#[test]
fn a_failing_hook_says_its_exit_code_and_its_last_20_lines() {
    let site = Site::new();
    let error = site.run_script("seq 30; exit 7").result.unwrap_err();
    assert_eq!(error.to_string(), "hook `build` failed: exit code 7");
    let expected: Vec<String> = (11..=30).map(|n| n.to_string()).collect();
    assert_eq!(error.tail, expected);
}

#[test]
fn an_unfinished_last_line_is_shown() {
    let site = Site::new();
    site.run_script("printf 'no newline'").result.unwrap();
    assert_eq!(site.output(), ["no newline"]);
}

#[test]
fn a_hanging_hook_ends_with_its_whole_group() {
    let mut site = Site::new();
    site.hooks.timeout = Span::millis(300);
    site.write_hook(
        Point::Migrate,
        "#!/bin/sh\n(trap '' TERM; echo child; while :; do sleep 1; done) & sleep 100\n",
    );
    let hook = site.find(Point::Migrate).unwrap().unwrap();
    let leader = Cell::new(None);
    let seen_alive = Cell::new(false);
    let ended = site.run_hook(&hook, |pid| {
        leader.set(Some(pid));
        seen_alive.set(!group_members(pid).is_empty());
    });
    let error = ended.result.unwrap_err();
    assert_eq!(
        error.to_string(),
        "hook `migrate` failed: still running after 300ms, killed with its group"
    );
    assert_eq!(error.tail, ["child"]);
    assert!(seen_alive.get());
    assert_eq!(group_members(leader.get().unwrap()), [""; 0]);
}

#[test]
fn a_hook_that_ended_is_over_whatever_daemon_it_left() {
    for daemon in ["sleep 30", "while :; do echo again; sleep 0.05; done"] {
        let site = Site::new();
        let started = Instant::now();
        let ended = site.run_script(&format!("({daemon}) & echo $!"));
        ended.result.unwrap();
        assert!(started.elapsed() < Duration::from_secs(10), "{daemon}");
        let pid = site.output().iter().find_map(|line| line.parse().ok());
        let daemon = Pid::from_raw(pid.unwrap());
        let _ = nix::sys::signal::kill(daemon, nix::sys::signal::Signal::SIGKILL);
    }
}

#[test]
fn a_killed_hook_says_by_which_signal() {
    let error = Site::new().run_script("kill -SEGV $$").result.unwrap_err();
    assert_eq!(error.to_string(), "hook `build` failed: killed by SIGSEGV");
}

#[test]
fn standard_input_is_empty() {
    let site = Site::new();
    site.run_script("wc -c; readlink /proc/$$/fd/0")
        .result
        .unwrap();
    assert_eq!(site.output(), ["0", "/dev/null"]);
}

#[test]
fn a_hook_has_three_open_files_even_when_zdd_inherited_more() {
    let site = Site::new();
    let leaked = fs_err::File::open("/etc/passwd").unwrap();
    // What `dup` returns is not closed on exec, like a descriptor that a caller left open.
    let number = unsafe { nix::libc::dup(std::os::fd::AsRawFd::as_raw_fd(&leaked)) };
    let script = "set -- /proc/$$/fd/*; for f; do [ ! -e $f ] || echo ${f##*/}; done";
    let ended = site.run_script(script);
    unsafe { nix::libc::close(number) };
    ended.result.unwrap();
    // The shell itself holds its script as number 10.
    assert_eq!(site.output(), ["0", "1", "10", "2"]);
}

#[test]
fn much_output_takes_bounded_memory_and_a_bounded_log() {
    let mut site = Site::new();
    site.heard.only_counts = true;
    let before = peak_memory();
    let script = "yes $(head -c 200 /dev/zero | tr '\\0' y) | head -c 50000000
        head -c 50000000 /dev/zero | tr '\\0' x; echo; echo the reason; exit 1";
    let error = site.run_script(script).result.unwrap_err();
    let grown = peak_memory() - before;
    assert!(grown < 64 << 20, "{grown} bytes");
    assert!(*site.heard.lines.lock().unwrap() > 200_000);
    assert_eq!(error.tail.last().unwrap(), "the reason");
    assert!(error.tail.iter().all(|line| line.len() <= 8192));
    let log = site.log();
    assert!(log.len() < (16 << 20) + 200_000, "{}", log.len());
    assert!(log.contains("the log was cut at 16 MiB") && log.ends_with("the reason\n"));
}

/// The most memory this process ever had, in bytes.
fn peak_memory() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 1024
}

#[test]
fn a_log_is_private_whatever_was_there_and_an_earlier_attempt_stays_in_it() {
    let site = Site::new();
    let directory = site.log_path().parent().unwrap().to_owned();
    site.run_script("echo one").result.unwrap();
    set_mode(&site.log_path(), 0o666);
    site.run_script("echo two").result.unwrap();
    assert_eq!(site.log(), "one\ntwo\n");
    let mode = |path: &Utf8Path| fs_err::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&site.log_path()), 0o600);
    assert_eq!(mode(&directory), 0o700);
}

#[test]
fn a_log_that_cannot_be_opened_warns_once_and_stops_nothing() {
    let site = Site::new();
    fs_err::write(site.log_path().parent().unwrap(), "a file in its place").unwrap();
    site.run_script("echo one; echo two").result.unwrap();
    assert_eq!(site.output(), ["one", "two"]);
    let warnings = site.warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(
        warnings[0].contains(site.log_path().as_str()),
        "{warnings:?}"
    );
}

#[test]
fn notes_are_read_also_when_the_hook_failed() {
    let site = Site::with_env("API_KEY=hunter2!");
    let script = "echo irreversible=true >> \"$ZDD_OUTPUT\"
        printf 'tables = 3\\ntables=4\\nurl=http://x/?k=hunter2!\\nno note\\n' >> \"$ZDD_OUTPUT\"
        echo \"$ZDD_OUTPUT\"; stat -c %a \"$ZDD_OUTPUT\"; exit 1";
    let ended = site.run_script(script);
    assert!(ended.result.is_err());
    let notes = serde_json::to_value(&ended.notes).unwrap();
    let expected = serde_json::json!({
        "irreversible": "true", "tables": "4", "url": "http://x/?k=***"
    });
    assert_eq!(notes, expected);
    assert!(
        site.warnings()[0].contains("2 lines"),
        "{:?}",
        site.warnings()
    );
    assert!(!Utf8Path::new(&site.output()[0]).exists());
    assert_eq!(site.output()[1], "600");
}

#[test]
fn notes_are_bounded() {
    let site = Site::new();
    let ended = site.run_script("yes a=b | head -c 1000000 > \"$ZDD_OUTPUT\"");
    assert_eq!(ended.notes.0.len(), 1);
    assert!(site.warnings().iter().any(|w| w.contains("65536 bytes")));
}
