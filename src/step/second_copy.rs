//! Room in memory for two releases at a time: what has copies of its own runs twice for a while, and
//! so does what a dry boot tries; a host without room for that ends one of them, or the database.

use super::instance::{Instance, Runner};
use crate::config::Config;
use crate::config::schema::{Role, Service};
use crate::error::{Finding, Result};
use crate::host::memory;
use crate::report::time::bytes;
use crate::site::{ReleaseId, Site};

/// What runs a second time, and needs as much as what runs now.
#[derive(Default)]
struct Need {
    names: Vec<String>,
    bytes: u64,
}

/// Why the copies of a release do not fit beside those of the one that is live, with the services
/// that it was started with. Where `[require] free_memory` says how much it takes, that counts.
///
/// # Errors
/// When the kernel does not say how much memory there is.
pub fn finding(
    site: &Site,
    config: &Config,
    release: &ReleaseId,
    living: Option<(&ReleaseId, &[Service])>,
) -> Result<Option<Finding>> {
    let Some((live, then)) = living.filter(|_| config.require.free_memory.is_none()) else {
        return Ok(None);
    };
    let mut copies = Need::default();
    let mut needs = Vec::new();
    for (place, service) in config.service.iter().enumerate() {
        // One that is kept for a rollback runs already.
        let is_there = || Instance::new(site, release, place, service).is_running();
        let is_copied = service.has_instances() && service.role == Role::Web;
        let is_new = is_copied && !is_there().unwrap_or_default();
        if !is_new && service.dry_boot.is_none() {
            continue;
        }
        let Some(at) = measure(&config.service, place, then) else {
            continue;
        };
        let old = Instance::new(site, live, at, &then[at]);
        let Some(size) = size_of(&old) else { continue };
        if is_new {
            copies.add(old.name(), size);
        } else {
            // A dry boot is over before the next one, or a copy, begins.
            let mut need = Need::default();
            need.add(old.name(), size);
            needs.push(need);
        }
    }
    needs.push(copies);
    let most = needs.into_iter().max_by_key(|need| need.bytes);
    let (available, swap) = (memory::available()?, memory::free_swap()?);
    Ok(most.and_then(|need| need.unmet(available, swap)))
}

/// The place of the service that tells how much another one takes: the same one, or, where the site
/// changes its kind, the only one for the web.
fn measure(all: &[Service], place: usize, then: &[Service]) -> Option<usize> {
    let is_web = |service: &&Service| service.role == Role::Web;
    let is_only = |of: &[Service]| of.iter().filter(is_web).count() == 1;
    let is_alike = is_web(&&all[place]) && is_only(all) && is_only(then);
    let only = then.iter().position(|it| is_alike && is_web(&it));
    Service::counterpart(all, place, then).or(only)
}

/// The memory of a copy that runs.
fn size_of(instance: &Instance) -> Option<u64> {
    let pids = instance.processes().ok()?.all;
    let group = match instance.runner() {
        Runner::Unit(unit) => unit.state().ok()?.control_group,
        // Those of supervisor and of a login hold others too.
        Runner::Program(_) | Runner::Process => String::new(),
    };
    Some(memory::of_copy(&group, &pids))
}

impl Need {
    fn add(&mut self, name: String, bytes: u64) {
        self.names.push(name);
        self.bytes += bytes;
    }

    fn unmet(&self, available: u64, swap: u64) -> Option<Finding> {
        if self.bytes <= available + swap {
            return None;
        }
        let names: Vec<String> = self.names.iter().map(|name| format!("`{name}`")).collect();
        let swap = match swap {
            0 => String::new(),
            some => format!(" and {} of swap", bytes(some)),
        };
        let what = format!(
            "a release runs two copies for a while: {} has {}, and {} of memory{swap} are free for \
             another",
            names.join(", "),
            bytes(self.bytes),
            bytes(available),
        );
        let mebibytes = (self.bytes / 2).div_ceil(1 << 20);
        let hint = format!(
            "make room; or, where a new one is smaller, say in zdd.toml what it takes: [require] \
             free_memory = \"{mebibytes}MiB\""
        );
        Some(Finding::new(what).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(name: &str, role: Role) -> Service {
        Service {
            unit: Some(name.to_owned()),
            role,
            ..Service::default()
        }
    }

    #[test]
    fn another_kind_of_service_needs_as_much_as_the_one_before() {
        let worker = unit("jobs.service", Role::Worker);
        let plain = unit("app.service", Role::Web);
        let template = unit("app@.service", Role::Web);
        let (then, all) = ([plain.clone(), worker.clone()], [worker, template.clone()]);
        assert_eq!(measure(&all, 1, &then), Some(0));
        assert_eq!(measure(&all, 0, &then), Some(1));
        let two = [plain, unit("api.service", Role::Web)];
        assert_eq!(measure(&[template], 0, &two), None);
    }

    #[test]
    fn a_copy_that_does_not_fit_is_told_with_the_figures_and_the_way_round() {
        let need = Need {
            names: vec!["app@1.service".to_owned()],
            bytes: 300 << 20,
        };
        assert!(need.unmet(300 << 20, 0).is_none());
        assert!(need.unmet(200 << 20, 100 << 20).is_none());
        let finding = need.unmet(200 << 20, 50 << 20).unwrap();
        assert_eq!(
            finding.message,
            "a release runs two copies for a while: `app@1.service` has 300 MiB, and 200 MiB of \
             memory and 50 MiB of swap are free for another"
        );
        assert!(finding.hint.unwrap().ends_with("free_memory = \"150MiB\""));
    }
}
