//! A proxy that passes requests to a socket where nobody listens: the service was given another
//! address, and the proxy was not told.

use camino::Utf8Path;

use super::{Level, Trap};
use crate::running::front::Target;

/// Directories in which sockets of different sites lie side by side.
const COMMON: [&str; 4] = ["/", "/run", "/var/run", "/tmp"];

/// A service that runs, and where it listens, as a proxy writes it.
#[derive(Debug, Clone)]
pub struct Listener {
    /// The name of the service.
    pub service: String,
    /// `unix:/run/myapp/app.sock`, `127.0.0.1:8000`.
    pub addresses: Vec<String>,
}

/// What is to be said of a socket at which nobody listens; nothing where it may be another site's.
pub fn predict(dead: &Target, listeners: &[Listener]) -> Option<Trap> {
    let all = || listeners.iter().flat_map(|it| &it.addresses);
    // Beside it, rather than the socket by which the server itself is controlled.
    let beside = all().find(|address| lies_beside(&dead.path, address));
    let other = all().next().filter(|_| dead.is_of_site);
    let instead = beside.or(other)?;
    let told = |it: &Listener| {
        let addresses: Vec<_> = it.addresses.iter().map(|it| format!("`{it}`")).collect();
        format!("`{}` listens on {}", it.service, addresses.join(" and "))
    };
    let listening = listeners.iter().filter(|it| !it.addresses.is_empty());
    let listening: Vec<_> = listening.map(told).collect();
    let Target { path, place, .. } = dead;
    Some(Trap {
        level: Level::Warning,
        what: format!(
            "nginx passes requests to `{path}`, where nobody listens; {}",
            listening.join(", ")
        ),
        place: place.clone(),
        change: format!(
            "write `{instead}` in place of `unix:{path}` in {place}, then: systemctl reload nginx"
        ),
    })
}

fn lies_beside(path: &Utf8Path, address: &str) -> bool {
    let other = address.strip_prefix("unix:").map(Utf8Path::new);
    let directory = path.parent().filter(|it| !COMMON.contains(&it.as_str()));
    directory.is_some() && directory == other.and_then(Utf8Path::parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(path: &str, is_of_site: bool, addresses: &[&str]) -> Option<Trap> {
        let dead = Target {
            path: path.into(),
            place: "`/n` line 3".to_owned(),
            is_of_site,
        };
        let listener = Listener {
            service: "gunicorn.service".to_owned(),
            addresses: addresses.iter().map(|it| (*it).to_owned()).collect(),
        };
        predict(&dead, &[listener])
    }

    #[test]
    fn a_socket_of_the_site_is_told_with_the_line_to_change() {
        let trap = said("/run/a/old.sock", false, &["unix:/run/a/app.sock"]).unwrap();
        assert_eq!(
            trap.what,
            "nginx passes requests to `/run/a/old.sock`, where nobody listens; `gunicorn.service` \
             listens on `unix:/run/a/app.sock`"
        );
        assert_eq!(
            trap.change,
            "write `unix:/run/a/app.sock` in place of `unix:/run/a/old.sock` in `/n` line 3, then: \
             systemctl reload nginx"
        );
        let trap = said("/run/old.sock", true, &["127.0.0.1:8000"]).unwrap();
        assert!(
            trap.change
                .starts_with("write `127.0.0.1:8000` in place of")
        );
    }

    #[test]
    fn a_socket_that_may_be_another_sites_is_left() {
        let here = ["unix:/run/app.sock", "127.0.0.1:8000"];
        assert!(said("/run/old.sock", false, &here).is_none());
        assert!(said("/run/b/old.sock", false, &["unix:/run/a/app.sock"]).is_none());
        assert!(said("/run/a/old.sock", true, &[]).is_none());
    }
}
