//! `[[health]]` and `[probe]`: what is asked, and what a good answer is.

use ureq::http::{HeaderName, HeaderValue, Uri};

use super::Judge;
use crate::config::mistake::quoted;
use crate::config::schema::{HealthCheck, Probe, Status, Statuses};

/// What a request is sent through when it is not TCP.
const UNIX: &str = "http://unix:";

impl Judge<'_, '_> {
    /// All `[[health]]` tables.
    pub(super) fn health_checks(&mut self, checks: &[HealthCheck]) {
        for (number, check) in checks.iter().enumerate() {
            self.health_check(&format!("health.{number}"), check);
        }
    }

    /// The `[probe]` table.
    pub(super) fn probe(&mut self, probe: &Probe) {
        for (number, path) in probe.logs.iter().flatten().enumerate() {
            self.plain(&format!("probe.logs.{number}"), Some(path));
        }
        if let Some(url) = &probe.url {
            self.url("probe.url", url);
        }
    }

    fn health_check(&mut self, place: &str, check: &HealthCheck) {
        if self.exactly_one_of(place, "health check", &["url", "tcp", "command"]) {
            let of_http = ["status", "contains", "release", "host", "ca"];
            self.belong_to(place, "health check", &of_http, &["url"]);
        }
        self.not_zero(
            place,
            &[
                ("interval", check.interval),
                ("timeout", check.timeout),
                ("within", check.within),
            ],
        );
        self.not_empty(
            place,
            &[("command", &check.command), ("contains", &check.contains)],
        );
        if let Some(url) = &check.url {
            self.url(&format!("{place}.url"), url);
            if check.ca.is_some() && url.starts_with("http://") {
                self.key(&format!("{place}.ca"), "`ca` is for `https://` only");
            }
        }
        self.plain(&format!("{place}.ca"), check.ca.as_deref());
        if let Some(address) = &check.tcp
            && !is_address(address)
        {
            self.value(
                &format!("{place}.tcp"),
                format!("{} is not an address", quoted(address)),
            )
            .hint("write it as `127.0.0.1:5432`");
        }
        if let Some(host) = &check.host
            && (host.is_empty() || HeaderValue::from_str(host).is_err())
        {
            self.value(
                &format!("{place}.host"),
                format!("{} is not a host", quoted(host)),
            );
        }
        if let Some(release) = &check.release
            && !is_release_source(release)
        {
            self.value(
                &format!("{place}.release"),
                format!(
                    "{} does not say where the answer names its release",
                    quoted(release)
                ),
            )
            .hint("write `header:X-Release`, `body` or `json:/version`");
        }
        self.statuses(place, &check.status);
    }

    fn statuses(&mut self, place: &str, statuses: &Statuses) {
        let place = format!("{place}.status");
        match statuses {
            Statuses::One(status) => self.status(&place, status),
            Statuses::Any(list) if list.is_empty() => {
                self.value(&place, "no answer would be good")
                    .hint("write `status = 200`");
            }
            Statuses::Any(list) => {
                for (number, status) in list.iter().enumerate() {
                    self.status(&format!("{place}.{number}"), status);
                }
            }
        }
    }

    fn status(&mut self, place: &str, status: &Status) {
        let Status::Class(class) = status else { return };
        let is_class = matches!(class.as_bytes(), [b'1'..=b'5', b'x', b'x']);
        if !is_class {
            let hint = match class.parse::<u16>() {
                Ok(code) => format!("write {code} without quotes"),
                Err(_) => "write a number, or a class as `2xx`".to_owned(),
            };
            self.value(place, format!("{} is not a status", quoted(class)))
                .hint(hint);
        }
    }

    fn url(&mut self, place: &str, url: &str) {
        if let Err(hint) = check_url(url) {
            self.value(place, format!("{} cannot be asked", quoted(url)))
                .hint(hint);
        }
    }
}

/// What is wrong with a URL, as advice.
fn check_url(url: &str) -> Result<(), String> {
    if let Some(rest) = url.strip_prefix(UNIX) {
        let parts = rest.split_once(':');
        return match parts {
            Some((socket, path)) if socket.starts_with('/') && path.starts_with('/') => {
                let uri = path.parse::<Uri>();
                uri.map(drop).map_err(|error| error.to_string())
            }
            _ => Err("write it as `http://unix:/run/app.sock:/health`".into()),
        };
    }
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let hint = match url.split_once("://") {
            Some(_) => "only `http://` and `https://` can be asked".to_owned(),
            None => format!("write {}", quoted(&format!("http://{url}"))),
        };
        return Err(hint);
    }
    let uri: Uri = url
        .parse()
        .map_err(|_| "write it as `http://127.0.0.1:8000/health`")?;
    let authority = uri.authority().ok_or("it names no host")?;
    if authority.as_str().contains('@') {
        return Err("a name and a password in a URL are not sent; leave them out".into());
    }
    let has_port = authority.as_str().len() > authority.host().len();
    match authority.port_u16() {
        _ if authority.host().is_empty() => Err("it names no host".into()),
        None | Some(0) if has_port => Err("a port is a number from 1 to 65535".into()),
        _ => Ok(()),
    }
}

/// `host:port`, an IPv6 host in brackets.
fn is_address(address: &str) -> bool {
    let Some((host, port)) = address.rsplit_once(':') else {
        return false;
    };
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let host_is_fine = match bare {
        Some(ip) => ip.parse::<std::net::Ipv6Addr>().is_ok(),
        None => {
            !host.is_empty() && !host.contains(|c: char| ":/[]".contains(c) || c.is_whitespace())
        }
    };
    host_is_fine && port.parse::<u16>().is_ok_and(|port| port > 0)
}

fn is_release_source(source: &str) -> bool {
    match source.split_once(':') {
        None => source == "body",
        Some(("header", name)) => name.parse::<HeaderName>().is_ok(),
        Some(("json", pointer)) => pointer.starts_with('/'),
        Some(_) => false,
    }
}
