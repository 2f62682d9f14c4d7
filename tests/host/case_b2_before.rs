//! Case b2: what was so before zdd came, and requests that outlive the switch.

use std::time::{Duration, Instant};

use crate::Case;
use crate::load::{self, Load};
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    (
        "case_b2::a_service_that_was_stale_before_is_put_back_as_it_was",
        stale_before,
    ),
    (
        "case_b2::a_worker_that_finishes_a_long_request_is_leaving",
        leaving,
    ),
];

/// `current` names v2, the processes run v1, as after any release by `ln -sfn` and reload.
fn stale_before() {
    let site = Site::install();
    site.use_the_guides_unit();
    site.configure("sudo = true", "sudo = true\nswitch_timeout = \"5s\"");
    site.place_by_hand("v1", "20260101000001");
    site.sh("systemctl start gunicorn");
    site.place_by_hand("v2", "20260101000002");
    site.sh("systemctl reload gunicorn; sleep 1");
    assert_eq!(site.version(), "v1");
    let main_pid = site.unit_property("MainPID");

    let load = Load::start(&site);
    let (said, outcome) = site.release_heard_before_build("v3");
    let ended = Instant::now();
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();

    outcome
        .assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/from", "20260101000002");
    assert!(
        said.contains("20260101000001"),
        "before the build it says what really runs:\n{said}"
    );
    assert_eq!(site.current(), "20260101000002");
    assert_eq!(site.unit_property("MainPID"), main_pid);
    figures.assert_none_failed();
    figures.assert_only("v1", ended..);
}

fn leaving() {
    let site = Site::serving("v1");
    std::thread::scope(|scope| {
        let long = scope.spawn(|| load::ask(&site, "http://127.0.0.1/slow?ms=20000"));
        std::thread::sleep(Duration::from_millis(500));
        let outcome = site.release("v2");
        outcome
            .assert_exit(0)
            .assert_field("/running/0/verdict", "proved");
        assert_eq!(site.version(), "v2");
        let answer = long.join().expect("the client does not panic");
        assert_eq!(answer.status, Ok(200), "the long request was lost");
        assert_eq!(answer.version, "v1");
    });
    let link = site
        .program(["readlink", &format!("{ROOT}/current")])
        .succeed();
    assert!(link.stdout.starts_with("releases/"), "{link}");
}
