//! The tables as text, for where netlink is refused: no peers, no files, no times.

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};

use super::tcp::{Ports, TcpSocket, address, state_of};
use super::unix::UnixSocket;

/// `__SO_ACCEPTCON` in the flags of a unix socket.
const ACCEPTS: u64 = 1 << 16;

/// The state of a connected unix socket, `SS_CONNECTED`.
const CONNECTED: &str = "03";

/// Unix sockets by `/proc/net/unix`.
///
/// # Errors
/// When it cannot be read.
pub fn unix() -> io::Result<Vec<UnixSocket>> {
    let table = fs::read("/proc/net/unix")?;
    let lines = table.split(|byte| *byte == b'\n').skip(1);
    Ok(lines.filter_map(unix_socket).collect())
}

/// TCP sockets by `/proc/net/tcp` and `/proc/net/tcp6`.
///
/// # Errors
/// When the first cannot be read; a host without IPv6 has no second.
pub fn tcp(ports: Ports) -> io::Result<Vec<TcpSocket>> {
    let v4 = fs::read_to_string("/proc/net/tcp")?;
    let v6 = fs::read_to_string("/proc/net/tcp6").unwrap_or_default();
    let lines = v4.lines().skip(1).chain(v6.lines().skip(1));
    let sockets = lines.filter_map(tcp_socket);
    Ok(sockets
        .filter(|socket| ports.include(socket.local, socket.remote))
        .collect())
}

fn unix_socket(line: &[u8]) -> Option<UnixSocket> {
    let text = String::from_utf8_lossy(line);
    let mut fields = text.split_ascii_whitespace().skip(3);
    let flags = u64::from_str_radix(fields.next()?, 16).ok()?;
    let _kind = fields.next()?;
    let state = fields.next()?;
    let inode: u64 = fields.next()?.parse().ok()?;
    let is_listening = flags & ACCEPTS != 0;
    // A connection that waits to be accepted has no number, whatever its state says.
    (is_listening || state == CONNECTED || inode == 0).then(|| UnixSocket {
        inode,
        is_listening,
        name: name_of(line, inode),
        file: None,
        peer: None,
        receive_queue: None,
        backlog: None,
        uid: None,
    })
}

/// What stands after the number and one blank; abstract names begin with `@` there.
fn name_of(line: &[u8], inode: u64) -> Vec<u8> {
    let mark = format!(" {inode} ");
    let at = line
        .windows(mark.len())
        .position(|window| window == mark.as_bytes());
    match at.map(|at| &line[at + mark.len()..]) {
        Some([b'@', rest @ ..]) => [&[0], rest].concat(),
        Some(name) => name.to_vec(),
        None => Vec::new(),
    }
}

fn tcp_socket(line: &str) -> Option<TcpSocket> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (sent, received) = fields.get(4)?.split_once(':')?;
    let hexadecimal = |text: &str| u32::from_str_radix(text, 16).ok();
    Some(TcpSocket {
        inode: fields.get(9)?.parse().ok()?,
        state: state_of(u8::try_from(hexadecimal(fields.get(3)?)?).ok()?)?,
        local: address_of(fields.get(1)?)?,
        remote: address_of(fields.get(2)?)?,
        receive_queue: hexadecimal(received)?,
        send_queue: hexadecimal(sent)?,
        uid: fields.get(7)?.parse().ok()?,
        exchange: None,
    })
}

/// `0100007F:1F90`: 32-bit words in the order of the machine's bytes, and the port.
fn address_of(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let mut bytes = Vec::new();
    for at in (0..ip.len()).step_by(8) {
        let word = u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?;
        bytes.extend(word.to_ne_bytes());
    }
    let ip = match <[u8; 4]>::try_from(bytes.as_slice()) {
        Ok(v4) => IpAddr::from(v4),
        Err(_) => IpAddr::from(<[u8; 16]>::try_from(bytes.as_slice()).ok()?),
    };
    Some(address(ip, u16::from_str_radix(port, 16).ok()?))
}
