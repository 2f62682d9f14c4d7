//! What the steps of a command work on: the site, the mission, the journal, and what was learnt on
//! the way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::complaints::{Complaints, Logs};
use super::mission::Mission;
use super::outcome::Running;
use super::replaced::Replaced;
use super::surroundings::Surroundings;
use super::switch;
use super::worker::Queue;
use crate::config::Config;
use crate::config::schema::Role;
use crate::error::Result;
use crate::health::wait::Unhealthy;
use crate::health::{Check, Measured, Names, Probe, thinning};
use crate::host::clock::Clock;
use crate::host::signal::Patience;
use crate::report::Report;
use crate::saga;
use crate::saga::journal::{self, Event, Journal, Progress};
use crate::site::record::StepTime;
use crate::site::{Record, ReleaseId, Samples, Site};

/// Where the steps of one command play.
pub struct Stage<'a> {
    /// The site.
    pub site: &'a Site,
    /// What is to be done.
    pub mission: &'a Mission,
    /// Who is told.
    pub report: &'a dyn Report,
    /// The time of day.
    pub clock: &'a dyn Clock,
    /// What the command has done.
    pub journal: Journal,
    /// The record of the release that is to become live.
    pub record: Record,
    /// What hooks and own processes are given, and what of their output is not shown.
    pub surroundings: Surroundings,
    /// The health checks of `[[health]]`.
    pub checks: Vec<Arc<Check>>,
    /// The steady requests, while they are made.
    pub probe: Option<Probe>,
    /// What they came to, when they are over.
    pub measured: Option<Measured>,
    /// What the services were found to run after they were told.
    pub running: Vec<Running>,
    /// What they were found to run after they were put back.
    pub restored: Vec<Running>,
    /// What waited for the workers, before and after.
    pub queues: Vec<Queue>,
    /// How the health checks ended, as last seen.
    pub health: Vec<serde_json::Value>,
    /// What became of the processes that ran before.
    pub replaced: Vec<Replaced>,
    /// The logs, from just before the switch on.
    pub logs: Option<Logs>,
    /// What they complained of since.
    pub complaints: Vec<Complaints>,
    /// The steps so far.
    pub steps: Vec<StepTime>,
    /// Why the running release is not proved, where it is not.
    pub doubts: Vec<String>,
    /// When the flip was made.
    pub switched_at: Option<Instant>,
    /// For how long in a row the probe got no good answer, when it once got none.
    pub away: Option<Duration>,
    /// Whether users could not be led back: they may still be led to the new release.
    pub is_stuck: bool,
    /// Whether an interrupted command is finished or undone, which leaves out the watch.
    pub is_recovering: bool,
    patience: Patience,
    facts: Vec<Event>,
}

/// What the settings of a mission come to, as far as that can fail.
pub struct Means {
    surroundings: Surroundings,
    checks: Vec<Arc<Check>>,
}

impl Means {
    /// Everything the settings ask for.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn of(config: &Config) -> Result<Means> {
        Ok(Means {
            surroundings: Surroundings::of(config)?,
            checks: Check::all(&config.health)?,
        })
    }

    /// What can still be had of them, for a command that was interrupted: a lost `env_file` must
    /// not keep a site from being put back.
    ///
    /// # Errors
    /// When not even a bare environment can be made.
    pub fn still_there(config: &Config, report: &dyn Report) -> Result<Means> {
        let surroundings = Surroundings::of(config).or_else(|error| {
            report.warning(&error.to_string());
            Surroundings::of(&Config {
                env_file: None,
                ..config.clone()
            })
        })?;
        let checks = Check::all(&config.health)
            .inspect_err(|error| report.warning(&error.to_string()))
            .unwrap_or_default();
        Ok(Means {
            surroundings,
            checks,
        })
    }
}

impl<'a> Stage<'a> {
    /// A stage on which nothing was done yet.
    pub fn new(
        site: &'a Site,
        mission: &'a Mission,
        (report, clock): (&'a dyn Report, &'a dyn Clock),
        means: Means,
        journal: Journal,
        record: Record,
    ) -> Self {
        Stage {
            site,
            mission,
            report,
            clock,
            journal,
            record,
            surroundings: means.surroundings,
            checks: means.checks,
            probe: None,
            measured: None,
            running: Vec::new(),
            restored: Vec::new(),
            queues: Vec::new(),
            health: Vec::new(),
            replaced: Vec::new(),
            logs: None,
            complaints: Vec::new(),
            steps: Vec::new(),
            doubts: Vec::new(),
            switched_at: None,
            away: None,
            is_stuck: false,
            is_recovering: false,
            patience: Patience::of_command(),
            facts: Vec::new(),
        }
    }

    /// The stage as the events of its journal tell it: a command was interrupted on it.
    pub fn recovered(mut self, events: Vec<Event>) -> Self {
        self.is_recovering = true;
        self.steps = journal::steps_done(&events)
            .into_iter()
            .map(|(name, ms)| StepTime { name, ms, ok: true })
            .collect();
        self.facts = events;
        self
    }

