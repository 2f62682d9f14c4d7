//! The sockets that nginx passes the requests of the site to.

use super::Trap;
use crate::commands::Context;
use crate::config::schema::{Kind, Role, Service};
use crate::host::cgroup;
use crate::host::socket::Address;
use crate::running::front::{self, Names};
use crate::running::sockets::{listening, look};
use crate::running::trap::target::{Listener, predict};
use crate::service::Unit;
use crate::step::name_of;

/// One for each socket where nobody listens. Where an instance listens is the business of its own
/// checks.
pub(super) fn traps(context: &Context<'_>) -> Vec<Trap> {
    let services = context.config.service.iter();
    let of_units = services.filter(|it| it.kind() == Kind::Unit && it.role == Role::Web);
    let (listeners, addresses): (Vec<_>, Vec<_>) = of_units.filter_map(listener).unzip();
    let names = Names {
        addresses: front::names_of(&addresses.concat()),
        root: context.site.root().to_owned(),
    };
    let targets = front::targets(&names).into_iter();
    let dead = targets.filter(|it| is_dead(&Address::Unix(it.path.clone())));
    let mut traps: Vec<Trap> = dead
        .filter_map(|it| predict(&it, &listeners))
        .map(Trap::from)
        .collect();
    traps.dedup_by(|a, b| a.what == b.what);
    traps
}

/// What a unit that runs listens on.
fn listener(service: &Service) -> Option<(Listener, Vec<Address>)> {
    let state = Unit::of(service)?.state().ok()?;
    let addresses = listening(&cgroup::processes(&state.control_group));
    let listener = Listener {
        service: name_of(service),
        addresses: addresses.iter().map(front::as_server).collect(),
    };
    Some((listener, addresses))
}

/// A socket that cannot be looked for counts as one that somebody listens on.
fn is_dead(address: &Address) -> bool {
    look(std::slice::from_ref(address)).is_ok_and(|traffic| traffic.listeners == 0)
}
