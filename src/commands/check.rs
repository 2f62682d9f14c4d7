//! `zdd check`: preconditions and known traps on this host, all at once, each with the line to
//! change.

use serde::Serialize;

mod assets;
mod boot;
mod fronts;
mod instances;
mod processes;
mod rights;
mod targets;
mod unnamed;
mod workers;

use super::Context;
use crate::config::schema::{Kind, Service};
use crate::error::{Finding, Result};
use crate::exit_code::ExitCode;
use crate::host::process;
use crate::host::signal::Patience;
use crate::report::stdout;
use crate::report::style::{BAD, GOOD, NOTE, WARNING, paint};
use crate::report::text::labelled;
use crate::running::trap::{self, Level};
use crate::service::{Unit, UnitState};
use crate::site::History;
use crate::source::git::Repository;
use crate::step::preconditions::Preconditions;
use crate::step::{advice, before, in_force, second_copy};

/// One thing that is or may go wrong, as in the JSON.
#[derive(Debug, Serialize)]
struct Trap {
    level: Level,
    what: String,
    #[serde(rename = "where")]
    place: String,
    change: Option<String>,
}

impl From<trap::Trap> for Trap {
    fn from(trap: trap::Trap) -> Trap {
        Trap {
            level: trap.level,
            what: trap.what,
            place: trap.place,
            change: Some(trap.change).filter(|change| !change.is_empty()),
        }
    }
}

/// All of them.
#[derive(Debug, Serialize)]
struct Findings {
    schema: u32,
    findings: Vec<Trap>,
}

/// Looks and tells. Ends in 1 only when something would fail.
///
/// # Errors
/// When the site cannot be read, or the result not be printed.
pub fn run(context: &Context<'_>) -> Result<ExitCode> {
    let mut findings = preconditions(context)?;
    let is_recovered = boot::is_recovered(context);
    for service in &context.config.service {
        if let Some(unit) = Unit::of(service) {
            let Ok(state) = unit.state() else { continue };
            findings.extend(traps_of(context, service, &state));
            findings.extend(rights::password_trap(service));
        } else if service.kind() == Kind::Process {
            findings.extend(processes::traps(service, is_recovered));
        }
    }
    findings.extend(instances::traps(context)?);
    findings.extend(workers::traps(context));
    findings.extend(unnamed::traps(context));
    findings.extend(assets::traps(context));
    findings.extend(targets::traps(context));
    findings.extend(boot::traps(context, is_recovered));
    findings.extend(rights::timer_trap(context)?);
    // What would fail comes first: nobody reads on behind twenty warnings.
    findings.sort_by_key(|finding| finding.level);
    let findings = Findings {
        schema: super::ending::SCHEMA,
        findings,
    };
    context.print(&findings, || text(context, &findings))?;
    let has_error = findings
        .findings
        .iter()
        .any(|finding| finding.level == Level::Error);
    Ok(if has_error {
        ExitCode::Refused
    } else {
        ExitCode::Done
    })
}

fn preconditions(context: &Context<'_>) -> Result<Vec<Trap>> {
    let history = History::load(&context.site)?;
    let release = history.next_id(context.clock.now());
    let config = &context.config;
    let conditions = Preconditions {
        site: &context.site,
        config,
        history: &history,
        release: &release,
    };
    let mut findings = conditions.findings_for_release()?;
    findings.extend(conditions.too_little_room(conditions.usual_room())?);
    let patience = Patience::of_command();
    if let Some(repository) = Repository::of(&context.site, &config.source, None) {
        let missing = conditions.missing_git();
        let asked = || repository.ask(&patience).err().map(Finding::from);
        findings.extend(missing.or_else(asked));
    }
    let live = history.current().release();
    let leaving = in_force::leaving(history.live(), config);
    let living = live.map(|live| (live, leaving.as_slice()));
    let seen = before::look(&context.site, config, &release, living, &patience);
    findings.extend(seen.findings);
    findings.extend(second_copy::finding(
        &context.site,
        config,
        &release,
        living,
    )?);
    let mut traps: Vec<Trap> = findings
        .into_iter()
        .map(|finding| from(finding, context))
        .collect();
    traps.dedup_by(|a, b| a.what == b.what);
    for (service, settings) in seen.services.iter().zip(&config.service) {
        let Some(observation) = &service.observation else {
            continue;
        };
        if observation.verdict.is_failure() {
            traps.push(Trap {
                level: Level::Warning,
                what: advice::accusation(settings, observation),
                place: observation
                    .evidence
                    .first()
                    .map(|found| found.place())
                    .unwrap_or_default(),
                change: Some(format!("systemctl restart {}", service.name)),
            });
        }
    }
    let bad = seen.health.into_iter().filter(|check| !check.ok);
    traps.extend(bad.map(|check| Trap {
        level: Level::Warning,
        what: format!("not healthy now: {}", check.detail),
        place: check.check,
        change: None,
    }));
    Ok(traps)
}

fn from(finding: Finding, context: &Context<'_>) -> Trap {
    let place = finding
        .file
        .unwrap_or_else(|| context.site.root().to_string());
    Trap {
        level: Level::Error,
        what: finding.message,
        place,
        change: finding.hint,
    }
}

/// What the unit and the server behind it will make of a switch.
fn traps_of(context: &Context<'_>, service: &Service, state: &UnitState) -> Vec<Trap> {
    if !state.is_found() {
        return Vec::new();
    }
    let live_words = state.main_pid.and_then(|pid| process::argv(pid).seen());
    let facts = advice::unit_facts(service, state);
    let paths = advice::paths(&context.site);
    let traps = trap::predict(&facts, &paths, live_words.as_deref());
    traps.into_iter().map(Trap::from).collect()
}

fn text(context: &Context<'_>, findings: &Findings) -> String {
    if findings.findings.is_empty() {
        return format!("{} nothing stands against a release\n", paint(GOOD, "ok"));
    }
    let width = stdout::columns();
    let mut text = String::new();
    for Trap {
        level,
        what,
        place,
        change,
    } in &findings.findings
    {
        let style = match level {
            Level::Error => BAD,
            Level::Warning => WARNING,
            Level::Note => NOTE,
        };
        let word = format!("{}:", level.word());
        text += &labelled(&paint(style, word), what, width);
        if !place.is_empty() && place != context.site.root() {
            text += &format!("  where:  {place}\n");
        }
        // To be copied: only the terminal breaks these lines.
        let change = change.as_deref().unwrap_or_default();
        text += &labelled(&paint(NOTE, "  change:"), change, None);
    }
    text
}
