//! What an answer makes of a check.

use std::sync::Mutex;

use super::super::test_server::{Server, answer, reply, request};
use super::*;
use crate::config::schema::{Status, Statuses};

fn detail(settings: &HealthCheck) -> String {
    let attempt = attempt(settings);
    assert!(!attempt.ok, "{}", attempt.detail);
    attempt.detail
}

#[test]
fn a_200_is_good_and_a_500_is_not() {
    let good = Server::answering(answer("200 OK", "fine"));
    assert!(attempt(&settings(&good.url)).ok);
    let bad = Server::answering(answer("500 Whatever", ""));
    assert_eq!(detail(&settings(&bad.url)), "500 Internal Server Error");
}

#[test]
fn a_redirect_is_not_followed_and_says_where_it_leads() {
    let server = Server::answering(answer(
        "301 Moved\nLocation: https://example.com/\x1b[2J",
        "",
    ));
    let plain = Server::answering(answer("302 Found\nLocation: https://example.com/", ""));
    assert_eq!(
        detail(&settings(&plain.url)),
        "redirects to `https://example.com/` (302)"
    );
    assert!(!detail(&settings(&server.url)).contains('\x1b'));
    assert_eq!(plain.connections(), 1);
}

#[test]
fn lists_and_classes_of_statuses_are_taken() {
    let server = Server::answering(answer("204 No Content", ""));
    let class = |text: &str| Status::Class(text.to_owned());
    for (status, ok) in [
        (Statuses::One(class("2xx")), true),
        (Statuses::One(class("3xx")), false),
        (Statuses::One(class("xx")), false),
        (
            Statuses::Any(vec![Status::Code(200), Status::Code(204)]),
            true,
        ),
        (Statuses::Any(vec![Status::Code(200), class("4xx")]), false),
    ] {
        let settings = HealthCheck {
            status: status.clone(),
            ..settings(&server.url)
        };
        assert_eq!(attempt(&settings).ok, ok, "{status:?}");
    }
}

#[test]
fn the_body_must_contain_the_text_within_its_first_64_kib() {
    let server = Server::tcp(|_, stream| {
        let line = request(stream);
        let filler = if line.contains("/far") {
            70_000
        } else {
            60_000
        };
        let body = format!("{}needle", "x".repeat(filler));
        let _ = stream.write_all(answer("200 OK", &body).as_bytes());
    });
    let wanting = |path: &str| HealthCheck {
        contains: Some("needle".into()),
        ..settings(&format!("{}{path}", server.url))
    };
    assert!(attempt(&wanting("/near")).ok);
    assert_eq!(
        detail(&wanting("/far")),
        "200 OK, but the body does not contain `needle`"
    );
    assert!(attempt(&settings(&format!("{}/far", server.url))).ok);
}

#[test]
fn the_host_header_is_sent_and_every_attempt_makes_a_connection() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let server = Server::tcp(move |_, stream| {
        log.lock().unwrap().push(request(stream));
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        // Held open: a client that pools would come back on it.
        log.lock().unwrap().push(request(stream));
    });
    let check = check(&HealthCheck {
        host: Some("example.com".into()),
        ..settings(&format!("{}/health?a=1", server.url))
    });
    for _ in 0..3 {
        assert!(check.attempt(&Patience::fresh()).ok);
    }
    assert_eq!(server.connections(), 3);
    let requests = seen.lock().unwrap();
    assert!(requests[0].starts_with("GET /health?a=1 HTTP/1.1\r\n"));
    let lower = requests[0].to_lowercase();
    assert_eq!(lower.matches("host:").count(), 1);
    assert!(lower.contains("host: example.com\r\n") && lower.contains("connection: close\r\n"));
}

#[test]
fn an_answer_that_is_none_says_so() {
    let garbage = Server::answering("SSH-2.0-OpenSSH_9.2\r\n\r\n");
    assert!(detail(&settings(&garbage.url)).starts_with("answer is not http"));
    let closed = Server::answering("");
    assert_eq!(
        detail(&settings(&closed.url)),
        "connection closed without a whole answer"
    );
    let header = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let huge = Server::answering(header);
    assert_eq!(
        detail(&settings(&huge.url)),
        "answer with a header of more than 64 KiB"
    );
    let cut = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
    assert_eq!(
        detail(&settings(&cut.url)),
        "200 OK, but its body is cut off"
    );
}

