//! One question to the kernel and all parts of its answer.

use std::io;

use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_sock_diag::SockDiagMessage;
use netlink_sys::protocols::NETLINK_SOCK_DIAG;
use netlink_sys::{Socket, SocketAddr};

/// Asks for all sockets that `request` describes and hands each to `take`.
///
/// # Errors
/// When the kernel refuses, has no such table, or answers what cannot be read.
pub fn dump(request: SockDiagMessage, mut take: impl FnMut(SockDiagMessage)) -> io::Result<()> {
    let socket = Socket::new(NETLINK_SOCK_DIAG).map_err(refused)?;
    socket.connect(&SocketAddr::new(0, 0)).map_err(refused)?;
    socket.send(&bytes_of(request), 0).map_err(refused)?;
    loop {
        let (answer, _) = socket.recv_from_full().map_err(refused)?;
        if read_parts(&answer, &mut take)? {
            return Ok(());
        }
    }
}

fn bytes_of(request: SockDiagMessage) -> Vec<u8> {
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// Reads one part of an answer. Returns whether it was the last.
fn read_parts(answer: &[u8], take: &mut impl FnMut(SockDiagMessage)) -> io::Result<bool> {
    let mut rest = answer;
    while !rest.is_empty() {
        let message = NetlinkMessage::<SockDiagMessage>::deserialize(rest)
            .map_err(|error| refused(io::Error::other(error.to_string())))?;
        match message.payload {
            NetlinkPayload::InnerMessage(socket) => take(socket),
            // A table that the kernel cannot read ends at once, with the reason.
            NetlinkPayload::Done(end) if end.code < 0 => {
                return Err(refused(io::Error::from_raw_os_error(-end.code)));
            }
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) => return Err(refused(error.to_io())),
            NetlinkPayload::Overrun(_) => {
                return Err(refused(io::Error::other("the answer did not fit")));
            }
            _ => {}
        }
        // Each part begins at a multiple of four.
        let length = usize::try_from(message.header.length).unwrap_or(usize::MAX);
        let next = length.next_multiple_of(4).max(4);
        rest = rest.get(next..).unwrap_or_default();
    }
    Ok(false)
}

fn refused(error: io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("cannot ask the kernel for its sockets (netlink `sock_diag`): {error}"),
    )
}
