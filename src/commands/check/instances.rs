//! What is known of the instances of a site, gathered for the rules in
//! [`trap`](crate::running::trap).

use camino::{Utf8Path, Utf8PathBuf};

use super::Trap;
use crate::commands::Context;
use crate::config::schema::{Kind, Role, Service};
use crate::error::Result;
use crate::host::access::{self, Identity, Place};
use crate::host::socket::Address;
use crate::host::{cgroup, memory, process};
use crate::running::front::Pools;
use crate::running::trap::front::{Approach, Visitor};
use crate::running::trap::instance::InstanceFacts;
use crate::running::trap::living::{Living, installed_gunicorn};
use crate::running::trap::{front, instance, living};
use crate::service::UnitState;
use crate::site::{History, ReleaseId};
use crate::step::instance::Instance;
use crate::step::{advice, name_of};

use super::rights;

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
    let state_of = |instance: &Instance| instance.unit().and_then(|unit| unit.state().ok());
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
        found.extend(at_fronts(context, &next, &state, live));
    }
    found.into_iter().map(Trap::from).collect()
}

fn facts(instance: &Instance, state: &UnitState) -> InstanceFacts {
    let service = &instance.service;
    InstanceFacts {
        unit: advice::unit_facts(service, state),
        release: instance.release.to_string(),
        environment_files: state.environment_files.clone(),
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
    }
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
    let pids = cgroup::processes(&state.control_group);
    let words = state.main_pid.and_then(|pid| process::argv(pid).seen());
    let takes = |pid| process::takes_signal(pid, TERM);
    let says = |text: &str| text.contains("control-socket");
    let mut variables = state.environment.iter();
    Living {
        name: live.name(),
        place: place_of(facts),
        words: words.unwrap_or_default(),
        start_words: state.argv.clone(),
        takes_stop_signal: state
            .main_pid
            .filter(|_| facts.kill_signal == Some(TERM))
            .and_then(takes),
        memory: memory::of_copy(&state.control_group, &pids),
        available: memory::available().ok(),
        gunicorn: installed_gunicorn(&state.argv),
        names_control_socket: variables.any(|it| says(it)),
    }
}

fn place_of(facts: &InstanceFacts) -> String {
    let file = facts.unit.unit_file.as_ref();
    file.map_or(facts.unit.name.clone(), Utf8PathBuf::to_string)
}

fn at_fronts(
    context: &Context<'_>,
    next: &Instance,
    state: &UnitState,
    live: Option<&Instance>,
) -> Vec<crate::running::trap::Trap> {
    let of = live.unwrap_or(next);
    let (Some(socket), Some(Address::Unix(bound))) = (of.socket_at_fronts(), of.address()) else {
        return Vec::new();
    };
    let acting = of.fronts(&Address::Unix(bound.clone())).acting();
    let visitors: Vec<Visitor> = acting
        .into_iter()
        .filter_map(|acting| {
            let user = acting.front.user.as_deref().unwrap_or_default();
            let by_database = Identity::of_user(user, None).unwrap_or_default();
            Some(Visitor {
                identity: Identity::of_process(acting.pid)?,
                groups: by_database.groups,
                is_named: acting.front.pools != Pools::Unknown,
                chroot: acting.chroot,
                front: acting.front,
            })
        })
        .collect();
    let places = match live {
        Some(_) => access::way_to(&socket).places,
        None => planned(context, next, state),
    };
    let approach = Approach {
        unit: name_of(&of.service),
        start_words: state.argv.clone(),
        socket,
        places,
        runtime_directories: of.runtime_directories(state),
    };
    let approach = with_live_directory(approach, live, state, &bound);
    front::predict(&visitors, &approach)
}

/// The directory that systemd made for the live instance: the unit was asked for the next one.
fn with_live_directory(
    mut approach: Approach,
    live: Option<&Instance>,
    state: &UnitState,
    bound: &Utf8Path,
) -> Approach {
    if live.is_some() && !state.runtime_directories.is_empty() {
        approach
            .runtime_directories
            .extend(bound.parent().map(Utf8Path::to_owned));
    }
    approach
}

/// The way as it will be with the first instance: what is there, and what systemd will make.
fn planned(context: &Context<'_>, next: &Instance, state: &UnitState) -> Vec<Place> {
    let mut places = access::way_to(&context.site.releases_dir()).places;
    let user = state.user.as_deref().unwrap_or("root");
    let mode = u32::from_str_radix(&state.runtime_directory_mode, 8).unwrap_or(0o755);
    let socket = next.socket_path().unwrap_or_default();
    for directory in next.runtime_directories(state) {
        if socket.starts_with(&directory) {
            let group = state.group.as_deref();
            places.extend(Place::planned(&directory, user, group, mode & 0o777));
        }
    }
    places
}
