//! One health check, ready to be asked again and again, and one attempt of it.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use crate::config::schema::{HealthCheck, Status, Statuses};
use crate::error::{Error, Result};
use crate::host::command::{Command, Ending};
use crate::host::signal::Patience;

use super::address::Address;
use super::failure;
use super::http::{Answer, Client};
use super::plain_text::plain;
use super::release_of::Place;
use super::tcp;
use super::trust::trusting;

/// How often someone who waits for an attempt looks whether the wait is over.
pub(super) const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// A health check of `zdd.toml`, read and understood.
#[derive(Debug)]
pub struct Check {
    question: Question,
    settings: HealthCheck,
    release: Option<Place>,
}

/// What is asked.
#[derive(Debug)]
enum Question {
    Http(Box<Client>),
    Tcp(String),
    Command(String),
}

/// How one attempt went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Whether the check is good.
    pub ok: bool,
    /// What was seen, in a few words: "503 Service Unavailable", "connection refused".
    pub detail: String,
    /// How long it took.
    pub elapsed: Duration,
    /// The release that the answer names, where the check says how (`release = …`).
    pub answered: Option<String>,
}

impl Attempt {
    /// Whether something answered, but not in HTTP. Silence is no answer.
    pub fn is_foreign(&self) -> bool {
        let beginnings = ["answer is not http", "connection closed"];
        beginnings.iter().any(|it| self.detail.starts_with(it))
    }
}

impl Check {
    /// Understands the settings.
    ///
    /// # Errors
    /// When not exactly one of `url`, `tcp` and `command` is set, or one of the values has not
    /// the right form.
    pub fn new(settings: &HealthCheck) -> Result<Self> {
        let question = match (&settings.url, &settings.tcp, &settings.command) {
            (Some(url), None, None) => {
                let address = Address::parse(url)?;
                let timeout = settings.timeout.duration();
                let trusted = settings.ca.as_deref().map(trusting).transpose()?;
                let host = settings.host.as_deref();
                let client = Client::new(address, host, trusted, timeout)?;
                Question::Http(Box::new(client))
            }
            (None, Some(text), None) if !tcp::is_host_and_port(text) => {
                return Err(Error::usage(format!(
                    "`{}` is not `host:port`",
                    plain(text)
                )));
            }
            (None, Some(text), None) => Question::Tcp(text.clone()),
            (None, None, Some(line)) => Question::Command(line.clone()),
            _ => {
                return Err(Error::usage(
                    "a health check needs exactly one of `url`, `tcp` and `command`",
                ));
            }
        };
        Ok(Check {
            question,
            release: settings.release.as_deref().map(Place::parse).transpose()?,
            settings: settings.clone(),
        })
    }

    /// All checks of a site, in the order of the file.
    ///
    /// # Errors
    /// At the first one that cannot be understood.
    pub fn all(settings: &[HealthCheck]) -> Result<Vec<Arc<Check>>> {
        let checks = settings.iter().map(|check| Check::new(check).map(Arc::new));
        checks.collect()
    }

    /// What it asks, as it is written in `zdd.toml`.
    pub fn name(&self) -> String {
        match &self.question {
            Question::Http(client) => client.address().to_string(),
            Question::Tcp(text) | Question::Command(text) => text.clone(),
        }
    }

    /// Its interval, timeouts and number of successes.
    pub fn settings(&self) -> &HealthCheck {
        &self.settings
    }

    /// Whether its answers can name their release.
    pub fn names_release(&self) -> bool {
        self.release.is_some() && matches!(self.question, Question::Http(_))
    }

    /// Asks once. Takes at most `timeout`; a command may take two seconds more to die.
    pub fn attempt(&self, patience: &Patience) -> Attempt {
        self.attempt_within(self.settings.timeout.duration(), patience)
    }

