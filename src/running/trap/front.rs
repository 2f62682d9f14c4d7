//! What stands between a proxy and the socket of an instance: rights on the way to it, and
//! connections that the proxy keeps.

use camino::{Utf8Path, Utf8PathBuf};

use super::instance::in_service;
use super::{Level, Trap};
use crate::host::access::{Identity, PASS, Place, WRITE};
use crate::running::front::{Front, Pools};
use crate::running::server::Server;

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

/// What is to be said of all proxies. One whose settings do not name the socket counts only where
/// no other one does.
pub fn predict(visitors: &[Visitor], approach: &Approach) -> Vec<Trap> {
    let is_any_named = visitors.iter().any(|visitor| visitor.is_named);
    let mut traps = Vec::new();
    if !is_any_named && let Some(visitor) = visitors.first() {
        traps.push(unnamed(visitor, approach));
    }
    for visitor in visitors {
        if visitor.is_named || !is_any_named {
            traps.extend(barred(visitor, approach));
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

/// The proxy may not pass a directory on the way, or not connect to the socket.
fn barred(visitor: &Visitor, approach: &Approach) -> Option<Trap> {
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
            Level::Error
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
        let right = if place.is_directory { "o+x" } else { "o+w" };
        return vec![format!("chmod {right} {}", place.path)];
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
    let Pools::Yes(change) = &visitor.front.pools else {
        return None;
    };
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
        change: change.clone(),
    })
}

fn short(unit: &str) -> &str {
    let path = Utf8Path::new(unit).as_str();
    path.split('@').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(path: &str, mode: u32) -> Place {
        Place {
            path: path.into(),
            uid: 1000,
            owner: "deploy".to_owned(),
            gid: 1000,
            group: "deploy".to_owned(),
            mode,
            is_directory: !path.ends_with(".sock"),
            has_access_list: false,
        }
    }

    fn visitor(program: &str, groups: &[u32]) -> Visitor {
        Visitor {
            front: Front {
                program: program.to_owned(),
                user: Some("www-data".to_owned()),
                pools: Pools::No,
            },
            identity: Identity {
                uid: 33,
                groups: groups.to_vec(),
            },
            groups: groups.to_vec(),
            is_named: true,
            chroot: None,
        }
    }

    fn approach(root: u32, run: u32, socket: u32) -> Approach {
        Approach {
            unit: "app@.service".to_owned(),
            socket: "/srv/app/current/run/app.sock".into(),
            places: vec![
                place("/srv/app", root),
                place("/run/app/1", run),
                place("/run/app/1/app.sock", socket),
            ],
            runtime_directories: vec!["/run/app/1".into()],
            ..Approach::default()
        }
    }

    #[test]
    fn a_proxy_in_the_group_or_among_all_others_gets_there() {
        let open = approach(0o755, 0o750, 0o770);
        assert_eq!(predict(&[visitor("nginx", &[33, 1000])], &open), []);
        assert_eq!(
            predict(&[visitor("nginx", &[33])], &approach(0o711, 0o755, 0o777)),
            []
        );
    }

    #[test]
    fn each_barrier_comes_with_its_line() {
        let member = "usermod -aG deploy www-data && systemctl restart nginx";
        for (approach, groups, change) in [
            (approach(0o755, 0o750, 0o770), vec![33], member.to_owned()),
            (
                approach(0o700, 0o755, 0o777),
                vec![33],
                "chmod o+x /srv/app".to_owned(),
            ),
            (
                approach(0o755, 0o700, 0o770),
                vec![33],
                format!("[Service]\nRuntimeDirectoryMode=0750\n{member}"),
            ),
            (
                approach(0o755, 0o750, 0o755),
                vec![33, 1000],
                "[Service]\nUMask=0007".to_owned(),
            ),
        ] {
            let traps = predict(&[visitor("nginx", &groups)], &approach);
            assert_eq!(traps.len(), 1, "{traps:?}");
            assert_eq!((traps[0].level, &traps[0].change), (Level::Error, &change));
        }
    }

    #[test]
    fn a_proxy_that_was_started_too_early_is_to_be_restarted_and_haproxy_to_be_told() {
        let way = approach(0o755, 0o750, 0o770);
        let mut early = visitor("nginx", &[33]);
        early.groups.push(1000);
        assert_eq!(predict(&[early], &way)[0].change, "systemctl restart nginx");
        let haproxy = predict(&[visitor("haproxy", &[33])], &way);
        assert!(
            haproxy[0].change.contains("`group deploy` in `global`"),
            "{haproxy:?}"
        );
    }

    #[test]
    fn a_directory_of_root_is_opened_for_others_and_gunicorn_has_its_own_umask() {
        let mut way = approach(0o755, 0o750, 0o777);
        way.places[1].gid = 0;
        let traps = predict(&[visitor("nginx", &[33])], &way);
        assert_eq!(traps[0].change, "[Service]\nRuntimeDirectoryMode=0755");
        let mut way = approach(0o755, 0o755, 0o700);
        way.start_words = vec!["gunicorn".to_owned()];
        let traps = predict(&[visitor("nginx", &[33, 1000])], &way);
        assert_eq!(traps[0].change, "start gunicorn with: --umask 007");
    }

    #[test]
    fn only_those_that_name_the_socket_count_and_none_is_said() {
        let way = approach(0o755, 0o750, 0o770);
        let mut other = visitor("caddy", &[44]);
        other.is_named = false;
        assert_eq!(
            predict(&[visitor("nginx", &[1000]), other.clone()], &way),
            []
        );
        let traps = predict(&[other], &way);
        let levels: Vec<Level> = traps.iter().map(|trap| trap.level).collect();
        assert_eq!(levels, [Level::Note, Level::Warning]);
        assert_eq!(
            traps[0].change,
            "reverse_proxy unix//srv/app/current/run/app.sock"
        );
        assert_eq!(predict(&[], &way), []);
    }

    #[test]
    fn what_keeps_connections_or_is_shut_in_is_said_with_its_line() {
        let way = approach(0o755, 0o755, 0o777);
        let mut pooling = visitor("nginx", &[33]);
        pooling.front.pools = Pools::Yes("remove `keepalive 8;`".to_owned());
        let traps = predict(&[pooling], &way);
        assert_eq!(
            (traps[0].level, traps[0].change.as_str()),
            (Level::Warning, "remove `keepalive 8;`")
        );
        let mut shut_in = visitor("haproxy", &[33]);
        shut_in.chroot = Some("`chroot /var/lib/haproxy`".to_owned());
        let traps = predict(&[shut_in], &way);
        assert_eq!(traps[0].level, Level::Error);
    }
}
