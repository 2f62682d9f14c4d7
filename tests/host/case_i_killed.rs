//! Case i: zdd is killed, interrupted, or loses its terminal inside each hook. Whatever happened,
//! `current` names a complete release, and the next command recovers by itself.

use nix::sys::signal::Signal;

use crate::Case;
use crate::outcome::Outcome;
use crate::program::Running;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("case_i::killed_in_build_and_check", || {
        killed(&["build", "check"])
    }),
    ("case_i::killed_in_migrate_and_warm", || {
        killed(&["migrate", "warm"])
    }),
    ("case_i::killed_in_verify_and_finish", || {
        killed(&["verify", "finish"])
    }),
    ("case_i::interrupted_before_the_switch", interrupted_before),
    ("case_i::interrupted_after_the_switch", interrupted_after),
    ("case_i::a_closed_terminal_stops_nothing", closed_terminal),
];

/// Every version copies the virtualenv of the one before: quick, and its own.
fn site_with_quick_builds() -> Site {
    let site = Site::serving("v1");
    for version in ["v2", "v3", "v4", "v5"] {
        site.write_hook(version, "build", "cp -a \"$ZDD_PREVIOUS_PATH/.venv\" .venv");
        site.write_hook(version, "check", "exit 0");
    }
    site
}

fn release_up_to_the_gate(site: &Site, version: &str, point: &str) -> Running {
    site.gate_hook(version, point);
    let command = site
        .zdd(["--json", "release", &site.source(version)])
        .spawn();
    site.wait_for_gate();
    command
}

fn killed(points: &[&str]) {
    let site = site_with_quick_builds();
    for (point, pair) in points.iter().zip([["v2", "v3"], ["v4", "v5"]]) {
        let [killed, next] = pair;
        let command = release_up_to_the_gate(&site, killed, point);
        command.signal(Signal::SIGKILL);
        command.wait();
        assert_serves_a_complete_release(&site, point);

        let status = site.outcome(["status"]);
        status
            .assert_exit(1)
            .assert_field("/unfinished/command", "release")
            .assert_field(
                "/unfinished/step",
                format!("hook_{point}").replace("hook_finish", "finish"),
            );
        // The hook outlived zdd and still works in the release: nobody may go on beside it.
        let source = site.source(next);
        let blocked = site.outcome(["release", &source]);
        let hook = site.sh(&format!("pgrep -o -f [h]ooks/{point}")).stdout;
        blocked.assert_exit(5).assert_says(hook.trim());

        site.open_gate();
        let end = format!("while pgrep -f [h]ooks/{point}; do sleep 0.05; done");
        site.program(["timeout", "20", "sh", "-c", &end]).succeed();
        site.release(next).assert_exit(0);
        assert_eq!(site.version(), next);
        site.assert_tidy();
        site.outcome(["status"]).assert_exit(0);
    }
}

/// The link resolves to a release whose record says that it is complete, and which answers.
#[track_caller]
fn assert_serves_a_complete_release(site: &Site, point: &str) {
    let list = site.outcome(["list"]);
    list.assert_exit(0);
    let current = site.current();
    let releases = list.json["releases"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let release = releases.iter().find(|release| release["id"] == current);
    let state = release.and_then(|release| release["state"].as_str());
    assert!(
        ["ready", "live", "retired"].contains(&state.unwrap_or_default()),
        "after a kill in {point} `current` names `{current}`, {state:?}:\n{list}"
    );
    assert!(site.version().starts_with('v'), "{}", site.version());
    site.sh(&format!("test -e {ROOT}/current/app.py"));
}

fn interrupted_before() {
    let site = site_with_quick_builds();
    let old = site.current();
    let points = [
        ("v2", "build", Signal::SIGINT),
        ("v3", "migrate", Signal::SIGTERM),
        ("v4", "warm", Signal::SIGINT),
    ];
    for (version, point, signal) in points {
        let command = release_up_to_the_gate(&site, version, point);
        command.signal(signal);
        let outcome = Outcome::of(command.wait());
        outcome
            .assert_exit(130)
            .assert_field("/outcome", "interrupted")
            .assert_field("/serving", old.as_str());
        let hook = site
            .program(["pgrep", "-f", &format!("hooks/{point}")])
            .run();
        assert_eq!(hook.stdout, "", "the hook lives");
        assert_eq!(site.current(), old);
        site.assert_tidy();
    }
}

fn interrupted_after() {
    let site = site_with_quick_builds();
    let old = site.current();
    let command = release_up_to_the_gate(&site, "v2", "verify");
    command.signal(Signal::SIGINT);
    let outcome = Outcome::of(command.wait());
    outcome
        .assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/serving", old.as_str());
    assert_eq!(site.version(), "v1");
    site.assert_tidy();

    // After the commit zdd finishes.
    let command = release_up_to_the_gate(&site, "v3", "finish");
    command.signal(Signal::SIGTERM);
    std::thread::sleep(std::time::Duration::from_millis(300));
    site.open_gate();
    Outcome::of(command.wait())
        .assert_exit(0)
        .assert_field("/outcome", "live");
    assert_eq!(site.version(), "v3");
    site.assert_tidy();
}

/// `script` gives zdd a terminal; killing `script` takes it away, as a lost ssh does.
fn closed_terminal() {
    let site = site_with_quick_builds();
    site.gate_hook("v2", "build");
    let line = format!("zdd release {}", site.source("v2"));
    let terminal = site
        .program(["script", "--quiet", "--command", &line, "/dev/null"])
        .user("deploy")
        .dir(ROOT)
        .spawn();
    site.wait_for_gate();
    terminal.signal(Signal::SIGKILL);
    terminal.wait();
    site.open_gate();
    let end = "while pgrep -x zdd; do sleep 0.05; done";
    site.program(["timeout", "60", "sh", "-c", end]).succeed();
    assert_eq!(site.version(), "v2");
    site.outcome(["show"]).assert_exit(0).assert_says("live");
    site.assert_tidy();
}
