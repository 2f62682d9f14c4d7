//! TCP sockets, of IPv4 and IPv6: listening ones and the ends of connections.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use netlink_packet_sock_diag::SockDiagMessage;
use netlink_packet_sock_diag::constants::{
    AF_INET, AF_INET6, IPPROTO_TCP, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_RECV,
};
use netlink_packet_sock_diag::inet::nlas::Nla;
use netlink_packet_sock_diag::inet::{
    ExtensionFlags, InetRequest, InetResponse, SocketId, StateFlags,
};

use super::{dump, proc_net};

/// What a TCP connection is about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TcpState {
    /// Waits for connections.
    Listening,
    /// The handshake is not finished; it will be a connection that waits to be accepted.
    Arriving,
    /// Open in both directions.
    Established,
    /// The other end sent its last byte, this end has not closed yet.
    HungUp,
}

/// What went over a connection, seen from this end of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exchange {
    /// Bytes that this end sent and the other confirmed.
    pub bytes_acked: u64,
    /// Bytes that this end received.
    pub bytes_received: u64,
    /// How long ago this end sent data; since the connection began if it never did. The clock is
    /// the kernel's tick, 1 to 10 ms.
    pub last_data_sent: Duration,
    /// How long ago this end received data; since the connection began if it never did.
    pub last_data_recv: Duration,
}

/// A TCP socket of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpSocket {
    /// Its number, as `/proc/PID/fd` shows it; 0 while a connection waits to be accepted.
    pub inode: u64,
    /// What it is about to be.
    pub state: TcpState,
    /// The address of this end; IPv4 also where the socket is of IPv6.
    pub local: SocketAddr,
    /// The address of the other end; port 0 for a listener.
    pub remote: SocketAddr,
    /// Listening: connections that wait to be accepted. Else: bytes that arrived and are not read.
    pub receive_queue: u32,
    /// Bytes that the other end has not confirmed. For a listener its backlog limit.
    pub send_queue: u32,
    /// The user who made it; root for one that is not accepted yet.
    pub uid: u32,
    /// What went over it, where the kernel tells.
    pub exchange: Option<Exchange>,
}

/// Which sockets to ask for; a busy host has many that nobody wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ports {
    /// All.
    Any,
    /// Those of this port at this end.
    Local(u16),
    /// Those of this port at the other end.
    Remote(u16),
}

impl Ports {
    /// Whether a socket between these addresses is one of them.
    pub(super) fn include(self, local: SocketAddr, remote: SocketAddr) -> bool {
        match self {
            Ports::Any => true,
            Ports::Local(port) => local.port() == port,
            Ports::Remote(port) => remote.port() == port,
        }
    }
}

/// The TCP sockets that listen, or are open at this end.
///
/// # Errors
/// When neither netlink nor `/proc/net/tcp` can be read.
pub fn tcp(ports: Ports) -> io::Result<Vec<TcpSocket>> {
    let mut sockets = Vec::new();
    let mut ask = |family| {
        dump::dump(request(family, ports), |message| {
            if let SockDiagMessage::InetResponse(response) = message {
                sockets.extend(socket_of(&response));
            }
        })
    };
    match ask(AF_INET).and_then(|()| ask(AF_INET6)) {
        Ok(()) => Ok(sockets),
        Err(refused) => proc_net::tcp(ports).map_err(|_| refused),
    }
}

fn request(family: u8, ports: Ports) -> SockDiagMessage {
    let mut socket_id = match family {
        AF_INET => SocketId::new_v4(),
        _ => SocketId::new_v6(),
    };
    match ports {
        Ports::Any => {}
        Ports::Local(port) => socket_id.source_port = port,
        Ports::Remote(port) => socket_id.destination_port = port,
    }
    let open = StateFlags::ESTABLISHED | StateFlags::CLOSE_WAIT;
    SockDiagMessage::InetRequest(InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::INFO,
        states: open | StateFlags::SYN_RECV | StateFlags::LISTEN,
        socket_id,
    })
}

fn socket_of(response: &InetResponse) -> Option<TcpSocket> {
    let header = &response.header;
    let id = &header.socket_id;
    let exchange = response.nlas.iter().find_map(|attribute| match attribute {
        Nla::TcpInfo(bytes) => exchange_of(bytes),
        _ => None,
    });
    Some(TcpSocket {
        inode: header.inode.into(),
        state: state_of(header.state)?,
        local: address(id.source_address, id.source_port),
        remote: address(id.destination_address, id.destination_port),
        receive_queue: header.recv_queue,
        send_queue: header.send_queue,
        uid: header.uid,
        exchange,
    })
}

/// The state that a number of the kernel stands for, if it is one that is asked for.
pub(super) fn state_of(number: u8) -> Option<TcpState> {
    match number {
        TCP_LISTEN => Some(TcpState::Listening),
        TCP_SYN_RECV => Some(TcpState::Arriving),
        TCP_ESTABLISHED => Some(TcpState::Established),
        TCP_CLOSE_WAIT => Some(TcpState::HungUp),
        _ => None,
    }
}

/// An IPv4 address is told as such, also where an IPv6 socket serves it.
pub(super) fn address(ip: IpAddr, port: u16) -> SocketAddr {
    SocketAddr::new(ip.to_canonical(), port)
}

/// Older kernels tell less of `struct tcp_info`, never in another order.
fn exchange_of(info: &[u8]) -> Option<Exchange> {
    let milliseconds = |at: usize| {
        let bytes = info.get(at..at + 4)?.try_into().ok()?;
        Some(Duration::from_millis(u32::from_ne_bytes(bytes).into()))
    };
    let bytes = |at: usize| Some(u64::from_ne_bytes(info.get(at..at + 8)?.try_into().ok()?));
    Some(Exchange {
        bytes_acked: bytes(120)?,
        bytes_received: bytes(128)?,
        last_data_sent: milliseconds(44)?,
        last_data_recv: milliseconds(52)?,
    })
}
