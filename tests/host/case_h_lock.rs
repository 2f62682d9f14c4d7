//! Case h: many at once, one at a time.

use std::time::Duration;

use crate::Case;
use crate::outcome::Outcome;
use crate::program::Running;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    (
        "case_h::the_second_is_told_who_holds_the_lock_at_once",
        second,
    ),
    ("case_h::fifty_at_once_go_one_at_a_time", fifty),
];

fn second() {
    let site = Site::serving("v1");
    site.gate_hook("v2", "build");
    let source = site.source("v2");
    let first = site.zdd(["--json", "release", &source]).spawn();
    site.wait_for_gate();

    let attempts: Vec<Outcome> = (0..5).map(|_| site.release("v3")).collect();
    let holder = site.sh("pgrep -x zdd").stdout;
    for outcome in &attempts {
        outcome
            .assert_exit(5)
            .assert_field("/outcome", "locked")
            .assert_says(holder.trim())
            .assert_says("deploy")
            .assert_says("release");
    }
    // Entering the host costs some of it; the machine may be busy: the best of five counts.
    let quickest = attempts.iter().map(Outcome::took).min().unwrap_or_default();
    assert!(
        quickest < Duration::from_millis(100),
        "it took {quickest:?}"
    );
    let status = site.outcome(["status"]);
    status.assert_field("/lock/user", "deploy");

    let source = site.source("v3");
    let mut second = site
        .zdd(["--json", "release", "--wait", "60s", &source])
        .spawn();
    std::thread::sleep(Duration::from_millis(500));
    assert!(second.is_running(), "it did not wait");
    site.open_gate();
    Outcome::of(first.wait()).assert_exit(0);
    Outcome::of(second.wait()).assert_exit(0);
    assert_eq!(site.version(), "v3");
    site.assert_tidy();
}

/// Each hook writes when it began and ended: two at a time would interleave.
fn fifty() {
    let site = Site::install();
    site.write(&format!("{ROOT}/zdd.toml"), "keep = 100\n");
    let log = "/home/deploy/log";
    let build = format!("echo begin >> {log}; sleep 0.02; echo end >> {log}");
    site.write_hook("v1", "build", &build);
    site.write_hook("v1", "check", "exit 0");
    let source = site.source("v1");
    let release = site.zdd(["--json", "release", "--wait", "100s", &source]);
    let running: Vec<_> = (0..50).map(|_| release.spawn()).collect();
    for command in running {
        Outcome::of(command.wait()).assert_exit(0);
    }
    assert_eq!(site.read(log), "begin\nend\n".repeat(50));
    let list = site.outcome(["list"]);
    assert_eq!(list.json["releases"].as_array().map(Vec::len), Some(50));
    site.assert_tidy();

    let release = site.zdd(["--json", "release", &source]);
    let running: Vec<_> = (0..50).map(|_| release.spawn()).collect();
    let end = |command: Running| Outcome::of(command.wait()).exit();
    let ends: Vec<i32> = running.into_iter().map(end).collect();
    assert!(ends.contains(&0), "nobody got the lock: {ends:?}");
    assert!(ends.iter().all(|end| [0, 5].contains(end)), "{ends:?}");
}
