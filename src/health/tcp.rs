//! Whether a `host:port` accepts a connection.

use std::io;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::failure;

/// Whether a text has the form `host:port` or `[address]:port`.
pub fn is_host_and_port(text: &str) -> bool {
    text.rsplit_once(':').is_some_and(|(host, port)| {
        let is_bracketed = host.starts_with('[') && host.ends_with(']');
        let is_host = !host.is_empty() && (is_bracketed || !host.contains(':'));
        is_host && port.parse::<u16>().is_ok_and(|port| port > 0)
    })
}

/// Connects and hangs up. Every address of the name is tried, all of them together for at most
/// `timeout`.
///
/// # Errors
/// The reason in a few words.
pub fn connect(host_and_port: &str, timeout: Duration) -> Result<(), String> {
    let until = Instant::now() + timeout;
    let mut reason = "host not found".to_owned();
    for address in resolve(host_and_port, timeout)? {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(no_connection_within(timeout));
        }
        match TcpStream::connect_timeout(&address, left) {
            Ok(stream) if is_connected_to_itself(&stream) => reason = "connection refused".into(),
            Ok(_) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                return Err(no_connection_within(timeout));
            }
            Err(error) => reason = failure::io_text(&error),
        }
    }
    Err(reason)
}

fn no_connection_within(timeout: Duration) -> String {
    format!("no connection within {}", failure::span(timeout))
}

/// The name's addresses. The system's lookup knows no time limit, so it runs in a thread that is
/// left behind when it is slow.
fn resolve(host_and_port: &str, timeout: Duration) -> Result<Vec<SocketAddr>, String> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let name = host_and_port.to_owned();
    let look_up = move || {
        let addresses = name.to_socket_addrs().map(Vec::from_iter);
        let _ = sender.send(addresses);
    };
    let spawned = thread::Builder::new().spawn(look_up);
    spawned.map_err(|error| failure::io_text(&error))?;
    match receiver.recv_timeout(timeout) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(error)) => Err(failure::io_text(&error)),
        Err(_) => Err(no_connection_within(timeout)),
    }
}

/// A connection to a free port of the ephemeral range can meet itself: nobody listens there.
fn is_connected_to_itself(stream: &TcpStream) -> bool {
    matches!((stream.local_addr(), stream.peer_addr()), (Ok(own), Ok(peer)) if own == peer)
}
