//! Ctrl-C, TERM, a closed terminal: before the switch, after it, in the watch.

use nix::sys::signal::Signal;

use crate::sandbox::{Site, processes};

/// A live v1, and a v2 that hangs in this hook.
fn hanging_in(point: &str) -> Site {
    let site = Site::new("");
    site.release("v1");
    site.hook(point, "echo here; exec sleep 30");
    site
}

#[test]
fn interrupted_in_a_hook_before_the_switch_nothing_has_changed() {
    for (point, signal) in [("build", Signal::SIGINT), ("warm", Signal::SIGTERM)] {
        let site = hanging_in(point);
        let mut release = site.releasing("v2").spawn();
        release.wait_until_it_says(&format!("hook {point}"));
        std::thread::sleep(std::time::Duration::from_millis(200));
        release.signal(signal);
        let output = release.wait().exits(130);
        assert_eq!(output.json()["outcome"], "interrupted");
        assert_eq!(site.version().as_deref(), Some("v1"));
        assert_eq!(
            processes::inside(&site.root),
            [],
            "the hook's processes are gone"
        );
        assert!(!site.root.join(".zdd/journal.jsonl").exists());
        let id = output.json()["release"].as_str().unwrap().to_owned();
        assert_eq!(site.state(&id), "failed");
    }
}

#[test]
fn interrupted_after_the_switch_the_release_is_taken_back() {
    let site = hanging_in("verify");
    let mut release = site.releasing("v2").spawn();
    release.wait_until_it_says("hook verify");
    std::thread::sleep(std::time::Duration::from_millis(200));
    release.signal(Signal::SIGINT);
    let output = release.wait().exits(3);
    assert_eq!(output.json()["outcome"], "rolled_back");
    assert_eq!(site.version().as_deref(), Some("v1"));
    assert_eq!(processes::inside(&site.root), []);
}

#[test]
fn interrupted_in_the_watch_the_release_is_taken_back() {
    let site = Site::new("");
    site.release("v1");
    site.settings("[[health]]\ncommand = \"true\"\n[probe]\nwatch = \"40s\"\n");
    let mut release = site.releasing("v2").spawn();
    release.wait_until_it_says("Watching");
    release.signal(Signal::SIGINT);
    let output = release.wait().exits(3);
    assert!(output.took.as_secs() < 20, "{output}");
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn interrupted_after_the_commit_the_release_is_finished() {
    let site = Site::new("");
    site.release("v1");
    site.hook("finish", "echo here; sleep 0.5");
    let mut release = site.releasing("v2").spawn();
    release.wait_until_it_says("hook finish");
    release.signal(Signal::SIGINT);
    release.wait().exits(0);
    assert_eq!(site.version().as_deref(), Some("v2"));
    assert_eq!(site.state(&site.current().unwrap()), "live");
    assert!(!site.root.join(".zdd/journal.jsonl").exists());
}

#[test]
fn a_closed_terminal_stops_nothing() {
    for point in ["build", "warm", "verify", "finish"] {
        let site = Site::new("");
        site.release("v1");
        site.hook(point, "sleep 0.3");
        let mut release = site.releasing("v2").spawn();
        release.wait_until_it_says(&format!("hook {point}"));
        release.signal(Signal::SIGHUP);
        release.wait().exits(0);
        assert_eq!(site.version().as_deref(), Some("v2"));
    }
}

#[test]
fn a_second_interrupt_does_not_stop_the_way_back() {
    let site = Site::new("");
    site.release("v1");
    site.settings("[[service]]\nreload = \"sleep 0.4\"\n[hooks]\nverify = \"sleep 30\"\n");
    let mut release = site.releasing("v2").spawn();
    release.wait_until_it_says("hook verify");
    std::thread::sleep(std::time::Duration::from_millis(200));
    release.signal(Signal::SIGINT);
    release.wait_until_it_says("back to");
    release.signal(Signal::SIGINT);
    let output = release.wait();
    assert_eq!(site.version().as_deref(), Some("v1"), "{output}");
    assert!([3, 4].contains(&output.code), "{output}");
    site.does("recover");
    site.release("v3");
}
