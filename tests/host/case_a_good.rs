//! Case a: good releases and a rollback under load, with the unit in its safe form.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::Case;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    (
        "case_a::releases_and_a_rollback_lose_no_request",
        lose_no_request,
    ),
    (
        "case_a::what_a_worker_inherited_is_no_evidence",
        setproctitle,
    ),
    (
        "case_a::the_site_looks_right_to_every_command",
        every_command,
    ),
];

fn lose_no_request() {
    let site = Site::serving("v1");
    let first = site.current();
    let load = Load::start(&site);
    let mut switches = Vec::new();
    for version in ["v2", "v3"] {
        let from = site.current();
        let outcome = site.release(version);
        assert_live(&site, &outcome, &from);
        switches.push((version, Instant::now()));
        load.go_on(Duration::from_secs(1));
    }
    let from = site.current();
    let outcome = site.outcome(["rollback"]);
    assert_live(&site, &outcome, &from);
    switches.push(("v2", Instant::now()));
    load.go_on(Duration::from_secs(1));

    let figures = load.stop();
    let _ = writeln!(io::stderr(), "case a: {figures}");
    figures.assert_none_failed();
    for (version, ended) in switches {
        figures.assert_only(version, ended..ended + Duration::from_secs(1));
    }
    assert_ne!(site.current(), first);
    assert_eq!(site.version(), "v2");
}

/// The command ended well, proved what runs, and its probe lost nothing.
#[track_caller]
fn assert_live(site: &Site, outcome: &Outcome, from: &str) {
    let current = site.current();
    outcome
        .assert_exit(0)
        .assert_field("/schema", 1)
        .assert_field("/outcome", "live")
        .assert_field("/release", current.as_str())
        .assert_field("/serving", current.as_str())
        .assert_field("/from", from)
        .assert_field("/error", serde_json::Value::Null)
        .assert_field("/cutover/failed", 0)
        .assert_field("/running/0/service", "gunicorn.service")
        .assert_field("/running/0/release", current.as_str())
        .assert_field("/running/0/verdict", "proved");
}

/// The master maps setproctitle's library out of the first release's virtualenv for ever, and
/// every worker forked from it shows the same mapping.
fn setproctitle() {
    let site = Site::install();
    for version in ["v1", "v2", "v3"] {
        let requirements = format!("{}/requirements.txt", site.source(version));
        site.edit(&requirements, "gunicorn\n", "gunicorn\nsetproctitle\n");
    }
    site.release("v1").assert_exit(0);
    let titles = site.sh("cat /proc/[0-9]*/cmdline | tr '\\0' '\\n'").stdout;
    assert!(titles.contains("gunicorn: worker"), "{titles}");
    let load = Load::start(&site);
    for version in ["v2", "v3"] {
        let from = site.current();
        let outcome = site.release(version);
        assert_live(&site, &outcome, &from);
        assert_eq!(site.version(), version);
    }
    load.stop().assert_none_failed();
}

fn every_command() {
    let site = Site::serving("v1");
    site.release("v2").assert_exit(0);
    let current = site.current();

    let list = site.outcome(["list"]);
    list.assert_exit(0)
        .assert_field("/current", current.as_str())
        .assert_field("/releases/0/state", "retired")
        .assert_field("/releases/1/state", "live")
        .assert_field("/releases/1/id", current.as_str())
        .assert_field("/releases/1/performer", "deploy")
        .assert_field("/releases/1/adopted", false);
    let status = site.outcome(["status"]);
    status
        .assert_exit(0)
        .assert_field("/current", current.as_str())
        .assert_field("/running/0/release", current.as_str())
        .assert_field("/health/0/ok", true)
        .assert_field("/lock", serde_json::Value::Null)
        .assert_field("/unfinished", serde_json::Value::Null);
    site.outcome(["check"]).assert_exit(0);
    site.outcome(["show"]).assert_exit(0).assert_says(&current);
    let logs = site.zdd(["logs"]).run();
    assert!(logs.status.success(), "{logs}");

    let link = site.sh(&format!("readlink {ROOT}/current")).stdout;
    assert_eq!(link.trim(), format!("releases/{current}"));
    let everyone = site.program(["zdd", "list", "--root", ROOT]).user("games");
    everyone.succeed();
    let intruder = site.program(["zdd", "prune", "--root", ROOT]).run();
    assert_eq!(intruder.status.code(), Some(1), "{intruder}");
    assert!(intruder.stderr.contains("sudo -u deploy zdd"), "{intruder}");
    site.assert_tidy();
}
