//! Pages that were loaded before a switch find their files after it, for as long as the release
//! that followed is live; and no file adds up from release to release.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::sandbox::Site;
use crate::sandbox::site::names_in;

const SETTINGS: &str = "keep = 9\n[shared]\nbridge = [\"static\"]\n";

/// Each version has one asset that no other has, in a folder of its own, and two that all have.
fn build(site: &Site) {
    site.hook(
        "build",
        "v=$(cat version); mkdir -p static/$v; echo $v > static/$v/app.$v.js
         echo $v > static/site.css; echo same > static/logo.svg; test ! -e hook || . ./hook",
    );
}

fn site() -> Site {
    let site = Site::new(SETTINGS);
    build(&site);
    site
}

/// Every file that users can get in `static/`, with its text.
fn served(site: &Site) -> Vec<String> {
    files(&site.root.join("current/static"))
}

fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for name in names_in(directory) {
        let path = directory.join(&name);
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(format!(
                "{name}={}",
                fs::read_to_string(&path).unwrap().trim()
            )),
        }
    }
    found.sort();
    found
}

#[test]
fn assets_of_the_release_before_are_found_until_the_next_release() {
    let site = site();
    site.release("v1");
    site.release("v2");
    assert_eq!(
        served(&site),
        [
            "app.v1.js=v1",
            "app.v2.js=v2",
            "logo.svg=same",
            "site.css=v2"
        ]
    );
    site.release("v3");
    assert_eq!(
        served(&site),
        [
            "app.v2.js=v2",
            "app.v3.js=v3",
            "logo.svg=same",
            "site.css=v3"
        ]
    );
    assert!(!site.root.join("current/static/v1").exists());
}

#[test]
fn they_are_found_after_a_rollback_and_do_not_add_up() {
    let site = site();
    for version in ["v1", "v2", "v3"] {
        site.release(version);
    }
    site.does("rollback");
    let after_one = [
        "app.v2.js=v2",
        "app.v3.js=v3",
        "logo.svg=same",
        "site.css=v2",
    ];
    assert_eq!(served(&site), after_one);
    site.does("rollback");
    assert_eq!(
        served(&site),
        [
            "app.v1.js=v1",
            "app.v2.js=v2",
            "logo.svg=same",
            "site.css=v1"
        ]
    );
    // The release left is as it was built but for the one whose place it took, and the one that
    // took its place.
    site.release("v4");
    assert_eq!(
        served(&site),
        [
            "app.v1.js=v1",
            "app.v4.js=v4",
            "logo.svg=same",
            "site.css=v4"
        ]
    );
}

#[test]
fn they_outlive_the_release_they_come_from() {
    let site = site();
    let first = site.release("v1");
    site.release("v2");
    fs::remove_dir_all(site.root.join("releases").join(&first)).unwrap();
    assert!(served(&site).contains(&"app.v1.js=v1".to_owned()));
}

#[test]
fn what_is_written_down_about_a_release_goes_with_it() {
    let site = site();
    site.release("v1");
    site.release("v2");
    site.settings("keep = 2\n[shared]\nbridge = [\"static\"]\n");
    site.release("v3");
    let last = site.release("v4");
    let written = names_in(&site.root.join(".zdd/bridged"));
    assert_eq!(written.len(), 2, "{written:?}");
    assert!(written.contains(&format!("{last}.json")));
}

#[test]
fn assets_of_a_release_that_was_taken_back_are_found() {
    let site = site();
    site.release("v1");
    site.release("v2");
    site.hook(
        "verify",
        "test -e ../../current/static/v2/app.v2.js && exit 1",
    );
    site.releasing("v3").run().exits(3);
    assert_eq!(
        served(&site),
        [
            "app.v1.js=v1",
            "app.v2.js=v2",
            "app.v3.js=v3",
            "logo.svg=same",
            "site.css=v2"
        ]
    );
    // Those of the last two: until the flip, pages of the one before may still be open.
    site.releasing("v4").run().exits(3);
    assert!(served(&site).contains(&"app.v3.js=v3".to_owned()));
    site.releasing("v5").run().exits(3);
    assert_eq!(
        served(&site),
        [
            "app.v1.js=v1",
            "app.v2.js=v2",
            "app.v4.js=v4",
            "app.v5.js=v5",
            "logo.svg=same",
            "site.css=v2"
        ]
    );
    // The next one has those of the last, before its flip and after it.
    fs::remove_file(site.source.join("hooks/verify")).unwrap();
    site.hook("warm", "test -e ../../current/static/v5/app.v5.js");
    site.release("v6");
    assert_eq!(
        served(&site),
        [
            "app.v2.js=v2",
            "app.v5.js=v5",
            "app.v6.js=v6",
            "logo.svg=same",
            "site.css=v6"
        ]
    );
    fs::remove_file(site.source.join("hooks/warm")).unwrap();
    site.release("v7");
    assert_eq!(
        served(&site),
        [
            "app.v6.js=v6",
            "app.v7.js=v7",
            "logo.svg=same",
            "site.css=v7"
        ]
    );
}

