//! Case e: hooks that fail before the switch. Nobody notices but the one who released.

use crate::Case;
use crate::site::Site;

pub const CASES: &[Case] = &[
    ("case_e::build_fails_hangs_or_cannot_be_run", build),
    ("case_e::migrate_fails_hangs_or_cannot_be_run", migrate),
];

fn build() {
    assert_harmless("build");
}

fn migrate() {
    assert_harmless("migrate");
}

fn assert_harmless(point: &str) {
    let site = Site::serving("v1");
    site.configure("[[service]]", "[hooks]\ntimeout = \"3s\"\n\n[[service]]");
    let workers = site.unit_property("MainPID");
    let old = site.current();
    let step = format!("hook_{point}");
    // The other hooks are not what this is about.
    for version in ["fails", "hangs", "sleeps"] {
        site.write_hook(version, "build", "exit 0");
        site.write_hook(version, "check", "exit 0");
    }

    site.write_hook("fails", point, "echo 'no such table: users'; exit 1");
    let fails = site.release("fails");
    fails.assert_says("no such table: users");

    site.write_hook("hangs", point, "echo began\nsleep 7654 &\nsleep 7654");
    let hangs = site.release("hangs");
    hangs.assert_says("began").assert_says("3s");
    let left = site.program(["pgrep", "-f", "sleep 7654"]).run();
    assert_eq!(left.stdout, "", "the hook's process group lives");

    site.write_hook("sleeps", point, "exit 0");
    let source = site.source("sleeps");
    site.sh(&format!("chmod 0644 {source}/hooks/{point}"));
    let cannot = site.release("sleeps");
    cannot
        .assert_says("chmod +x")
        .assert_says(&format!("hooks/{point}"));

    for outcome in [&fails, &hangs] {
        outcome
            .assert_field("/outcome", "failed")
            .assert_field("/error/step", step.as_str());
    }
    for outcome in [fails, hangs, cannot] {
        outcome
            .assert_exit(1)
            .assert_field("/serving", old.as_str());
    }
    assert_eq!(site.current(), old);
    assert_eq!(site.version(), "v1");
    assert_eq!(site.unit_property("MainPID"), workers);
    site.assert_tidy();
}
