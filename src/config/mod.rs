//! `zdd.toml`: what can be written in it, where it is found, and what is wrong with it.
//!
//! The types of [`schema`] are the single source of truth. [`json_schema`] derives from them what
//! editors use and what [`parse`](parse()) holds a file against; [`discover`] finds the file.

pub mod deploy_conf;
pub mod discover;
pub mod git_url;
mod json_schema;
mod mistake;
mod parse;
mod planned;
pub mod schema;
mod shape;
mod syntax;
pub mod template;
mod tree;
pub mod units;
mod validate;
mod walk;

#[cfg(test)]
mod tests;

pub use discover::{Loaded, Request, load};
pub use json_schema::json_schema;
pub use parse::parse;
pub use schema::Config;
