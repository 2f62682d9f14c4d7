//! What the units of a site logged between the switch and its failure. It is read after everything
//! is put back: the site comes first, and the last lines of a dying program arrive late.

use time::OffsetDateTime;

use super::Stage;
use super::tell::{self, How, Told};
use crate::host::ticks::Ticks;
use crate::service::Unit;

/// How many lines are shown.
const LINES: usize = 20;

/// How many lines are looked through for the ones that are shown.
const READ_LINES: usize = 200;

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
            "" => run.unit.journal_tail(run.since, READ_LINES),
            invocation => run
                .unit
                .run_tail(invocation, run.since, self.until, READ_LINES),
        });
        let mut found = tails.filter(|tail| !tail.is_empty());
        condensed(found.next().unwrap_or_default())
    }
}

/// The last lines. Where there are too many, the frames of stack traces, which are indented, give
/// way to what happened: a dying server repeats its trace for every worker.
pub fn condensed(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > LINES {
        lines.retain(|line| !line.starts_with(char::is_whitespace));
    }
    lines.split_off(lines.len().saturating_sub(LINES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_give_way_to_what_happened() {
        let worker = [
            "Traceback:",
            "  File a",
            "    b()",
            "ModuleNotFoundError: not_there",
        ];
        let mut lines: Vec<String> = worker.repeat(3).into_iter().map(str::to_owned).collect();
        assert_eq!(condensed(lines.clone()), lines);
        lines.extend(std::iter::repeat_n("  File c".to_owned(), 30));
        lines.push("HaltServer".to_owned());
        let short = condensed(lines);
        assert_eq!(short.len(), 7);
        assert!(short.contains(&"ModuleNotFoundError: not_there".to_owned()));
    }
}
