//! Where instances listen, who is connected to them, and waiting until nobody is. All of it is
//! read from the kernel; who holds the other ends is told by [`front`](super::front).

mod bound;
mod drain;
mod listening;
mod traffic;

use std::fmt;
use std::net::SocketAddr;

use camino::Utf8PathBuf;

pub use drain::{DrainLimits, Drained, Ended, Left, SETTLE_TIME, drain};
pub use listening::listening;
pub use traffic::{Client, Connection, Traffic, look};

/// Where an instance listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// A unix socket, by the absolute path of its file.
    Unix(Utf8PathBuf),
    /// A TCP port. An unspecified IP means all of the host's.
    Tcp(SocketAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Unix(path) => path.fmt(f),
            Address::Tcp(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests;
