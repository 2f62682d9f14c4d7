//! What stands between a proxy and the socket of an instance: rights on the way to it, and
//! connections that the proxy keeps.

use camino::{Utf8Path, Utf8PathBuf};

use super::instance::in_service;
use super::{Level, Trap};
use crate::host::access::{Identity, PASS, Place, WRITE};
use crate::running::front::Front;
use crate::running::server::{Server, base_name, option};

/// A proxy that runs on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// Which one, and whether it keeps connections.
    pub front: Front,
    /// Whom it acts as now.
    pub identity: Identity,
    /// The groups that the user database gives its user; it may have been started before.
    pub groups: Vec<u32>,
    /// Whether its settings name the socket.
    pub is_named: bool,
    /// The line of its settings that shuts it into a directory.
    pub chroot: Option<String>,
}

/// The way from the root directory to the socket, as it is, or as it will be with the first
/// instance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Approach {
    /// The name of the template.
    pub unit: String,
    /// What starts the server.
    pub start_words: Vec<String>,
    /// The socket as a proxy names it, through `current`.
    pub socket: Utf8PathBuf,
    /// Everything on the way; the last one may be the socket itself.
    pub places: Vec<Place>,
    /// The directories that systemd makes for the unit.
    pub runtime_directories: Vec<Utf8PathBuf>,
}

/// The rights of the socket that a server will make.
pub fn planned_socket_mode(words: &[String], umask: u32) -> u32 {
    let own = |text: &str| match text.strip_prefix('0') {
        Some(octal) => u32::from_str_radix(octal.trim_start_matches('o'), 8).ok(),
        None => text.parse().ok(),
    };
    match Server::of(words) {
        // It sets a umask of its own, which lets everybody in when it is told nothing.
        Some(Server::Gunicorn) => {
            let begins = words.iter().position(|word| base_name(word) == "gunicorn");
            let own_words = &words[begins.unwrap_or(0)..];
            let told = option(own_words, &["--umask", "-m"]).and_then(own);
            0o777 & !told.unwrap_or(0)
        }
        Some(Server::Uvicorn) => 0o666,
        _ => 0o777 & !umask,
    }
}

/// What is to be said of all proxies. One whose settings do not name the socket counts only where
/// no other one does. `live` is the way to the live instance, `next` the one to the next.
pub fn predict(visitors: &[Visitor], live: Option<&Approach>, next: &Approach) -> Vec<Trap> {
    let approach = live.unwrap_or(next);
    let is_any_named = visitors.iter().any(|visitor| visitor.is_named);
    let mut traps = Vec::new();
    if !is_any_named && let Some(visitor) = visitors.first() {
        traps.push(unnamed(visitor, approach));
    }
    for visitor in visitors {
        if visitor.is_named || !is_any_named {
            let now = live.and_then(|live| barred(visitor, live, Level::Error));
            traps.extend(now.or_else(|| barred_later(visitor, live, next)));
        }
        if visitor.is_named {
            traps.extend(shut_in(visitor, approach));
            traps.extend(pooling(visitor, approach));
        }
    }
    traps
}

fn unnamed(visitor: &Visitor, approach: &Approach) -> Trap {
    let (program, socket) = (&visitor.front.program, &approach.socket);
    let change = match program.as_str() {
        "caddy" => format!("reverse_proxy unix/{socket}"),
        "haproxy" => format!("server {} unix@{socket}", short(&approach.unit)),
        _ => format!("server unix:{socket} fail_timeout=0;"),
    };
    Trap {
        level: Level::Note,
        what: format!("no proxy here is seen to lead to `{socket}`"),
        place: program.clone(),
        change,
    }
}

/// The same of the next instance, by the settings of its unit. What a server makes of its socket is
/// not certain, and not told where the socket of the live one is right.
fn barred_later(visitor: &Visitor, live: Option<&Approach>, next: &Approach) -> Option<Trap> {
    let directories = next.places.iter().filter(|place| place.is_directory);
    let known = Approach {
        places: directories.cloned().collect(),
        ..next.clone()
    };
    let level = match live {
        Some(_) => return barred(visitor, &known, Level::Error),
        None if barred(visitor, &known, Level::Error).is_some() => Level::Error,
        None => Level::Warning,
    };
    barred(visitor, next, level)
}

