//! Own processes as those of zddeploy: a start script that leaves a daemon behind, which writes its
//! pid and its port; ended by a command with that pid behind it.

use std::fs::{self, File};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::proxy::place::Place;
use crate::sandbox::{Output, processes};

const PROXY: &str = "
[proxy]
template = \"nginx.conf.template\"
output = \"nginx.conf\"
pid_file = \"nginx.pid\"
";

const SERVICE: &str = "[[service]]
name = \"web\"
cwd = \"bin\"
start = \"./start.sh\"
stop = \"kill -TERM\"
pid_file = \"web.pid\"
switch_timeout = \"15s\"
stop_timeout = \"2s\"
";

/// The server runs in the release, its script in a directory of it.
fn place() -> Option<Place> {
    let place = Place::new(&format!("{SERVICE}{PROXY}"))?;
    script(&place, "cd ..; setsid python3 server.py </dev/null &");
    release(&place, "v1", "good").exits(0);
    assert_eq!(place.serves().as_deref(), Some("v1"));
    Some(place)
}

fn script(place: &Place, lines: &str) {
    use std::os::unix::fs::PermissionsExt;
    place
        .site
        .file("bin/start.sh", &format!("#!/bin/sh\n{lines}\n"));
    let path = place.site.source.join("bin/start.sh");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn release(place: &Place, version: &str, mode: &str) -> Output {
    place.release(version, mode)
}

fn live_pid(place: &Place) -> u32 {
    let text = fs::read_to_string(place.path("current/web.pid")).unwrap();
    text.trim().parse().unwrap()
}

/// Runs something that fails, under load: the old daemon serves on, and nothing else is left.
fn fails(place: &Place, mode: &str) -> String {
    let before = place.state();
    let load = place.load();
    let output = release(place, "bad", mode).exits(1);
    load.lost_none();
    assert_eq!(place.state(), before, "{output}");
    output.to_string()
}

#[test]
fn each_release_has_its_daemon_and_the_old_one_is_ended_by_its_command() {
    let Some(place) = place() else { return };
    let first = live_pid(&place);
    assert_eq!(place.servers(), [first]);
    let load = place.load();
    place.site.file("mode", "good");
    place.site.code("v2");
    let source = place.site.source.clone();
    let output = place
        .site
        .zdd("-v --json release")
        .arg(source)
        .run()
        .exits(0);
    assert_eq!(output.json()["running"][0]["verdict"], "proved", "{output}");
    output.says(&format!("running `kill -TERM {first}` in "));
    let second = live_pid(&place);
    assert_ne!(first, second);
    assert_eq!(place.servers(), [second]);
    place.site.does("rollback");
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v1"));
    assert_eq!(place.servers(), [live_pid(&place)]);
    let status = place.site.does("--json status").json();
    assert_eq!(status["running"][0]["verdict"], "proved", "{status}");
}

#[test]
fn one_that_ends_says_nothing_or_is_not_started_never_meets_users() {
    let Some(place) = place() else { return };
    let said = fails(&place, "dies");
    assert!(said.contains("its process ended"), "{said}");
    script(&place, "echo no such thing >&2; exit 7");
    let said = fails(&place, "good");
    assert!(said.contains("its command ended with 7"), "{said}");
    assert!(said.contains("no such thing"), "{said}");
    place
        .site
        .settings(&format!("{SERVICE}{PROXY}").replace("\"15s\"", "\"1s\""));
    script(&place, "cd ..; setsid sleep 60 </dev/null &");
    let said = fails(&place, "good");
    assert!(said.contains("no pid of a new process in"), "{said}");
}

#[test]
fn a_daemon_that_does_not_end_when_told_is_killed() {
    let Some(place) = place() else { return };
    let settings = format!("{SERVICE}{PROXY}").replace("kill -TERM", "true");
    place.site.settings(&settings);
    release(&place, "v2", "good").exits(0);
    let second = live_pid(&place);
    release(&place, "v3", "good")
        .exits(0)
        .says("and was killed");
    assert_ne!(live_pid(&place), second);
    assert_eq!(place.servers(), [live_pid(&place)]);
}

#[test]
fn a_pid_that_belongs_to_somebody_else_by_now_is_left_alone() {
    let Some(place) = place() else { return };
    let old = live_pid(&place);
    kill(Pid::from_raw(old.cast_signed()), Signal::SIGKILL).unwrap();
    let mut stranger = std::process::Command::new("sleep")
        .arg("100")
        .spawn()
        .unwrap();
    let path = place.path("current/web.pid");
    fs::write(&path, stranger.id().to_string()).unwrap();
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let file = File::options().write(true).open(path).unwrap();
    file.set_modified(hour_ago).unwrap();
    // What was taken down with the time of its start, too.
    let id = place.site.current().unwrap();
    let taken = place.path(&format!(".zdd/instances/{id}-0.pid"));
    fs::write(taken, format!("{} 1\n", stranger.id())).unwrap();
    place.site.zdd("status").run().exits(1);
    release(&place, "v2", "good").exits(0);
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert!(stranger.try_wait().unwrap().is_none(), "it was ended");
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[test]
fn a_command_killed_while_the_daemon_starts_leaves_nothing() {
    let Some(place) = place() else { return };
    let before = place.state();
    let mut run = place.releasing("v2", "slow").spawn();
    run.wait_until("the daemon is started", |_| {
        let all = processes::inside(&place.site.root.join("releases"));
        all.len() > 1 && !all.iter().any(|(_, directory)| directory.ends_with("bin"))
    });
    run.signal(Signal::SIGKILL);
    run.wait();
    place.site.does("recover");
    assert_eq!(place.state(), before);
    assert_eq!(place.serves().as_deref(), Some("v1"));
}
