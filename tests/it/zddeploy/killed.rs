//! A run that is killed, as by a power cut: the next command puts back or finishes what it left.

use std::net::{Ipv4Addr, TcpListener};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::released;
use crate::sandbox::in_place::Place;
use crate::sandbox::load::{self, Load};

#[test]
fn a_killed_run_is_put_back_by_the_next_command() {
    let Some(place) = released() else { return };
    let (files, servers) = (place.files(), place.servers());
    place.code("v2", "slow");
    let mut run = place.zdd("release").spawn();
    run.wait_until("the server is started", |_| place.servers().len() == 2);
    run.signal(Signal::SIGKILL);
    run.wait();
    place
        .zdd("status")
        .run()
        .exits(1)
        .says("an interrupted release (in step");
    let load = place.load();
    place.zdd("recover").run().exits(0).says("Recovered");
    load.lost_none();
    assert_eq!(place.files(), files);
    assert_eq!(place.servers(), servers);

    let mut run = place.zdd("release").spawn();
    run.wait_until("the server is started", |_| place.servers().len() == 2);
    run.signal(Signal::SIGKILL);
    run.wait();
    place.code("v3", "good");
    place.release().exits(0).says("Recovered");
    assert_eq!(place.serves().as_deref(), Some("v3"));
    assert_eq!(place.servers().len(), 1);
}

/// Starts a release and kills it once its journal has this text.
fn killed_at(place: &Place, text: &str) {
    let mut run = place.zdd("release").spawn();
    run.wait_until(text, |_| place.journal_has(text));
    run.signal(Signal::SIGKILL);
    run.wait();
}

#[test]
fn killed_while_nginx_changes_over_it_is_put_back() {
    let Some(place) = released() else { return };
    let (files, servers) = (place.files(), place.servers());
    place.code("v2", "good");
    let load = place.load();
    killed_at(&place, "\"telling\"");
    assert_ne!(place.files(), files, "it was in the middle");
    // Whether it was told already is chance; that it was is what is tried here.
    let nginx = place.pid("nginx.pid").cast_signed();
    kill(Pid::from_raw(nginx), Signal::SIGHUP).unwrap();
    place.await_version("v2");
    place
        .zdd("status")
        .run()
        .exits(1)
        .says("an interrupted release (in step switch) will be undone");
    place.zdd("recover").run().exits(0).says("Recovered");
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v1"));
    assert_eq!(place.files(), files);
    assert_eq!(place.servers(), servers);
    place.zdd("status").run().exits(0);
}

#[test]
fn killed_while_nginx_starts_it_is_ended_again() {
    let Some(place) = released() else { return };
    let servers = place.servers();
    place.end_nginx();
    let files = place.files();
    place.code("v2", "good");
    killed_at(&place, "\"telling\"");
    // Whether it was started already is chance; that it was is what is tried here.
    std::thread::sleep(std::time::Duration::from_millis(300));
    // A test of the settings leaves an empty one.
    if place.read("nginx.pid").is_none_or(|pid| pid.is_empty()) {
        place.start_nginx("nginx.conf");
    }
    place.await_version("v2");
    place.zdd("recover").run().exits(0).says("Recovered");
    assert_eq!(place.serves(), None, "it did not run before");
    assert_eq!(place.files(), files);
    assert_eq!(place.servers(), servers);
}

#[test]
fn killed_while_nginx_refuses_to_change_over_it_is_put_back() {
    let Some(place) = released() else { return };
    let (files, servers) = (place.files(), place.servers());
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    place.code("v2", "good");
    place.template(taken.local_addr().unwrap().port(), "");
    let load = place.load();
    killed_at(&place, "\"telling\"");
    assert_ne!(place.files(), files, "it was in the middle");
    place.template(place.port, "");
    place.release().exits(0).says("Recovered");
    load.lost_none();
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert_eq!(place.servers().len(), 1);
    assert!(!place.servers().contains(&servers[0]));
}