    /// Asks once, and gives up without a result when `is_over` says so, which it does at `until`
    /// at the latest. A question over the network is then left to its own time limit; a command
    /// is ended, at `until` only.
    pub(super) fn attempt_until(
        self: &Arc<Self>,
        until: Instant,
        patience: &Patience,
        is_over: &dyn Fn() -> bool,
    ) -> Option<Attempt> {
        let left = || until.saturating_duration_since(Instant::now());
        if matches!(self.question, Question::Command(_)) {
            let limit = left().min(self.settings.timeout.duration());
            let attempt = self.attempt_within(limit, patience);
            let was_cut_short = !attempt.ok && left().is_zero();
            return (!was_cut_short).then_some(attempt);
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let (check, its_patience) = (Arc::clone(self), *patience);
        let ask = move || {
            let _ = sender.send(check.attempt(&its_patience));
        };
        if let Err(error) = thread::Builder::new().spawn(ask) {
            return Some(Attempt::failed(failure::io_text(&error)));
        }
        loop {
            match receiver.recv_timeout(left().min(LOOK_INTERVAL)) {
                Ok(attempt) => return Some(attempt),
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    return Some(Attempt::failed("the attempt broke off".to_owned()));
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    if is_over() {
                        return None;
                    }
                }
            }
        }
    }

    fn attempt_within(&self, command_limit: Duration, patience: &Patience) -> Attempt {
        let started = Instant::now();
        let timeout = self.settings.timeout.duration();
        let attempt = match &self.question {
            Question::Http(client) => match client.ask() {
                Ok(answer) => self.judged(&answer),
                Err(reason) => Attempt::failed(reason),
            },
            Question::Tcp(address) => match tcp::connect(address, timeout) {
                Ok(()) => Attempt::good("accepts connections".to_owned()),
                Err(reason) => Attempt::failed(reason),
            },
            Question::Command(line) => ran(line, command_limit, patience),
        };
        Attempt {
            elapsed: started.elapsed(),
            ..attempt
        }
    }

    fn judged(&self, answer: &Answer) -> Attempt {
        let attempt = if !accepts(&self.settings.status, answer.status()) {
            Attempt::failed(answer.text())
        } else {
            match &self.settings.contains {
                Some(wanted) if !holds(answer.body(), wanted.as_bytes()) => {
                    let text = answer.text();
                    Attempt::failed(format!("{text}, but the body does not contain `{wanted}`"))
                }
                _ => Attempt::good(answer.text()),
            }
        };
        Attempt {
            answered: self.release.as_ref().and_then(|place| place.read(answer)),
            ..attempt
        }
    }
}

impl Attempt {
    fn good(detail: String) -> Self {
        Attempt {
            ok: true,
            detail,
            elapsed: Duration::ZERO,
            answered: None,
        }
    }

    pub(super) fn failed(detail: String) -> Self {
        Attempt {
            ok: false,
            ..Attempt::good(detail)
        }
    }
}

/// Every status that says that the server itself works.
pub(super) fn below_500() -> Statuses {
    let classes = ["1xx", "2xx", "3xx", "4xx"];
    Statuses::Any(classes.map(|class| Status::Class(class.to_owned())).into())
}

/// Whether a status is one of the good ones.
fn accepts(good: &Statuses, status: u16) -> bool {
    let is_it = |one: &Status| match one {
        Status::Code(code) => *code == status,
        Status::Class(class) => class.starts_with(&(status / 100).to_string()),
    };
    match good {
        Statuses::One(one) => is_it(one),
        Statuses::Any(many) => many.iter().any(is_it),
    }
}

fn holds(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|part| part == wanted)
}

/// Runs a shell line in its own process group. The last line it printed says why it failed.
fn ran(line: &str, limit: Duration, patience: &Patience) -> Attempt {
    let command = Command::shell(line).timeout(limit);
    match command.stream(patience, |_| {}, &mut |_| {}) {
        Err(error) => Attempt::failed(failure::io_text(&error)),
        Ok(finished) if finished.ending.is_success() => Attempt::good("exit code 0".to_owned()),
        Ok(finished) => {
            let ending = match finished.ending {
                Ending::TimedOut(limit) => format!("still running after {}", failure::span(limit)),
                other => other.to_string(),
            };
            let said = finished
                .tail
                .iter()
                .rev()
                .find(|line| !line.trim().is_empty());
            Attempt::failed(match said {
                Some(said) => format!("{ending}: {}", plain(said)),
                None => ending,
            })
        }
    }
}
