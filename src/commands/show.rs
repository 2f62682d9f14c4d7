//! `zdd show [RELEASE]`: everything known about one release.

use std::time::Duration;

use super::{Context, cutover};
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::report::stdout;
use crate::report::style::{BAD, GOOD, STRONG, paint};
use crate::report::text::labelled;
use crate::report::time::{bytes, duration, local};
use crate::site::{History, Record, ReleaseId};
use crate::step::complaints::Complaints;
use crate::step::replaced::{self, Replaced};

/// Prints the record of a release: the newest one when none is named.
///
/// # Errors
/// When there is no such release, or it cannot be printed.
pub fn run(context: &Context<'_>, id: Option<&ReleaseId>) -> Result<ExitCode> {
    let history = History::load(&context.site)?;
    let record = record(&history, id)?;
    let shown = Record {
        state: history.state_of(record),
        ..record.clone()
    };
    context.print(&shown, || text(context, &shown))
}

/// The record of the named release, or of the newest one.
///
/// # Errors
/// When there is none.
pub fn record<'h>(history: &'h History, id: Option<&ReleaseId>) -> Result<&'h Record> {
    let found = match id {
        Some(id) => history.find(id),
        None => history.releases().last(),
    };
    found.ok_or_else(|| match id {
        Some(id) => Error::failed(format!("there is no release `{id}`")).hint("zdd list --all"),
        None => Error::failed("there are no releases yet").hint("zdd release DIRECTORY"),
    })
}

fn text(context: &Context<'_>, record: &Record) -> String {
    let width = stdout::columns();
    facts(context, record)
        + &seen(record, width)
        + &complaints(record)
        + &cutover::text(record, width)
        + &failure(record, width)
}

fn facts(context: &Context<'_>, record: &Record) -> String {
    let mut text = String::new();
    let mut line = |label: &str, value: &str| text += &labelled(&title(label), value, None);
    line("release", record.id.as_str());
    let adopted = if record.adopted {
        ", made by another tool"
    } else {
        ""
    };
    let pinned = if record.pinned { ", pinned" } else { "" };
    line(
        "state",
        &format!("{}{adopted}{pinned}", record.state.word()),
    );
    line("path", context.site.release_dir(&record.id).as_str());
    line("created", &record.created_at.map(local).unwrap_or_default());
    line("live", &record.live_at.map(local).unwrap_or_default());
    line(
        "took",
        &record
            .took_ms
            .map(|ms| duration(Duration::from_millis(ms)))
            .unwrap_or_default(),
    );
    let changes = match record.is_dirty {
        true => ", with changes that are not committed",
        false => "",
    };
    let revision = record.revision.as_ref();
    let revision = revision.map(|revision| format!("{revision}{changes}"));
    line("revision", &revision.unwrap_or_default());
    line("branch", record.branch.as_deref().unwrap_or_default());
    line("by", record.performer.as_deref().unwrap_or_default());
    line("source", record.source.as_deref().unwrap_or_default());
    line("size", &record.bytes.map(bytes).unwrap_or_default());
    line("left out", &record.skipped_hooks.join(", "));
    for (key, value) in &record.notes {
        line("note", &format!("{key}={value}"));
    }
    // What took no time was not there: a hook that the release does not have.
    for step in record.steps.iter().filter(|step| step.ms > 0 || !step.ok) {
        let mark = if step.ok {
            paint(GOOD, "ok")
        } else {
            paint(BAD, "failed")
        };
        let took = duration(Duration::from_millis(step.ms));
        line("step", &format!("{:<16} {took:>9}  {mark}", step.name));
    }
    text
}

/// What ran in the end, and how healthy it was.
fn seen(record: &Record, width: Option<usize>) -> String {
    let mut text = String::new();
    for running in &record.running {
        let word = |key: &str| running[key].as_str().unwrap_or("unknown");
        let (service, release, verdict) = (word("service"), word("release"), word("verdict"));
        let ran = format!("{service} ran {release} ({verdict})");
        text += &labelled(&title("running"), &ran, width);
    }
    let read = |value: &serde_json::Value| serde_json::from_value(value.clone()).ok();
    let replaced: Vec<Replaced> = record.replaced.iter().filter_map(read).collect();
    for line in replaced::lines(&replaced) {
        text += &labelled(&title("replaced"), &line, width);
    }
    for check in &record.health {
        let word = |key: &str| check[key].as_str().unwrap_or_default();
        let health = format!("{} {}", word("check"), word("detail"));
        text += &labelled(&title("health"), &health, width);
    }
    text
}

/// What the logs complained of after the switch. Lines of logs stay as they are.
fn complaints(record: &Record) -> String {
    let read = |value: &serde_json::Value| serde_json::from_value::<Complaints>(value.clone()).ok();
    let found: Vec<Complaints> = record.complaints.iter().filter_map(read).collect();
    let told = found.iter().filter_map(|it| match &it.unread {
        Some(why) => Some(format!("{}: not read: {why}", it.source)),
        None => it.told(),
    });
    told.map(|text| labelled(&title("errors"), &text, None))
        .collect()
}

/// Why it failed.
fn failure(record: &Record, width: Option<usize>) -> String {
    let Some(error) = &record.error else {
        return String::new();
    };
    let step = error
        .step
        .as_deref()
        .map(|step| format!("{step}: "))
        .unwrap_or_default();
    let told = |label: &str, told: &str| labelled(&title(label), told, width);
    let cause = error.cause.as_deref().unwrap_or_default();
    let mut text = told("error", &format!("{step}{}", error.message)) + &told("cause", cause);
    // Who reads this has done as that hint says. Others are to be copied as they are.
    let hint = error.hint.as_deref().unwrap_or_default();
    if !hint.is_empty() && !hint.starts_with("zdd show") {
        text += &format!("{} {hint}\n", title("hint"));
    }
    text
}

fn title(label: &str) -> String {
    paint(STRONG, format!("{label:<10}"))
}
