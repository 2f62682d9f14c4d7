//! Case j: a root that Capistrano made is taken over as it is.

use std::time::Duration;

use crate::Case;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("case_j::a_capistrano_root_is_adopted", adopted),
    (
        "case_j::links_that_the_config_does_not_name_are_refused",
        unnamed_links,
    ),
];

const OLD: [&str; 4] = [
    "20240101120000",
    "20240201120000",
    "20240301120000",
    "20240401120000",
];

/// Three releases, the third is live; the fourth was rolled back.
fn capistrano_root() -> Site {
    let site = Site::install();
    for (number, release) in OLD.iter().enumerate() {
        site.place_by_hand(&format!("c{}", number + 1), release);
    }
    site.sh(&format!(
        "cd {ROOT}; mkdir -p shared/log repo; ln -sfn {ROOT}/releases/{} current
         echo 'Branch main (at 1a2b3c4) deployed as release {} by alice' > revisions.log
         echo 1a2b3c4 > releases/{}/REVISION; chown -hR deploy: .; systemctl start gunicorn",
        OLD[2], OLD[2], OLD[2]
    ));
    assert_eq!(site.version(), "c3");
    site
}

fn adopted() {
    let site = capistrano_root();
    let list = site.outcome(["list"]);
    list.assert_exit(0).assert_field("/current", OLD[2]);
    for (number, release) in OLD.iter().enumerate() {
        list.assert_field(&format!("/releases/{number}/id"), *release)
            .assert_field(&format!("/releases/{number}/adopted"), true);
    }
    list.assert_field("/releases/2/state", "live")
        .assert_field("/releases/3/state", "bad")
        .assert_field("/previous", OLD[1]);

    let release = site.release("v1");
    release.assert_exit(0).assert_field("/from", OLD[2]);
    let own = site.current();
    let link = site.sh(&format!("readlink {ROOT}/current")).stdout;
    assert_eq!(link.trim(), format!("releases/{own}"));
    let log = site.read(&format!("{ROOT}/revisions.log"));
    assert!(log.contains("by alice"), "{log}");
    assert!(
        log.contains(&format!("deployed as release {own} by deploy")),
        "{log}"
    );
    assert_eq!(site.version(), "v1");

    site.outcome(["rollback", OLD[1]]).assert_exit(0);
    assert_eq!(site.version(), "c2");
    site.release("v2").assert_exit(0);
    // Two good ones, by their order and not by when they were live, and one bad one for a look.
    site.outcome(["list"]).assert_field("/previous", OLD[2]);
    // A worker that is just ending would, rightly, keep its release.
    std::thread::sleep(Duration::from_secs(1));
    let prune = site.outcome(["prune", "--keep", "2"]);
    prune.assert_exit(0);
    let left = site.sh(&format!("ls {ROOT}/releases")).stdout;
    let left: Vec<&str> = left.split_whitespace().collect();
    assert_eq!(left, [OLD[2], &own, &site.current()], "{prune}");
    site.sh(&format!("test -d {ROOT}/repo"));
    assert_eq!(site.version(), "v2");
    site.assert_tidy();
}

fn unnamed_links() {
    let site = capistrano_root();
    site.sh(&format!(
        "ln -s ../../shared/log {ROOT}/releases/{}/log",
        OLD[2]
    ));
    let outcome = site.release("v1");
    outcome
        .assert_exit(1)
        .assert_field("/outcome", "refused")
        .assert_says("[shared]")
        .assert_says("\"log\"");
    assert_eq!(site.current(), OLD[2]);
    let zdd_toml = format!("{ROOT}/zdd.toml");
    let pasted = format!("{}\n[shared]\ndirs = [\"log\"]\n", site.read(&zdd_toml));
    site.write(&zdd_toml, &pasted);
    site.release("v1").assert_exit(0);
    site.sh(&format!("test -L {ROOT}/current/log"));
}
