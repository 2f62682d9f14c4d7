//! The steps of a release and of a rollback, each in its own file with its way back. They compose
//! `service`, `running`, `health`, `hook` and `source`.

pub mod advice;
pub mod answer;
pub mod astray;
pub mod before;
pub mod boot;
pub mod bridge;
pub mod complaints;
pub mod crash_watch;
pub mod create_release;
pub mod dry_boot;
pub mod fill;
pub mod finish;
pub mod in_force;
pub mod in_place;
pub mod instance;
pub mod link_shared;
pub mod mission;
pub mod nginx;
pub mod outcome;
pub mod pid_file;
pub mod pools;
pub mod preconditions;
pub mod process;
pub mod prove;
pub mod proxy;
pub mod prune;
pub mod replaced;
pub mod restore;
pub mod run_hook;
pub mod seal;
pub mod second_copy;
pub mod stage;
pub mod standby;
pub mod surplus;
pub mod surroundings;
pub mod switch;
pub mod switch_workers;
pub mod tell;
pub mod unit_logs;
pub mod verify;
pub mod worker;

pub use mission::{Mission, ServiceBefore};
pub use stage::{Means, Stage};
pub use surroundings::Surroundings;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::config::schema::{Role, Service};
use crate::error::Result;
use crate::hook::Point;
use crate::saga::Reversible;

/// One step of a plan, as data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// Make the release's directory.
    Create,
    /// Copy the files in.
    Fill,
    /// Link the shared files and directories.
    LinkShared,
    /// Run a hook.
    Hook {
        /// Which one.
        point: Point,
    },
    /// Make every byte durable.
    Seal,
    /// Give the old and the new release what only the other one has.
    Bridge,
    /// Boot the new release aside, and end it again.
    Try {
        /// The place of the service.
        service: usize,
    },
    /// Start the new release's own process.
    StartInstance {
        /// The place of the service.
        service: usize,
    },
    /// Flip, tell, prove.
    Switch,
    /// Ask the health checks, and watch.
    Verify,
    /// Tell and prove the workers.
    SwitchWorkers,
}

impl<'a> Reversible<Stage<'a>> for Step {
    fn name(&self) -> &str {
        match self {
            Step::Create => "create",
            Step::Fill => "fill",
            Step::LinkShared => "link_shared",
            Step::Hook { point } => run_hook::step_name(*point),
            Step::Seal => "seal",
            Step::Bridge => "bridge",
            Step::Try { .. } => "try",
            Step::StartInstance { .. } => "start_instance",
            Step::Switch => SWITCH,
            Step::Verify => "verify",
            Step::SwitchWorkers => "switch_workers",
        }
    }

    fn run(&self, stage: &mut Stage<'a>) -> Result<()> {
        match *self {
            Step::Create => create_release::run(stage),
            Step::Fill => fill::run(stage),
            Step::LinkShared => link_shared::run(stage),
            Step::Hook {
                point: Point::Verify,
            } => run_hook::run(stage, Point::Verify).and_then(|()| astray::refuse(stage)),
            Step::Hook { point } => run_hook::run(stage, point),
            Step::Seal => seal::run(stage),
            Step::Bridge => bridge::run(stage),
            Step::Try { service } => dry_boot::run(stage, service),
            Step::StartInstance { service } => instance::run(stage, service),
            Step::Switch => switch::run(stage),
            Step::Verify => verify::run(stage),
            Step::SwitchWorkers => switch_workers::run(stage),
        }
    }

    fn undo(&self, stage: &mut Stage<'a>) -> Result<()> {
        match *self {
            Step::Create => create_release::undo(stage),
            Step::Bridge => bridge::undo(stage),
            Step::StartInstance { service } => instance::undo(stage, service),
            Step::Try { service } => dry_boot::undo(stage, service),
            Step::Switch => switch::undo(stage),
            // A failed release keeps its files for a look; workers are put back by the switch.
            Step::Fill
            | Step::LinkShared
            | Step::Hook { .. }
            | Step::Seal
            | Step::Verify
            | Step::SwitchWorkers => Ok(()),
        }
    }
}

impl Step {
    /// What the step is about, for `--dry-run`; begins with a colon, or is empty.
    pub fn details(&self, mission: &Mission) -> String {
        let config = &mission.config;
        let name = |place: usize| config.service.get(place).map(name_of).unwrap_or_default();
        let of_role = |role| {
            mission
                .services_of(role)
                .map(|(_, service)| name_of(service))
                .collect::<Vec<_>>()
        };
        let details = match self {
            Step::Create => format!("releases/{}", mission.release),
            Step::Fill => {
                let source = mission.source.as_ref();
                source.map(ToString::to_string).unwrap_or_default()
            }
            Step::LinkShared => listed(config.shared.files.iter().chain(&config.shared.dirs)),
            Step::Bridge => listed(&config.shared.bridge),
            Step::Hook { point } if mission.skips(*point) => "left out, as asked".to_owned(),
            Step::Hook { point } => run_hook::details(config, *point),
            Step::Try { service } | Step::StartInstance { service } => name(*service),
            Step::Switch => {
                let services = of_role(Role::Web);
                let told = services
                    .into_iter()
                    .map(|name| format!("tell and prove {name}"));
                let nginx = config.proxy.as_ref();
                let nginx = nginx.map(|proxy| format!("lead nginx over by {}", proxy.output()));
                std::iter::once("flip current".to_owned())
                    .chain(told)
                    .chain(nginx)
                    .collect::<Vec<_>>()
                    .join(", ")
            }
            Step::Verify => match config.health.len() {
                0 => "no health check".to_owned(),
                1 => "1 health check".to_owned(),
                many => format!("{many} health checks"),
            },
            Step::SwitchWorkers => of_role(Role::Worker).join(", "),
            Step::Seal => String::new(),
        };
        if details.is_empty() {
            details
        } else {
            format!(": {details}")
        }
    }
}

fn listed<'a>(paths: impl IntoIterator<Item = &'a Utf8PathBuf>) -> String {
    let paths: Vec<&str> = paths.into_iter().map(|path| path.as_str()).collect();
    paths.join(", ")
}

/// The name of the step before which nothing changed for users.
pub const SWITCH: &str = "switch";

/// How messages name a service: its unit, its program, its own name, or the command that starts or
/// reloads it.
pub fn name_of(service: &Service) -> String {
    let names = [
        &service.unit,
        &service.program,
        &service.name,
        &service.start,
        &service.reload,
    ];
    names
        .into_iter()
        .flatten()
        .next()
        .cloned()
        .unwrap_or_else(|| "service".to_owned())
}
