//! `zdd list`: the releases, oldest first.

use std::time::Duration;

use anstyle::Style;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Context, ending, unfinished};
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::report::table::{Cell, Column, MARK, Table};
use crate::report::time::{ago, duration};
use crate::report::{stdout, style};
use crate::running::{self, InUse};
use crate::site::{History, Record, ReleaseId, State};

/// One release, as in the JSON.
#[derive(Debug, Serialize)]
struct Row {
    id: ReleaseId,
    seq: i64,
    state: State,
    adopted: bool,
    #[serde(with = "time::serde::rfc3339::option")]
    created_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    live_at: Option<OffsetDateTime>,
    revision: Option<String>,
    performer: Option<String>,
    took_ms: Option<u64>,
    pinned: bool,
    in_use: Vec<running::User>,
    path: String,
}

/// The whole list, as in the JSON.
#[derive(Debug, Serialize)]
struct List {
    schema: u32,
    site: String,
    current: Option<ReleaseId>,
    previous: Option<ReleaseId>,
    releases: Vec<Row>,
}

/// Prints the releases; deleted ones only on demand.
///
/// # Errors
/// When they cannot be read or printed.
pub fn run(context: &Context<'_>, with_pruned: bool) -> Result<ExitCode> {
    unfinished::note(context);
    let history = History::load(&context.site)?;
    for oddity in &history.oddities {
        context.report.warning(oddity);
    }
    let in_use = running::in_use(&context.site.releases_dir());
    let shown = history
        .releases()
        .iter()
        .filter(|record| with_pruned || history.state_of(record) != State::Pruned);
    let list = List {
        schema: ending::SCHEMA,
        site: context.config.name.clone().unwrap_or_default(),
        current: history.current().release().cloned(),
        previous: history.previous().map(|record| record.id.clone()),
        releases: shown
            .map(|record| row(context, &history, &in_use, record))
            .collect(),
    };
    context.print(&list, || text(context, &list))
}

fn row(context: &Context<'_>, history: &History, in_use: &InUse, record: &Record) -> Row {
    Row {
        id: record.id.clone(),
        seq: record.seq,
        state: history.state_of(record),
        adopted: record.adopted,
        created_at: record.created_at,
        live_at: record.live_at,
        revision: record.revision.clone(),
        performer: record.performer.clone(),
        took_ms: record.took_ms,
        pinned: record.pinned,
        in_use: in_use
            .by_release
            .get(record.id.as_str())
            .cloned()
            .unwrap_or_default(),
        path: context.site.release_dir(&record.id).to_string(),
    }
}

fn text(context: &Context<'_>, list: &List) -> String {
    if list.releases.is_empty() {
        return format!("no releases in {} yet\n", context.site.releases_dir());
    }
    let mut table = Table::new([
        Column::text(""),
        Column::text("RELEASE"),
        Column::text("STATE"),
        Column::text("AGE").rank(1),
        Column::text("REVISION").rank(3),
        Column::text("BY").rank(4),
        Column::number("TOOK").rank(5),
        Column::text("RUNNING").rank(2),
    ]);
    let now = context.clock.now();
    for row in &list.releases {
        let is_current = list.current.as_ref() == Some(&row.id);
        let mark = if is_current { MARK } else { "" };
        let state = match row.pinned {
            true => format!("{}, pinned", row.state.word()),
            false => row.state.word().to_owned(),
        };
        let revision: String = row
            .revision
            .iter()
            .flat_map(|text| text.chars().take(10))
            .collect();
        let took = row
            .took_ms
            .map(|ms| duration(Duration::from_millis(ms)))
            .unwrap_or_default();
        let running = match row.in_use.len() {
            0 => String::new(),
            1 => "1 process".to_owned(),
            many => format!("{many} processes"),
        };
        table.row([
            Cell::styled(style::GOOD, mark),
            Cell::styled(
                if is_current {
                    style::STRONG
                } else {
                    Style::new()
                },
                row.id.as_str(),
            ),
            Cell::styled(style_of(row.state), &state),
            Cell::from(
                row.created_at
                    .map(|then| ago(then, now))
                    .unwrap_or_default()
                    .as_str(),
            ),
            Cell::from(revision.as_str()),
            Cell::from(row.performer.as_deref().unwrap_or_default()),
            Cell::from(took.as_str()),
            Cell::from(running.as_str()),
        ]);
    }
    table.render(stdout::columns())
}

fn style_of(state: State) -> Style {
    match state {
        State::Live => style::GOOD,
        State::Failed | State::Bad => style::BAD,
        State::Building | State::Ready => style::WARNING,
        State::Retired | State::Pruned => style::DIM,
    }
}
