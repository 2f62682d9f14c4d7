//! Users that nothing leads to the new release. Its instance answers on a port of its own, and the
//! proxy goes on asking that of the old one: every check through it is answered by the old code,
//! and the end of the old instance would be the end of the site.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::instance::Instance;
use super::{Stage, proxy};
use crate::config::schema::Role;
use crate::error::{Error, Result};
use crate::host::socket::Address;
use crate::running::front::as_server;
use crate::running::sockets::{self, Client};

/// How long it is looked who comes. The probe does meanwhile.
const LOOK_TIME: Duration = Duration::from_secs(1);

/// How often.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

/// Fails when users still come to the port of the old release and none to that of the new one, and
/// the settings have no `[proxy]` that leads them there. What leads them by itself, a hook say, has
/// done so by the end of hook `verify`.
///
/// # Errors
/// The first service whose users are left behind.
pub fn refuse(stage: &Stage<'_>) -> Result<()> {
    if stage.mission.config.proxy.is_some() {
        return Ok(());
    }
    for place in stage.services_of(Role::Web) {
        let new = Instance::of_mission(stage, place);
        let old = proxy::previous_of(stage.site, stage.mission, place);
        let (Some(old), Some(new)) = (old, new.address()) else {
            continue;
        };
        if are_ports(&old, &new) && are_left(stage, &old, &new) {
            return Err(left(stage, &old, &new));
        }
    }
    Ok(())
}

/// Whether they are two ports. The flip leads users from socket to socket, and one port that both
/// share needs nobody who does.
fn are_ports(old: &Address, new: &Address) -> bool {
    matches!((old, new), (Address::Tcp(old), Address::Tcp(new)) if old.port() != new.port())
}

/// Whether somebody comes to the old one within a second, and nobody is at the new one.
fn are_left(stage: &Stage<'_>, old: &Address, new: &Address) -> bool {
    let before = clients_of(old);
    let deadline = Instant::now() + LOOK_TIME;
    let mut have_come = false;
    while Instant::now() < deadline && stage.patience().sleep(LOOK_INTERVAL) {
        if !clients_of(new).is_empty() {
            return false;
        }
        have_come |= !clients_of(old).is_subset(&before);
    }
    have_come
}

fn clients_of(address: &Address) -> BTreeSet<Client> {
    let traffic = sockets::look(std::slice::from_ref(address)).unwrap_or_default();
    let clients = traffic.connections.into_iter().map(|it| it.client);
    let is_told = |it: &Client| matches!(it, Client::Local { .. } | Client::Remote(_));
    clients.filter(is_told).collect()
}

fn left(stage: &Stage<'_>, old: &Address, new: &Address) -> Error {
    let what = format!(
        "users are still led to the old release at {}, and nobody to {}",
        as_server(old),
        as_server(new)
    );
    let socket = stage.site.current_socket_path("app.sock");
    let hint = format!(
        "write `[proxy]` into zdd.toml, which leads nginx from port to port; or let the server \
         listen on a `socket`, and the proxy ask {socket}"
    );
    Error::failed(what).hint(hint)
}
