//! What a boot needs: the instances of the live release running, whatever the boot itself started.

use super::instance::{Instance, stop_at_once};
use super::{Surroundings, proxy};
use crate::config::Config;
use crate::config::schema::Kind;
use crate::error::Result;
use crate::hook::{Facts, Verb};
use crate::host::signal::Patience;
use crate::host::socket::Address;
use crate::report::Report;
use crate::site::{History, Site};

/// Starts every instance of the live release that does not run. What cannot be started is said.
pub fn start_live(site: &Site, config: &Config, history: &History, report: &dyn Report) {
    let Some(live) = history.live() else { return };
    for (place, service) in config.service.iter().enumerate() {
        let instance = Instance::new(site, &live.id, place, service);
        let started = match (service.kind(), instance.is_running()) {
            (Kind::Unit | Kind::Command, _) | (_, Ok(true)) => continue,
            (Kind::Instance | Kind::Program, Ok(false)) => {
                instance.enable_and_start(&Patience::fresh())
            }
            (Kind::Process, Ok(false)) => start_process(&instance, site, config, report),
            (_, Err(error)) => Err(error),
        };
        let name = instance.name();
        match started {
            Ok(()) => report.finished("Started", &name, None),
            Err(error) => report.warning(&format!("{name}: {error}")),
        }
    }
    if let Err(error) = proxy::follow(site, config, history, report) {
        report.warning(&format!("nginx: {error}"));
    }
}

fn start_process(
    instance: &Instance,
    site: &Site,
    config: &Config,
    report: &dyn Report,
) -> Result<()> {
    // What it left behind when it ended would be lost from sight.
    stop_at_once(instance, report, &Patience::fresh())?;
    let facts = Facts {
        root: site.root().to_owned(),
        release: instance.release.to_string(),
        release_path: instance.directory(),
        previous: None,
        previous_path: None,
        current_path: site.current_path(),
        shared_path: site.shared_dir(),
        revision: None,
        command: Verb::Release,
        address: instance.told_socket().map(Address::Unix),
    };
    instance.start_process(Surroundings::of(config)?.variables(&facts))
}
