//! Case f: what is refused before anything is built, all of it at once.

use crate::Case;
use crate::outcome::Outcome;
use crate::site::{ROOT, Site, UNIT};

pub const CASES: &[Case] = &[
    ("case_f::everything_unmet_is_said_at_once", all_at_once),
    (
        "case_f::a_unit_without_exec_reload_is_refused",
        no_exec_reload,
    ),
    (
        "case_f::a_current_that_is_a_directory_is_refused",
        real_directory,
    ),
];

fn all_at_once() {
    let site = Site::install();
    site.configure("gunicorn.service", "gunicorm.service");
    site.configure(
        "[[service]]",
        "[shared]\nfiles = [\".env\"]\n\n[require]\nenv = [\"DATABASE_URL\"]\n\
         commands = [\"no-such-program\"]\nfree_space = \"1000000GiB\"\n\n[[service]]",
    );
    let outcome = site.release("v1");
    for finding in [
        "gunicorm.service",
        ".env",
        "DATABASE_URL",
        "no-such-program",
        "free",
    ] {
        outcome.assert_says(finding);
    }
    let findings = outcome.json["errors"].as_array().map_or(0, Vec::len);
    assert!(findings >= 5, "{findings} findings, not 5:\n{outcome}");
    assert_nothing_built(&site, &outcome);
}

fn no_exec_reload() {
    let site = Site::serving("v1");
    site.edit(UNIT, "ExecReload=/bin/kill -s HUP $MAINPID\n", "");
    site.sh("systemctl daemon-reload");
    let old = site.current();
    let outcome = site.release("v2");
    outcome
        .assert_exit(1)
        .assert_field("/outcome", "refused")
        .assert_says("ExecReload")
        .assert_says("gunicorn.service");
    let releases = site.sh(&format!("ls {ROOT}/releases"));
    assert_eq!(releases.stdout.trim(), old);
    assert_eq!(site.version(), "v1");
}

fn real_directory() {
    let site = Site::install();
    site.sh(&format!("install -d -o deploy -g deploy {ROOT}/current"));
    let outcome = site.release("v1");
    outcome.assert_says("current").assert_says("directory");
    assert_nothing_built(&site, &outcome);
}

#[track_caller]
fn assert_nothing_built(site: &Site, outcome: &Outcome) {
    outcome.assert_exit(1).assert_field("/outcome", "refused");
    let releases = site.sh(&format!("ls {ROOT}/releases 2>/dev/null || true"));
    assert_eq!(releases.stdout, "", "something was built:\n{outcome}");
}
