//! Where an instance listens: at the socket of the settings, at the port that it wrote down, or
//! where the kernel's tables show its processes.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{Instance, own_daemon};
use crate::config::schema::{Kind, Role, Scope};
use crate::error::{Finding, Result};
use crate::host::access::{self, Identity, PASS, WRITE};
use crate::host::socket::Address;
use crate::host::user::Owner;
use crate::running::sockets;
use crate::service::UnitState;

/// The socket of an own process or program whose settings name neither socket nor port file.
const USUAL_NAME: &str = "app.sock";

/// Where systemd makes a unit's other directories.
const MADE_BY_SYSTEMD: [&str; 3] = ["/var/lib", "/var/cache", "/var/log"];

impl Instance {
    /// The socket that the settings name, for this release.
    pub fn socket_path(&self) -> Option<Utf8PathBuf> {
        let socket = self.service.socket.as_ref()?;
        let named = socket.as_str().replace("%i", self.release.as_str());
        Some(self.directory().join(named))
    }

    /// Whether its socket lies outside its release, so that a proxy needs a link to it.
    pub(super) fn has_socket_elsewhere(&self) -> bool {
        self.socket_path()
            .is_some_and(|socket| !socket.starts_with(self.directory()))
    }

    /// Where a proxy finds it through `current`, whatever release that names. A socket whose own
    /// name holds the release goes by the usual one there.
    pub fn path_through_current(&self) -> Option<Utf8PathBuf> {
        let name = self.name_in_run()?;
        Some(self.site.current_socket_path(&name))
    }

    fn name_in_run(&self) -> Option<String> {
        let told = self.told_socket()?;
        let named = self.service.socket.as_deref().and_then(Utf8Path::file_name);
        match named.is_some_and(|name| name.contains("%i")) {
            true => Some(USUAL_NAME.to_owned()),
            false => told.file_name().map(str::to_owned),
        }
    }

