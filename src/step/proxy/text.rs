//! The settings of nginx that lead to a release: its template, filled in.

use std::net::SocketAddr;

use fs_err as fs;
use minijinja::Value;

use crate::config::Config;
use crate::config::schema::{Proxy, Role, Service};
use crate::config::template::{self, Names};
use crate::error::{Context, Result};
use crate::host::socket::Address;
use crate::running::front;
use crate::site::{ReleaseId, Site};
use crate::step::Mission;
use crate::step::instance::Instance;

/// The variable of the template that is the pid file of nginx.
const NGINX_PID: &str = "nginx_pid_filename";

/// The settings that lead to a release: its template, with the addresses of its instances, and of
/// those that are about to be left.
pub fn text_for(
    site: &Site,
    proxy: &Proxy,
    config: &Config,
    release: &ReleaseId,
    leaving: Option<&Mission>,
) -> Result<String> {
    let directory = site.release_dir(release);
    let path = directory.join(proxy.template());
    let text = fs::read_to_string(&path).context("there is no template for nginx");
    let text = text.map_err(|error| error.hint("correct `template` in `[proxy]`"))?;
    let texts = [
        ("release", release.to_string()),
        ("release_path", directory.to_string()),
        ("root", site.root().to_string()),
        ("current_path", site.current_path().to_string()),
        ("shared_path", site.shared_dir().to_string()),
        (
            NGINX_PID,
            proxy.pid_file.clone().unwrap_or_default().to_string(),
        ),
    ];
    let texts = texts.into_iter();
    let mut names: Names = texts
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
        .collect();
    for (place, service) in config.service.iter().enumerate() {
        let Some(name) = service
            .name_in_template()
            .filter(|_| service.role == Role::Web)
        else {
            continue;
        };
        let instance = Instance::new(site, release, place, service);
        add_address(&mut names, &name, instance.address());
        let previous = leaving.and_then(|mission| previous_of(site, mission, place));
        let previous = previous
            .map(|address| front::as_server(&address))
            .unwrap_or_default();
        names.insert(format!("{name}_previous"), Value::from(previous));
    }
    let shown = path.strip_prefix(site.root()).unwrap_or(&path);
    template::render(&text, shown, &names)
}

fn add_address(names: &mut Names, name: &str, address: Option<Address>) {
    match address {
        Some(Address::Tcp(address)) => {
            let host = match address {
                SocketAddr::V4(address) => address.ip().to_string(),
                SocketAddr::V6(address) => format!("[{}]", address.ip()),
            };
            names.insert(name.to_owned(), Value::from(address.port()));
            names.insert(format!("{name}_host"), Value::from(host));
        }
        Some(Address::Unix(path)) => {
            names.insert(format!("{name}_socket"), Value::from(path.to_string()));
        }
        None => {}
    }
}

/// Where the same service of the release that is about to be left answers.
pub fn previous_of(site: &Site, mission: &Mission, place: usize) -> Option<Address> {
    let (from, leaving) = (mission.from.as_ref()?, &mission.leaving);
    let place = Service::counterpart(&mission.config.service, place, leaving)?;
    let instance = Instance::new(site, from, place, &leaving[place]);
    let is_running = instance.is_running().unwrap_or_default();
    instance.address().filter(|_| is_running)
}
