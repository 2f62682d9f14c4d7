//! Unix stream sockets: listening ones and the two ends of every connection.

use std::io;

use netlink_packet_core::Emitable;
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::TCP_LISTEN;
use netlink_packet_sock_diag::unix::nlas::{Nla, UnixDiagName, Vfs};
use netlink_packet_sock_diag::unix::{ShowFlags, StateFlags, UnixRequest, UnixResponse};

use super::file_id::FileId;
use super::{dump, proc_net};

/// `UDIAG_SHOW_UID`, which the crate does not know; kernels before 5.3 ignore it.
const SHOW_UID: u32 = 0x40;

/// `UNIX_DIAG_UID`: the attribute that answers it.
const UID: u16 = 7;

/// A unix socket of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnixSocket {
    /// Its number, as `/proc/PID/fd` shows it. The server's end of a connection that waits to be
    /// accepted has none: netlink leaves it out, the tables as text say 0.
    pub inode: u64,
    /// Whether it listens; else it is an end of a connection.
    pub is_listening: bool,
    /// The name it was bound by, exactly as the program wrote it; an abstract one begins with a
    /// NUL byte. An accepted socket has that of its listener, a client usually none.
    pub name: Vec<u8>,
    /// The file it was bound to; an accepted socket has that of its listener.
    pub file: Option<FileId>,
    /// The socket at the other end of a connection, if it is still open.
    pub peer: Option<u64>,
    /// Listening: connections that wait to be accepted. Else: bytes that arrived and are not read.
    pub receive_queue: Option<u32>,
    /// Listening: how many connections may wait.
    pub backlog: Option<u32>,
    /// The user who made it.
    pub uid: Option<u32>,
}

/// All unix sockets that listen or are connected.
///
/// # Errors
/// When neither netlink nor `/proc/net/unix` can be read.
pub fn unix() -> io::Result<Vec<UnixSocket>> {
    let mut sockets = Vec::new();
    let asked = dump::dump(request(), |message| {
        if let SockDiagMessage::UnixResponse(response) = message {
            sockets.push(socket_of(&response));
        }
    });
    match asked {
        Ok(()) => Ok(sockets),
        Err(refused) => proc_net::unix().map_err(|_| refused),
    }
}

fn request() -> SockDiagMessage {
    let known = ShowFlags::NAME | ShowFlags::VFS | ShowFlags::PEER | ShowFlags::RQLEN;
    SockDiagMessage::UnixRequest(UnixRequest {
        state_flags: StateFlags::ESTABLISHED | StateFlags::LISTEN,
        inode: 0,
        show_flags: known | ShowFlags::from_bits_retain(SHOW_UID),
        cookie: [0xff; 8],
    })
}

fn socket_of(response: &UnixResponse) -> UnixSocket {
    let is_listening = response.header.state == TCP_LISTEN;
    let mut socket = UnixSocket {
        inode: response.header.inode.into(),
        is_listening,
        name: Vec::new(),
        file: None,
        peer: None,
        receive_queue: None,
        backlog: None,
        uid: None,
    };
    for attribute in &response.nlas {
        match attribute {
            Nla::Name(name) => socket.name = bytes_of(name),
            Nla::Vfs(vfs) => socket.file = Some(file_of(vfs)),
            // A peer that was closed has no number any more.
            Nla::Peer(peer) => socket.peer = (*peer != 0).then_some((*peer).into()),
            Nla::ReceiveQueueLength(received, sent_or_limit) => {
                socket.receive_queue = Some(*received);
                socket.backlog = is_listening.then_some(*sent_or_limit);
            }
            Nla::Other(other) if netlink_packet_core::Nla::kind(other) == UID => {
                socket.uid = number_of(other);
            }
            _ => {}
        }
    }
    socket
}

fn bytes_of(name: &UnixDiagName) -> Vec<u8> {
    match name {
        UnixDiagName::Pathname(path) => path.as_encoded_bytes().to_vec(),
        UnixDiagName::Abstract(name) => [&[0], name.as_slice()].concat(),
    }
}

/// The crate reads both numbers but only writes them out again.
fn file_of(vfs: &Vfs) -> FileId {
    let mut bytes = [0; 8];
    vfs.emit(&mut bytes);
    let [a, b, c, d, e, f, g, h] = bytes;
    FileId {
        inode: u32::from_ne_bytes([a, b, c, d]),
        device: u32::from_ne_bytes([e, f, g, h]),
    }
}

fn number_of(attribute: &impl netlink_packet_core::Nla) -> Option<u32> {
    let mut bytes = [0; 4];
    (attribute.value_len() == bytes.len()).then(|| {
        attribute.emit_value(&mut bytes);
        u32::from_ne_bytes(bytes)
    })
}
