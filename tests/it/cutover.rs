//! The picture of a cutover that `zdd show` draws, from a real probe of a real server.

use serde_json::Value;

use crate::sandbox::{Output, Site};

/// A site whose releases serve and name themselves; the health check asks for `/page`.
fn site(probe: &str) -> Site {
    let site = Site::new("");
    let socket = site.root.join("current/run/app.sock");
    site.settings(&format!(
        "{}[[health]]\nurl = \"http://unix:{}:/page\"\nrelease = \"header:X-Release\"\n\
         within = \"500ms\"\ninterval = \"50ms\"\n[probe]\nrate = 50\n{probe}",
        crate::process::settings(),
        socket.display()
    ));
    site
}

/// What a lane of the picture shows before the switch and after it.
#[track_caller]
fn lane(shown: &Output, label: &str) -> (String, String) {
    let start = format!("  {label} ");
    let mut lines = shown.stdout.lines();
    let line = lines.find(|line| line.starts_with(&start) && line.contains('│'));
    let line = line.unwrap_or_else(|| panic!("no lane `{label}`:\n{shown}"));
    let (before, after) = line[start.len()..].split_once('│').unwrap();
    (before.trim().to_owned(), after.trim().to_owned())
}

fn samples(site: &Site, id: &str) -> Vec<Value> {
    site.record(id)["samples"].as_array().unwrap().clone()
}

#[test]
fn a_good_release_is_drawn_taking_over() {
    let site = site("watch = \"600ms\"\n");
    let first = site.release("v1");
    assert!(samples(&site, &first).is_empty(), "nothing was asked yet");
    let second = site.release("v2");
    let shown = site.does("show");
    let (old, old_after) = lane(&shown, "old");
    let (new_before, new) = lane(&shown, "new");
    assert!(old.ends_with('▇') && new.ends_with('▇'), "{shown}");
    assert!(
        new_before.is_empty() && old_after.len() <= '▇'.len_utf8(),
        "{shown}"
    );
    assert_eq!(lane(&shown, "failed"), Default::default(), "{shown}");
    let shown = shown
        .says("switch")
        .says("0 failed")
        .says(&first)
        .says("p99");
    assert!(shown.stdout.lines().all(|line| !line.contains('\u{1b}')));

    let requests = site.does("--json show").json();
    assert_eq!(requests["id"], second.as_str());
    let requests = requests["samples"].as_array().unwrap();
    assert!(requests.iter().all(|sample| sample["ok"] == true));
    assert_eq!(requests[0]["release"], first.as_str());
    assert_eq!(requests[requests.len() - 1]["release"], second.as_str());
}

#[test]
fn a_release_that_is_taken_back_shows_when_it_failed_and_that_the_old_one_is_back() {
    let site = site("");
    let first = site.release("v1");
    site.file("sick-page", "");
    let back = site.releasing("v2").run().exits(3).json();
    let bad = back["release"].as_str().unwrap();
    let shown = site.does(&format!("show {bad}"));
    let (_, failed) = lane(&shown, "failed");
    let (until_back, after) = failed.split_once('│').unwrap();
    let has_failed_later = after.chars().skip(1).any(|cell| cell == 'x');
    assert!(until_back.contains('x') && !has_failed_later, "{shown}");
    shown
        .says("taken back")
        .says("by the new release")
        .says(&format!("old ({first})"));
    assert!(site.record(bad)["taken_back_ms"].as_u64().unwrap() >= 400);

    // A rollback whose target is sick is taken back as well, and its target shows it.
    std::fs::remove_file(site.source.join("sick-page")).unwrap();
    site.release("v3");
    let undone = site.zdd(&format!("rollback {bad}")).run().exits(3);
    let shown = site.does(&format!("show {bad}")).says("taken back");
    assert!(lane(&shown, "failed").1.contains('x'), "{undone}{shown}");
    assert_eq!(site.state(bad), "bad");
}

#[test]
fn only_the_last_five_releases_keep_their_samples() {
    let site = site("");
    site.release("v0");
    let ids: Vec<String> = (1..=6).map(|n| site.release(&format!("v{n}"))).collect();
    let has_samples = |id: &String| !samples(&site, id).is_empty();
    assert!(!has_samples(&ids[0]), "it is the sixth-newest");
    assert!(ids[1..].iter().all(has_samples));
    assert!(
        !site.record(&ids[0])["cutover"].is_null(),
        "the figures stay"
    );
    site.does(&format!("show {}", ids[0]))
        .says("cutover")
        .does_not_say("│");

    // The target of a rollback is drawn however old it is.
    site.does(&format!("rollback {}", ids[0]));
    assert!(has_samples(&ids[0]));
    site.release("v7");
    assert!(!has_samples(&ids[0]) && !has_samples(&ids[1]) && has_samples(&ids[2]));
}
