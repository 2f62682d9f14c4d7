//! Why a request brought no usable answer, in a few words a person can act on.

use std::io;
use std::time::Duration;

use rustls::CertificateError;

use crate::config::units::Span;

use super::plain_text::plain;

/// The text for a failed request that was given so much time.
pub fn text_of(error: &ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => no_answer_within(timeout),
        ureq::Error::Io(error) => io_text(error),
        ureq::Error::HostNotFound => "host not found".to_owned(),
        ureq::Error::Rustls(error) => tls_text(error),
        ureq::Error::Tls(text) => format!("tls: {text}"),
        ureq::Error::LargeResponseHeader(_, limit) => {
            format!("answer with a header of more than {} KiB", limit / 1024)
        }
        ureq::Error::Protocol(error) => {
            format!("answer is not http: {}", plain(&error.to_string()))
        }
        other => plain(&other.to_string()),
    }
}

/// The text for silence.
pub fn no_answer_within(timeout: Duration) -> String {
    format!("no answer within {}", span(timeout))
}

/// A duration as `zdd.toml` writes it.
pub fn span(time: Duration) -> Span {
    Span::millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// The text for an error of the operating system, or of TLS travelling inside one.
pub fn io_text(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::NotFound => "no such socket file".to_owned(),
        io::ErrorKind::PermissionDenied => "no right to connect".to_owned(),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::UnexpectedEof => "connection closed without a whole answer".to_owned(),
        _ => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(error) => tls_text(error),
            None => system_text(error),
        },
    }
}

/// The operating system's own words, without its number and the lookup's long beginning.
fn system_text(error: &io::Error) -> String {
    let text = error.to_string();
    let words = text.split(" (os error").next().unwrap_or(&text);
    match words.strip_prefix("failed to lookup address information: ") {
        Some(reason) => format!("host not found: {}", reason.to_lowercase()),
        None => plain(words).to_lowercase(),
    }
}

fn tls_text(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(error) => format!("certificate: {}", certificate(error)),
        rustls::Error::InvalidMessage(_) => "server does not speak tls".to_owned(),
        other => format!("tls: {}", plain(&other.to_string())),
    }
}

fn certificate(error: &CertificateError) -> String {
    match error {
        CertificateError::UnknownIssuer => "its issuer is not trusted on this host".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not valid yet".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, .. } => {
            format!("not valid for `{}`", plain(&expected.to_str()))
        }
        other => spaced(&plain(&other.to_string())),
    }
}

/// The rarer reasons come as the name of a variant, sometimes wrapped: `Other(OtherError(
/// CaUsedAsEndEntity))` becomes "ca used as end entity".
fn spaced(text: &str) -> String {
    if text.contains(' ') {
        return text.to_owned();
    }
    let name = text
        .rsplit('(')
        .next()
        .unwrap_or(text)
        .trim_end_matches(')');
    let mut words = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rare_certificate_error_is_put_into_words() {
        let wrapped = "Other(OtherError(CaUsedAsEndEntity))";
        assert_eq!(spaced(wrapped), "ca used as end entity");
        assert_eq!(certificate(&CertificateError::Revoked), "revoked");
        assert_eq!(spaced("two words (here)"), "two words (here)");
    }
}
