//! What the next command makes of one that was killed.

use std::time::Duration;
use std::{fs, thread};

use serde_json::Value;

use crate::place::{Place, kill};

#[test]
fn recovery_asks_again_what_was_interrupted_and_undoes_what_then_fails() {
    let place = Place::new();
    place.good(&["release"]);
    let first = place.current();
    place.killed_in_verify(true);
    let second = place.current();
    assert_ne!(first, second);
    // The journal has the hook, whatever the settings say by now: it is asked again, and hangs.
    let status = place.zdd(&["status", "--json"]);
    assert_eq!(status.code, 1);
    let object: Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!(object["unfinished"]["step"], "hook_verify");
    let mut child = place.started(&["recover"]);
    let pid = place.path("site/current/hook_pid");
    fs::remove_file(&pid).unwrap();
    while !fs::read_to_string(&pid).is_ok_and(|text| text.ends_with('\n')) {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        thread::sleep(Duration::from_millis(20));
    }
    kill(&fs::read_to_string(&pid).unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(place.current(), first);
    assert_eq!(place.state_of(&second), "bad");
    assert!(!place.has_journal());
    assert_eq!(place.instances().len(), 1);
}

#[test]
fn recovery_puts_the_link_back_when_the_files_of_the_new_release_are_gone() {
    let place = Place::new();
    place.good(&["release"]);
    let first = place.current();
    place.killed_in_verify(true);
    let second = place.current();
    let file = place
        .path("site/.zdd/instances")
        .join(format!("{second}-0.pid"));
    let pid = fs::read_to_string(file).unwrap();
    kill(pid.split(' ').next().unwrap());
    fs::remove_dir_all(place.path("site/releases").join(&second)).unwrap();
    let ended = place.good(&["recover"]);
    assert_eq!(place.current(), first, "{}", ended.stderr);
    assert!(!place.has_journal());
    place.good(&["status"]);
}

#[test]
fn a_lost_env_file_does_not_keep_recovery_from_the_undo() {
    let place = Place::new();
    fs::write(place.path("env"), "A=1\n").unwrap();
    place.good(&["release"]);
    let first = place.current();
    place.configure("env_file = \"env\"\nhooks.build = \"sleep 30\"");
    let mut child = place.started(&["release"]);
    while !fs::read_to_string(place.path("site/.zdd/journal.jsonl"))
        .is_ok_and(|text| text.contains("hook_leader"))
    {
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(place.path("env")).unwrap();
    place.configure("");
    let journal = fs::read_to_string(place.path("site/.zdd/journal.jsonl")).unwrap();
    let fact = journal
        .lines()
        .find(|line| line.contains("hook_leader"))
        .unwrap();
    let fact: Value = serde_json::from_str(fact).unwrap();

    let refused = place.zdd(&["release"]);
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("hook build"), "{}", refused.stderr);
    let waiting = place.started(&["recover", "--wait", "20s"]);
    thread::sleep(Duration::from_millis(300));
    kill(&fact["value"]["pid"].to_string());
    let code = waiting.wait_with_output().unwrap().status.code();
    assert_eq!(code, Some(0));
    assert_eq!(place.current(), first);
    assert!(!place.has_journal());
}

#[test]
fn a_damaged_journal_is_left_to_the_commands_that_change_something() {
    let place = Place::new();
    place.good(&["release"]);
    fs::write(place.path("site/.zdd/journal.jsonl"), "nonsense\n").unwrap();
    let list = place.good(&["list"]);
    assert!(list.stderr.contains("line 1"), "{}", list.stderr);
    assert_eq!(place.zdd(&["status"]).code, 1);
    assert!(place.has_journal());
    assert_eq!(place.zdd(&["release"]).code, 4);
    assert!(!place.has_journal());
    place.good(&["release"]);
}

#[test]
fn what_cannot_be_undone_is_set_aside_after_three_attempts() {
    let place = Place::new();
    let here = place.guard.path().display();
    let settings = |verify: &str| {
        let text = format!(
            "root = \"{here}/site\"\nhooks.verify = \"{verify}\"\n[source]\npath = \"src\"\n\
             [[service]]\nreload = \"test ! -e {here}/broken\"\n"
        );
        fs::write(place.path("zdd.toml"), text).unwrap();
    };
    settings("true");
    place.good(&["release"]);
    let first = place.current();
    settings(&format!("touch {here}/broken; false"));
    assert_eq!(place.zdd(&["release"]).code, 4);
    assert_eq!(place.current(), first);
    settings("true");
    for attempt in 1..=3 {
        assert!(place.has_journal(), "attempt {attempt}");
        assert_eq!(place.zdd(&["release"]).code, 4, "attempt {attempt}");
    }
    assert!(!place.has_journal());
    assert_eq!(place.zdd(&["release"]).code, 4, "its own reload fails");
    fs::remove_file(place.path("broken")).unwrap();
    place.good(&["release"]);
}

#[test]
fn a_recovery_after_the_commit_repeats_nothing_and_forgets_nothing() {
    let place = Place::new();
    place.good(&["release"]);
    let here = place.guard.path().display().to_string();
    let once = format!("test -e {here}/again && exit; touch {here}/again; exec sleep 30");
    place.configure(&format!("hooks.finish = \"{once}\""));
    let mut child = place.started(&["release"]);
    while !place.path("again").exists() {
        thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let journal = fs::read_to_string(place.path("site/.zdd/journal.jsonl")).unwrap();
    let leader = journal.lines().last().unwrap();
    let leader: Value = serde_json::from_str(leader).unwrap();
    kill(&leader["value"]["pid"].to_string());
    let shown =
        || -> Value { serde_json::from_str(&place.good(&["show", "--json"]).stdout).unwrap() };
    let before = shown();
    place.good(&["recover"]);
    let after = shown();
    assert!(!place.has_journal());
    for key in [
        "state", "live_at", "took_ms", "running", "health", "cutover",
    ] {
        assert_eq!(before[key], after[key], "{key}");
    }
    let steps = after["steps"].as_array().unwrap();
    let names: Vec<&str> = steps
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    assert!(
        names.starts_with(&["create", "fill"])
            && names.ends_with(&["verify", "hook_verify", "finish"]),
        "{names:?}"
    );
    assert_eq!(place.instances().len(), 1);
}
