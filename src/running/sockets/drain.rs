//! Waiting until an instance that no longer gets requests has answered the last.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::Address;
use super::traffic::{Client, Connection, Traffic, Watch};
use crate::error::Result;
use crate::host::signal::Patience;
use crate::running::front::{Front, Fronts, Pools};

/// For how long nobody must be seen: a front takes a moment between looking at the link and being
/// connected.
pub const SETTLE_TIME: Duration = Duration::from_millis(250);

/// How often the kernel is asked.
const INTERVAL: Duration = Duration::from_millis(25);

/// For how long nobody must have spoken on a TCP connection until it counts as kept alive between
/// requests.
const QUIET_TIME: Duration = Duration::from_secs(1);

/// How many settle times at most a moment is awaited in which nothing is on the way over a front's
/// pool. Such a front goes on using its old connections, so there may be none.
const SETTLES_AT_MOST: u32 = 4;

/// How long a drain may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DrainLimits {
    /// For how long nobody must be seen.
    pub settle: Duration,
    /// How long it takes at most.
    pub drain: Duration,
    /// How often the kernel is asked.
    pub interval: Duration,
    /// Whether what may be a WebSocket, or an idle connection of a pool, is waited for.
    pub spares_websockets: bool,
}

impl DrainLimits {
    /// At most this long, the rest as measured.
    pub fn within(drain: Duration) -> Self {
        DrainLimits {
            settle: SETTLE_TIME,
            drain,
            interval: INTERVAL,
            spares_websockets: true,
        }
    }
}

/// Why a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Nobody waits or is connected.
    Empty,
    /// Nobody waits, and all connections are kept alive in the pools of fronts, which would keep
    /// them for minutes. On a unix socket a request in work looks the same, so the server must be
    /// ended by its own graceful stop.
    IdleOnly,
    /// The limit passed.
    Late,
    /// The patience ended.
    Interrupted,
}

/// Connections of one front that were open at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// How many.
    pub count: usize,
    /// Who holds them.
    pub front: Front,
}

impl fmt::Display for Left {
    /// "3 connections from nginx (www-data)"
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} connection{plural} from {}", self.count, self.front)
    }
}

/// What came of a drain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drained {
    /// Why it ended.
    pub ended: Ended,
    /// How long it took.
    pub took: Duration,
    /// Connections that still wait to be accepted.
    pub waiting: usize,
    /// Open connections, the most from one front first.
    pub left: Vec<Left>,
}

impl Drained {
    /// How long what looks idle may still be in work: a request has the whole time, whenever its
    /// server is told to stop.
    pub fn grace(&self, limits: &DrainLimits) -> Duration {
        match self.ended {
            Ended::IdleOnly => limits.drain.saturating_sub(self.took),
            Ended::Empty | Ended::Late | Ended::Interrupted => Duration::ZERO,
        }
    }
}

/// Waits until nobody waits or talks at these addresses any more, or only idle connections of
/// pooling fronts are left. `on_progress` is called at each look.
///
/// # Errors
/// When the kernel does not tell its sockets.
pub fn drain(
    addresses: &[Address],
    limits: &DrainLimits,
    fronts: &Fronts,
    patience: &Patience,
    on_progress: &mut dyn FnMut(&Traffic),
) -> Result<Drained> {
    let front_of = |client: &Client| fronts.of(client);
    drain_by(addresses, limits, &front_of, patience, on_progress)
}

/// The same, with another way to tell who a client is.
pub(super) fn drain_by(
    addresses: &[Address],
    limits: &DrainLimits,
    front_of: &dyn Fn(&Client) -> Front,
    patience: &Patience,
    on_progress: &mut dyn FnMut(&Traffic),
) -> Result<Drained> {
    let began = Instant::now();
    let watch = Watch::at(addresses)?;
    let mut calm = Calm::default();
    let is_idle = |connection: &Connection| is_kept_alive(connection, limits, front_of);
    loop {
        let traffic = watch.look()?;
        on_progress(&traffic);
        calm.note(&traffic, &is_idle);
        let ended = match calm.verdict(&traffic, limits.settle) {
            Some(ended) => Some(ended),
            None if began.elapsed() >= limits.drain => Some(Ended::Late),
            None => (!patience.sleep(limits.interval)).then_some(Ended::Interrupted),
        };
        if let Some(ended) = ended {
            return Ok(Drained {
                ended,
                took: began.elapsed(),
                waiting: traffic.waiting,
                left: grouped(&traffic.connections, front_of),
            });
        }
    }
}

/// Since when it is seen without interruption that nobody is there, or only idle connections are.
#[derive(Debug, Default)]
struct Calm {
    empty_since: Option<Instant>,
    idle_since: Option<Instant>,
}

impl Calm {
    fn note(&mut self, traffic: &Traffic, is_idle: &dyn Fn(&Connection) -> bool) {
        let now = Instant::now();
        let since = |holds: bool, before: Option<Instant>| holds.then(|| before.unwrap_or(now));
        self.empty_since = since(traffic.is_empty(), self.empty_since);
        let is_calm = traffic.waiting == 0 && traffic.connections.iter().all(is_idle);
        self.idle_since = since(is_calm, self.idle_since);
    }

    fn verdict(&self, traffic: &Traffic, settle: Duration) -> Option<Ended> {
        let lasts =
            |since: Option<Instant>, time| since.is_some_and(|since| since.elapsed() >= time);
        if lasts(self.empty_since, settle) {
            return Some(Ended::Empty);
        }
        let is_still = traffic.connections.iter().all(|it| it.queued == 0);
        let time = if is_still {
            settle
        } else {
            settle * SETTLES_AT_MOST
        };
        (!traffic.connections.is_empty() && lasts(self.idle_since, time)).then_some(Ended::IdleOnly)
    }
}

/// Whether a connection is one of a pool that its front would keep for minutes. Behind another
/// front a silent connection is a request in work, a WebSocket or a stalled download, or it is
/// about to be closed.
fn is_kept_alive(
    connection: &Connection,
    limits: &DrainLimits,
    front_of: &dyn Fn(&Client) -> Front,
) -> bool {
    let is_quiet = connection.is_quiet_for(QUIET_TIME);
    match front_of(&connection.client).pools {
        Pools::Yes(_) => is_quiet.unwrap_or(true),
        Pools::WithWebSockets(_) => is_quiet.unwrap_or(!limits.spares_websockets),
        Pools::Briefly(_) | Pools::No | Pools::Unknown => false,
    }
}

fn grouped(connections: &[Connection], front_of: &dyn Fn(&Client) -> Front) -> Vec<Left> {
    let mut counts: BTreeMap<Front, usize> = BTreeMap::new();
    for connection in connections {
        *counts.entry(front_of(&connection.client)).or_default() += 1;
    }
    let mut left: Vec<_> = counts
        .into_iter()
        .map(|(front, count)| Left { count, front })
        .collect();
    left.sort_by_key(|left| std::cmp::Reverse(left.count));
    left
}
