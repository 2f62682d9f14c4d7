//! The harness watches itself, without zdd: a host is a world of its own, the load sees a stale
//! service as stale and a dead one as dead.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::Case;
use crate::host::Host;
use crate::load::{Figures, Load};
use crate::site::Site;

pub const CASES: &[Case] = &[
    ("harness::two_hosts_do_not_see_each_other", two_hosts),
    ("harness::a_good_switch_by_hand_is_seen", good_by_hand),
    ("harness::a_stale_service_is_seen", stale_by_hand),
    ("harness::a_dead_service_is_seen", dead_by_hand),
];

fn two_hosts() {
    let (one, two) = (Host::boot(), Host::boot());
    one.sh("systemd-run --unit=only-here sleep 60");
    let groups = two.sh("systemctl is-active only-here || true; cat /proc/1/comm");
    assert_eq!(groups.stdout, "inactive\nsystemd\n");
    two.write("/srv/only-there", "x");
    let seen = one.program(["test", "-e", "/srv/only-there"]).run();
    assert!(!seen.status.success());
    assert!(!Path::new("/srv/only-there").exists());
}

fn good_by_hand() {
    let site = Site::install();
    let (figures, flipped) = switch_by_hand(&site);
    figures.assert_none_failed();
    figures.assert_only("v2", flipped..);
}

fn stale_by_hand() {
    let site = Site::install();
    site.use_the_guides_unit();
    let (figures, flipped) = switch_by_hand(&site);
    figures.assert_none_failed();
    figures.assert_only("v1", flipped..);
}

fn dead_by_hand() {
    let site = Site::install();
    site.append_code("v2", "import not_there");
    let (figures, _) = switch_by_hand(&site);
    assert!(figures.failed().len() > 50, "{figures}");
}

/// What people do today: a directory, `ln -sfn`, `systemctl reload`. Two seconds after the flip,
/// the moment from which on answers count.
fn switch_by_hand(site: &Site) -> (Figures, Instant) {
    site.place_by_hand("v1", "20260101000001");
    site.sh("systemctl start gunicorn");
    let load = Load::start(site);
    site.place_by_hand("v2", "20260101000002");
    site.sh("systemctl reload gunicorn");
    load.go_on(Duration::from_secs(2));
    let flipped = Instant::now();
    load.go_on(Duration::from_secs(1));
    (load.stop(), flipped)
}
