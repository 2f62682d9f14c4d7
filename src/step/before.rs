//! What every service runs, and how the health checks stand, before anything is begun. Undo aims
//! at this state, and nothing that was already wrong is blamed on the new release.

use std::time::SystemTime;

use super::advice::accusation;
use super::instance::{self, Instance};
use super::{ServiceBefore, name_of, proxy};
use crate::config::Config;
use crate::config::schema::{Kind, Service, SwitchWay};
use crate::error::{Finding, Result};
use crate::health::{Outcome, outcome};
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;
use crate::host::{cgroup, user};
use crate::report::Report;
use crate::running::{self, Observation, Processes, Question};
use crate::service::{Unit, UnitState};
use crate::site::{ReleaseId, Site};

/// The state of the site before a command.
pub struct Before {
    /// Each service, in the order of `[[service]]`.
    pub services: Vec<ServiceBefore>,
    /// Each health check, in the order of `[[health]]`; none when nothing is live.
    pub health: Vec<Outcome>,
    /// Why a service cannot be switched at all.
    pub findings: Vec<Finding>,
}

/// Looks at every service and asks every health check once. `release` is the one that is to become
/// live; `from` the one that is, with the services that it was started with.
pub fn look(
    site: &Site,
    config: &Config,
    release: &ReleaseId,
    from: Option<(&ReleaseId, &[Service])>,
    patience: &Patience,
) -> Before {
    let mut findings = Vec::new();
    let mut services = Vec::new();
    for (place, service) in config.service.iter().enumerate() {
        let unit = unit_state(service).unwrap_or_else(|error| {
            findings.push(Finding::from(error));
            None
        });
        if let Some(state) = &unit {
            findings.extend(unit_findings(site, service, state, from.is_none()));
            findings.extend(password_prompt(service, release));
        }
        let instance = Instance::new(site, release, place, service);
        findings.extend(instance_findings(&instance));
        services.push(ServiceBefore {
            name: name_of(service),
            observation: from.and_then(|(live, then)| {
                let then = Service::counterpart(&config.service, place, then);
                // Only what is written down of processes goes by their places.
                let then = then.or((service.kind() != Kind::Process).then_some(place))?;
                observation_of(site, service, then, unit.as_ref(), Some(live))
            }),
            unit,
        });
    }
    findings.extend(proxy::findings(config));
    let health = match from {
        Some(_) => outcome::of_all(&config.health, patience),
        None => Vec::new(),
    };
    Before {
        services,
        health,
        findings,
    }
}

/// Says what is already wrong, so that nobody blames the release for it.
pub fn warn(before: &Before, config: &Config, report: &dyn Report) {
    for (service, settings) in before.services.iter().zip(&config.service) {
        if let Some(seen) = service
            .observation
            .as_ref()
            .filter(|seen| seen.verdict.is_failure())
        {
            report.warning(&format!("already before: {}", accusation(settings, seen)));
        }
    }
    for check in before.health.iter().filter(|check| !check.ok) {
        let (name, detail) = (&check.check, &check.detail);
        report.warning(&format!(
            "already before: `{name}` is not healthy: {detail}"
        ));
    }
}

/// Which release a service's processes use at this moment, judged against the live one.
pub fn observation_of(
    site: &Site,
    service: &Service,
    place: usize,
    unit: Option<&UnitState>,
    live: Option<&ReleaseId>,
) -> Option<Observation> {
    let live = live?;
    let instance = Instance::new(site, live, place, service);
    let processes = match (service.kind(), unit) {
        (Kind::Unit, Some(state)) if state.is_active() => Processes {
            main: state.main_pid,
            all: cgroup::processes(&state.control_group),
        },
        _ if service.has_instances() => instance.remains().ok()?,
        _ => return None,
    };
    let question = Question {
        current_path: site.current_path(),
        releases_dir: site.releases_dir(),
        wanted: live.to_string(),
        flipped_at: match unit {
            Some(_) => last_flip(site),
            None => instance::begun_after(&processes),
        },
        before: None,
        start_words: unit.map(|state| state.argv.clone()).unwrap_or_default(),
        neutral: Vec::new(),
    };
    Some(running::observe(&question, &processes))
}

/// When `current` was last flipped: the time of the link itself.
pub fn last_flip(site: &Site) -> Option<Ticks> {
    let metadata = fs_err::symlink_metadata(site.current_path()).ok()?;
    metadata
        .modified()
        .ok()
        .filter(|time| *time > SystemTime::UNIX_EPOCH)
        .map(Ticks::of)
}

/// The unit as systemd sees it; none for other kinds of services.
fn unit_state(service: &Service) -> Result<Option<UnitState>> {
    let Some(unit) = Unit::of(service) else {
        return Ok(None);
    };
    unit.state().map(Some)
}

/// Why the unit cannot be switched in the way that is asked.
fn unit_findings(
    site: &Site,
    service: &Service,
    state: &UnitState,
    is_first: bool,
) -> Vec<Finding> {
    let name = name_of(service);
    if !state.is_found() {
        return vec![
            Finding::new(format!("the unit `{name}` is not known to systemd"))
                .hint("write it, then: systemctl daemon-reload; or run zdd init"),
        ];
    }
    let mut findings = Vec::new();
    if service.switch == SwitchWay::Reload && !state.has_exec_reload {
        findings.push(
            Finding::new(format!(
                "the unit `{name}` cannot be reloaded: it has no ExecReload"
            ))
            .hint("add `ExecReload=/bin/kill -HUP $MAINPID`, or set `switch = \"restart\"`"),
        );
    }
    let current = site.current_path();
    let goes_through = |word: &String| word.contains(current.as_str());
    let directory = state.working_directory.as_ref().map(ToString::to_string);
    let is_ours = state.argv.iter().chain(&directory).any(goes_through);
    if is_first && state.is_active() && !is_ours {
        findings.push(
            Finding::new(format!(
                "`{name}` is active on code outside `{}`",
                site.releases_dir()
            ))
            .hint(format!(
                "let its ExecStart and WorkingDirectory go through `{current}`"
            )),
        );
    }
    findings
}

/// Why the instance of a template, or a program, cannot be started.
fn instance_findings(instance: &Instance) -> Vec<Finding> {
    let service = &instance.service;
    let Some(unit) = Unit::instance_of(service, instance.release.as_str()) else {
        return instance.obstacles();
    };
    let state = match unit.state() {
        Ok(state) => state,
        Err(error) => return vec![Finding::from(error)],
    };
    if !state.is_found() {
        let name = name_of(service);
        return vec![
            Finding::new(format!(
                "the template unit `{name}` is not known to systemd"
            ))
            .hint("write it, then: systemctl daemon-reload; or run zdd init"),
        ];
    }
    let mut findings = Vec::new();
    findings.extend(password_prompt(service, &instance.release));
    findings.extend(instance.unwritable_socket(&state));
    findings
}

/// `sudo` must let the switch through without a password: nobody is there to type one, and half a
/// switch would be put back by the same command.
pub fn password_prompt(service: &Service, release: &ReleaseId) -> Option<Finding> {
    let unit = Unit::of(service).or_else(|| Unit::instance_of(service, release.as_str()));
    let unit = unit.filter(|_| service.sudo)?;
    let lines = unit.refused_by_sudo(&user::Owner::of_process().name)?;
    let name = unit.name();
    let what = format!("sudo does not allow to switch `{name}` without a password");
    let hint = format!("add to /etc/sudoers.d/zdd:\n{}", lines.join("\n"));
    Some(Finding::new(what).hint(hint))
}
