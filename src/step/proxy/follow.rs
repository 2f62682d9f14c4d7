//! Leading nginx to the live release after a boot, where its ports are others.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fs_err as fs;

use super::Before;
use super::text::text_for;
use crate::config::Config;
use crate::config::schema::Role;
use crate::error::Result;
use crate::host::signal::Patience;
use crate::report::Report;
use crate::site::{History, ReleaseId, Site};
use crate::step::instance::Instance;
use crate::step::nginx::{self, Ground};

/// How often it is looked whether an instance listens.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Lets nginx follow the live release, whose ports are others after a boot.
///
/// # Errors
/// When it cannot. The settings are then what they were.
pub fn follow(site: &Site, config: &Config, history: &History, report: &dyn Report) -> Result<()> {
    let (Some(proxy), Some(live)) = (&config.proxy, history.current().release()) else {
        return Ok(());
    };
    await_addresses(site, config, live);
    let text = text_for(site, proxy, config, live, None)?;
    let before = Before::of(proxy)?;
    let front = before.front(proxy)?;
    let is_in_place = fs::read(proxy.output()).is_ok_and(|there| there == text.as_bytes());
    // What is started by its unit finds the settings there.
    let is_used = front.master_before.is_some() || front.unit.is_some();
    if is_in_place && is_used {
        return Ok(());
    }
    let mut boot = Boot {
        site,
        report,
        facts: BTreeSet::new(),
    };
    let followed = nginx::place(&mut boot, &front, &text).and_then(|()| {
        if front.master_before.is_some() || front.unit.is_none() {
            nginx::take_effect(&mut boot, &front)?;
        }
        Ok(())
    });
    if followed.is_err() {
        nginx::put_back(&boot, &front)?;
    }
    followed
}

/// Waits until it is known where the instances of a release answer, each within its
/// `switch_timeout`.
fn await_addresses(site: &Site, config: &Config, release: &ReleaseId) {
    for (place, service) in config.service.iter().enumerate() {
        let instance = Instance::new(site, release, place, service);
        let deadline = Instant::now() + service.switch_timeout.duration();
        let is_awaited = service.has_instances() && service.role == Role::Web;
        while is_awaited
            && instance.address().is_none()
            && Instant::now() < deadline
            && Patience::fresh().sleep(LOOK_INTERVAL)
        {}
    }
}

/// A boot has no journal: what it does is repeated by the next.
struct Boot<'a> {
    site: &'a Site,
    report: &'a dyn Report,
    facts: BTreeSet<String>,
}

impl Ground for Boot<'_> {
    fn site(&self) -> &Site {
        self.site
    }

    fn report(&self) -> &dyn Report {
        self.report
    }

    fn patience(&self) -> Patience {
        Patience::fresh()
    }

    fn write_down(&mut self, fact: &str) -> Result<()> {
        self.facts.insert(fact.to_owned());
        Ok(())
    }

    fn is_written_down(&self, fact: &str) -> bool {
        self.facts.contains(fact)
    }
}
