//! All checks asked once, side by side: what `status` shows, and what was already wrong before a
//! release began.

use std::thread;

use serde::{Deserialize, Serialize};

use crate::config::schema::HealthCheck;
use crate::host::signal::Patience;

use super::check::{Attempt, Check};

/// How one check stands now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// What was asked: the url, the `host:port` or the command.
    pub check: String,
    /// Whether it is good.
    pub ok: bool,
    /// What was seen, in a few words.
    pub detail: String,
}

/// Asks every check once, all at the same time, in the order of the file. Takes as long as the
/// slowest, at most its `timeout`. A check that cannot be understood is not good.
pub fn of_all(settings: &[HealthCheck], patience: &Patience) -> Vec<Outcome> {
    thread::scope(|scope| {
        let ask = |check| scope.spawn(move || of(check, patience));
        let asked: Vec<_> = settings.iter().map(ask).collect();
        let outcomes = asked.into_iter().zip(settings);
        outcomes
            .map(|(thread, check)| thread.join().unwrap_or_else(|_| broke_off(check)))
            .collect()
    })
}

fn of(settings: &HealthCheck, patience: &Patience) -> Outcome {
    match Check::new(settings) {
        Ok(check) => Outcome::new(check.name(), check.attempt(patience)),
        Err(error) => Outcome::new(written(settings), Attempt::failed(error.to_string())),
    }
}

fn broke_off(settings: &HealthCheck) -> Outcome {
    let attempt = Attempt::failed("the attempt broke off".to_owned());
    Outcome::new(written(settings), attempt)
}

/// What the user wrote, for a check that cannot be understood; a url's user and password are left
/// out.
fn written(settings: &HealthCheck) -> String {
    let texts = [&settings.url, &settings.tcp, &settings.command];
    let text = texts
        .into_iter()
        .flatten()
        .next()
        .map_or("", String::as_str);
    match text.split_once('@') {
        Some((_, rest)) if settings.url.is_some() => format!("…@{rest}"),
        _ => text.to_owned(),
    }
}

impl Outcome {
    fn new(check: String, attempt: Attempt) -> Self {
        Outcome {
            check,
            ok: attempt.ok,
            detail: attempt.detail,
        }
    }
}
