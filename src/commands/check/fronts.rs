//! The proxies of this host, and the ways from them to the instances of a service.

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::access::{self, Identity, Place};
use crate::host::socket::Address;
use crate::running::front::{Acting, Pools};
use crate::running::trap::Trap;
use crate::running::trap::front::{Approach, Visitor, planned_socket_mode, predict};
use crate::service::UnitState;
use crate::site::Site;
use crate::step::instance::Instance;
use crate::step::name_of;

/// What stands between the proxies and a service whose settings name a socket.
pub(super) fn traps(
    site: &Site,
    next: &Instance,
    state: &UnitState,
    live: Option<&Instance>,
) -> Vec<Trap> {
    let instance = live.unwrap_or(next);
    let is_named = next.service.socket.is_some();
    let address = instance.address().filter(|_| is_named);
    let (Some(socket), Some(address)) = (instance.path_through_current(), address) else {
        return Vec::new();
    };
    let acting = instance.fronts(&address).acting();
    let visitors: Vec<Visitor> = acting.into_iter().filter_map(visitor).collect();
    let approach = |places, runtime_directories| Approach {
        unit: name_of(&next.service),
        start_words: state.argv.clone(),
        socket: socket.clone(),
        places,
        runtime_directories,
    };
    let live = live.map(|_| {
        let made = made_for_live(state, &address);
        approach(access::way_to(&socket).places, made)
    });
    let next = approach(planned(site, next, state), made_for_next(next, state));
    predict(&visitors, live.as_ref(), &next)
}

fn visitor(acting: Acting) -> Option<Visitor> {
    let user = acting.front.user.as_deref().unwrap_or_default();
    Some(Visitor {
        identity: Identity::of_process(acting.pid)?,
        groups: Identity::of_user(user, None).unwrap_or_default().groups,
        is_named: acting.front.pools != Pools::Unknown,
        chroot: acting.chroot,
        front: acting.front,
    })
}

/// The directory that systemd made for the live instance: the unit was asked for the next one.
fn made_for_live(state: &UnitState, address: &Address) -> Vec<Utf8PathBuf> {
    match address {
        Address::Unix(socket) if !state.runtime_directories.is_empty() => {
            let directory = socket.parent().map(Utf8Path::to_owned);
            directory.into_iter().collect()
        }
        _ => Vec::new(),
    }
}

fn made_for_next(next: &Instance, state: &UnitState) -> Vec<Utf8PathBuf> {
    let made = next.runtime_directories(state);
    made.iter().map(|path| with_percent_i(next, path)).collect()
}

/// The way as it will be with the next instance: what is there, and what systemd and the server
/// will make.
fn planned(site: &Site, next: &Instance, state: &UnitState) -> Vec<Place> {
    let mut places = access::way_to(&site.releases_dir()).places;
    let user = state.user.as_deref().unwrap_or("root");
    let octal = |text: &str, usual| u32::from_str_radix(text, 8).unwrap_or(usual) & 0o777;
    let plan = |path: &Utf8Path, mode| {
        let path = with_percent_i(next, path);
        Place::planned(&path, user, state.group.as_deref(), mode)
    };
    let Some(socket) = next.socket_path() else {
        return places;
    };
    for directory in next.runtime_directories(state) {
        if socket.starts_with(&directory) {
            let mode = octal(&state.runtime_directory_mode, 0o755);
            places.extend(plan(&directory, mode));
        }
    }
    let mode = planned_socket_mode(&state.argv, octal(&state.umask, 0o022));
    let file = plan(&socket, mode).map(|place| Place {
        is_directory: false,
        ..place
    });
    places.extend(file);
    places
}

/// A path that does not exist yet, as the unit file writes it.
fn with_percent_i(next: &Instance, path: &Utf8Path) -> Utf8PathBuf {
    path.as_str().replace(next.release.as_str(), "%i").into()
}
