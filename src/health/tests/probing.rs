//! The probe against real servers.

use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::super::figures::failed_before;
use super::super::probe::Probe;
use super::super::release_of::Names;
use super::super::target::Target;
use super::super::test_server::{Server, answer, reply};
use super::*;
use crate::config::Config;

fn target(server: &Server) -> Target {
    let config = Config {
        health: vec![HealthCheck {
            contains: Some("no probe wants a text".into()),
            release: Some("header:X-Release".into()),
            ..settings(&server.url)
        }],
        ..Config::default()
    };
    Target::of(&config).unwrap().unwrap()
}

fn new() -> Names {
    Names {
        id: "new".into(),
        revision: None,
    }
}

#[test]
fn the_probe_sees_the_cutover() {
    let server = Server::tcp(|number, stream| {
        let head = match number {
            1..=8 => "200 OK\nX-Release: old",
            9 => "502 Bad Gateway",
            10 => "404 Not Found\nX-Release: new",
            _ => "200 OK\nX-Release: new",
        };
        reply(stream, &answer(head, ""));
    });
    let probe = Probe::start(&target(&server), 50).unwrap();
    while server.connections() < 5 {
        sleep(Duration::from_millis(1));
    }
    probe.mark_switch();
    while server.connections() < 15 {
        sleep(Duration::from_millis(1));
    }
    let measured = probe.finish(&new());
    let figures = measured.figures;
    assert_eq!(figures.requests, measured.samples.len() as u64);
    assert_eq!(figures.requests, server.connections() as u64);
    assert_eq!(figures.failed, 1, "502 failed, 404 did not");
    assert!(figures.before_p99_ms.is_some() && figures.p50_ms <= figures.p99_ms);
    assert!(figures.last_old_ms.unwrap() < figures.first_new_ms.unwrap());
    assert!(measured.samples[0].at_ms < 0 && measured.samples[12].at_ms > 0);
    assert_eq!(measured.samples[12].release.as_deref(), Some("new"));
}

#[test]
fn the_probe_asks_at_most_rate_times_a_second_and_stops_when_dropped() {
    let server = Server::answering(answer("200 OK", ""));
    let probe = Probe::start(&target(&server), 20).unwrap();
    let started = Instant::now();
    sleep(Duration::from_millis(600));
    let asked = server.connections();
    let at_most = started.elapsed().as_millis() / 50 + 1;
    assert!(
        asked > 1 && asked as u128 <= at_most,
        "{asked} of {at_most}"
    );
    drop(probe);
    sleep(Duration::from_millis(60));
    let at_the_end = server.connections();
    sleep(Duration::from_millis(200));
    assert_eq!(server.connections(), at_the_end);
}

#[test]
fn the_probe_takes_no_more_than_a_tenth_of_the_time_of_a_slow_server() {
    let times = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&times);
    let server = Server::tcp(move |_, stream| {
        log.lock().unwrap().push(Instant::now());
        sleep(Duration::from_millis(40));
        reply(stream, &answer("200 OK", ""));
    });
    let probe = Probe::start(&target(&server), 1000).unwrap();
    sleep(Duration::from_millis(900));
    probe.finish(&new());
    let times = times.lock().unwrap();
    assert!(times.len() >= 2);
    for pair in times.windows(2) {
        let between = pair[1] - pair[0];
        assert!(between >= Duration::from_millis(395), "{between:?}");
    }
}

#[test]
fn an_unmarked_probe_counts_everything_as_before_and_silence_as_failed() {
    let server = Server::tcp(|number, stream| match number {
        1 => reply(stream, &answer("200 OK", "")),
        _ => reply(stream, ""),
    });
    let probe = Probe::start(&target(&server), 100).unwrap();
    while server.connections() < 3 {
        sleep(Duration::from_millis(1));
    }
    let measured = probe.finish(&new());
    let figures = measured.figures;
    assert_eq!(figures.failed, figures.requests - 1);
    assert_eq!(failed_before(&measured.samples), figures.failed);
    assert!(figures.p99_ms.is_none() && figures.before_p99_ms.is_some());
}
