//! The kernel's tables of sockets, unix and TCP, in the network namespace of this process, asked
//! over netlink (`sock_diag`); any user may. Where netlink is refused, the same from `/proc/net`,
//! which knows less: every fact that may be missing is an `Option`.
//!
//! What the sockets mean is the business of `running`.

mod dump;
mod file_id;
mod proc_net;
mod tcp;
mod unix;

pub use file_id::FileId;
pub use tcp::{Exchange, Ports, TcpSocket, TcpState, tcp};
pub use unix::{UnixSocket, unix};

#[cfg(test)]
mod tests;
