//! What goes on at some addresses at one moment.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::Address;
use super::bound::{BoundUnix, is_at};
use crate::error::{Context, Result};
use crate::host::sock_diag::{Exchange, Ports, TcpSocket, TcpState, UnixSocket, tcp, unix};

/// Who is at the other end of a connection, as far as the kernel tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Client {
    /// A socket of this host.
    Local {
        /// Its number, as `/proc/PID/fd` shows it.
        inode: u64,
        /// The user who made it; none where the kernel is too old to tell.
        uid: Option<u32>,
    },
    /// An address that no socket of this network namespace has.
    Remote(SocketAddr),
    /// It closed its end and the server has not noticed or is still at work.
    HungUp,
    /// The kernel does not tell.
    Unknown,
}

/// An accepted connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where the server accepted it.
    pub address: Address,
    /// Who holds the other end.
    pub client: Client,
    /// Bytes on the way in either direction, not read by the receiver yet.
    pub queued: u64,
    /// What went over it, seen from the server; for unix sockets the kernel does not count.
    pub exchange: Option<Exchange>,
}

impl Connection {
    /// Whether nothing is on the way, the server was the last to speak, and nobody spoke for this
    /// long: a connection kept alive between requests. None where the kernel does not tell.
    ///
    /// A request and its answer in the same tick of the kernel's clock count as answered. So does
    /// an event stream that is silent for so long.
    pub fn is_quiet_for(&self, time: Duration) -> Option<bool> {
        let exchange = self.exchange?;
        let is_answered =
            exchange.bytes_received == 0 || exchange.last_data_sent <= exchange.last_data_recv;
        Some(self.queued == 0 && is_answered && exchange.last_data_sent >= time)
    }
}

/// What goes on at some addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Sockets that listen there. None: the server closed them, ended, or lives in another network
    /// namespace, where its queue is out of sight.
    pub listeners: usize,
    /// Connections that wait to be accepted. They are lost when the server ends.
    pub waiting: usize,
    /// Accepted connections.
    pub connections: Vec<Connection>,
}

impl Traffic {
    /// Whether nobody waits and nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.waiting == 0 && self.connections.is_empty()
    }
}

/// Looks once.
///
/// # Errors
/// When the kernel does not tell its sockets.
pub fn look(addresses: &[Address]) -> Result<Traffic> {
    Watch::at(addresses)?.look()
}

/// Addresses whose listeners were found.
#[derive(Debug)]
pub struct Watch {
    places: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    address: Address,
    bound: Option<BoundUnix>,
}

impl Watch {
    /// Finds the listeners at these addresses.
    ///
    /// # Errors
    /// When the kernel does not tell its sockets.
    pub fn at(addresses: &[Address]) -> Result<Self> {
        let sockets = unix_sockets(addresses)?;
        let place = |address: &Address| Place {
            address: address.clone(),
            bound: match address {
                Address::Unix(path) => Some(BoundUnix::find(path, &sockets)),
                Address::Tcp(_) => None,
            },
        };
        Ok(Watch {
            places: addresses.iter().map(place).collect(),
        })
    }

    /// Looks at them once.
    ///
    /// # Errors
    /// When the kernel does not tell its sockets.
    pub fn look(&self) -> Result<Traffic> {
        let addresses: Vec<_> = self.places.iter().map(|it| it.address.clone()).collect();
        let sockets = unix_sockets(&addresses)?;
        let by_inode: HashMap<u64, &UnixSocket> = sockets.iter().map(|it| (it.inode, it)).collect();
        let mut traffic = Traffic::default();
        for place in &self.places {
            match (&place.address, &place.bound) {
                (Address::Tcp(address), _) => traffic.add_tcp(*address, &place.address)?,
                (_, Some(bound)) => {
                    let own = sockets.iter().filter(|socket| bound.holds(socket));
                    traffic.add_unix(&place.address, own, &by_inode);
                }
                (_, None) => {}
            }
        }
        Ok(traffic)
    }
}

fn unix_sockets(addresses: &[Address]) -> Result<Vec<UnixSocket>> {
    if addresses.iter().any(|it| matches!(it, Address::Unix(_))) {
        return unix().context("cannot see who is connected");
    }
    Ok(Vec::new())
}

impl Traffic {
    fn add_unix<'a>(
        &mut self,
        address: &Address,
        own: impl Iterator<Item = &'a UnixSocket>,
        by_inode: &HashMap<u64, &UnixSocket>,
    ) {
        // The queue's length, which netlink tells, and the ends that nobody accepted yet, which
        // only the tables as text show: the same connections.
        let (mut queue, mut unaccepted) = (0, 0);
        for socket in own {
            if socket.is_listening {
                self.listeners += 1;
                queue += socket.receive_queue.unwrap_or(0) as usize;
            } else if socket.inode == 0 {
                unaccepted += 1;
            } else {
                let peer = socket.peer.and_then(|peer| by_inode.get(&peer).copied());
                self.connections.push(Connection {
                    address: address.clone(),
                    client: client_of_unix(socket, peer),
                    queued: queued(socket) + peer.map_or(0, queued),
                    exchange: None,
                });
            }
        }
        self.waiting += queue.max(unaccepted);
    }

    fn add_tcp(&mut self, address: SocketAddr, shown: &Address) -> Result<()> {
        let context = "cannot see who is connected";
        let port = address.port();
        let sockets = tcp(Ports::Local(port)).context(context)?;
        let clients = tcp(Ports::Remote(port)).context(context)?;
        let by_ends = clients.iter().map(|it| ((it.local, it.remote), it));
        let by_ends: HashMap<_, _> = by_ends.collect();
        let (mut queue, mut unaccepted) = (0, 0);
        for socket in sockets.iter().filter(|socket| is_at(socket, address)) {
            match socket.state {
                TcpState::Listening => {
                    self.listeners += 1;
                    queue += socket.receive_queue as usize;
                }
                TcpState::Arriving => self.waiting += 1,
                _ if socket.inode == 0 => unaccepted += 1,
                _ => self.connections.push(Connection {
                    address: shown.clone(),
                    client: client_of_tcp(
                        socket,
                        by_ends.get(&(socket.remote, socket.local)).copied(),
                    ),
                    queued: u64::from(socket.receive_queue) + u64::from(socket.send_queue),
                    exchange: socket.exchange,
                }),
            }
        }
        self.waiting += queue.max(unaccepted);
        Ok(())
    }
}

fn queued(socket: &UnixSocket) -> u64 {
    socket.receive_queue.unwrap_or(0).into()
}

fn client_of_unix(socket: &UnixSocket, peer: Option<&UnixSocket>) -> Client {
    match (socket.peer, peer) {
        (Some(inode), peer) => Client::Local {
            inode,
            uid: peer.and_then(|peer| peer.uid),
        },
        // Only netlink tells peers, and with them the length of the queue.
        (None, _) if socket.receive_queue.is_some() => Client::HungUp,
        (None, _) => Client::Unknown,
    }
}

fn client_of_tcp(socket: &TcpSocket, other_end: Option<&TcpSocket>) -> Client {
    match (socket.state, other_end) {
        (TcpState::HungUp, _) => Client::HungUp,
        (_, Some(other)) => Client::Local {
            inode: other.inode,
            uid: Some(other.uid),
        },
        (_, None) => Client::Remote(socket.remote),
    }
}