#[test]
fn a_release_that_no_user_met_leaves_nothing() {
    let site = site();
    site.release("v1");
    let live = site.root.join("current/static");
    let before = (served(&site), names_in(&live));
    site.hook("warm", "ls ../../current/static/v2 && exit 1");
    site.releasing("v2").run().exits(1).says("app.v2.js");
    assert_eq!((served(&site), names_in(&live)), before);
}

#[test]
fn only_plain_files_of_the_release_itself_are_bridged() {
    let site = site();
    fs::write(site.scratch().join("secret"), "secret").unwrap();
    let out = site.scratch().display().to_string();
    site.file(
        "hook",
        &format!(
            "ln -s {out} static/out; ln -s {out}/secret static/secret; ln -s site.css static/s.css
             mkfifo static/pipe; echo old > static/site.css.gz; mkdir static/both; echo > static/both/x"
        ),
    );
    site.release("v1");
    // A file where the old release has a folder, and no compressed form of a file with one name.
    site.file("hook", "echo new > static/both");
    site.release("v2");
    assert_eq!(
        served(&site),
        [
            "app.v1.js=v1",
            "app.v2.js=v2",
            "both=new",
            "logo.svg=same",
            "site.css=v2"
        ]
    );

    site.file("hook", &format!("rm -r static; ln -s {out} static"));
    let refused = site.releasing("v3").run().exits(1);
    refused.says("is no directory of the release's own");
    assert_eq!(names_in(site.scratch()), ["code", "secret", "site"]);
}

#[test]
fn a_directory_that_was_shared_can_become_a_bridged_one() {
    let site = Site::new("[shared]\ndirs = [\"static\"]\n");
    site.release("v1");
    fs::write(site.root.join("shared/static/up.png"), "up").unwrap();
    site.settings(SETTINGS);
    build(&site);
    site.releasing("v2")
        .run()
        .exits(0)
        .says("no directory of its own");
    assert_eq!(
        served(&site),
        ["app.v2.js=v2", "logo.svg=same", "site.css=v2"]
    );
    assert_eq!(names_in(&site.root.join("shared/static")), ["up.png"]);
    site.does("rollback --force");
    assert_eq!(names_in(&site.root.join("shared/static")), ["up.png"]);
}

#[test]
fn a_kill_between_makes_no_file_its_own() {
    let site = site();
    site.release("v1");
    site.release("v2");
    // It ends in the middle, with the files of both linked and nothing undone.
    site.hook("warm", "kill -9 $PPID");
    let killed = site.releasing("v3").run();
    assert_eq!(killed.signal, Some(9), "{killed}");
    assert!(served(&site).contains(&"app.v3.js=v3".to_owned()));
    fs::remove_file(site.source.join("hooks/warm")).unwrap();
    site.does("recover");
    assert_eq!(
        served(&site),
        [
            "app.v1.js=v1",
            "app.v2.js=v2",
            "logo.svg=same",
            "site.css=v2"
        ]
    );
    site.release("v4");
    assert_eq!(
        served(&site),
        [
            "app.v2.js=v2",
            "app.v4.js=v4",
            "logo.svg=same",
            "site.css=v4"
        ]
    );
    // What is written down is lost: one release late, the files go.
    for name in names_in(&site.root.join(".zdd/bridged")) {
        fs::write(site.root.join(".zdd/bridged").join(name), "{").unwrap();
    }
    site.release("v5");
    site.release("v6");
    assert_eq!(
        served(&site),
        [
            "app.v5.js=v5",
            "app.v6.js=v6",
            "logo.svg=same",
            "site.css=v6"
        ]
    );
}

#[test]
fn the_plan_says_so_and_the_steps_too() {
    let site = site();
    let _ = symlink("/nowhere", site.root.join("unrelated"));
    let first = site.releasing("v1").run().exits(0).json();
    let planned = site
        .zdd("release --dry-run")
        .arg(&site.source)
        .run()
        .exits(0);
    planned.says("bridge: static");
    let second = site
        .releasing("v2")
        .run()
        .exits(0)
        .says("Bridged 1 file of");
    let names = |json: &serde_json::Value| {
        let steps = json["steps"].as_array().unwrap();
        let names = steps
            .iter()
            .map(|step| step["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    assert!(names(&second.json()).contains(&"bridge".to_owned()));
    assert!(names(&first).contains(&"bridge".to_owned()));
}
