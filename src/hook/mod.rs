//! The programs of the site that zdd runs at named points of a release: which one it is, as whom
//! it runs, what it is told, what of its output is shown. When each point comes is the business
//! of the plan.

mod account;
pub mod env_file;
mod environment;
mod log;
mod mask;
mod notes;
mod output;
mod point;
mod program;
mod run;
mod secret;

pub use account::{Account, user_findings};
pub use environment::{Environment, Facts, Verb};
pub use mask::Mask;
pub use notes::{Notes, sweep as sweep_notes};
pub use point::Point;
pub use program::Hook;
pub use run::{Ended, Stage};

#[cfg(test)]
mod tests;
