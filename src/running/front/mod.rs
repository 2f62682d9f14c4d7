//! Fronts: the proxies that hold the client ends of an instance's connections, and whether they
//! keep idle ones in a pool, which only their own settings tell.

mod acting;
mod caddy;
mod haproxy;
mod nginx;
mod settings;
mod users;

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::sockets::{Address, Client};
use crate::host::user::name_of;
use users::Users;

pub use nginx::{Log, Names, Served, Target};

/// Whether a front keeps idle connections to an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pools {
    /// It does, as long as it likes; the text is what to change in its own settings so that it does
    /// not.
    Yes(String),
    /// The same, and its settings let WebSockets through to the instance: where the kernel counts
    /// no bytes, they look like idle connections.
    WithWebSockets(String),
    /// It does, but no request that it gets later than this goes over a connection of now.
    Briefly(Duration),
    /// It closes each after its answer.
    No,
    /// Its settings cannot be read, or do not name the instance.
    Unknown,
}

impl Pools {
    /// What to change where connections are kept as long as the front likes.
    pub fn change(&self) -> Option<&str> {
        match self {
            Pools::Yes(change) | Pools::WithWebSockets(change) => Some(change),
            Pools::Briefly(_) | Pools::No | Pools::Unknown => None,
        }
    }
}

/// Who holds the client ends of connections.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Front {
    /// The program's short name, or a remote address.
    pub program: String,
    /// The user it acts as, where there is one.
    pub user: Option<String>,
    /// Whether it keeps idle connections.
    pub pools: Pools,
}

/// A front that runs on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acting {
    /// What it is.
    pub front: Front,
    /// One of its processes.
    pub pid: u32,
    /// The line of its settings that shuts it into a directory.
    pub chroot: Option<String>,
}

impl fmt::Display for Front {
    /// "nginx (www-data)"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{} ({user})", self.program),
            None => f.write_str(&self.program),
        }
    }
}

/// Where the settings of the fronts are, when their command lines do not tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// That of nginx.
    pub nginx: Utf8PathBuf,
    /// That of Caddy.
    pub caddy: Utf8PathBuf,
    /// That of HAProxy.
    pub haproxy: Utf8PathBuf,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            nginx: "/etc/nginx/nginx.conf".into(),
            caddy: "/etc/caddy/Caddyfile".into(),
            haproxy: "/etc/haproxy/haproxy.cfg".into(),
        }
    }
}

/// What is known of the fronts of an instance. Everything is read when it is first asked for, and
/// once: one of these is for one drain.
#[derive(Debug)]
pub struct Fronts {
    names: Vec<String>,
    settings: Settings,
    users: RefCell<Users>,
    pools: RefCell<HashMap<(u32, String), Pools>>,
}

/// The logs in which the proxies of this host write about a site. Only those of nginx are known.
pub fn logs(names: &Names) -> Vec<Log> {
    let (pids, settings) = nginx_of_host();
    let mut logs: Vec<Log> = Vec::new();
    for log in pids.flat_map(|pid| nginx::logs_of(pid, &settings, names)) {
        if !logs.contains(&log) {
            logs.push(log);
        }
    }
    logs
}

/// The directories of a site that the proxies of this host hand files out of by themselves. Only
/// those of nginx are known.
pub fn served(site: &Utf8Path) -> Vec<Served> {
    let (pids, settings) = nginx_of_host();
    pids.flat_map(|pid| nginx::served_by(pid, &settings, site))
        .collect()
}

/// The unix sockets that the proxies of this host pass requests to. Only those of nginx are known.
pub fn targets(names: &Names) -> Vec<Target> {
    let (pids, settings) = nginx_of_host();
    pids.flat_map(|pid| nginx::targets_of(pid, &settings, names))
        .collect()
}

/// A process of each user whom nginx acts as, and its usual file of settings.
fn nginx_of_host() -> (impl Iterator<Item = u32>, Utf8PathBuf) {
    let fronts = acting::all().into_iter().map(|(_, holder)| holder);
    let nginx = fronts.filter(|holder| holder.program == "nginx");
    (nginx.map(|holder| holder.pid), Settings::default().nginx)
}

/// An address as nginx writes it behind `server` in an `upstream`.
pub fn as_server(address: &Address) -> String {
    match address {
        Address::Tcp(address) => address.to_string(),
        Address::Unix(path) => format!("unix:{path}"),
    }
}

/// The texts by which settings may name these addresses.
pub fn names_of(addresses: &[Address]) -> Vec<String> {
    let mut names = Vec::new();
    for address in addresses {
        names.push(address.to_string());
        if let Address::Tcp(address) = address {
            names.push(format!("127.0.0.1:{}", address.port()));
            names.push(format!("localhost:{}", address.port()));
        }
    }
    names
}

impl Fronts {
    /// The fronts of an instance at these addresses. `names` are further texts by which settings
    /// may name it: the path of the socket through the link `current`, say.
    pub fn new(addresses: &[Address], names: &[String]) -> Self {
        Fronts::with_settings(addresses, names, Settings::default())
    }

    /// The same, with the settings at other places.
    pub fn with_settings(addresses: &[Address], names: &[String], settings: Settings) -> Self {
        let mut all = names.to_vec();
        all.extend(names_of(addresses));
        Fronts {
            names: all,
            settings,
            users: RefCell::default(),
            pools: RefCell::default(),
        }
    }

    /// The fronts that run on this host, connected or not, each once for every user it acts as.
    pub fn acting(&self) -> Vec<Acting> {
        acting::all()
            .into_iter()
            .map(|(uid, holder)| Acting {
                pid: holder.pid,
                chroot: match holder.program.as_str() {
                    "haproxy" => haproxy::chroot_of(holder.pid, &self.settings.haproxy),
                    _ => None,
                },
                front: Front {
                    user: Some(name_of(uid)),
                    pools: self.pools_of(uid, &holder),
                    program: holder.program,
                },
            })
            .collect()
    }

    /// Who this client is.
    pub fn of(&self, client: &Client) -> Front {
        let nobody = |program: String| Front {
            program,
            user: None,
            pools: Pools::Unknown,
        };
        match *client {
            Client::Local {
                inode,
                uid: Some(uid),
            } => self.of_user(uid, inode),
            Client::Local { uid: None, .. } | Client::Unknown => {
                nobody("an unknown program".into())
            }
            Client::Remote(address) => nobody(address.ip().to_string()),
            Client::HungUp => nobody("a client that hung up".into()),
        }
    }

    fn of_user(&self, uid: u32, inode: u64) -> Front {
        let holder = self.users.borrow_mut().holder(uid, inode);
        let (program, pools) = match holder {
            Some(holder) => {
                let pools = self.pools_of(uid, &holder);
                (holder.program, pools)
            }
            None => ("an unknown program".to_owned(), Pools::Unknown),
        };
        Front {
            program,
            user: Some(name_of(uid)),
            pools,
        }
    }

    fn pools_of(&self, uid: u32, holder: &users::Holder) -> Pools {
        let key = (uid, holder.program.clone());
        if let Some(known) = self.pools.borrow().get(&key) {
            return known.clone();
        }
        let (pid, settings, names) = (holder.pid, &self.settings, &self.names);
        let found = match holder.program.as_str() {
            "nginx" => nginx::pools_of(pid, &settings.nginx, names),
            "caddy" => caddy::pools_of(pid, &settings.caddy, names),
            "haproxy" => haproxy::pools_of(pid, &settings.haproxy, names),
            _ => Pools::Unknown,
        };
        self.pools.borrow_mut().insert(key, found.clone());
        found
    }
}

#[cfg(test)]
mod tests;