    /// Links the socket to where a proxy looks for it through `current`, unless it lies there.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn link_socket(&self) -> Result<()> {
        let (Some(socket), Some(name)) = (self.socket_path(), self.name_in_run()) else {
            return Ok(());
        };
        if !self.has_socket_elsewhere() && socket.file_name() == Some(&name) {
            return Ok(());
        }
        let link = self.site.socket_path(&self.release, &name);
        if fs::read_link(&link).is_ok_and(|target| target == socket.as_std_path()) {
            return Ok(());
        }
        if let Some(parent) = link.parent() {
            crate::site::make_dir(parent, 0o755)?;
        }
        let _ = fs::remove_file(&link);
        fs::os::unix::fs::symlink(&socket, &link)?;
        Ok(())
    }

    /// A socket file in the release that nobody listens on would make the server's bind fail.
    pub(super) fn remove_dead_socket(&self) {
        let Some(socket) = self.told_socket() else {
            return;
        };
        if let Some(directory) = socket
            .parent()
            .filter(|dir| dir.starts_with(self.directory()))
        {
            let _ = crate::site::make_dir(directory, 0o755);
            let _ = fs::remove_file(&socket);
        }
    }

    /// The socket it is told to listen on, by `ZDD_SOCKET`.
    pub fn told_socket(&self) -> Option<Utf8PathBuf> {
        let usual = || self.site.socket_path(&self.release, USUAL_NAME);
        match self.service.kind() {
            // A worker without a socket must not touch the one that a web service may have there.
            Kind::Program | Kind::Process
                if self.service.port_file.is_none()
                    && self.service.pid_file.is_none()
                    && self.service.role == Role::Web =>
            {
                Some(self.socket_path().unwrap_or_else(usual))
            }
            _ => self.socket_path(),
        }
    }

    /// Why its user cannot make the socket where the settings want it.
    pub fn unwritable_socket(&self, state: &UnitState) -> Option<Finding> {
        let socket = self.socket_path()?;
        let named = self.service.socket.as_ref()?;
        let own_user = Owner::of_process().name;
        let user = match self.service.scope {
            Scope::System => state.user.clone().unwrap_or_else(|| "root".to_owned()),
            Scope::User => own_user.clone(),
        };
        let is_elsewhere = self.has_socket_elsewhere();
        let is_writable = match is_elsewhere {
            true => self.can_be_bound(&socket, &user, state),
            false => user == own_user || user == "root",
        };
        if is_writable {
            return None;
        }
        let name = self.name();
        let place = match is_elsewhere {
            true => String::new(),
            false => format!(" in a release of `{own_user}`"),
        };
        let what = format!("`{name}` runs as `{user}`, who cannot make `{named}`{place}");
        let short = name.split('@').next().unwrap_or_default();
        let file = match named.file_name().filter(|file| !file.contains("%i")) {
            Some(file) => file,
            None => USUAL_NAME,
        };
        let hint = format!(
            "let systemd make its directory: `RuntimeDirectory={short}/%i` in the unit, and \
             `socket = \"/run/{short}/%i/{file}\"` in zdd.toml"
        );
        Some(Finding::new(what).hint(hint))
    }

    /// Whether the user can make the socket, as far as that can be told before the start.
    fn can_be_bound(&self, socket: &Utf8Path, user: &str, state: &UnitState) -> bool {
        let Some(directory) = socket.parent() else {
            return true;
        };
        let made = self.runtime_directories(state);
        let is_made = made.iter().any(|made| directory.starts_with(made))
            || MADE_BY_SYSTEMD
                .iter()
                .any(|base| directory.starts_with(base))
            || !state.start_before.is_empty();
        let Some(identity) = Identity::of_user(user, state.group.as_deref()) else {
            return true;
        };
        let way = access::way_to(directory);
        let Some((last, before)) = way.places.split_last() else {
            return true;
        };
        let own = Identity::of_process(std::process::id()).unwrap_or_default();
        let is_hidden = !way.is_whole && !own.may(last, PASS);
        let passes = before.iter().all(|place| identity.may(place, PASS));
        is_made || is_hidden || (passes && identity.may(last, PASS | WRITE))
    }

    /// The directories that systemd makes for its unit, whole paths.
    pub fn runtime_directories(&self, state: &UnitState) -> Vec<Utf8PathBuf> {
        let base = match self.service.scope {
            Scope::System => Some(Utf8PathBuf::from("/run")),
            Scope::User => std::env::var("XDG_RUNTIME_DIR").ok().map(Into::into),
        };
        let base = base.unwrap_or_default();
        let own = state.runtime_directories.iter();
        own.map(|directory| base.join(directory)).collect()
    }

    /// Where it listens, as far as that is known now: a port is known once it runs.
    pub fn address(&self) -> Option<Address> {
        if let Some(socket) = self.socket_path() {
            return Some(Address::Unix(socket));
        }
        if let Some(file) = &self.service.port_file {
            let text = fs::read_to_string(self.directory().join(file)).ok()?;
            let port: u16 = text.trim().parse().ok().filter(|port| *port != 0)?;
            return Some(Address::Tcp(([127, 0, 0, 1], port).into()));
        }
        if self.service.pid_file.is_some() {
            return own_daemon::address(self).map(Address::Tcp);
        }
        // A file that an earlier process left there is removed before each start.
        if let Some(told) = self.told_socket().filter(|socket| socket.exists()) {
            return Some(Address::Unix(told));
        }
        let listening = self.listening();
        let first = listening.first()?;
        listening
            .iter()
            .all(|it| is_one(it, first))
            .then(|| first.clone())
    }

    /// All addresses at which its processes listen, whichever of them users are led to.
    pub fn listening(&self) -> Vec<Address> {
        let remains = self.remains();
        remains.map_or_else(|_| Vec::new(), |it| sockets::listening(&it.all))
    }
}

/// Whether two listeners are the same to users: one port on several addresses is.
fn is_one(one: &Address, other: &Address) -> bool {
    match (one, other) {
        (Address::Tcp(one), Address::Tcp(other)) => one.port() == other.port(),
        _ => one == other,
    }
}
