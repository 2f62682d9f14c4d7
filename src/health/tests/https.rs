//! TLS: a certificate that the system does not know fails, one that it knows is taken.

use std::io::Write;
use std::sync::Arc;

use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::test_server::{Server, answer, request};
use super::*;

/// Tells the child process below what to ask.
const URL_VARIABLE: &str = "ZDD_TEST_HTTPS_URL";

/// A server with a certificate of its own making for `localhost`, and that certificate.
fn server() -> (Server, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let server = Server::tcp(move |_, stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = StreamOwned::new(connection, stream);
        if request(&mut tls).starts_with("GET /health ") {
            let _ = tls.write_all(answer("200 OK", "").as_bytes());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    });
    (server, made.cert.pem())
}

fn url_of(server: &Server, host: &str) -> String {
    let url = server
        .url
        .replace("http://127.0.0.1", &format!("https://{host}"));
    format!("{url}/health")
}

/// Asks in a process of its own, which trusts only this certificate.
fn detail_when_trusted(url: &str, certificate: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("ca.pem");
    fs_err::write(&file, certificate).unwrap();
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "health::tests::https::child_that_trusts",
            "--nocapture",
        ])
        .env("SSL_CERT_FILE", &file)
        .env_remove("SSL_CERT_DIR")
        .env("HTTPS_PROXY", "http://127.0.0.1:1")
        .env(URL_VARIABLE, url)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix("detail: "));
    line.unwrap_or(&text).to_owned()
}

#[test]
fn child_that_trusts() {
    let Ok(url) = std::env::var(URL_VARIABLE) else {
        return;
    };
    let detail = attempt(&settings(&url)).detail;
    writeln!(std::io::stderr(), "detail: {detail}").unwrap();
}

#[test]
fn an_unknown_certificate_is_refused_and_said_to_be_so() {
    let (server, _) = server();
    let attempt = attempt(&settings(&url_of(&server, "localhost")));
    assert!(!attempt.ok);
    assert!(
        attempt.detail.starts_with("certificate: "),
        "{}",
        attempt.detail
    );
}

#[test]
fn a_certificate_that_the_system_knows_is_taken_and_only_for_its_own_name() {
    let (server, certificate) = server();
    let known = detail_when_trusted(&url_of(&server, "localhost"), &certificate);
    assert_eq!(known, "200 OK");
    let other_name = detail_when_trusted(&url_of(&server, "127.0.0.1"), &certificate);
    assert_eq!(other_name, "certificate: not valid for `127.0.0.1`");
}
