//! What the steps work on.

use std::process::Child;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Deployment, Instance};
use crate::config::deploy_conf::Service;
use crate::error::Result;
use crate::host::signal::Patience;
use crate::report::Report;
use crate::saga;
use crate::saga::journal::{self, Event, Journal};
use crate::site::Site;
use crate::site::record::StepTime;
use crate::step::nginx;

/// Where the steps of one run play.
pub struct Stage<'a> {
    /// The directory of the settings.
    pub site: &'a Site,
    /// What is to be done.
    pub deployment: &'a Deployment,
    /// Who is told.
    pub report: &'a dyn Report,
    /// What was done.
    pub journal: Journal,
    /// The steps so far.
    pub steps: Vec<StepTime>,
    /// The processes that were started by this very command, by the place of their service.
    pub(super) children: Vec<(usize, Child)>,
    /// Whether nginx could not be given its settings back: it may still lead to the new instances.
    pub is_stuck: bool,
    patience: Patience,
    facts: Vec<Event>,
}

impl<'a> Stage<'a> {
    /// A stage on which `events` happened before, when a command was interrupted on it.
    pub fn new(
        site: &'a Site,
        deployment: &'a Deployment,
        report: &'a dyn Report,
        journal: Journal,
        events: Vec<Event>,
    ) -> Self {
        let done = journal::steps_done(&events).into_iter();
        Stage {
            site,
            deployment,
            report,
            journal,
            steps: done
                .map(|(name, ms)| StepTime { name, ms, ok: true })
                .collect(),
            children: Vec::new(),
            is_stuck: false,
            patience: Patience::of_command(),
            facts: events,
        }
    }

    /// Writes down something that undo or recovery must know, before it happens.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn fact(&mut self, key: impl Into<String>, value: impl Serialize) -> Result<()> {
        let key = key.into();
        self.journal.fact(&key, &value)?;
        self.facts.push(Event::Fact {
            key,
            value: serde_json::to_value(&value).unwrap_or_default(),
        });
        Ok(())
    }

    /// What was written down last under a key.
    pub fn known<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        serde_json::from_value(journal::fact_of(&self.facts, key)?.clone()).ok()
    }

    /// The services.
    pub fn services(&self) -> &'a [Service] {
        &self.deployment.conf.services
    }

    /// The new instance of a service, once it is ready.
    pub fn instance(&self, place: usize) -> Option<Instance> {
        self.known(&Instance::key(place))
    }

    /// Whether nginx was told of the new instances: users may have met them.
    pub fn was_switched(&self) -> bool {
        nginx::was_told(self)
    }

    /// Until when the command wants to go on.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// From now on a first signal shortens no wait: putting back and finishing are done with care.
    pub fn renew_patience(&mut self) {
        self.patience = Patience::after_the_first();
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
