//! Unix sockets, and ports nobody listens on.

use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};

use super::super::own;
use super::super::test_server::{Server, answer, request, stay_silent, write_for_ever};
use super::*;
use crate::config::schema::Service;
use crate::host::socket::Address;

/// A directory with a path of exactly so many bytes below a temporary one.
fn directory() -> (tempfile::TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(directory.path()).unwrap().to_owned();
    (directory, path)
}

#[test]
fn a_unix_socket_answers_http_up_to_the_longest_path_the_kernel_takes() {
    let (_guard, directory) = directory();
    let name = "s".repeat(107 - directory.as_str().len() - 1);
    let server = Server::unix(&directory.join(name), |_, stream| {
        let line = request(stream);
        let status = if line.starts_with("GET /up?x=1 ") {
            "200 OK"
        } else {
            "404 Not Found"
        };
        let _ = stream.write_all(answer(status, "from the socket").as_bytes());
    });
    let settings = HealthCheck {
        contains: Some("from the socket".into()),
        ..settings(&format!("{}/up?x=1", server.url))
    };
    let attempt = attempt(&settings);
    assert!(attempt.ok, "{}", attempt.detail);
}

#[test]
fn a_socket_file_nobody_listens_on_and_a_missing_one_are_told_apart() {
    let (_guard, directory) = directory();
    let path = directory.join("app.sock");
    let url = format!("http://unix:{path}:/");
    assert_eq!(attempt(&settings(&url)).detail, "no such socket file");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    assert_eq!(attempt(&settings(&url)).detail, "connection refused");
}

#[test]
fn a_full_accept_queue_a_silent_and_a_dripping_socket_end_with_the_time_limit() {
    let (_guard, directory) = directory();
    let path = directory.join("full.sock");
    let listener = UnixListener::bind(&path).unwrap();
    nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
    let _first = UnixStream::connect(&path).unwrap();
    let started = Instant::now();
    let full = attempt(&impatient(&format!("http://unix:{path}:/")));
    assert_eq!(full.detail, "no answer within 400ms");
    let silent = Server::unix(&directory.join("silent.sock"), |_, stream| {
        stay_silent(stream);
    });
    let unanswered = attempt(&impatient(&silent.url));
    assert_eq!(unanswered.detail, "no answer within 400ms");
    let server = Server::unix(&directory.join("drip.sock"), |_, stream| {
        request(stream);
        write_for_ever(stream, "H", Duration::from_millis(20));
    });
    let dripping = attempt(&impatient(&format!("{}/", server.url)));
    assert!(!dripping.ok, "{}", dripping.detail);
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_free_port_refuses_http_and_tcp() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let http = attempt(&settings(&format!("http://{address}/")));
    assert_eq!(http.detail, "connection refused");
    let tcp = HealthCheck {
        url: None,
        tcp: Some(address),
        ..settings("")
    };
    assert_eq!(attempt(&tcp).detail, "connection refused");
    for wrong in ["nonsense", "localhost:", ":80", "localhost:70000", "::1:80"] {
        let tcp = HealthCheck {
            tcp: Some(wrong.into()),
            ..tcp.clone()
        };
        assert!(Check::new(&tcp).is_err(), "{wrong}");
    }
}

#[test]
fn an_instance_is_ready_when_it_answers_not_when_it_listens() {
    let (_guard, directory) = directory();
    let ready = |socket: &Utf8Path, health: Option<&str>| {
        let service = Service {
            health: health.map(str::to_owned),
            contains: health.map(|_| "all is well".to_owned()),
            ..Service::default()
        };
        let address = Address::Unix(socket.to_owned());
        let check = own::readiness(&address, &service, Span::secs(2)).unwrap();
        check.attempt(&Patience::fresh()).ok
    };
    let not_found = directory.join("404.sock");
    let _server = Server::unix(&not_found, |_, stream| {
        request(stream);
        let _ = stream.write_all(answer("404 Not Found", "").as_bytes());
    });
    assert!(ready(&not_found, None));
    assert!(!ready(&not_found, Some("/health")));
    for (body, is_ready) in [("well, all is well", true), ("all is lost", false)] {
        let speaking = directory.join(format!("{is_ready}.sock"));
        let _server = Server::unix(&speaking, move |_, stream| {
            request(stream);
            let _ = stream.write_all(answer("200 OK", body).as_bytes());
        });
        assert_eq!(ready(&speaking, Some("/health")), is_ready, "{body}");
    }
    let broken = directory.join("503.sock");
    let _server = Server::unix(&broken, |_, stream| {
        request(stream);
        let _ = stream.write_all(answer("503 Booting", "").as_bytes());
    });
    assert!(!ready(&broken, None));
    let silent = directory.join("silent.sock");
    let _server = Server::unix(&silent, |_, stream| stay_silent(stream));
    let check = own::readiness(
        &Address::Unix(silent),
        &Service::default(),
        Span::millis(300),
    )
    .unwrap();
    let late =
        super::super::wait::until_healthy(&check, &Patience::fresh(), &nothing, &mut |_, _| {});
    assert!(late.is_err());
    assert!(
        own::readiness(
            &Address::Unix(format!("/{}", "x".repeat(107)).into()),
            &Service::default(),
            Span::secs(1)
        )
        .is_err()
    );
}
