//! Whether the site answers: health checks, waiting until they are good, watching that they stay
//! so, which release an answer names, and the steady requests of the probe. All of it is asked
//! from outside, over the network or a socket; what processes execute is the business of
//! `running`.

pub mod address;
pub mod check;
mod failure;
pub mod figures;
pub mod http;
pub mod outcome;
pub mod own;
mod plain_text;
pub mod probe;
pub mod release_of;
pub mod target;
mod tcp;
pub mod thinning;
mod tls;
mod trust;
mod unix;
pub mod wait;
pub mod watch;

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;

pub use check::{Attempt, Check};
pub use figures::{Figures, Sample};
pub use outcome::Outcome;
pub use probe::{Measured, Probe};
pub use release_of::Names;
pub use target::Target;
