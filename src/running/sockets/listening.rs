//! The addresses that processes listen on.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};

use super::Address;
use crate::host::process;
use crate::host::sock_diag::{Ports, TcpState, UnixSocket, tcp, unix};

/// Where these processes listen for users: unix sockets with a file, and TCP. A process whose
/// descriptors this user may not read counts as one that listens nowhere.
pub fn listening(pids: &[u32]) -> Vec<Address> {
    let mut holders = HashMap::new();
    for pid in pids {
        let inodes = process::socket_inodes(*pid).seen().unwrap_or_default();
        holders.extend(inodes.into_iter().map(|inode| (inode, *pid)));
    }
    let mut addresses = BTreeSet::new();
    for socket in tcp(Ports::Any).unwrap_or_default() {
        if socket.state == TcpState::Listening && holders.contains_key(&socket.inode) {
            addresses.insert(Address::Tcp(socket.local));
        }
    }
    for socket in unix().unwrap_or_default() {
        let holder = holders.get(&socket.inode);
        if let Some(pid) = holder.filter(|_| socket.is_listening) {
            let path = path_of(&socket, *pid).filter(|path| !is_control(path));
            addresses.extend(path.map(Address::Unix));
        }
    }
    addresses.into_iter().collect()
}

/// gunicorn's own socket (from 25.1 on, for `gunicornc`): no user asks it.
fn is_control(path: &Utf8Path) -> bool {
    path.extension() == Some("ctl")
}

/// The absolute path of a socket's file, if it has one. The process that bound a relative name may
/// have been another than the one that holds the socket now, and in another directory; the
/// directories of its ancestors are tried too, and the kernel's number of the file decides.
fn path_of(socket: &UnixSocket, pid: u32) -> Option<Utf8PathBuf> {
    let name = Utf8Path::from_path(Path::new(OsStr::from_bytes(&socket.name)))?;
    if name.is_absolute() {
        return Some(name.to_owned());
    }
    if name.as_str().is_empty() || name.as_str().starts_with('\0') {
        return None;
    }
    let places: Vec<_> = directories(pid).map(|place| place.join(name)).collect();
    let is_it = |path: &&Utf8PathBuf| {
        let found = crate::host::sock_diag::FileId::of_path(path.as_std_path());
        found.is_ok_and(|found| socket.file == Some(found))
    };
    places.iter().find(is_it).or(places.first()).cloned()
}

/// Where a process and its ancestors work, the process first.
fn directories(pid: u32) -> impl Iterator<Item = Utf8PathBuf> {
    let parent = |pid: &u32| process::stat(*pid).seen().map(|stat| stat.parent);
    let line = std::iter::successors(Some(pid), parent).take_while(|pid| *pid > 1);
    line.filter_map(|pid| process::cwd(pid).seen())
}
