//! What the units of a site logged between the switch and its failure. It is read after everything
//! is put back: the site comes first, and the last lines of a dying program arrive late.

use time::OffsetDateTime;

use super::Stage;
use super::tell::{self, How, Told};
use crate::host::ticks::Ticks;
use crate::service::Unit;

/// The runs of units that a failure may have to do with.
pub struct UnitLogs {
    runs: Vec<Run>,
    until: OffsetDateTime,
}

struct Run {
    unit: Unit,
    /// The run that was told to reload; empty when a new one was started.
    invocation: String,
    since: Ticks,
}

/// Remembers which units were told, and their runs before they were.
pub fn until_now(stage: &Stage<'_>) -> UnitLogs {
    let services = stage.mission.config.service.iter().enumerate();
    let runs = services.filter_map(|(place, service)| {
        let told: Told = stage.known(&tell::key(place))?;
        let before = stage.mission.services_before.get(place)?.unit.as_ref()?;
        let unit = Unit::of(service)?;
        let invocation = match told.how {
            How::Reload => before.invocation_id.clone(),
            How::Restart | How::Start | How::Command | How::HandOver => String::new(),
        };
        Some(Run {
            unit,
            invocation,
            since: told.since,
        })
    });
    UnitLogs {
        runs: runs.collect(),
        until: OffsetDateTime::now_utc(),
    }
}

impl UnitLogs {
    /// The last lines of the first unit that logged anything.
    pub fn tail(&self) -> Vec<String> {
        let tails = self.runs.iter().map(|run| match run.invocation.as_str() {
            "" => run.unit.journal_tail(run.since),
            invocation => run.unit.run_tail(invocation, run.since, self.until),
        });
        let mut found = tails.filter(|tail| !tail.is_empty());
        found.next().unwrap_or_default()
    }
}
