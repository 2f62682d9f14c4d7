//! `zdd release [SOURCE]`: build, switch, prove; or put everything back.

use camino::{Utf8Path, Utf8PathBuf};

use super::Context;
use super::ending::{self, Outcome};
use super::switching::{self, refuse};
use crate::error::{Context as _, Error, Finding, Result};
use crate::exit_code::ExitCode;
use crate::hook::Verb;
use crate::host::signal::Patience;
use crate::host::user;
use crate::plan::{self, Plan};
use crate::site::{History, Record, State, make_dir};
use crate::source::directory::Directory;
use crate::step::preconditions::Preconditions;
use crate::step::{Mission, before, in_force};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The directory to release; `[source] path` otherwise.
    pub source: Option<Utf8PathBuf>,
    /// What can be asked of every switch.
    pub switching: switching::Request,
}

/// Makes a release and tells how it ended.
///
/// # Errors
/// When the result cannot be printed.
pub fn run(context: &Context<'_>, request: &Request) -> Result<ExitCode> {
    if !request.switching.is_dry_run
        && let Err(error) = found(context)
    {
        return ending::tell(context, &Outcome::refused(Some(&context.site), error));
    }
    switching::run(context, &request.switching, |history| {
        prepare(context, request, history)
    })
}

/// The first release makes the site.
fn found(context: &Context<'_>) -> Result<()> {
    context.site.check_owner(&context.command)?;
    make_dir(&context.site.releases_dir(), 0o755).context("cannot make the site")
}

/// Looks at everything, and makes the plan or says all that stands against it.
fn prepare(context: &Context<'_>, request: &Request, history: &History) -> Result<(Plan, Record)> {
    let config = &context.config;
    let source = source_of(context, request)?;
    let directory = Directory::open(
        &source,
        &config.source.exclude,
        context.site.root(),
        &context.site.releases_dir(),
    );
    let now = context.clock.now();
    let release = history.next_id(now);
    let from = history.current().release().cloned();
    let conditions = Preconditions {
        site: &context.site,
        config,
        history,
        release: &release,
    };
    let mut findings = conditions.findings_for_release()?;
    findings.extend(conditions.too_little_room(directory.as_ref().ok())?);
    let patience = Patience::of_command();
    let seen = before::look(&context.site, config, &release, from.as_ref(), &patience);
    findings.extend(seen.findings.iter().cloned());
    let directory = directory
        .map_err(|error| findings.push(Finding::from(error)))
        .ok();
    refuse(findings)?;
    before::warn(&seen, config, context.report);
    let revision = directory.and_then(|directory| directory.revision(&patience));
    let record = Record {
        created_at: Some(now),
        performer: Some(user::performer()),
        revision: revision.as_ref().map(|revision| revision.id.clone()),
        branch: revision
            .as_ref()
            .and_then(|revision| revision.branch.clone()),
        source: Some(source.to_string()),
        skipped_hooks: request
            .switching
            .skipped_hooks
            .iter()
            .map(|hook| hook.name().to_owned())
            .collect(),
        config: Some(config.clone()),
        ..Record::new(release.clone(), history.next_seq(), State::Building)
    };
    let mission = Mission {
        verb: Verb::Release,
        release,
        seq: record.seq,
        from,
        config: config.clone(),
        performer: user::performer(),
        started_at: now,
        source: Some(source),
        revision,
        skipped_hooks: request.switching.skipped_hooks.clone(),
        leaving: in_force::leaving(history.live(), config),
        services_before: seen.services,
        health_before: seen.health,
    };
    Ok((plan::release::plan(mission), record))
}

fn source_of(context: &Context<'_>, request: &Request) -> Result<Utf8PathBuf> {
    let named = request
        .source
        .clone()
        .or_else(|| context.config.source.path.clone());
    let named = named.ok_or_else(|| {
        Error::usage("no source is named")
            .hint("zdd release DIRECTORY, or `[source] path` in zdd.toml")
    })?;
    absolute(&named)
}

/// The path from `/` on. `..` after a link means what the shell means by it.
fn absolute(path: &Utf8Path) -> Result<Utf8PathBuf> {
    if path.components().any(|part| part.as_str() == "..")
        && let Ok(resolved) = path.canonicalize_utf8()
    {
        return Ok(resolved);
    }
    Ok(camino::absolute_utf8(path)?.components().collect())
}
