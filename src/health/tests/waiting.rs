//! Waiting until healthy, and watching that it stays so.

use std::cell::Cell;
use std::time::{Duration, Instant};

use super::super::test_server::{Server, answer, reply, stay_silent};
use super::super::wait::{Healthy, Reason, Unhealthy, until_healthy};
use super::super::watch::{Alarm, watch};
use super::*;
use crate::config::schema;
use crate::error::Error;

fn wait(settings: &HealthCheck) -> Result<Healthy, Unhealthy> {
    until_healthy(
        &check(settings),
        &Patience::fresh(),
        &nothing,
        &mut |_, _| {},
    )
}

/// Answers 200 or 503 as the letters say, `+` or `-`, the last one for ever.
fn flapping(pattern: &'static str) -> Server {
    Server::tcp(move |number, stream| {
        let letters = pattern.as_bytes();
        let is_good = letters[(number - 1).min(letters.len() - 1)] == b'+';
        let head = if is_good { "200 OK" } else { "503 Booting" };
        reply(stream, &answer(head, ""));
    })
}

#[test]
fn so_many_good_answers_in_a_row_are_wanted() {
    let server = flapping("-++-+-++++");
    let three = HealthCheck {
        successes: 3,
        ..settings(&server.url)
    };
    assert_eq!(wait(&three).unwrap().attempts, 9);
}

#[test]
fn the_end_of_the_time_names_the_limit_and_the_last_answer() {
    let server = flapping("-");
    let short = HealthCheck {
        within: Span::millis(300),
        ..settings(&server.url)
    };
    let unhealthy = wait(&short).unwrap_err();
    assert!(unhealthy.attempts > 1);
    let text = format!(
        "`{}` not healthy within 300ms: 503 Service Unavailable at attempt {}",
        server.url, unhealthy.attempts
    );
    assert_eq!(unhealthy.to_string(), text);
    assert_eq!(Error::from(unhealthy).to_string(), text);
}

#[test]
fn an_attempt_in_flight_does_not_stretch_the_time() {
    let server = Server::tcp(|number, stream| match number {
        1 => reply(stream, &answer("502 Bad", "")),
        _ => stay_silent(stream),
    });
    let hanging = HealthCheck {
        within: Span::millis(300),
        timeout: Span::secs(20),
        ..settings(&server.url)
    };
    let started = Instant::now();
    let unhealthy = wait(&hanging).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(
        unhealthy.last.as_deref(),
        Some("502 Bad Gateway at attempt 1")
    );
}

#[test]
fn a_command_in_flight_does_not_stretch_the_time_either() {
    let slow = HealthCheck {
        url: None,
        command: Some("sleep 30".into()),
        within: Span::millis(300),
        timeout: Span::secs(20),
        ..settings("")
    };
    let started = Instant::now();
    let unhealthy = wait(&slow).unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(
        unhealthy.to_string(),
        "`sleep 30` not healthy within 300ms: no answer at attempt 1"
    );
}

#[test]
fn too_few_good_answers_are_named() {
    let server = flapping("-+");
    let many = HealthCheck {
        successes: 1000,
        within: Span::millis(200),
        ..settings(&server.url)
    };
    let last = wait(&many).unwrap_err().last.unwrap();
    assert!(
        last.starts_with("only ")
            && last.contains(" of 1000 good answers in a row, before that 503")
    );
}

#[test]
fn a_reason_to_abort_ends_the_wait_at_once_even_in_the_middle_of_an_attempt() {
    let server = Server::tcp(|_, stream| stay_silent(stream));
    let patient = HealthCheck {
        within: Span::secs(60),
        timeout: Span::secs(60),
        ..settings(&server.url)
    };
    let asked = Cell::new(0);
    // Once: by the next look systemd has started it again.
    let abort = || {
        asked.set(asked.get() + 1);
        (asked.get() == 3).then(|| "gunicorn.service died".to_owned())
    };
    let started = Instant::now();
    let result = until_healthy(&check(&patient), &Patience::fresh(), &abort, &mut |_, _| {});
    let unhealthy = result.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(
        unhealthy.reason,
        Reason::Aborted("gunicorn.service died".into())
    );
    assert!(
        unhealthy
            .to_string()
            .ends_with("not healthy: gunicorn.service died: no answer at attempt 1")
    );
}

#[test]
fn attempts_are_paused_by_the_interval_and_told_with_their_number() {
    let server = flapping("--+");
    let mut numbers = Vec::new();
    let slow = HealthCheck {
        interval: Span::millis(150),
        ..settings(&server.url)
    };
    let healthy = until_healthy(
        &check(&slow),
        &Patience::fresh(),
        &nothing,
        &mut |attempt, n| {
            numbers.push((n, attempt.ok));
        },
    );
    assert_eq!(numbers, [(1, false), (2, false), (3, true)]);
    assert!(healthy.unwrap().elapsed >= Duration::from_millis(300));
}

fn watched(servers: &[&Server], millis: u64, max_failures: u32) -> Result<(), Alarm> {
    let checks: Vec<_> = servers
        .iter()
        .map(|server| check(&settings(&server.url)))
        .collect();
    let probe = schema::Probe {
        watch: Span::millis(millis),
        max_failures,
        ..schema::Probe::default()
    };
    watch(
        &checks,
        &probe,
        &Patience::fresh(),
        &nothing,
        &mut |_, _| {},
    )
}

#[test]
fn a_watch_bears_so_many_failures_in_a_row_and_not_one_more() {
    let good = flapping("+");
    assert_eq!(watched(&[&good, &flapping("+--++++--+")], 400, 2), Ok(()));
    let bad = flapping("+---+");
    let Err(Alarm::Failing {
        failures,
        detail,
        check,
        ..
    }) = watched(&[&good, &bad], 20_000, 2)
    else {
        panic!("three failures in a row are too many");
    };
    assert_eq!((failures, detail.as_str()), (3, "503 Service Unavailable"));
    assert!(check.starts_with(&bad.url));
    std::thread::sleep(Duration::from_millis(200));
    let at_the_end = good.connections();
    std::thread::sleep(Duration::from_millis(100));
    assert!(at_the_end > 1 && good.connections() == at_the_end);
}

#[test]
fn a_watch_does_not_bear_what_fails_every_other_time() {
    let now_and_then = flapping("-++-++-++-++-++-++-++-++-++-++-++-+");
    assert_eq!(watched(&[&now_and_then], 800, 2), Ok(()));
    let half = flapping("-+-+-+-+-+-+");
    let alarm = watched(&[&half], 20_000, 2).unwrap_err().to_string();
    assert!(
        alarm.ends_with("failed 3 of its last 5 times: 503 Service Unavailable"),
        "{alarm}"
    );
}

#[test]
fn a_watch_ends_with_a_reason_to_abort_and_takes_no_longer_than_it_was_told() {
    let reason = || Some("gunicorn.service was started 4 times".to_owned());
    let forever = schema::Probe {
        watch: Span::secs(60),
        ..schema::Probe::default()
    };
    let started = Instant::now();
    let ended = watch(&[], &forever, &Patience::fresh(), &reason, &mut |_, _| {});
    assert_eq!(
        ended.unwrap_err().to_string(),
        "gunicorn.service was started 4 times"
    );
    assert_eq!(watched(&[], 400, 1), Ok(()));
    let hanging = Server::tcp(|_, stream| stay_silent(stream));
    assert_eq!(watched(&[&hanging], 400, 1), Ok(()));
    assert!(started.elapsed() < Duration::from_secs(10));
}
