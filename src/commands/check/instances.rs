//! What is known of the instances of a site, gathered for the rules in
//! [`trap`](crate::running::trap).

use camino::Utf8PathBuf;

use super::{Trap, fronts, rights};
use crate::commands::Context;
use crate::config::schema::{Kind, Role, Service};
use crate::error::Result;
use crate::host::access::Place;
use crate::host::process;
use crate::host::user::Owner;
use crate::running::trap::instance::InstanceFacts;
use crate::running::trap::living::{Living, installed_gunicorn};
use crate::running::trap::{instance, living, node};
use crate::service::UnitState;
use crate::site::{History, ReleaseId};
use crate::step::advice;
use crate::step::instance::{Instance, Runner};

/// The number of SIGTERM.
const TERM: i32 = 15;

/// Everything that is to be said of the services that have instances of a template.
pub(super) fn traps(context: &Context<'_>) -> Result<Vec<Trap>> {
    let history = History::load(&context.site)?;
    let release = history.next_id(context.clock.now());
    let live = history.current().release();
    let mut traps = Vec::new();
    for (place, service) in context.config.service.iter().enumerate() {
        if service.kind() == Kind::Instance {
            traps.extend(rights::password_trap(service));
            traps.extend(traps_of(context, place, service, &release, live));
        }
    }
    Ok(traps)
}

fn traps_of(
    context: &Context<'_>,
    place: usize,
    service: &Service,
    release: &ReleaseId,
    live: Option<&ReleaseId>,
) -> Vec<Trap> {
    let state_of = |instance: &Instance| match instance.runner() {
        Runner::Unit(unit) => unit.state().ok(),
        Runner::Program(_) | Runner::Process => None,
    };
    let next = Instance::new(&context.site, release, place, service);
    let Some(state) = state_of(&next).filter(UnitState::is_found) else {
        return Vec::new();
    };
    let facts = facts(&next, &state);
    let mut found = instance::predict(&facts, &advice::paths(&context.site));
    let live = live.map(|live| Instance::new(&context.site, live, place, service));
    let running = live.and_then(|live| Some((state_of(&live)?, live)));
    let running = running.filter(|(state, _)| state.is_active());
    if let Some((state, live)) = &running {
        found.extend(living::predict(&looked_at(live, state, &facts)));
    }
    if service.role == Role::Web {
        let live = running.as_ref().map(|(_, live)| live);
        found.extend(fronts::traps(&context.site, &next, &state, live));
    }
    found.into_iter().map(Trap::from).collect()
}

fn facts(instance: &Instance, state: &UnitState) -> InstanceFacts {
    let service = &instance.service;
    InstanceFacts {
        unit: advice::unit_facts(service, state),
        release: instance.release.to_string(),
        socket: instance.socket_path(),
        drain: service.drain.duration(),
        kill_mode: state.kill_mode.clone(),
        kill_signal: state.kill_signal,
        stop_limit: state.stop_limit(),
        has_own_stop_limit: says_stop_limit(state),
        restart: state.restart.clone(),
        can_be_enabled: !state.cannot_be_enabled(),
        has_private_tmp: state.has_private_tmp,
        runtime_directories: instance.runtime_directories(state),
        keeps_runtime_directories: state.keeps_runtime_directories,
        start_before: state.start_before.clone(),
        foreign_group: foreign_group(state),
    }
}

/// The group of a unit that runs as the user of this process, but in another main group.
fn foreign_group(state: &UnitState) -> Option<String> {
    let own = Owner::of_process().name;
    let group = state.group.as_ref()?;
    let is_own = state.user.as_deref() == Some(own.as_str());
    let plain = Place::planned("/".into(), &own, None, 0)?;
    let named = Place::planned("/".into(), &own, Some(group), 0)?;
    (is_own && plain.gid != named.gid).then(|| group.clone())
}

/// Whether a file of the unit says how long a stop may take. One that cannot be read may.
fn says_stop_limit(state: &UnitState) -> bool {
    let says = |text: String| {
        let mut lines = text.lines().map(str::trim);
        let keys = ["TimeoutStopSec", "TimeoutSec"];
        lines.any(|line| {
            let key = line.split_once('=').map(|(key, _)| key.trim_end());
            key.is_some_and(|key| keys.contains(&key))
        })
    };
    let mut files = state.fragment_path.iter().chain(&state.drop_in_paths);
    files.any(|file| fs_err::read_to_string(file).map_or(true, says))
}

fn looked_at(live: &Instance, state: &UnitState, facts: &InstanceFacts) -> Living {
    let words = state.main_pid.and_then(|pid| process::argv(pid).seen());
    let takes = |pid| match node::is_node(&state.argv) {
        true => node::names_sigterm(&state.argv, &live.directory()),
        false => process::takes_signal(pid, TERM),
    };
    // A runtime directory of its own gives it a control socket of its own.
    let own = format!("/{}", live.release);
    let says = |text: &String| {
        let is_own = text.starts_with("XDG_RUNTIME_DIR=") && text.contains(&own);
        is_own || text.contains("control-socket")
    };
    Living {
        name: live.name(),
        place: place_of(facts),
        words: words.unwrap_or_default(),
        start_words: state.argv.clone(),
        takes_stop_signal: state
            .main_pid
            .filter(|_| facts.kill_signal == Some(TERM))
            .and_then(takes),
        gunicorn: installed_gunicorn(&state.argv),
        names_control_socket: state.environment.iter().any(says),
    }
}

fn place_of(facts: &InstanceFacts) -> String {
    let file = facts.unit.unit_file.as_ref();
    file.map_or(facts.unit.name.clone(), Utf8PathBuf::to_string)
}
