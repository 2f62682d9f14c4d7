//! What zdd needs of the operating system, each noun in its own file. Nothing here knows what a
//! release is.

pub mod access;
pub mod atomic_file;
pub mod cgroup;
pub mod clock;
pub mod command;
pub mod descriptors;
pub mod disk;
pub mod lines;
pub mod log_file;
pub mod log_tail;
pub mod memory;
pub mod pidfd;
pub mod process;
pub mod signal;
pub mod sock_diag;
pub mod socket;
pub mod ticks;
pub mod tree;
pub mod user;
