//! Case m: rollback goes back and back, never forward.

use std::time::{Duration, Instant};

use crate::Case;
use crate::load::Load;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[("case_m::twice_back_is_two_releases_back", twice)];

fn twice() {
    let site = Site::serving("v1");
    site.release("v2").assert_exit(0);
    site.release("v3").assert_exit(0);
    let newest = site.current();
    let load = Load::start(&site);
    for version in ["v2", "v1"] {
        site.outcome(["rollback"])
            .assert_exit(0)
            .assert_field("/outcome", "live");
        assert_eq!(site.version(), version);
    }
    let before = site.sh(&format!("readlink {ROOT}/current; ls {ROOT}/releases"));
    let pid = site.unit_property("MainPID");
    let third = Instant::now();
    let outcome = site.outcome(["rollback"]);
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    outcome.assert_exit(1).assert_field("/outcome", "refused");
    let after = site.sh(&format!("readlink {ROOT}/current; ls {ROOT}/releases"));
    assert_eq!(before.stdout, after.stdout);
    assert_eq!(site.unit_property("MainPID"), pid);
    figures.assert_none_failed();
    figures.assert_only("v1", third..);
    site.assert_tidy();

    // Forward only by name. What was left last is there, too.
    let list = site.outcome(["list"]);
    let releases = list.json["releases"].as_array().into_iter().flatten();
    let left = releases.into_iter().find(|release| release["id"] == newest);
    assert!(left.is_some_and(|left| left["state"] == "bad"), "{list}");
    site.outcome(["rollback", &newest]).assert_exit(0);
    assert_eq!(site.version(), "v3");
}
