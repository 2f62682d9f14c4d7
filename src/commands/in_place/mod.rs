//! A site that is released in place, by the `deploy.conf` of the original zddeploy. It has no
//! releases: what can be done with it is to release, to look, and to recover.

mod drive;
mod recover;
mod show;

use std::time::Duration;

use camino::Utf8PathBuf;

use super::Surface;
use super::ending::Outcome;
use crate::config::deploy_conf::DeployConf;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::host::signal::Patience;
use crate::host::user;
use crate::report::{closing, stdout};
use crate::site::Site;
use crate::site::lock::{self, Holder, Lock};
use serde::Serialize;

pub use show::{list, status};

/// What every command about such a site works with.
pub struct InPlace<'a> {
    conf: DeployConf,
    site: Site,
    surface: Surface<'a>,
    command: String,
}

/// What can be asked of a release.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request {
    /// How long to wait for the lock.
    pub wait: Duration,
    /// Print the plan and stop.
    pub is_dry_run: bool,
}

/// The end of a release as the JSON has it: that of any site, and the instances.
#[derive(Debug, Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    outcome: &'a Outcome,
    instances: Vec<show::Row>,
}

impl<'a> InPlace<'a> {
    /// Reads the settings; what is obsolete in them is said.
    ///
    /// # Errors
    /// When they are missing or wrong.
    pub fn open(surface: Surface<'a>, file: &Utf8PathBuf, command: String) -> Result<InPlace<'a>> {
        let conf = DeployConf::read(file)?;
        for note in &conf.notes {
            surface.report.warning(note);
        }
        Ok(InPlace {
            site: Site::new(conf.directory.clone()),
            conf,
            surface,
            command,
        })
    }

    /// Becomes the one command that changes the site.
    fn take_lock(&self, wait: Duration) -> Result<Lock> {
        self.site.check_owner(&self.command)?;
        self.site.prepare_in_place()?;
        let holder = Holder {
            pid: std::process::id(),
            user: user::performer(),
            since: self.surface.clock.now(),
            command: format!("zdd {}", self.command),
        };
        lock::take(&self.site, &holder, wait, &Patience::of_command())
    }

    /// Prints a result: the JSON object, or the text for people.
    fn print(&self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<()> {
        match self.surface.json {
            true => stdout::json(json),
            false => stdout::print(&text()),
        }
    }

    /// Tells how a release ended.
    fn tell(&self, outcome: &Outcome) -> Result<ExitCode> {
        if self.surface.json {
            let instances = show::rows(self);
            let printed = stdout::json(&Told { outcome, instances });
            // What was done keeps its own exit code.
            if outcome.steps.is_empty() {
                printed?;
            }
        }
        let state = show::state_line(self);
        let text = match &outcome.cause {
            Some(error) => closing::failure(error, &drive::state_of(outcome.outcome, &state)),
            None => {
                let took: u64 = outcome.steps.iter().map(|step| step.ms).sum();
                let took = crate::report::time::duration(Duration::from_millis(took));
                closing::success("live", &format!("in {took}: {state}"))
            }
        };
        self.surface.report.closing(&text);
        Ok(outcome.exit_code())
    }
}

/// Releases the site.
///
/// # Errors
/// When the result cannot be printed.
pub fn release(site: &InPlace<'_>, request: Request) -> Result<ExitCode> {
    let ended = match request.is_dry_run {
        true => return drive::show_plan(site).map(|()| ExitCode::Done),
        false => drive::release(site, request.wait),
    };
    site.tell(&ended.unwrap_or_else(|error| Outcome::refused(None, error)))
}

/// Finishes or undoes what was interrupted.
///
/// # Errors
/// When the lock cannot be had, or a human must look.
pub fn recover(site: &InPlace<'_>, wait: Duration) -> Result<ExitCode> {
    let _lock = site.take_lock(wait)?;
    let was_unfinished = recover::settle(site)?;
    let state = show::state_line(site);
    let text = match was_unfinished {
        true => format!("recovered: {state}"),
        false => format!("nothing is unfinished: {state}"),
    };
    site.surface.report.note(&text);
    Ok(ExitCode::Done)
}

/// Tells why a command that switches nothing failed.
pub fn tell_error(site: &InPlace<'_>, error: Error) -> ExitCode {
    let text = closing::failure(&error, &show::state_line(site));
    site.surface.report.closing(&text);
    let code = error.exit_code();
    if site.surface.json {
        super::ending::print_refusal(false, error);
    }
    code
}

/// Why a command that is about releases cannot be had here.
pub fn without_releases(site: &InPlace<'_>, verb: &str) -> Error {
    let what = format!(
        "`zdd {verb}` needs releases, and `{}` has none",
        site.conf.file
    );
    let move_on = format!(
        "zdd init --from {}, which writes a `zdd.toml`, and with that keeps releases: \
         docs/migrating.md",
        site.conf.file
    );
    let hint = match verb {
        "rollback" => {
            format!("put the old code back where it lay and run `zdd release` again; or {move_on}")
        }
        _ => move_on,
    };
    Error::failed(what)
        .cause("its code lies where it runs, and each change of it overwrites the one before")
        .hint(hint)
}
