//! One GET: over TCP, TLS or a unix socket, on a new connection each time, without redirects,
//! without the environment's proxies, and never longer than its time limit however slowly or
//! endlessly the server answers.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::{HeaderMap, HeaderValue, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::{Connector, TcpConnector};

use crate::error::{Error, Result};

use super::address::Address;
use super::failure;
use super::plain_text::plain;
use super::tls::TlsConnector;
use super::unix::{NoResolver, UnixConnector};

/// How much of a body is kept and looked at.
pub const BODY_LIMIT: usize = 64 * 1024;

/// How much more of a body is read and thrown away to see that it ends.
const BODY_END_LIMIT: usize = 8 * 1024 * 1024;

/// Asks one address, with the same settings each time.
#[derive(Debug)]
pub struct Client {
    agent: Agent,
    address: Address,
    host: Option<HeaderValue>,
    timeout: Duration,
}

/// What a server answered.
#[derive(Debug, Clone)]
pub struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// A client that sends `host` as the `Host` header where it is given, and gives every request
    /// `timeout` for all of it: name lookup, connection, handshake, header and body. It trusts
    /// whom `trusted` does where that is given, else what the system trusts.
    ///
    /// # Errors
    /// When `host` cannot be a header.
    pub fn new(
        address: Address,
        host: Option<&str>,
        trusted: Option<Arc<ClientConfig>>,
        timeout: Duration,
    ) -> Result<Self> {
        let as_header = |host: &str| {
            HeaderValue::from_str(host)
                .map_err(|_| Error::usage(format!("`{}` is not a host name", plain(host))))
        };
        Ok(Client {
            agent: agent_for(&address, trusted, timeout),
            host: host.map(as_header).transpose()?,
            address,
            timeout,
        })
    }

    /// What is asked.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks once, on a connection of its own, and waits for the whole answer.
    ///
    /// # Errors
    /// When there is no whole HTTP answer in time: the reason in a few words. Any status is an
    /// answer.
    pub fn ask(&self) -> Result<Answer, String> {
        let mut request = self
            .agent
            .get(self.address.uri())
            .header(header::CONNECTION, "close");
        if let Some(host) = &self.host {
            request = request.header(header::HOST, host);
        }
        let started = Instant::now();
        let response = request
            .call()
            .map_err(|error| failure::text_of(&error, self.timeout))?;
        let (parts, mut body) = response.into_parts();
        let body = read_to_the_end(&mut body.as_reader(), started, self.timeout)
            .map_err(|reason| format!("{}, but {reason}", status_text(parts.status)))?;
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }
}

impl Answer {
    /// For instance 503.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// For instance "503 Service Unavailable", or where a redirect leads.
    pub fn text(&self) -> String {
        match self.header("location") {
            Some(location) if self.status.is_redirection() => {
                format!("redirects to `{location}` ({})", self.status())
            }
            _ => status_text(self.status),
        }
    }

    /// The value of a header, fit to be shown.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.headers.get(name)?;
        Some(plain(&String::from_utf8_lossy(value.as_bytes())))
    }

    /// The first 64 KiB of the body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

fn agent_for(address: &Address, trusted: Option<Arc<ClientConfig>>, timeout: Duration) -> Agent {
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .build();
    let config: Config = Agent::config_builder()
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_idle_connections(0)
        .timeout_global(Some(timeout))
        .user_agent(concat!("zdd/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls)
        .build();
    match (address.socket(), trusted) {
        (Some(path), _) => {
            let connector = UnixConnector {
                path: path.to_owned(),
            };
            Agent::with_parts(config, connector, NoResolver)
        }
        (None, Some(trusted)) => {
            let tls = TlsConnector { config: trusted };
            let connector = ().chain(TcpConnector::default()).chain(tls);
            Agent::with_parts(config, connector, DefaultResolver::default())
        }
        (None, None) => config.new_agent(),
    }
}

/// For instance "503 Service Unavailable"; the words are the standard's, not the server's.
fn status_text(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// The first part of the body. The rest is read too: an answer that is cut off or never ends is
/// no answer.
fn read_to_the_end(
    body: &mut impl Read,
    started: Instant,
    timeout: Duration,
) -> Result<Vec<u8>, String> {
    let mut kept = Vec::new();
    let mut read = 0;
    let mut piece = [0; 16 * 1024];
    loop {
        let amount = match body.read(&mut piece) {
            Ok(0) => return Ok(kept),
            Ok(amount) => amount,
            Err(_) if started.elapsed() >= timeout => {
                return Err(format!(
                    "its body does not end within {}",
                    failure::span(timeout)
                ));
            }
            Err(_) => return Err("its body is cut off".to_owned()),
        };
        let wanted = amount.min(BODY_LIMIT - kept.len());
        kept.extend_from_slice(&piece[..wanted]);
        read += amount;
        if read > BODY_END_LIMIT {
            return Err(format!(
                "its body does not end within {} MiB",
                BODY_END_LIMIT >> 20
            ));
        }
        if started.elapsed() >= timeout {
            return Err(format!(
                "its body does not end within {}",
                failure::span(timeout)
            ));
        }
    }
}
