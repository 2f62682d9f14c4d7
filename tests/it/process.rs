//! A `process` service through its whole life: a server of its own for each release.

use crate::sandbox::{Site, processes, server};

/// The settings of a site whose releases start this test program as their server.
pub fn settings() -> String {
    let program = std::env::current_exe().unwrap();
    let root = "health = \"/health\"\nstop_timeout = \"5s\"\nswitch_timeout = \"20s\"";
    format!(
        "keep = 9\n[[service]]\nstart = \"{} --exact serves_a_release --nocapture\"\n{root}\n",
        program.display()
    )
}

/// What users get at a path.
pub fn answer(site: &Site, path: &str) -> Option<(u16, String)> {
    server::ask(&site.root.join("current/run/app.sock"), path)
}

#[track_caller]
pub fn serves(site: &Site, version: &str) {
    assert_eq!(answer(site, "/"), Some((200, version.to_owned())));
}

#[test]
fn each_release_serves_on_its_own_socket_and_the_old_process_ends() {
    let site = Site::new(&settings());
    site.release("v1");
    serves(&site, "v1");
    let first = processes::inside(&site.root);
    assert_eq!(first.len(), 1, "{first:?}");

    let live = site.releasing("v2").run().exits(0);
    serves(&site, "v2");
    let running = &live.json()["running"][0];
    assert_eq!(running["release"], live.json()["release"], "{live}");
    assert_eq!(
        running["verdict"], "proved",
        "zdd started it for this release: {live}"
    );
    let status = site.does("--json status").json();
    assert_eq!(status["running"][0]["verdict"], "proved", "{status}");
    let second = processes::inside(&site.root);
    assert_eq!(second.len(), 1, "{second:?}");
    assert_ne!(first, second);
    let replaced = &live.json()["replaced"];
    assert_eq!(replaced.as_array().unwrap().len(), 1, "{live}");
    assert_eq!(replaced[0]["pid"], first[0].0, "{live}");
    assert_eq!(replaced[0]["end"], "ended", "{live}");

    site.does("rollback");
    serves(&site, "v1");
    assert_eq!(processes::inside(&site.root).len(), 1);
}

#[test]
fn a_process_that_does_not_end_by_itself_is_told_to_be_killed() {
    let settings = settings().replace("start = \"", "start = \"env --ignore-signal=TERM ");
    let site = Site::new(&settings.replace("\"5s\"", "\"300ms\""));
    site.release("v1");
    let live = site.releasing("v2").run().exits(0);
    serves(&site, "v2");
    assert_eq!(live.json()["replaced"][0]["end"], "killed", "{live}");
    live.says("did not end when told to, and was killed");
    site.does("show").says("was killed");
}

#[test]
fn code_that_does_not_start_never_meets_a_user() {
    let site = Site::new(&settings());
    site.release("v1");
    let before = processes::inside(&site.root);
    site.file("refuses-to-start", "");
    let failed = site
        .releasing("v2")
        .run()
        .exits(1)
        .says("broken code in v2");
    assert_eq!(failed.json()["outcome"], "failed");
    assert_eq!(failed.json()["error"]["step"], "start_instance");
    serves(&site, "v1");
    assert_eq!(
        processes::inside(&site.root),
        before,
        "the live process was touched"
    );
}

#[test]
fn code_that_is_sick_after_the_switch_is_taken_back_and_the_old_process_never_stops() {
    let site = Site::new(&settings());
    let socket = site.root.join("current/run/app.sock");
    let check = format!(
        "[[health]]\nurl = \"http://unix:{}:/page\"\n",
        socket.display()
    );
    site.settings(&format!(
        "{}{check}within = \"1s\"\ninterval = \"50ms\"\n",
        settings()
    ));
    site.release("v1");
    let before = processes::inside(&site.root);
    site.file("sick-page", "");
    let back = site.releasing("v2").run().exits(3).says("500");
    assert_eq!(back.json()["outcome"], "rolled_back");
    assert_eq!(back.json()["serving"], back.json()["from"]);
    serves(&site, "v1");
    assert_eq!(
        processes::inside(&site.root),
        before,
        "the old process was touched"
    );
    assert_eq!(site.state(back.json()["release"].as_str().unwrap()), "bad");

    std::fs::remove_file(site.source.join("sick-page")).unwrap();
    let live = site.releasing("v3").run().exits(0);
    assert!(
        live.json()["cutover"]["requests"].as_u64().unwrap() > 0,
        "{live}"
    );
    assert_eq!(live.json()["cutover"]["failed"], 0, "{live}");
    serves(&site, "v3");
}

/// No health check is there to see it.
#[test]
fn code_that_dies_while_it_is_watched_is_taken_back_to_the_process_that_still_runs() {
    let site = Site::new(&settings());
    site.release("v1");
    site.settings(&format!("{}[probe]\nwatch = \"5s\"\n", settings()));
    let before = processes::inside(&site.root);
    site.file("dies-when-live", "");
    let back = site.releasing("v2").run().exits(3);
    assert_eq!(back.json()["outcome"], "rolled_back", "{back}");
    assert_eq!(back.json()["error"]["step"], "verify", "{back}");
    let back = back.says("ended: its main process is gone");
    assert_eq!(back.stderr.matches("Started").count(), 1, "{back}");
    assert_eq!(processes::inside(&site.root), before, "{back}");
    serves(&site, "v1");
    site.does("status");
}

#[test]
fn a_live_process_that_died_is_said_and_the_next_release_serves_again() {
    let site = Site::new(&settings());
    site.release("v1");
    processes::end_inside(&site.root);
    // The kernel takes its time where others want the processor too.
    while !processes::inside(&site.root).is_empty() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    site.zdd("status").run().exits(1);
    site.release("v2");
    serves(&site, "v2");
}

#[test]
fn check_says_that_a_process_does_not_come_back_after_a_reboot() {
    let site = Site::new(&settings());
    site.does("check")
        .says("it does not come back after a reboot")
        .says("let systemd start it");
}
