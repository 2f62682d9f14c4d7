//! Checks, waits, the probe and the watch against real servers.

mod answers;
mod https;
mod probing;
mod silence;
mod sockets;
mod waiting;

use std::sync::Arc;

use crate::config::schema::HealthCheck;
use crate::config::units::Span;
use crate::host::signal::Patience;

use super::check::{Attempt, Check};

/// A check of a url whose attempts follow each other fast.
fn settings(url: &str) -> HealthCheck {
    HealthCheck {
        url: Some(url.to_owned()),
        interval: Span::millis(10),
        ..HealthCheck::default()
    }
}

/// The same with a short time limit.
fn impatient(url: &str) -> HealthCheck {
    HealthCheck {
        timeout: Span::millis(400),
        ..settings(url)
    }
}

fn check(settings: &HealthCheck) -> Arc<Check> {
    Arc::new(Check::new(settings).unwrap())
}

fn attempt(settings: &HealthCheck) -> Attempt {
    Check::new(settings).unwrap().attempt(&Patience::fresh())
}

fn nothing() -> Option<String> {
    None
}
