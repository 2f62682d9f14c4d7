//! The message that helps when a service does not run what it should: service, pid, the path that
//! betrays it, and the change as a whole.

use super::{Stage, name_of};
use crate::config::schema::{Role, Scope, Service, SwitchWay};
use crate::error::Error;
use crate::running::change::{self, Change};
use crate::running::{Evidence, Observation, Paths, UnitFacts, Verdict};
use crate::service::{Unit, UnitState};
use crate::site::Site;

/// The failure of a service that runs another release than `current` names.
pub fn stale(stage: &Stage<'_>, place: usize, observation: &Observation) -> Error {
    let service = &stage.mission.config.service[place];
    let error = Error::failed(accusation(service, observation)).cause(betrayal(observation));
    let state = Unit::of(service).and_then(|unit| unit.state().ok());
    let change = state.and_then(|state| change_for(stage.site, service, &state));
    let Some(change) = change else { return error };
    let hint = match change.commands.as_slice() {
        [] => "apply the change above".to_owned(),
        commands => format!("apply the change above, then: {}", commands.join(" && ")),
    };
    error.change(change).hint(hint)
}

/// One line: which service runs what instead of what.
pub fn accusation(service: &Service, observation: &Observation) -> String {
    let name = name_of(service);
    let release = observation.release.as_deref().unwrap_or("another release");
    match observation.verdict {
        Verdict::Mixed => {
            format!("`{name}` is mixed: the code of release {release} on libraries of another one")
        }
        _ => format!("`{name}` is stale: it still runs release {release}"),
    }
}

/// What systemd's unit and the running server make of a flip, and the whole change to make them
/// follow it.
pub fn change_for(site: &Site, service: &Service, state: &UnitState) -> Option<Change> {
    change::change(&unit_facts(service, state), &paths(site))
}

/// The unit, as far as its behaviour at a switch depends on it.
pub fn unit_facts(service: &Service, state: &UnitState) -> UnitFacts {
    UnitFacts {
        name: match Unit::of(service) {
            Some(unit) => unit.name().to_owned(),
            None => name_of(service),
        },
        is_user_scope: service.scope == Scope::User,
        unit_file: state.fragment_path.clone(),
        start_words: state.argv.clone(),
        working_directory: state.working_directory.clone(),
        environment: state.environment.clone(),
        environment_files: state.environment_files.clone(),
        can_reload: state.can_reload,
        needs_daemon_reload: state.needs_daemon_reload,
        is_reloaded: service.switch == SwitchWay::Reload,
        is_worker: service.role == Role::Worker,
        has_socket_unit: state.socket_unit.is_some(),
    }
}

/// The places that a unit's command line should go through.
pub fn paths(site: &Site) -> Paths {
    Paths {
        current_path: site.current_path(),
        releases_dir: site.releases_dir(),
    }
}

/// The evidence that weighs most against the service, in words.
fn betrayal(observation: &Observation) -> String {
    let reason = observation.reason.clone();
    match observation.evidence.first().map(Evidence::place) {
        Some(place) if !reason.contains(&place) => format!("{reason}; {place}"),
        _ => reason,
    }
}
