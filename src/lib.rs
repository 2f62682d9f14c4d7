//! zdd puts new code live on a Linux server without losing a request, and takes it back by itself
//! when it is bad. `docs/architecture.md` says how the modules hang together; who may import whom
//! is held by `tests/it/tidy.rs`.

pub mod cli;
pub mod commands;
pub mod config;
pub mod error;
pub mod exit_code;
pub mod health;
pub mod hook;
pub mod host;
pub mod plan;
pub mod proxy;
pub mod report;
pub mod running;
pub mod saga;
pub mod service;
pub mod site;
pub mod source;
pub mod step;