#[test]
fn killed_after_the_commit_it_is_finished() {
    let Some(place) = Place::new() else { return };
    place.code("v1", "abrupt");
    place.release().exits(0);
    let request = place.request_of(6);
    place.code("v2", "good");
    let load = place.load();
    killed_at(&place, "committed");
    assert_eq!(place.servers().len(), 2, "the old one still answers");
    place.zdd("status").run().exits(1).says("will be finished");
    place.zdd("recover").run().exits(0).says("Recovered");
    load.lost_none();
    assert_eq!(request.join().unwrap().as_deref(), Some("v1"));
    assert_eq!(place.serves().as_deref(), Some("v2"));
    assert_eq!(place.servers(), [place.pid("web.pid")]);
    let status = place.zdd("status --json").run().exits(0).json();
    assert_eq!(status["instances"][0]["pid"], place.pid("web.pid"));
}

/// Users are led to a new instance at another port by a release that is killed, and nginx cannot
/// go back to the old port, which is taken.
fn led_away(place: &Place) -> (u16, TcpListener) {
    let (old, new) = (place.port, load::free_port());
    place.code("v2", "good");
    place.template(new, "");
    killed_at(place, "\"telling\"");
    let nginx = place.pid("nginx.pid").cast_signed();
    kill(Pid::from_raw(nginx), Signal::SIGHUP).unwrap();
    let began = Instant::now();
    while load::ask(new).as_deref() != Some("v2") {
        assert!(began.elapsed() < Duration::from_secs(20), "never v2");
    }
    // nginx has left the old port, and cannot go back there.
    loop {
        if let Ok(taken) = TcpListener::bind((Ipv4Addr::LOCALHOST, old)) {
            return (new, taken);
        }
    }
}

#[test]
fn instances_that_nginx_cannot_be_led_away_from_serve_on() {
    let Some(place) = released() else { return };
    let (new, taken) = led_away(&place);
    let users = Load::on(new);
    let said = place.zdd("recover").run().exits(4);
    said.says("does not use").says("zdd status");
    users.lost_none();
    assert_eq!(load::ask(new).as_deref(), Some("v2"));
    drop(taken);
    place.zdd("recover").run().exits(0).says("Recovered");
    assert_eq!(place.serves().as_deref(), Some("v1"));
    assert_eq!(place.servers().len(), 1);
}

#[test]
fn instances_that_were_given_up_end_with_the_next_good_release() {
    let Some(place) = released() else { return };
    let (new, _taken) = led_away(&place);
    let users = Load::on(new);
    for _ in 0..2 {
        place.zdd("recover").run().exits(4);
    }
    place
        .zdd("recover")
        .run()
        .exits(0)
        .says("3 attempts failed");
    let list = place.zdd("list --json").run().exits(0).json();
    assert_eq!(list["instances"][1]["state"], "previous");
    // One that fails before users are led away from them ends nothing.
    place.code("v3", "dies");
    place.release().exits(1);
    assert_eq!(place.servers().len(), 2);
    place.code("v3", "good");
    place.release().exits(0);
    users.lost_none();
    assert_eq!(load::ask(new).as_deref(), Some("v3"));
    assert_eq!(place.servers(), [place.pid("web.pid")]);
    place.zdd("status").run().exits(0);
}

#[test]
fn settings_whose_last_good_ones_are_lost_are_left_as_they_are() {
    let Some(place) = released() else { return };
    place.code("v2", "good");
    killed_at(&place, "\"telling\"");
    let (kept, settings) = (".zdd/last-good.conf", place.read("nginx.conf"));
    let last_good = place.read(kept).unwrap();
    std::fs::remove_file(place.root.join(kept)).unwrap();
    let load = place.load();
    place
        .zdd("recover")
        .run()
        .exits(4)
        .says("nginx.conf` is left as it is")
        .says("last-good.conf")
        .says("web: it is left running");
    assert_eq!(place.read("nginx.conf"), settings);
    load.lost_none();
    place.file(kept, &last_good);
    place.zdd("recover").run().exits(0).says("Recovered");
    assert_eq!(place.read("nginx.conf"), Some(last_good));
    assert_eq!(place.serves().as_deref(), Some("v1"));
    assert_eq!(place.servers().len(), 1);
}