    /// Writes down something that undo or recovery must know, before it happens.
    ///
    /// # Errors
    /// When the journal cannot be written. What was to happen must then not happen, unless it is
    /// part of the way back.
    pub fn fact(&mut self, key: impl Into<String>, value: impl Serialize) -> Result<()> {
        let key = key.into();
        self.journal.fact(&key, &value)?;
        self.remember(key, value);
        Ok(())
    }

    /// Takes note of something for this command alone: part of the way back that no full disk may
    /// stop.
    pub fn remember(&mut self, key: impl Into<String>, value: impl Serialize) {
        self.facts.push(Event::Fact {
            key: key.into(),
            value: serde_json::to_value(&value).unwrap_or_default(),
        });
    }

    /// What was written down last under a key.
    pub fn known<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_value(journal::fact_of(&self.facts, key)?.clone()).ok()
    }

    /// Whether the flip was begun: users may have met the new release.
    pub fn was_switched(&self) -> bool {
        self.known(switch::FLIPPING) == Some(true)
    }

    /// From now on a first signal shortens no wait, whether it already arrived or not: putting back
    /// and finishing are done with care.
    pub fn renew_patience(&mut self) {
        self.patience = Patience::after_the_first();
    }

    /// Does something that no signal may break off; each wait in it has a limit of its own.
    pub fn undisturbed<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        self.patience = Patience::endless();
        let result = work(self);
        self.renew_patience();
        result
    }

    /// How often later commands tried to finish this one before.
    pub fn attempts(&self) -> u32 {
        Progress::of(&self.facts).attempts
    }

    /// Does something that is no reason to fail. Returns whether it was done.
    pub fn or_warn(&mut self, what: &str, work: impl FnOnce(&mut Self) -> Result<()>) -> bool {
        let done = work(self);
        if let Err(error) = &done {
            self.report.warning(&format!("{what}: {error}"));
        }
        done.is_ok()
    }

    /// Puts what was seen of the services into the record. What a recovery did not look at stays.
    pub fn keep_figures(&mut self) {
        let running = self
            .running
            .iter()
            .filter_map(|it| serde_json::to_value(it).ok());
        let running: Vec<_> = running.collect();
        if let Some(measured) = self.measured.take() {
            self.record.cutover = serde_json::to_value(&measured.figures).ok();
            self.record.taken_back_ms = measured.taken_back_ms;
            self.record.samples = worth_keeping(measured, self.was_switched());
        } else if !self.is_recovering {
            self.record.cutover = None;
            self.record.taken_back_ms = None;
            self.record.samples = Samples::default();
        }
        if !self.is_recovering || !running.is_empty() {
            self.record.running = running;
        }
        if !self.is_recovering || !self.queues.is_empty() {
            let queues = self.queues.iter();
            self.record.queues = queues
                .filter_map(|it| serde_json::to_value(it).ok())
                .collect();
        }
        if !self.is_recovering || !self.health.is_empty() {
            self.record.health.clone_from(&self.health);
        }
    }

    /// Until when the command wants to go on.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// The places of the services with a role, in file order.
    pub fn services_of(&self, role: Role) -> Vec<usize> {
        self.mission
            .services_of(role)
            .map(|(place, _)| place)
            .collect()
    }

    /// The names that answers of a release may give.
    pub fn names_of(&self, release: &ReleaseId) -> Names {
        let text = fs_err::read_to_string(self.site.revision_path(release)).ok();
        let revision = text
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty());
        Names {
            id: release.to_string(),
            revision,
        }
    }

    /// How many new connections meet every worker, most likely: as many as there are, plus two.
    pub fn connections(&self) -> u32 {
        let workers: usize = self.running.iter().map(|running| running.judged).sum();
        u32::try_from(workers).unwrap_or(u32::MAX).saturating_add(2)
    }

    /// Remembers what a service runs.
    pub fn note_running(&mut self, running: Running) {
        self.running
            .retain(|known| known.service != running.service);
        self.running.push(running);
    }

    /// Remembers how a health check ended.
    pub fn note_health(&mut self, check: &Check, problem: Option<&Unhealthy>) {
        let detail = problem.map_or_else(|| "good".to_owned(), ToString::to_string);
        let outcome = json!({ "check": check.name(), "ok": problem.is_none(), "detail": detail });
        self.health.push(outcome);
    }
}

/// The samples for the record. Where nothing was switched and nothing failed, they tell nothing.
fn worth_keeping(measured: Measured, was_switched: bool) -> Samples {
    if was_switched || measured.figures.failed > 0 {
        Samples::of(&thinning::thinned(measured.samples)).unwrap_or_default()
    } else {
        Samples::default()
    }
}

impl saga::Stage for Stage<'_> {
    fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    fn patience(&self) -> Patience {
        self.patience
    }

    fn took(&mut self, step: &str, ms: u64, is_ok: bool) {
        self.steps.push(StepTime {
            name: step.to_owned(),
            ms,
            ok: is_ok,
        });
    }
}
