//! A site in a scratch directory and the `zdd` program run on it: the ground that the test programs
//! `it` and `faults` share. Each of them uses its part.
#![allow(dead_code)]

pub mod in_place;
pub mod load;
pub mod processes;
pub mod program;
pub mod repository;
pub mod server;
pub mod site;

pub use program::{Output, Program};
pub use repository::Repository;
pub use site::Site;
