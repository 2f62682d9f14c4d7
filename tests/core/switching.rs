//! Releases and rollbacks that end in an unusual way, and what is refused.

use std::path::PathBuf;
use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;

use crate::place::{Place, files_in};

#[test]
fn a_rollback_whose_target_fails_goes_back_to_what_was_healthy() {
    let place = Place::new();
    place.good(&["release"]);
    let first = place.current();
    place.good(&["release"]);
    let second = place.current();
    fs::write(
        place.path("site/releases").join(&first).join("status"),
        "500",
    )
    .unwrap();
    let ended = place.zdd(&["rollback"]);
    assert_eq!(ended.code, 3, "{}", ended.stderr);
    assert_eq!(place.current(), second);
    assert_eq!(place.state_of(&first), "retired");
    assert_eq!(place.instances().len(), 1);
    assert!(!place.has_journal());
}

#[test]
fn a_rollback_whose_target_fails_stays_when_what_it_left_was_not_healthy_either() {
    let place = Place::new();
    place.good(&["release"]);
    let first = place.current();
    place.good(&["release"]);
    let second = place.current();
    for id in [&first, &second] {
        fs::write(place.path("site/releases").join(id).join("status"), "500").unwrap();
    }
    let ended = place.zdd(&["rollback", "--json"]);
    assert_eq!(ended.code, 4, "{}", ended.stderr);
    let object: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(object["outcome"], "rollback_failed");
    assert_eq!(object["serving"], first.as_str());
    assert!(ended.stderr.contains("stays"), "{}", ended.stderr);
    assert_eq!(place.current(), first);
    assert_eq!(place.state_of(&first), "live");
    assert_eq!(place.state_of(&second), "bad");
    assert!(!place.has_journal());
    fs::write(place.path("src/status"), "200").unwrap();
    place.good(&["release"]);
}

#[test]
fn a_process_that_todays_settings_no_longer_name_is_stopped() {
    let place = Place::new();
    place.good(&["release"]);
    assert_eq!(place.instances().len(), 1);
    let here = place.guard.path().display();
    let text = format!("root = \"{here}/site\"\n[source]\npath = \"src\"\n");
    fs::write(place.path("zdd.toml"), text).unwrap();
    place.good(&["release"]);
    assert_eq!(place.instances(), Vec::<PathBuf>::new());
}

#[test]
fn settings_that_travel_in_the_code_are_found_by_a_rollback() {
    let place = Place::new();
    fs::rename(place.path("zdd.toml"), place.path("src/zdd.toml")).unwrap();
    let root = place.path("site").display().to_string();
    let source = place.path("src").display().to_string();
    for _ in 0..2 {
        place.good(&["release", &source, "--root", &root]);
    }
    place.good(&["rollback", "--root", &root]);
    let status = place.good(&["status", "--json", "--root", &root]);
    let object: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(object["running"][0]["verdict"], "proved", "{object}");
}

#[test]
fn a_mistyped_root_is_not_made_by_commands_that_release_nothing() {
    let place = Place::new();
    let root = place.path("typo");
    for words in [["prune"], ["rollback"], ["recover"]] {
        let ended = place.zdd(&[words[0], "--root", root.to_str().unwrap()]);
        assert_eq!(ended.code, 1, "{}", ended.stderr);
        assert!(!root.exists(), "{} made it", words[0]);
    }
}

#[test]
fn wrong_settings_and_a_wrong_source_are_told_as_json_with_the_schema_first() {
    let place = Place::new();
    let ended = place.zdd(&["release", "nowhere", "--json"]);
    assert_eq!(ended.code, 1);
    assert!(
        ended
            .stdout
            .starts_with("{\"schema\":1,\"outcome\":\"refused\"")
    );
    fs::write(place.path("zdd.toml"), "kep = 3\n").unwrap();
    for (verb, start) in [
        ("release", "{\"schema\":1,\"outcome\":\"refused\""),
        ("status", "{\"schema\":1,\"error\":{"),
    ] {
        let ended = place.zdd(&[verb, "--json"]);
        assert_eq!(ended.code, 2);
        assert!(ended.stdout.starts_with(start), "{}", ended.stdout);
        let object: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(object["errors"][0]["line"], 1);
    }
}

#[test]
fn everything_that_stands_against_a_release_is_said_at_once() {
    let place = Place::new();
    place.configure("shared.files = [\".env\"]\nrequire.env = [\"ZDD_NEVER_SET\"]");
    let ended = place.zdd(&["release", "nowhere"]);
    assert_eq!(ended.code, 1);
    for part in ["nowhere", ".env", "ZDD_NEVER_SET"] {
        assert!(ended.stderr.contains(part), "{part}: {}", ended.stderr);
    }
}

#[test]
fn a_second_interrupt_does_not_break_off_what_puts_the_site_back() {
    let place = Place::new();
    let here = place.guard.path().display();
    let settings = |verify: &str| {
        let text = format!(
            "root = \"{here}/site\"\nhooks.verify = \"{verify}\"\n[source]\npath = \"src\"\n\
             [[service]]\nreload = \"echo begin $ZDD_RELEASE >>{here}/told; sleep 1; \
             echo end $ZDD_RELEASE >>{here}/told\"\n"
        );
        fs::write(place.path("zdd.toml"), text).unwrap();
    };
    let told = || fs::read_to_string(place.path("told")).unwrap_or_default();
    let until = |lines: usize| {
        while told().lines().count() < lines {
            thread::sleep(Duration::from_millis(20));
        }
    };
    settings("true");
    place.good(&["release"]);
    let first = place.current();
    settings("sleep 30");
    let mut child = place.started(&["release"]);
    let pid = nix::unistd::Pid::from_raw(child.id().cast_signed());
    let interrupt = || nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    until(4);
    thread::sleep(Duration::from_millis(300));
    interrupt();
    until(5);
    interrupt();
    assert_eq!(child.wait().unwrap().code(), Some(3));
    assert_eq!(place.current(), first);
    assert!(told().ends_with(&format!("end {first}\n")), "{}", told());
    assert!(!place.has_journal());
}

#[test]
fn a_flip_that_is_refused_is_a_failure_before_the_switch() {
    let place = Place::new();
    place.good(&["release"]);
    let first = place.current();
    // A directory of the name that the flip needs, made where nothing looks for it before.
    let here = place.guard.path().display();
    let obstacle = format!("mkdir {here}/site/.current.zdd-$PPID");
    place.configure(&format!("hooks.warm = \"{obstacle}\""));
    let ended = place.zdd(&["release"]);
    assert_eq!(ended.code, 1, "{}", ended.stderr);
    assert_eq!(place.current(), first);
    assert!(!place.has_journal());
    for file in files_in(&place.path("site")) {
        if file.to_str().unwrap().contains(".current.zdd-") {
            fs::remove_dir(file).unwrap();
        }
    }
    place.configure("");
    place.good(&["release"]);
}
