//! On real sockets; who is a front that pools is said by each test.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::drain::drain_by;
use super::*;
use crate::host::signal::Patience;
use crate::running::front::{Front, Pools};

mod addresses;
mod over_tcp;
mod over_unix;

const SETTLE: Duration = Duration::from_millis(100);

/// A directory with the path of a socket in it.
fn place() -> (tempfile::TempDir, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(directory.path())
        .unwrap()
        .join("app.sock");
    (directory, path)
}

fn pooling() -> Pools {
    Pools::Yes("change it".to_owned())
}

/// Drains within 400 ms behind fronts of this kind.
fn drained(address: &Address, pools: &Pools) -> Drained {
    drained_within(400, address, pools, &mut |_| ())
}

fn drained_within(
    limit: u64,
    address: &Address,
    pools: &Pools,
    on_progress: &mut dyn FnMut(&Traffic),
) -> Drained {
    drained_by(&limits(limit), address, pools, on_progress)
}

fn limits(limit: u64) -> DrainLimits {
    DrainLimits {
        settle: SETTLE,
        drain: Duration::from_millis(limit),
        interval: Duration::from_millis(10),
        spares_websockets: true,
    }
}

fn drained_by(
    limits: &DrainLimits,
    address: &Address,
    pools: &Pools,
    on_progress: &mut dyn FnMut(&Traffic),
) -> Drained {
    let front_of = |client: &Client| Front {
        program: match client {
            Client::HungUp => "nobody".to_owned(),
            _ => "nginx".to_owned(),
        },
        user: Some("www-data".to_owned()),
        pools: match client {
            Client::HungUp => Pools::Unknown,
            _ => pools.clone(),
        },
    };
    let patience = Patience::endless();
    drain_by(
        std::slice::from_ref(address),
        limits,
        &front_of,
        &patience,
        on_progress,
    )
    .unwrap()
}
