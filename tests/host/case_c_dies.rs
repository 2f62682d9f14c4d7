//! Case c: a release that cannot be imported, which kills gunicorn's master on the reload.

use std::time::Duration;

use crate::Case;
use crate::load::Load;
use crate::site::{Site, UNIT};

pub const CASES: &[Case] = &[
    (
        "case_c::a_dead_master_comes_back_on_the_old_release",
        no_restart,
    ),
    ("case_c::a_crash_loop_is_not_called_active", always),
    ("case_c::a_dry_boot_keeps_it_from_users", dry_boot),
];

fn no_restart() {
    assert_comes_back("no");
}

/// systemd restarts the broken code every 100 ms and calls it active.
fn always() {
    assert_comes_back("always");
}

fn assert_comes_back(restart: &str) {
    let site = serving_v2_before_a_broken_v3(restart);
    let old = site.current();
    let outcome = site.release("v3");
    outcome
        .assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/serving", old.as_str())
        .assert_says("not_there");
    assert_eq!(site.version(), "v2");
    assert_eq!(site.unit_property("ActiveState"), "active");
    assert!(
        outcome.says("was away for"),
        "how long it was away:\n{outcome}"
    );
    std::thread::sleep(Duration::from_secs(2));
    let restarts = site.unit_property("NRestarts");
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(
        site.unit_property("NRestarts"),
        restarts,
        "it still restarts"
    );
    assert_eq!(site.version(), "v2");
    site.assert_tidy();
}

fn dry_boot() {
    let site = serving_v2_before_a_broken_v3("no");
    site.configure(
        "sudo = true",
        "sudo = true\nhealth = \"/health\"\n\
         try = \".venv/bin/python -m gunicorn app:app --bind unix:$ZDD_SOCKET\"",
    );
    let old = site.current();
    let load = Load::start(&site);
    let outcome = site.release("v3");
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    outcome
        .assert_exit(1)
        .assert_field("/outcome", "failed")
        .assert_field("/serving", old.as_str())
        .assert_field("/error/step", "try")
        .assert_says("not_there");
    figures.assert_none_failed();
    figures.assert_only("v2", ..);
    site.release("v4").assert_exit(0);
    assert_eq!(site.version(), "v4");
    site.have_little_memory();
    site.release("v2")
        .assert_exit(1)
        .assert_says("a release runs two copies for a while: `gunicorn.service` has ");
    assert_eq!(site.version(), "v4");
    let left = site
        .program(["pgrep", "-af", "gunicorn app:app --bind"])
        .run();
    assert_eq!(left.stdout, "", "the dry boot left a process");
    site.assert_tidy();
}

fn serving_v2_before_a_broken_v3(restart: &str) -> Site {
    let site = Site::install();
    site.edit(UNIT, "Restart=on-failure", &format!("Restart={restart}"));
    site.sh("systemctl daemon-reload");
    site.release("v1").assert_exit(0);
    site.release("v2").assert_exit(0);
    // The example's own `check` hook would find it: what is left is found by the switch alone.
    site.write_hook("v3", "check", "exit 0");
    site.append_code("v3", "import not_there");
    site
}
