//! What the probe asks.

use std::sync::Arc;

use crate::config::Config;
use crate::config::schema::HealthCheck;
use crate::error::Result;

use super::address::Address;
use super::check::{Check, below_500};
use super::release_of::Place;

/// Something the probe may ask steadily: on this host, or named by the user for it.
#[derive(Debug, Clone)]
pub struct Target {
    pub(super) check: Arc<Check>,
}

impl Target {
    /// The target of a site: `[probe] url`, else the first http health check on a unix socket or
    /// a loopback address. `None` when there is neither, or `rate` is 0.
    ///
    /// # Errors
    /// When a url cannot be understood.
    pub fn of(config: &Config) -> Result<Option<Target>> {
        if config.probe.rate == 0 {
            return Ok(None);
        }
        match &config.probe.url {
            Some(url) => Target::new(settings_for(url, &config.health)?).map(Some),
            None => match first_local(&config.health)? {
                Some(check) => Target::new(check.clone()).map(Some),
                None => Ok(None),
            },
        }
    }

    /// What is asked, as it is written in `zdd.toml`.
    pub fn name(&self) -> String {
        self.check.name()
    }

    /// A request fails when nothing answers, or with 5xx; what else a health check wants is its
    /// own business.
    fn new(settings: HealthCheck) -> Result<Target> {
        let asked = HealthCheck {
            status: below_500(),
            contains: None,
            ..settings
        };
        Ok(Target {
            check: Arc::new(Check::new(&asked)?),
        })
    }
}

fn first_local(checks: &[HealthCheck]) -> Result<Option<&HealthCheck>> {
    for check in checks {
        if let Some(url) = &check.url
            && Address::parse(url)?.is_local()
        {
            return Ok(Some(check));
        }
    }
    Ok(None)
}

/// The settings for `[probe] url`. A health check of the same url says all; one of the same
/// server still says which `Host` is wanted and which header names the release.
fn settings_for(url: &str, checks: &[HealthCheck]) -> Result<HealthCheck> {
    let asked = Address::parse(url)?;
    let mut settings = HealthCheck {
        url: Some(url.to_owned()),
        ..HealthCheck::default()
    };
    for check in checks {
        let Some(other) = check.url.as_deref().map(Address::parse).transpose()? else {
            continue;
        };
        if other == asked {
            return Ok(check.clone());
        }
        if other.is_same_server(&asked) {
            settings.host = settings.host.or_else(|| check.host.clone());
            settings.release = settings.release.or_else(|| header_of(check));
        }
    }
    Ok(settings)
}

fn header_of(check: &HealthCheck) -> Option<String> {
    let text = check.release.as_ref()?;
    matches!(Place::parse(text), Ok(Place::Header(_))).then(|| text.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(probe_url: Option<&str>, checks: &[&str]) -> Config {
        let check = |url: &&str| HealthCheck {
            url: Some((*url).to_owned()),
            host: Some("example.com".into()),
            release: Some("header:X-Release".into()),
            ..HealthCheck::default()
        };
        let mut config = Config {
            health: checks.iter().map(check).collect(),
            ..Config::default()
        };
        config.probe.url = probe_url.map(str::to_owned);
        config
    }

    fn name(config: &Config) -> Option<String> {
        Target::of(config).unwrap().map(|target| target.name())
    }

    #[test]
    fn the_first_local_http_check_is_taken_and_never_a_public_host() {
        let public = "https://example.com/health";
        assert_eq!(name(&site(None, &[public])), None);
        let local = "http://unix:/run/a.sock:/up";
        let config = site(None, &[public, local, "http://127.0.0.1/"]);
        assert_eq!(name(&config).as_deref(), Some(local));
    }

    #[test]
    fn a_named_url_is_asked_wherever_it_is_and_rate_0_asks_nothing() {
        let mut config = site(Some("https://example.com/"), &["http://127.0.0.1/"]);
        assert_eq!(name(&config).as_deref(), Some("https://example.com/"));
        config.probe.rate = 0;
        assert_eq!(name(&config), None);
    }

    #[test]
    fn a_named_url_learns_host_and_release_header_from_a_check_of_the_same_server() {
        let asked = |config: &Config| {
            Target::of(config)
                .unwrap()
                .unwrap()
                .check
                .settings()
                .clone()
        };
        let same = asked(&site(
            Some("http://127.0.0.1/"),
            &["http://127.0.0.1/health"],
        ));
        assert_eq!(same.host.as_deref(), Some("example.com"));
        assert_eq!(same.release.as_deref(), Some("header:X-Release"));
        let other = asked(&site(
            Some("http://127.0.0.1:81/"),
            &["http://127.0.0.1/health"],
        ));
        assert_eq!((other.host, other.release), (None, None));
    }
}
