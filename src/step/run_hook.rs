//! Runs the hook of one point, when the release or the settings have one.

use std::time::Instant;

use camino::{Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use super::instance::{self, Instance};
use super::{Stage, surroundings};
use crate::config::Config;
use crate::config::schema::{self, HookTable};
use crate::error::Result;
use crate::hook::{self, Hook, Point};
use crate::host::process;
use crate::host::signal::Patience;
use crate::host::socket::Address;
use crate::host::ticks::Ticks;
use crate::saga::LAST_ATTEMPT;
use crate::site::ReleaseId;

/// The key of the journal under which the leader of a hook is written.
pub const LEADER: &str = "hook_leader";

/// The process that leads a running hook, as the journal has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    /// Which hook it is.
    pub point: Point,
    /// Its process id.
    pub pid: u32,
    /// Its start time, so that a reused pid is recognised.
    pub started: Option<Ticks>,
}

/// The stable name of the step that runs a hook.
pub fn step_name(point: Point) -> &'static str {
    match point {
        Point::Build => "hook_build",
        Point::Check => "hook_check",
        Point::Migrate => "hook_migrate",
        Point::Warm => "hook_warm",
        Point::Verify => "hook_verify",
        Point::Finish => "hook_finish",
        Point::Revert => "hook_revert",
        Point::Failed => "hook_failed",
    }
}

/// Runs the hook in the release that is to become live.
///
/// # Errors
/// When it is not executable, fails, or takes too long; its last lines are with the error.
pub fn run(stage: &mut Stage<'_>, point: Point) -> Result<()> {
    let release = stage.mission.release.clone();
    let patience = stage.patience();
    run_in(stage, point, &release, &patience)
}

/// Runs the hook in any release, unless it is to be left out.
///
/// # Errors
/// As [`run`].
pub fn run_in(
    stage: &mut Stage<'_>,
    point: Point,
    release: &ReleaseId,
    patience: &Patience,
) -> Result<()> {
    if stage.mission.skips(point) {
        let text = format!("hook {} is left out, as asked", point.name());
        stage.report.note(&text);
        return Ok(());
    }
    if point.only_warns() && stage.attempts() >= LAST_ATTEMPT {
        let text = format!("hook {} is left out: zdd never outlived it", point.name());
        stage.report.warning(&text);
        return Ok(());
    }
    let directory = stage.site.release_dir(release);
    let Some(hook) = Hook::find(point, &stage.mission.config.hooks, &directory)? else {
        return Ok(());
    };
    if point == Point::Migrate {
        stage.record.is_migrated = true;
        stage.record.save(stage.site)?;
    }
    let began = Instant::now();
    let what = format!("hook {}", point.name());
    stage
        .report
        .started("Running", &format!("{what}: {}", shown(&hook, &directory)));
    let address = address_for(stage, point);
    let facts = surroundings::facts(stage.site, stage.mission, release, address);
    let log_path = stage
        .site
        .log_path(&stage.mission.release, step_name(point));
    let journal = &mut stage.journal;
    let on_start = |pid: nix::unistd::Pid| {
        let pid = pid.as_raw().cast_unsigned();
        let started = process::stat(pid).seen().map(|stat| stat.started);
        // Only for the case that zdd is killed meanwhile; the hook runs either way.
        let _ = journal.fact(
            LEADER,
            Leader {
                point,
                pid,
                started,
            },
        );
    };
    let surroundings = hook::Stage {
        environment: &stage.surroundings.environment,
        facts: &facts,
        mask: &stage.surroundings.mask,
        report: stage.report,
        patience,
    };
    let ended = hook.run(&surroundings, &log_path, on_start);
    if *release == stage.record.id {
        if point == Point::Migrate {
            stage.record.migration_notes.clone_from(&ended.notes.0);
        }
        stage.record.notes.extend(ended.notes.0);
    }
    ended.result?;
    stage.report.finished("Ran", &what, Some(began.elapsed()));
    Ok(())
}

/// A file of the release by its path there, or the line.
fn shown<'a>(hook: &'a Hook, release: &Utf8PathBuf) -> &'a str {
    let file = Utf8Path::new(hook.line()).strip_prefix(release);
    file.map_or(hook.line(), Utf8Path::as_str)
}

/// What will be run at a point, as far as it is known before the release is there.
pub fn details(config: &Config, point: Point) -> String {
    let file = config.hooks.dir.join(point.name());
    match point.setting(&config.hooks) {
        Some(schema::Hook::Line(line)) => line.clone(),
        Some(schema::Hook::Table(HookTable {
            run: Some(line), ..
        })) => line.clone(),
        _ => format!("{file}, if the release has it"),
    }
}

/// Where the new instance listens, for `warm`.
fn address_for(stage: &Stage<'_>, point: Point) -> Option<Address> {
    let mut started = instance::ready_before_flip(stage.mission);
    let place = started.next().filter(|_| point == Point::Warm)?;
    Instance::of_mission(stage, place).address()
}
