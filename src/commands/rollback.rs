//! `zdd rollback [RELEASE]`: to the newest good release older than the current one, or to a named
//! one; as careful as a release.

use super::Context;
use super::switching::{self, Prepared, refuse};
use crate::config::Config;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::hook::Verb;
use crate::host::signal::Patience;
use crate::host::user;
use crate::plan;
use crate::site::{History, Migration, Record, ReleaseId};
use crate::source::revision::Revision;
use crate::step::preconditions::Preconditions;
use crate::step::{Mission, before, in_force, second_copy};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The release to go to; the previous one otherwise.
    pub target: Option<ReleaseId>,
    /// Go past a release whose migration cannot be taken back.
    pub is_forced: bool,
    /// What can be asked of every switch.
    pub switching: switching::Request,
}

/// Goes back and tells how it ended.
///
/// # Errors
/// When the result cannot be printed.
pub fn run(context: &Context<'_>, request: &Request) -> Result<ExitCode> {
    switching::run(context, &request.switching, |history| {
        prepare(context, request, history)
    })
}

fn prepare(context: &Context<'_>, request: &Request, history: &History) -> Result<Prepared> {
    let from = history.current().usable(&context.site)?;
    let target = target(history, request)?;
    if from.as_ref() == Some(&target.id) {
        return Err(Error::failed(format!(
            "release `{}` is already live",
            target.id
        )));
    }
    fence(history, target, request.is_forced)?;
    // It keeps the source that it was made from, whatever is fetched today.
    let source = target.config.as_ref().map(|config| config.source.clone());
    let config = &Config {
        source: source.unwrap_or_default(),
        ..in_force::with_services_of(Some(target), &context.config)
    };
    let conditions = Preconditions {
        site: &context.site,
        config,
        history,
        release: &target.id,
    };
    let mut findings = conditions.findings_for_rollback()?;
    let patience = Patience::of_command();
    let leaving = in_force::leaving(history.live(), &context.config);
    let living = from.as_ref().map(|from| (from, leaving.as_slice()));
    let seen = before::look(&context.site, config, &target.id, living, &patience);
    findings.extend(seen.findings.iter().cloned());
    refuse(findings)?;
    before::warn(&seen, config, context.report);
    // Who goes back has a bad release: they decide.
    if let Some(finding) = second_copy::finding(&context.site, config, &target.id, living)? {
        context.report.warning(&finding.message);
    }
    let revision = target.revision.clone();
    let mission = Mission {
        verb: Verb::Rollback,
        release: target.id.clone(),
        seq: target.seq,
        from,
        config: config.clone(),
        performer: user::performer(),
        started_at: context.clock.now(),
        source: None,
        revision: revision.map(|id| Revision {
            id,
            time: None,
            branch: target.branch.clone(),
            is_dirty: target.is_dirty,
        }),
        skipped_hooks: request.switching.skipped_hooks.clone(),
        migrations: history.migrations_since(target),
        leaving,
        services_before: seen.services,
        health_before: seen.health,
    };
    let planned = (plan::rollback::plan(mission), target.clone());
    Ok(Prepared::Plan(Box::new(planned)))
}

/// The release to go to. Never a newer one by accident.
fn target<'h>(history: &'h History, request: &Request) -> Result<&'h Record> {
    let Some(id) = &request.target else {
        return history.previous().ok_or_else(|| {
            Error::failed("there is no older good release to go back to").hint("zdd list")
        });
    };
    let record = history.named(id)?;
    let state = history.state_of(record);
    if state.can_be_live_again() {
        return Ok(record);
    }
    Err(Error::failed(format!(
        "release `{id}` is {}: it was never live",
        state.word()
    ))
    .hint("zdd list"))
}

/// What the releases that are left did to the data.
fn lines(migrations: &[Migration]) -> Vec<String> {
    migrations.iter().map(ToString::to_string).collect()
}

/// A migration that cannot be taken back stands between the releases.
fn fence(history: &History, target: &Record, is_forced: bool) -> Result<()> {
    let Some(live) = history.live() else {
        return Ok(());
    };
    let between = history.releases().iter().filter(|record| {
        record.seq > target.seq && record.seq <= live.seq && record.is_irreversible()
    });
    let ids: Vec<String> = between.map(|record| format!("`{}`", record.id)).collect();
    if ids.is_empty() || is_forced {
        return Ok(());
    }
    Err(Error::failed(format!(
        "the migration of {} cannot be taken back",
        ids.join(", ")
    ))
    .cause("its hook wrote irreversible=true: the older code may not fit the database")
    .tail(lines(&history.migrations_since(target)))
    .hint(format!("zdd rollback --force {}", target.id)))
}
