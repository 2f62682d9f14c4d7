//! Which process of a user holds a socket.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::host::process::{self, Look};

/// The programs that are told apart from others of the same user.
const FRONTS: [&str; 8] = [
    "nginx", "haproxy", "caddy", "apache2", "httpd", "traefik", "envoy", "varnishd",
];

/// After this time a user's processes are listed anew: a front that reloads has others.
const FRESH_TIME: Duration = Duration::from_secs(1);

/// A process that holds the client end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its id.
    pub pid: u32,
    /// Its short name.
    pub program: String,
}

/// The processes of users, as far as they were asked for.
#[derive(Debug, Default)]
pub struct Users {
    listed: HashMap<u32, (Instant, Vec<Holder>)>,
    holders: HashMap<u64, Holder>,
}

impl Users {
    /// The process of this user that holds this socket. Where this user may not read who holds
    /// what, a known front among the user's programs, or its only program.
    pub fn holder(&mut self, uid: u32, inode: u64) -> Option<Holder> {
        if let Some(known) = self.holders.get(&inode) {
            return Some(known.clone());
        }
        let found = choose(self.processes(uid), inode, &process::socket_inodes)?;
        self.holders.insert(inode, found.clone());
        Some(found)
    }

    fn processes(&mut self, uid: u32) -> &[Holder] {
        let listed = self.listed.get(&uid);
        if listed.is_none_or(|(since, _)| since.elapsed() > FRESH_TIME) {
            self.listed.insert(uid, (Instant::now(), list(uid)));
        }
        self.listed
            .get(&uid)
            .map_or(&[], |(_, processes)| processes)
    }
}

/// The known fronts come first: they are the likely holders, and of few processes.
fn list(uid: u32) -> Vec<Holder> {
    let own = process::all()
        .into_iter()
        .filter(|pid| process::acting_uid(*pid) == Some(uid));
    let mut holders: Vec<_> = own
        .filter_map(|pid| process::name(pid).map(|program| Holder { pid, program }))
        .collect();
    holders.sort_by_key(|holder| !is_front(holder));
    holders
}

fn choose(
    processes: &[Holder],
    inode: u64,
    sockets_of: &dyn Fn(u32) -> Look<Vec<u64>>,
) -> Option<Holder> {
    let mut is_denied = false;
    for holder in processes {
        let inodes = sockets_of(holder.pid);
        is_denied |= inodes.is_denied();
        if inodes.seen().is_some_and(|inodes| inodes.contains(&inode)) {
            return Some(holder.clone());
        }
    }
    let mut likely: Vec<_> = processes.iter().filter(|holder| is_front(holder)).collect();
    if likely.is_empty() {
        likely = processes.iter().collect();
    }
    let first = *likely.first().filter(|_| is_denied)?;
    let is_alone = likely.iter().all(|holder| holder.program == first.program);
    is_alone.then(|| first.clone())
}

pub(super) fn is_front(holder: &Holder) -> bool {
    FRONTS.contains(&holder.program.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who holds socket 7, where these sockets of the processes are seen.
    fn chosen(programs: &[&str], sockets: &[Look<Vec<u64>>]) -> Option<String> {
        let holder = |(pid, program): (usize, &&str)| Holder {
            pid: u32::try_from(pid).unwrap(),
            program: (*program).to_owned(),
        };
        let holders: Vec<_> = programs.iter().enumerate().map(holder).collect();
        let found = choose(&holders, 7, &|pid| sockets[pid as usize].clone());
        found.map(|holder| holder.program)
    }

    #[test]
    fn a_holder_that_is_seen_is_the_one() {
        let seen = [Look::Seen(vec![1]), Look::Denied, Look::Seen(vec![6, 7])];
        assert_eq!(
            chosen(&["nginx", "nginx", "cron"], &seen).as_deref(),
            Some("cron")
        );
    }

    #[test]
    fn where_none_may_be_seen_a_front_is_likely_and_two_are_none() {
        let denied = [Look::Denied, Look::Denied, Look::Denied];
        let likely = chosen(&["nginx", "nginx", "cron"], &denied);
        assert_eq!(likely.as_deref(), Some("nginx"));
        assert_eq!(
            chosen(&["python3", "python3", "python3"], &denied).as_deref(),
            Some("python3")
        );
        assert_eq!(chosen(&["nginx", "haproxy", "cron"], &denied), None);
        assert_eq!(chosen(&["sh", "cron"], &denied), None);
    }

    #[test]
    fn where_all_are_seen_nothing_is_guessed() {
        let seen = [Look::Seen(vec![1]), Look::Gone];
        assert_eq!(chosen(&["nginx", "nginx"], &seen), None);
    }
}
