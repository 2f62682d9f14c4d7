//! Where instances listen, who is connected to them, and waiting until nobody is. All of it is
//! read from the kernel; who holds the other ends is told by [`front`](super::front).

mod bound;
mod drain;
mod listening;
mod traffic;

pub use crate::host::socket::Address;
pub use drain::{DrainLimits, Drained, Ended, Left, SETTLE_TIME, drain};
pub use listening::listening;
pub use traffic::{Client, Connection, Traffic, look};

#[cfg(test)]
mod tests;
