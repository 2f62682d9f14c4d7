//! The steps of a site that is released in place, by the `deploy.conf` of the original zddeploy:
//! it has no releases, its code lies where it always lay. New instances of its services are
//! started beside the old ones, nginx is given settings with their ports, the old ones are
//! drained and stopped.
//!
//! The pid files and port files are those of the original, at the same moments.

mod before;
mod finish;
mod instance;
mod mark;
mod ready;
mod record;
mod stage;
mod start;
mod switch;

use serde::{Deserialize, Serialize};

use crate::config::deploy_conf::DeployConf;
use crate::error::Result;
use crate::host::ticks::Ticks;
use crate::proxy::nginx::{Master, Nginx, Pid};
use crate::saga::Reversible;
use crate::step::nginx::Front;

pub use before::{Before, found, look, still_running};
pub use finish::run as finish;
pub use instance::Instance;
pub use record::Known;
pub use stage::Stage;
pub use switch::{refused_template, render};

/// Everything about one run, as the first line of the journal has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    /// The settings.
    pub conf: DeployConf,
    /// The text of the template, as it was when the run began.
    pub template: String,
    /// What marks the processes of this run in their environment.
    pub mark: String,
    /// When the run began.
    pub begun: Ticks,
    /// What was there of each service, in the order of the settings.
    pub services: Vec<Before>,
    /// The nginx that ran.
    pub master: Option<Master>,
    /// Whether its settings were there.
    pub had_settings: bool,
}

/// One step, as data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its stable name.
    pub name: String,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Mark,
    Start,
    Ready(usize),
    Switch,
}

impl Deployment {
    /// The steps, in their order.
    pub fn steps(&self) -> Vec<Step> {
        let step = |name: &str, kind| Step {
            name: name.to_owned(),
            kind,
        };
        let services = self.conf.services.iter().enumerate();
        let ready =
            services.map(|(place, it)| step(&format!("ready {}", it.name), Kind::Ready(place)));
        let mut steps = vec![step("mark", Kind::Mark), step("start", Kind::Start)];
        steps.extend(ready);
        steps.push(step("switch", Kind::Switch));
        steps
    }

    /// The proxy.
    pub fn nginx(&self) -> Nginx<'_> {
        Nginx {
            settings: &self.conf.nginx.output,
            pid: Pid::File(&self.conf.nginx.pid_file),
            through_sudo: false,
        }
    }

    /// The proxy, and how it was before.
    fn front(&self) -> Front<'_> {
        Front {
            nginx: self.nginx(),
            unit: None,
            master_before: self.master,
            had_settings: self.had_settings,
        }
    }
}

impl Reversible<Stage<'_>> for Step {
    fn name(&self) -> &str {
        &self.name
    }

    fn run(&self, stage: &mut Stage<'_>) -> Result<()> {
        match self.kind {
            Kind::Mark => mark::run(stage),
            Kind::Start => start::run(stage),
            Kind::Ready(place) => ready::run(stage, place),
            Kind::Switch => switch::run(stage),
        }
    }

    fn undo(&self, stage: &mut Stage<'_>) -> Result<()> {
        match self.kind {
            Kind::Mark => mark::undo(stage),
            Kind::Start => start::undo(stage),
            Kind::Ready(place) => ready::undo(stage, place),
            Kind::Switch => switch::undo(stage),
        }
    }
}
