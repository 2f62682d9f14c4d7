//! Instances that nobody needs: of releases that are neither live nor kept for a rollback. A
//! killed command, a boot between two steps, or a standby whose time is over leaves them.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;
use fs_err as fs;
use time::OffsetDateTime;

use super::in_force;
use super::instance::{Instance, retire};
use crate::config::Config;
use crate::config::schema::{Kind, Service};
use crate::error::Result;
use crate::host::signal::Patience;
use crate::report::Report;
use crate::service::{Program, Unit, UnitState};
use crate::site::{History, Record, ReleaseId, Site, instance};

/// Ends all of them. Instances that belong to no release of this site are left alone.
///
/// # Errors
/// When they cannot be found, or the first that does not end; the others are ended all the same.
pub fn end(
    site: &Site,
    config: &Config,
    now: OffsetDateTime,
    report: &dyn Report,
    patience: &Patience,
) -> Result<()> {
    let history = History::load(site)?;
    let mut result = Ok(());
    for instance in found(site, &history, config, report)? {
        let record = history.find(&instance.release);
        if !is_needed(&history, record, now) {
            result = result.and(retire(&instance, report, patience));
        }
    }
    result
}

/// Whether a release is live, or kept for a rollback.
fn is_needed(history: &History, record: Option<&Record>, now: OffsetDateTime) -> bool {
    let Some(record) = record else { return true };
    history.current().release() == Some(&record.id)
        || record.standby_until.is_some_and(|until| until > now)
}

/// Every instance that systemd, supervisor or a pid file knows of.
fn found(
    site: &Site,
    history: &History,
    config: &Config,
    report: &dyn Report,
) -> Result<Vec<Instance>> {
    let mut found = processes(site, history, config)?;
    found.extend(programs(site, history, config)?);
    for service in templates(history, config) {
        let Some(template) = Unit::instance_of(service, "0") else {
            continue;
        };
        let names = match template.siblings() {
            Ok(names) => names,
            Err(error) if config.service.iter().any(|today| today.is_same(service)) => {
                return Err(error);
            }
            // The systemd of a user may be gone where it is no longer used.
            Err(error) => {
                let name = template.name();
                report.warning(&format!(
                    "old instances of `{name}` cannot be looked for: {error}"
                ));
                continue;
            }
        };
        for name in names {
            let sibling = template.sibling(&name);
            let id = sibling.instance_name().and_then(|name| name.parse().ok());
            let Some(id) = id.filter(|id: &ReleaseId| history.find(id).is_some()) else {
                continue;
            };
            let state = sibling.state()?;
            if state.is_stopped() && !state.is_enabled() || is_elsewhere(&state, site, &id) {
                continue;
            }
            let (place, settings) = settings_of(history, config, &id, service);
            found.push(Instance::new(site, &id, place, &settings));
        }
    }
    Ok(found)
}

/// Whether it runs the release of that name of another site. A copied root knows the releases of
/// its original, and its settings may still name the same template.
fn is_elsewhere(state: &UnitState, site: &Site, id: &ReleaseId) -> bool {
    // By what it is, not by its path: a root may be mounted at two places.
    let inode_of = |path: &Utf8Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
    let own = inode_of(&site.release_dir(id));
    let below = Utf8Path::new("releases").join(id.as_str());
    let directory = state.working_directory.as_deref();
    let mut places = directory
        .into_iter()
        .chain(state.argv.iter().map(Utf8Path::new));
    places.any(|place| {
        let release = place.ancestors().find(|it| it.ends_with(&below));
        let found = release.and_then(inode_of);
        found.is_some() && found != own
    })
}

/// The templates that were ever used here. One of the system's and one of a user's may have the
/// same name.
fn templates<'a>(history: &'a History, config: &'a Config) -> Vec<&'a Service> {
    let mut templates: Vec<&Service> = Vec::new();
    for service in services(history, config, Kind::Instance) {
        if !templates.iter().any(|known| known.is_same(service)) {
            templates.push(service);
        }
    }
    templates
}

