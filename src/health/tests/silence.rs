//! Servers that do not answer, or do not stop: no attempt outlives its time limit.

use std::time::{Duration, Instant};

use super::super::test_server::{Server, request, stay_silent, write_for_ever};
use super::*;

/// The detail of a failed attempt that took its time limit of 400 ms and not much more.
fn detail_in_time(settings: &HealthCheck) -> String {
    let started = Instant::now();
    let attempt = attempt(settings);
    let took = started.elapsed();
    assert!(!attempt.ok, "{}", attempt.detail);
    assert!(took >= Duration::from_millis(350), "{took:?}");
    assert!(took < Duration::from_secs(3), "{took:?}");
    attempt.detail
}

#[test]
fn a_server_that_never_answers_ends_with_the_time_limit() {
    let server = Server::tcp(|_, stream| stay_silent(stream));
    assert_eq!(
        detail_in_time(&impatient(&server.url)),
        "no answer within 400ms"
    );
}

#[test]
fn a_server_that_never_shakes_hands_ends_with_the_time_limit() {
    let server = Server::tcp(|_, stream| stay_silent(stream));
    let url = server.url.replace("http://", "https://");
    assert_eq!(detail_in_time(&impatient(&url)), "no answer within 400ms");
}

#[test]
fn a_header_that_drips_ends_with_the_time_limit() {
    let server = Server::tcp(|_, stream| {
        request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        write_for_ever(stream, "x", Duration::from_millis(20));
    });
    assert_eq!(
        detail_in_time(&impatient(&server.url)),
        "no answer within 400ms"
    );
}

#[test]
fn a_body_that_drips_ends_with_the_time_limit() {
    let server = Server::tcp(|_, stream| {
        request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n");
        write_for_ever(stream, "x", Duration::from_millis(20));
    });
    assert_eq!(
        detail_in_time(&impatient(&server.url)),
        "200 OK, but its body does not end within 400ms"
    );
}

#[test]
fn an_endless_chunked_body_is_no_answer() {
    let server = Server::tcp(|_, stream| {
        request(stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
        write_for_ever(stream, &chunk, Duration::ZERO);
    });
    let attempt = attempt(&settings(&server.url));
    assert!(!attempt.ok);
    assert_eq!(
        attempt.detail,
        "200 OK, but its body does not end within 8 MiB"
    );
}

#[test]
fn an_endless_row_of_interim_answers_ends_with_the_time_limit() {
    let server = Server::tcp(|_, stream| {
        request(stream);
        write_for_ever(
            stream,
            "HTTP/1.1 100 Continue\r\n\r\n",
            Duration::from_millis(5),
        );
    });
    let started = Instant::now();
    assert!(!attempt(&impatient(&server.url)).ok);
    assert!(started.elapsed() < Duration::from_secs(3));
}
