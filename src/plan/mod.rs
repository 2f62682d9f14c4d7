//! A plan: what a command will do, as data, made before any effect. `--dry-run` prints it, and it
//! is the first line of the journal.

pub mod release;
pub mod rollback;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::config::schema::Role;
use crate::hook::Point;
use crate::saga::Reversible;
use crate::step::{Mission, Stage, Step, instance};

/// The version of the format in the journal.
const SCHEMA: u32 = 1;

/// What is to be done, and in which steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The version of the format.
    pub schema: u32,
    /// The switch as a whole.
    pub mission: Mission,
    /// The steps in their order.
    pub steps: Vec<Step>,
}

impl Plan {
    fn new(mission: Mission, steps: Vec<Step>) -> Plan {
        Plan {
            schema: SCHEMA,
            mission,
            steps,
        }
    }

    /// The place of the step before which nothing changed for users.
    pub fn switch_place(&self) -> usize {
        let is_switch = |step: &Step| *step == Step::Switch;
        self.steps
            .iter()
            .position(is_switch)
            .unwrap_or(self.steps.len())
    }
}

/// From the bridge to the last word of the health checks: what releases and rollbacks share.
fn steps_of_switch(mission: &Mission) -> Vec<Step> {
    let services = || mission.config.service.iter().enumerate();
    let tries = services().filter(|(_, service)| service.dry_boot.is_some());
    let mut steps = Vec::new();
    if !mission.config.shared.bridge.is_empty() {
        steps.push(Step::Bridge);
    }
    steps.extend(tries.map(|(service, _)| Step::Try { service }));
    let starts = instance::ready_before_flip(mission);
    steps.extend(starts.map(|service| Step::StartInstance { service }));
    steps.push(Step::Hook { point: Point::Warm });
    steps.push(Step::Switch);
    steps.push(Step::Verify);
    steps.push(Step::Hook {
        point: Point::Verify,
    });
    if mission.services_of(Role::Worker).next().is_some() {
        steps.push(Step::SwitchWorkers);
    }
    steps
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mission = &self.mission;
        let from = mission
            .from
            .as_ref()
            .map_or("nothing".to_owned(), ToString::to_string);
        writeln!(
            f,
            "{} {} (now: {from})",
            mission.verb.word(),
            mission.release
        )?;
        for (place, step) in self.steps.iter().enumerate() {
            let name = Reversible::<Stage<'_>>::name(step);
            writeln!(f, "{:>4}. {name}{}", place + 1, step.details(mission))?;
        }
        write!(
            f,
            "{:>4}. finish: records, prune to {} good releases",
            self.steps.len() + 1,
            mission.config.keep
        )?;
        match mission.migrated_since() {
            Some(text) => write!(f, "\nnote: {text}"),
            None => Ok(()),
        }
    }
}