fn processes(site: &Site, history: &History, config: &Config) -> Result<Vec<Instance>> {
    let mut found = Vec::new();
    for record in history.releases() {
        for place in instance::places(site, &record.id)? {
            let services = in_force::leaving(Some(record), config);
            let service = services.get(place).or(config.service.get(place));
            let service = service.filter(|service| service.kind() == Kind::Process);
            let unknown = || Service {
                start: Some("a process".to_owned()),
                ..Service::default()
            };
            let service = service.cloned().unwrap_or_else(unknown);
            found.push(Instance::new(site, &record.id, place, &service));
        }
    }
    Ok(found)
}

/// The programs of supervisor that belong to releases of this site.
fn programs(site: &Site, history: &History, config: &Config) -> Result<Vec<Instance>> {
    let mut found = Vec::new();
    let mut asked = BTreeSet::new();
    for service in services(history, config, Kind::Program) {
        if !asked.insert((&service.program, &service.conf_dir, &service.supervisorctl)) {
            continue;
        }
        let releases = match Program::releases(service) {
            Ok(releases) => releases,
            Err(error) if config.service.contains(service) => return Err(error),
            // Supervisor may be gone from a host that no longer uses it.
            Err(_) => continue,
        };
        let ids = releases.iter().filter_map(|id| id.parse().ok());
        for id in ids.collect::<Vec<ReleaseId>>() {
            let program = Program::of(service, id.as_str());
            let is_strange = |program: Program| program.is_of_another_site(site.root());
            if history.find(&id).is_some() && !program.is_some_and(is_strange) {
                let (place, settings) = settings_of(history, config, &id, service);
                found.push(Instance::new(site, &id, place, &settings));
            }
        }
    }
    Ok(found)
}

/// Every service of a kind that was ever used here, today's first.
fn services<'a>(
    history: &'a History,
    config: &'a Config,
    kind: Kind,
) -> impl Iterator<Item = &'a Service> {
    let recorded = history.releases().iter().rev();
    let recorded = recorded.filter_map(|record| record.config.as_ref());
    std::iter::once(config)
        .chain(recorded)
        .flat_map(|config| &config.service)
        .filter(move |service| service.kind() == kind)
}

/// The settings that the instance of a release was started with.
fn settings_of(
    history: &History,
    config: &Config,
    id: &ReleaseId,
    service: &Service,
) -> (usize, Service) {
    let then = in_force::leaving(history.find(id), config);
    let mut same = then.into_iter().enumerate();
    same.find(|(_, other)| other.is_same(service))
        .unwrap_or((0, service.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::Scope;
    use crate::site::State;

    fn settings(scope: Scope) -> Config {
        let service = Service {
            unit: Some("myapp@.service".to_owned()),
            scope,
            ..Service::default()
        };
        Config {
            service: vec![service],
            ..Config::default()
        }
    }

    #[test]
    fn a_template_of_the_system_is_asked_for_beside_that_of_a_user() {
        let directory = tempfile::tempdir().unwrap();
        let root = camino::Utf8Path::from_path(directory.path()).unwrap();
        let site = Site::new(root.to_owned());
        fs::create_dir_all(site.records_dir()).unwrap();
        for (seq, scope) in [Scope::System, Scope::System, Scope::User]
            .into_iter()
            .enumerate()
        {
            let id = format!("2026010100000{seq}").parse().unwrap();
            let record = Record {
                config: Some(settings(scope)),
                ..Record::new(id, i64::try_from(seq).unwrap(), State::Retired)
            };
            record.save(&site).unwrap();
        }
        let history = History::load(&site).unwrap();
        let today = settings(Scope::User);
        let scopes: Vec<_> = templates(&history, &today)
            .iter()
            .map(|it| it.scope)
            .collect();
        assert_eq!(scopes, [Scope::User, Scope::System]);
    }
}
