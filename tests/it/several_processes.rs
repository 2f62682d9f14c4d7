//! Sites whose releases run several processes: each is told from the others, whatever place it has
//! in the settings of a release.

use crate::process::{serves, settings};
use crate::sandbox::{Site, processes, server};

/// Writes its beginning and its end into the site's root; to end takes it two seconds.
const WORKER: &str = "\
say() { echo \"$1 $(cat version)\" >> \"$ZDD_ROOT/log\"; }
trap 'sleep 2; say ended; exit' TERM
say began
while :; do sleep 0.05; done
";

/// The web has a second to end.
fn web() -> String {
    settings().replace("stop_timeout = \"5s\"", "stop_timeout = \"1s\"")
}

fn worker() -> &'static str {
    "[[service]]\nstart = \"sh worker\"\nrole = \"worker\"\nstop_timeout = \"20s\"\n"
}

fn site(settings: &str) -> Site {
    let site = Site::new(settings);
    site.file("worker", WORKER);
    site
}

fn log(site: &Site) -> Vec<String> {
    let text = std::fs::read_to_string(site.root.join("log")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn a_worker_beside_a_web_process_hands_over_to_its_own_successor() {
    let site = site(&format!("{}{}", web(), worker()));
    site.release("v1");
    site.release("v2");
    serves(&site, "v2");
    assert_eq!(log(&site), ["began v1", "ended v1", "began v2"]);
    site.does("rollback");
    serves(&site, "v1");
    assert_eq!(log(&site)[3..], ["ended v2", "began v1"]);
}

/// What is written down of the processes of a release goes by their places in its own settings.
#[test]
fn processes_may_change_their_places() {
    let site = site(&format!("{}{}", web(), worker()));
    site.release("v1");
    let swapped = web().replace("[[service]]", &format!("{}[[service]]", worker()));
    site.settings(&swapped);
    let status = site.does("--json status").json();
    assert_eq!(
        status["running"].as_array().map(Vec::len),
        Some(2),
        "{status}"
    );
    site.release("v2");
    serves(&site, "v2");
    assert_eq!(log(&site), ["began v1", "ended v1", "began v2"]);
    none_is_left(&site);
    let alone = web();
    site.settings(&alone);
    site.does("status");
    site.release("v3");
    serves(&site, "v3");
    assert_eq!(log(&site)[3..], ["ended v2"]);
    none_is_left(&site);
}

/// What the one service keeps for a rollback, the other does not.
#[test]
fn a_process_without_standby_ends_though_another_is_kept() {
    let other = settings().replace("keep = 9\n", "");
    let other = format!("{other}socket = \"run/other.sock\"\n");
    let site = Site::new(&format!("{}standby = \"1h\"\n{other}", settings()));
    let first = site.release("v1");
    site.release("v2");
    let old = site.root.join("releases").join(&first);
    let kept = processes::inside(&old);
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert!(server::ask(&old.join("run/app.sock"), "/").is_some());
    assert!(server::ask(&old.join("run/other.sock"), "/").is_none());
    site.does("rollback");
    serves(&site, "v1");
    assert!(server::ask(&old.join("run/other.sock"), "/").is_some());
    none_is_left(&site);
}

/// Of releases that are not live.
#[track_caller]
fn none_is_left(site: &Site) {
    let live = site.root.join("releases").join(site.current().unwrap());
    let all = processes::inside(&site.root);
    assert!(all.iter().all(|(_, place)| *place == live), "{all:?}");
}
