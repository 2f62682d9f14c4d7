//! The running release: which `releases/<id>` the processes of a service really execute, proved
//! from `/proc`. Question and answer are plain data; finding a service's processes and telling it
//! of a new release is the business of `service`, joining the two that of the steps.
//!
//! [`observe`] looks once, [`wait_for`] until the wanted release runs; [`in_use`] tells for every
//! release who still runs it. [`change`] and [`trap`] turn what is known of servers into the line
//! to change. The decision itself is a pure function in `judge`.

pub mod answer;
pub mod change;
mod evidence;
pub mod facts;
pub mod front;
mod in_use;
mod judge;
mod kinship;
mod outcome;
mod preload;
pub mod question;
mod releases;
mod seen;
mod server;
pub mod sockets;
pub mod trap;
mod wait;

pub use answer::{Evidence, EvidenceKind, Leaving, Observation, Verdict};
pub use facts::{Paths, UnitFacts};
pub use in_use::{InUse, User, in_use};
pub use question::{Processes, Question};
pub use wait::{Limits, Until, observe, wait_for};