/// The proxy may not pass a directory on the way, or not connect to the socket.
fn barred(visitor: &Visitor, approach: &Approach, level: Level) -> Option<Trap> {
    let is_barrier = |place: &&Place| !visitor.identity.may(place, right(place));
    let barriers: Vec<&Place> = approach.places.iter().filter(is_barrier).collect();
    let (front, first) = (&visitor.front, barriers.first()?);
    let verb = match first.is_directory {
        true => "may not pass",
        false => "may not connect to",
    };
    let Place {
        path,
        mode,
        owner,
        group,
        ..
    } = first;
    let what = format!(
        "{front} does not get to `{}`: it {verb} `{path}` (0{mode:o} {owner}:{group})",
        approach.socket
    );
    let mut changes: Vec<String> = Vec::new();
    for place in &barriers {
        for change in changes_of(place, visitor, approach) {
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
    }
    Some(Trap {
        level: if visitor.is_named {
            level
        } else {
            Level::Warning
        },
        what,
        place: path.to_string(),
        change: changes.join("\n"),
    })
}

fn right(place: &Place) -> u32 {
    if place.is_directory { PASS } else { WRITE }
}

fn changes_of(place: &Place, visitor: &Visitor, approach: &Approach) -> Vec<String> {
    let does_group_get = place.mode >> 3 & right(place) == right(place);
    let is_made_by_systemd = approach.runtime_directories.contains(&place.path);
    // Nobody but root should be in its group.
    if place.gid == 0 && is_made_by_systemd {
        return vec![in_service("RuntimeDirectoryMode=0755")];
    }
    if place.gid == 0 || (!does_group_get && place.is_directory && !is_made_by_systemd) {
        // The class that fits first decides alone: more rights for others do not help a member.
        let class = match &visitor.identity {
            identity if identity.uid == place.uid => "u",
            identity if identity.groups.contains(&place.gid) => "g",
            _ => "o",
        };
        let letter = if place.is_directory { "x" } else { "w" };
        return vec![format!("chmod {class}+{letter} {}", place.path)];
    }
    let mut changes = Vec::new();
    if !does_group_get {
        changes.push(
            match (place.is_directory, Server::of(&approach.start_words)) {
                (true, _) => in_service("RuntimeDirectoryMode=0750"),
                (false, Some(Server::Gunicorn)) => "start gunicorn with: --umask 007".to_owned(),
                (false, _) => in_service("UMask=0007"),
            },
        );
    }
    if !visitor.identity.groups.contains(&place.gid) {
        changes.push(membership(place, visitor));
    }
    changes
}

/// The line that puts a proxy into the group of a place.
fn membership(place: &Place, visitor: &Visitor) -> String {
    let (program, group) = (&visitor.front.program, &place.group);
    let user = visitor.front.user.as_deref().unwrap_or_default();
    match program.as_str() {
        // It gives up all groups of its user but the one in its settings.
        "haproxy" => {
            format!("`group {group}` in `global` of haproxy.cfg, then: systemctl restart haproxy")
        }
        _ if visitor.groups.contains(&place.gid) => format!("systemctl restart {program}"),
        _ => format!("usermod -aG {group} {user} && systemctl restart {program}"),
    }
}

fn shut_in(visitor: &Visitor, approach: &Approach) -> Option<Trap> {
    let line = visitor.chroot.as_ref()?;
    Some(Trap {
        level: Level::Error,
        what: format!(
            "{} does not get to `{}`: {line} shuts it in",
            visitor.front, approach.socket
        ),
        place: visitor.front.program.clone(),
        change: format!(
            "remove {line}, then: systemctl restart {}",
            visitor.front.program
        ),
    })
}

fn pooling(visitor: &Visitor, approach: &Approach) -> Option<Trap> {
    let change = visitor.front.pools.change()?;
    Some(Trap {
        level: Level::Warning,
        what: format!(
            "{} keeps connections to `{}` open: it would go on asking the old release, so at each \
             switch the old instance is ended before the checks, and started again when the \
             release is taken back",
            visitor.front,
            short(&approach.unit)
        ),
        place: visitor.front.program.clone(),
        change: change.to_owned(),
    })
}

fn short(unit: &str) -> &str {
    let path = Utf8Path::new(unit).as_str();
    path.split('@').next().unwrap_or(path)
}

#[cfg(test)]
mod tests;