#[test]
fn the_release_is_read_from_header_body_or_json() {
    let server = Server::answering(answer(
        "200 OK\nX-Release: 20261122014228",
        "{\"version\": {\"id\": \"v7\\u001b[31m\", \"n\": 7}, \"list\": []}",
    ));
    let answered = |release: &str| {
        let settings = HealthCheck {
            release: Some(release.into()),
            ..settings(&server.url)
        };
        attempt(&settings).answered
    };
    assert_eq!(
        answered("header:x-release").as_deref(),
        Some("20261122014228")
    );
    assert_eq!(answered("header:X-Other"), None);
    assert_eq!(
        answered("json:/version/id").as_deref(),
        Some("v7\u{fffd}[31m")
    );
    assert_eq!(answered("json:/version/n").as_deref(), Some("7"));
    assert_eq!(answered("json:/list"), None);
    assert!(answered("body").unwrap().starts_with("{\"version\""));
    for wrong in ["", "header:", "header:a b", "cookie:x", "json:version"] {
        let settings = HealthCheck {
            release: Some(wrong.into()),
            ..settings(&server.url)
        };
        assert!(Check::new(&settings).is_err(), "{wrong}");
    }
}

#[test]
fn which_release_answers_is_counted_over_new_connections() {
    use super::super::release_of::{Names, ask};
    let names = Names {
        id: "20261122014228".into(),
        revision: Some("0123456789abcdef0123456789abcdef01234567\n".into()),
    };
    let server = Server::tcp(|number, stream| {
        let head = match number {
            1 => "200 OK\nX-Release: 20261122014228",
            2 => "200 OK\nX-Release: 01234567",
            3 | 4 => "200 OK\nX-Release: 20261121000000",
            _ => "200 OK",
        };
        reply(stream, &answer(head, ""));
    });
    let check = check(&HealthCheck {
        release: Some("header:X-Release".into()),
        ..settings(&server.url)
    });
    let two = ask(&check, &names, 2, &Patience::fresh());
    assert!(two.are_all_new(), "{two}");
    let more = ask(&check, &names, 3, &Patience::fresh());
    assert!(!more.are_all_new());
    assert_eq!(
        more.to_string(),
        "0 of 3 answers name the new release, 2 name `20261121000000`, 1 name none (200 OK)"
    );
    let last = ask(&check, &names, 1, &Patience::fresh());
    assert!(last.old == 0 && !last.are_all_new());
    assert!(!names.include("012345") && !names.include(""));
}

#[test]
fn a_command_is_judged_by_its_exit_code_and_killed_with_its_group() {
    let command = |line: &str| HealthCheck {
        command: Some(line.into()),
        url: None,
        ..impatient("")
    };
    assert!(attempt(&command("exit 0")).ok);
    assert_eq!(
        detail(&command(
            "echo first; echo 'no \x1b[31mdatabase' >&2; exit 3"
        )),
        "exit code 3: no \u{fffd}[31mdatabase"
    );
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pid");
    let line = format!("sleep 60 & echo $! > {}; wait", file.display());
    assert_eq!(detail(&command(&line)), "still running after 400ms");
    let pid = fs_err::read_to_string(&file).unwrap();
    let status = fs_err::read_to_string(format!("/proc/{}/status", pid.trim()));
    assert!(status.is_err() || status.unwrap().contains("State:\tZ"));
}

#[test]
fn a_command_that_leaves_a_chatty_process_behind_is_not_waited_for() {
    let chatty = HealthCheck {
        command: Some("yes & exit 0".into()),
        url: None,
        timeout: Span::secs(30),
        ..settings("")
    };
    let attempt = attempt(&chatty);
    assert!(attempt.ok && attempt.elapsed.as_secs() < 10);
}

#[test]
fn all_checks_are_asked_side_by_side_and_a_wrong_one_is_an_outcome_too() {
    let good = Server::answering(answer("200 OK", ""));
    let mut checks = vec![
        settings(&good.url),
        settings("http://bob:secret@127.0.0.1/"),
    ];
    checks.push(HealthCheck {
        url: None,
        tcp: Some(good.host_and_port()),
        ..settings("")
    });
    let outcomes = super::super::outcome::of_all(&checks, &Patience::fresh());
    let ok: Vec<bool> = outcomes.iter().map(|outcome| outcome.ok).collect();
    assert_eq!(ok, [true, false, true]);
    assert_eq!(outcomes[2].detail, "accepts connections");
    let json = serde_json::to_string(&outcomes).unwrap();
    assert!(json.contains(r#""ok":true,"detail":"200 OK"}"#) && !json.contains("secret"));
}
