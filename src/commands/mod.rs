//! The verbs of zdd, one a file. Each composes a plan, drives it through the saga, and tells how it
//! ended.

pub mod aftermath;
pub mod check;
pub mod code;
pub mod completions;
mod cutover;
pub mod drive;
pub mod ending;
pub mod init;
pub mod list;
pub mod logs;
pub mod man;
pub mod pause;
pub mod pin;
pub mod prune;
pub mod recover;
pub mod release;
pub mod rollback;
pub mod show;
pub mod status;
pub mod switching;
pub mod unfinished;

use std::time::Duration;

use camino::Utf8PathBuf;
use serde::Serialize;

use crate::config::Config;
use crate::config::discover::{self, Request};
use crate::config::schema::Service;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::host::clock::Clock;
use crate::host::signal::Patience;
use crate::host::user;
use crate::report::{Report, stdout};
use crate::site::lock::{self, Holder, Lock};
use crate::site::{History, Site, instance};
use crate::step::surplus;

/// What every command about a site works with.
pub struct Context<'a> {
    /// The effective settings.
    pub config: Config,
    /// The file they come from, when there is one.
    pub config_file: Option<Utf8PathBuf>,
    /// The site.
    pub site: Site,
    /// Who is told.
    pub report: &'a dyn Report,
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// Whether the result is one JSON object.
    pub json: bool,
    /// The command as it was typed, for the lock and for hints.
    pub command: String,
}

/// What is given to every command from outside.
#[derive(Clone, Copy)]
pub struct Surface<'a> {
    /// Who is told.
    pub report: &'a dyn Report,
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// Whether the result is one JSON object.
    pub json: bool,
}

impl<'a> Context<'a> {
    /// Finds the settings and the site.
    ///
    /// # Errors
    /// When the settings are missing or wrong.
    pub fn open(surface: Surface<'a>, request: &Request, command: String) -> Result<Context<'a>> {
        let loaded = discover::load(request)?;
        let root = loaded.config.root.clone();
        let root = root.ok_or_else(|| Error::usage("no root is named"))?;
        Ok(Context {
            config: loaded.config,
            config_file: loaded.file,
            site: Site::new(root),
            report: surface.report,
            clock: surface.clock,
            json: surface.json,
            command,
        })
    }

    /// Becomes the one command that changes the site, and sees to it that nothing is unfinished.
    ///
    /// # Errors
    /// When there is no site, it belongs to somebody else, another zdd is at work, or what was
    /// interrupted cannot be recovered.
    pub fn take_over(&self, wait: Duration) -> Result<Lock> {
        let lock = self.take_lock(wait)?;
        unfinished::settle(self, wait)?;
        let has_instances = self.config.service.iter().any(Service::has_instances);
        if has_instances || instance::any(&self.site) {
            self.end_surplus();
        }
        Ok(lock)
    }

    /// Ends instances that are neither live nor kept for a rollback. They harm nobody: what cannot
    /// be ended is said.
    pub fn end_surplus(&self) {
        let patience = Patience::of_command();
        let now = self.clock.now();
        let ended = surplus::end(&self.site, &self.config, now, self.report, &patience);
        if let Err(error) = ended {
            self.report
                .warning(&format!("instances of old releases: {error}"));
        }
    }

    /// Becomes the one command that changes the site.
    ///
    /// # Errors
    /// When there is no site, it belongs to somebody else, or another zdd is at work.
    pub fn take_lock(&self, wait: Duration) -> Result<Lock> {
        self.site.check_owner(&self.command)?;
        if !self.site.releases_dir().is_dir() {
            let what = format!("there is no site in `{}` yet", self.site.root());
            return Err(Error::failed(what).hint("zdd release DIRECTORY"));
        }
        self.site.prepare()?;
        let holder = Holder {
            pid: std::process::id(),
            user: user::performer(),
            since: self.clock.now(),
            command: format!("zdd {}", self.command),
        };
        lock::take(&self.site, &holder, wait, &Patience::of_command())
    }

    /// The releases, with adopted ones written down. Only under the lock.
    ///
    /// # Errors
    /// When they cannot be read or written.
    pub fn settled_history(&self) -> Result<History> {
        let mut history = History::load(&self.site)?;
        history.settle(&self.site, self.clock.now())?;
        for oddity in &history.oddities {
            self.report.warning(oddity);
        }
        Ok(history)
    }

    /// Prints a result: the JSON object, or the text for people.
    ///
    /// # Errors
    /// When standard output cannot be written, a pipe that nobody reads excepted.
    pub fn print(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<ExitCode> {
        if self.json {
            stdout::json(json)?
        } else {
            stdout::print(&text())?
        }
        Ok(ExitCode::Done)
    }

    /// One line about what users get, for the end of every command.
    pub fn state_line(&self) -> String {
        ending::state_line(&self.site)
    }
}
