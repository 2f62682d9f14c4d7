//! The core seen from outside, where it matters that nothing stands in the way of an undo: real
//! releases of a small web server as an own process, no systemd, no root.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod place;
mod recovery;
mod switching;
