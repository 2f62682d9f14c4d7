//! Listening sockets, TCP and unix, as the kernel's tables in `/proc/PID/net` show them. Those
//! tables belong to the network namespace of the process.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;

use camino::Utf8PathBuf;

/// Where a server listens.
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
            Address::Unix(path) => write!(f, "{path}"),
            Address::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// `TCP_LISTEN` in the tables of TCP.
const LISTENING: &str = "0A";

/// `__SO_ACCEPTCON` in the table of unix sockets.
const ACCEPTS: u64 = 1 << 16;

/// The inodes of all listening sockets in the network namespace of this process.
pub fn listening_inodes(pid: u32) -> BTreeSet<u64> {
    let mut inodes = BTreeSet::new();
    for table in ["tcp", "tcp6"] {
        if let Ok(file) = File::open(format!("/proc/{pid}/net/{table}")) {
            inodes.extend(listening_tcp(BufReader::new(file)));
        }
    }
    let table = fs::read(format!("/proc/{pid}/net/unix")).unwrap_or_default();
    inodes.extend(listening_unix(&String::from_utf8_lossy(&table)));
    inodes
}

/// The kernel writes the listening sockets first, so a busy host's many connections are not read.
fn listening_tcp(table: impl BufRead) -> Vec<u64> {
    let lines = table.lines().map_while(Result::ok).skip(1);
    let fields = |line: String| {
        let mut fields = line.split_ascii_whitespace().map(str::to_owned);
        Some((fields.nth(3)?, fields.nth(5)?.parse().ok()?))
    };
    let listening = lines
        .map_while(fields)
        .take_while(|(state, _)| state == LISTENING);
    listening.map(|(_, inode)| inode).collect()
}

fn listening_unix(table: &str) -> Vec<u64> {
    let inode = |line: &str| {
        let mut fields = line.split_ascii_whitespace();
        let flags = u64::from_str_radix(fields.nth(3)?, 16).ok()?;
        let inode = fields.nth(2)?.parse().ok()?;
        (flags & ACCEPTS != 0).then_some(inode)
    };
    table.lines().skip(1).filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process;
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::{AsFd, BorrowedFd};
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn own_listeners_are_found_and_connections_are_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.sock");
        let v4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let v6 = TcpListener::bind("[::1]:0").unwrap();
        let unix = UnixListener::bind(&path).unwrap();
        let tcp_client = TcpStream::connect(v4.local_addr().unwrap()).unwrap();
        let unix_client = UnixStream::connect(&path).unwrap();
        let listening = listening_inodes(std::process::id());
        let held = process::socket_inodes(std::process::id()).seen().unwrap();
        for listener in [v4.as_fd(), v6.as_fd(), unix.as_fd()] {
            assert!(listening.contains(&inode(listener)) && held.contains(&inode(listener)));
        }
        for client in [tcp_client.as_fd(), unix_client.as_fd()] {
            assert!(!listening.contains(&inode(client)) && held.contains(&inode(client)));
        }
    }

    fn inode(socket: BorrowedFd<'_>) -> u64 {
        nix::sys::stat::fstat(socket).unwrap().st_ino
    }

    #[test]
    fn a_table_is_read_up_to_its_first_connection() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 111 1\n\
            1: 0100007F:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 222 1\n\
            2: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000     0        0 333 1\n";
        assert_eq!(listening_tcp(table.as_bytes()), [111, 222]);
    }
}
