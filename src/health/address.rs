//! What a `url` of `zdd.toml` names: a host and port over TCP, or a path behind a unix socket.

use std::fmt;
use std::net::IpAddr;

use camino::{Utf8Path, Utf8PathBuf};
use ureq::http::Uri;

use crate::error::{Error, Result};

use super::plain_text::plain;

/// The longest socket path the kernel takes, in bytes (`sun_path` with its final zero is 108).
pub const SOCKET_PATH_LIMIT: usize = 107;

/// How an address of a unix socket begins; nginx and Docker write it so too.
const UNIX_PREFIX: &str = "http://unix:";

/// Something that can be asked over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    text: String,
    uri: Uri,
    socket: Option<Utf8PathBuf>,
}

impl Address {
    /// Reads `http://…`, `https://…` or `http://unix:/path/app.sock:/health`.
    ///
    /// # Errors
    /// When it is none of these, holds a password, or its socket path is too long for the kernel.
    pub fn parse(url: &str) -> Result<Self> {
        if let Some(rest) = url.strip_prefix(UNIX_PREFIX) {
            let (socket, path) = match rest.split_once(":/") {
                Some((socket, path)) => (socket, format!("/{path}")),
                None => (rest.trim_end_matches(':'), "/".to_owned()),
            };
            return Address::on_socket(Utf8Path::new(socket), &path);
        }
        let uri: Uri = url.parse().map_err(|_| not_an_address(url))?;
        let Some(authority) = uri.authority() else {
            return Err(not_an_address(url));
        };
        if authority.as_str().contains('@') {
            return Err(Error::usage(
                "a health check's url must not hold a user or password",
            ));
        }
        let has_port = authority.as_str() != authority.host();
        let has_wrong_port = has_port && authority.port_u16().is_none();
        let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
        if !is_http || authority.host().is_empty() || has_wrong_port {
            return Err(not_an_address(url));
        }
        Ok(Address {
            text: url.to_owned(),
            uri,
            socket: None,
        })
    }

    /// A path behind a unix socket.
    ///
    /// # Errors
    /// When the socket's path is relative or too long, or the path is not one.
    pub fn on_socket(socket: &Utf8Path, path: &str) -> Result<Self> {
        if !socket.is_absolute() {
            return Err(Error::usage(format!(
                "the socket `{socket}` must be an absolute path"
            )));
        }
        if socket.as_str().len() > SOCKET_PATH_LIMIT {
            let length = socket.as_str().len();
            return Err(Error::usage(format!(
                "the socket path `{socket}` is {length} bytes long, the kernel takes {SOCKET_PATH_LIMIT}"
            )));
        }
        let path = path.strip_prefix('/').unwrap_or(path);
        let uri = format!("http://localhost/{path}")
            .parse()
            .map_err(|error| Error::usage(format!("`/{path}` is not a path")).cause(error))?;
        Ok(Address {
            text: format!("{UNIX_PREFIX}{socket}:/{path}"),
            uri,
            socket: Some(socket.to_owned()),
        })
    }

    /// What goes into the request; behind a socket the host is `localhost`.
    pub fn uri(&self) -> &Uri {
        &self.uri
    }

    /// The unix socket to connect to, when it is one.
    pub fn socket(&self) -> Option<&Utf8Path> {
        self.socket.as_deref()
    }

    /// Whether asking it leaves this host alone: a unix socket, 127.0.0.0/8, ::1 or `localhost`.
    pub fn is_local(&self) -> bool {
        let host = self.uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        match bare.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback(),
            Err(_) => bare.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Whether the same server answers both.
    pub fn is_same_server(&self, other: &Address) -> bool {
        let server = |address: &Address| {
            (
                address.socket.clone(),
                address.uri.scheme().cloned(),
                address.uri.authority().cloned(),
            )
        };
        server(self) == server(other)
    }
}

fn not_an_address(url: &str) -> Error {
    Error::usage(format!("`{}` is not a url that can be asked", plain(url)))
        .hint("write `http://…`, `https://…` or `http://unix:/path/app.sock:/health`")
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn a_socket_url_is_split_at_the_colon_before_the_path() {
        let address = parse("http://unix:/run/my app/app.sock:/health?deep=1");
        assert_eq!(address.socket().unwrap(), "/run/my app/app.sock");
        assert_eq!(address.uri(), "http://localhost/health?deep=1");
        assert_eq!(
            parse("http://unix:/run/app.sock:"),
            parse("http://unix:/run/app.sock")
        );
        let address = parse("http://unix:/run/app.sock");
        assert_eq!(address.uri(), "http://localhost/");
        assert_eq!(address.to_string(), "http://unix:/run/app.sock:/");
    }

    #[test]
    fn only_sockets_and_loopback_are_local() {
        for local in [
            "http://unix:/run/a.sock:/",
            "http://127.0.0.1/",
            "http://127.8.9.1:8080/x",
            "https://[::1]:8443/",
            "http://LOCALHOST:3000",
        ] {
            assert!(parse(local).is_local(), "{local}");
        }
        for public in [
            "http://10.0.0.1/",
            "https://example.com/",
            "http://localhost.example.com/",
            "http://127.0.0.1.example.com/",
            "http://[2001:db8::1]/",
        ] {
            assert!(!parse(public).is_local(), "{public}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_showing_a_password() {
        for url in [
            "",
            "/health",
            "ftp://x/",
            "http://",
            "http:///x",
            "http://127.0.0.1:99999/",
            "https://unix:/run/app.sock:/",
            "http://unix:run/app.sock:/",
        ] {
            assert!(Address::parse(url).is_err(), "{url}");
        }
        let error = Address::parse("http://bob:secret@127.0.0.1/").unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_socket_path_longer_than_the_kernel_takes_is_refused_with_both_lengths() {
        let fits = format!("/{}", "x".repeat(106));
        assert!(Address::on_socket(Utf8Path::new(&fits), "/").is_ok());
        let error = Address::on_socket(Utf8Path::new(&format!("{fits}y")), "/").unwrap_err();
        assert!(error.what.contains("108 bytes") && error.what.contains("takes 107"));
    }

    #[test]
    fn the_same_server_has_the_same_scheme_host_and_port_or_socket() {
        let base = parse("http://127.0.0.1:8080/health");
        assert!(base.is_same_server(&parse("http://127.0.0.1:8080/")));
        assert!(!base.is_same_server(&parse("http://127.0.0.1:8081/")));
        assert!(!parse("http://unix:/a.sock:/").is_same_server(&parse("http://localhost/")));
    }
}
