//! TLS: a certificate that the system does not know fails, one that it knows is taken.

use std::io::Write;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::super::test_server::{Server, answer, request};
use super::*;

/// Tells the child process below what to ask.
const URL_VARIABLE: &str = "ZDD_TEST_HTTPS_URL";

/// A server with a certificate of its own making for `localhost`, and that certificate.
fn server() -> (Server, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    (serving(made.cert.der().clone(), key), made.cert.pem())
}

/// A server that shows this certificate.
fn serving(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> Server {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let config = Arc::new(config);
    Server::tcp(move |_, stream| {
        let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = StreamOwned::new(connection, stream);
        if request(&mut tls).starts_with("GET /health ") {
            let _ = tls.write_all(answer("200 OK", "").as_bytes());
            tls.conn.send_close_notify();
            let _ = tls.flush();
        }
    })
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

/// Runs openssl in a directory.
fn openssl(directory: &std::path::Path, words: &str) {
    let made = std::process::Command::new("openssl")
        .args(words.split(' '))
        .current_dir(directory)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert!(made.status.success(), "openssl {words}: {said}");
}

/// A directory with an authority of one's own and a certificate for `localhost` that it gave, and
/// a server that shows that.
fn issued() -> (tempfile::TempDir, Server) {
    let directory = tempfile::tempdir().unwrap();
    for words in [
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=own -keyout ca.key -out ca.pem",
        "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout key.pem -out request.pem",
    ] {
        openssl(directory.path(), words);
    }
    let names = "subjectAltName=DNS:localhost\nbasicConstraints=critical,CA:FALSE\n";
    fs_err::write(directory.path().join("names"), names).unwrap();
    openssl(
        directory.path(),
        "x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out cert.pem",
    );
    let read = |name: &str| fs_err::read(directory.path().join(name)).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
    (directory, serving(certificate, key))
}

/// A server whose certificate calls itself an authority, and a check that trusts only that.
fn calling_itself_an_authority(
    url_host: &str,
    change: impl FnOnce(&mut rcgen::CertificateParams),
) -> (tempfile::TempDir, Server, HealthCheck) {
    let mut wanted = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    change(&mut wanted);
    let key = rcgen::KeyPair::generate().unwrap();
    let made = wanted.self_signed(&key).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("own.pem");
    fs_err::write(&file, made.pem()).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let server = serving(made.der().clone(), key);
    let check = HealthCheck {
        ca: Some(camino::Utf8PathBuf::from_path_buf(file).unwrap()),
        ..settings(&url_of(&server, url_host))
    };
    (directory, server, check)
}

#[test]
fn a_servers_own_certificate_is_taken_though_it_calls_itself_an_authority() {
    let directory = tempfile::tempdir().unwrap();
    openssl(
        directory.path(),
        "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost \
         -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out own.pem",
    );
    let read = |name: &str| fs_err::read(directory.path().join(name)).unwrap();
    let certificate = CertificateDer::from_pem_slice(&read("own.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(&read("key.pem")).unwrap();
    let server = serving(certificate, key);
    let file = camino::Utf8PathBuf::from_path_buf(directory.path().join("own.pem")).unwrap();
    for host in ["localhost", "127.0.0.1"] {
        let check = HealthCheck {
            ca: Some(file.clone()),
            ..settings(&url_of(&server, host))
        };
        assert_eq!(attempt(&check).detail, "200 OK", "{host}");
    }

    let (_kept, _server, check) = calling_itself_an_authority("localhost", |_| {});
    assert_eq!(attempt(&check).detail, "200 OK");
    let other = HealthCheck {
        ca: Some(file),
        ..check
    };
    let other = attempt(&other);
    assert!(
        !other.ok && other.detail.starts_with("certificate: "),
        "{other:?}"
    );
}

#[test]
fn the_names_and_dates_of_a_servers_own_certificate_count() {
    let (_kept, _server, other_name) = calling_itself_an_authority("127.0.0.1", |_| {});
    assert_eq!(
        attempt(&other_name).detail,
        "certificate: not valid for `127.0.0.1`"
    );
    let (_kept, _server, old) = calling_itself_an_authority("localhost", |wanted| {
        wanted.not_after = rcgen::date_time_ymd(2020, 1, 1);
        wanted.not_before = rcgen::date_time_ymd(2019, 1, 1);
    });
    assert_eq!(attempt(&old).detail, "certificate: expired");
}

#[test]
fn a_certificate_of_ones_own_authority_is_taken_and_no_other() {
    let (directory, issued) = issued();
    let path = |name: &str| {
        let path = directory.path().join(name);
        Some(camino::Utf8PathBuf::from_path_buf(path).unwrap())
    };
    let trusting = |server: &Server, ca| HealthCheck {
        ca,
        ..settings(&url_of(server, "localhost"))
    };
    assert_eq!(attempt(&trusting(&issued, path("ca.pem"))).detail, "200 OK");
    let (own, certificate) = server();
    fs_err::write(directory.path().join("own.pem"), certificate).unwrap();
    assert_eq!(attempt(&trusting(&own, path("own.pem"))).detail, "200 OK");
    for ca in [None, path("own.pem")] {
        let refused = attempt(&trusting(&issued, ca));
        assert!(!refused.ok);
        assert_eq!(
            refused.detail,
            "certificate: its issuer is not trusted on this host"
        );
    }
    for (name, cause) in [("nowhere.pem", "No such file"), ("key.pem", "it has none")] {
        let error = Check::new(&trusting(&issued, path(name))).unwrap_err();
        assert!(error.cause.as_ref().unwrap().contains(cause), "{error:?}");
    }
}
