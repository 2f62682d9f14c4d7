//! `zdd release [SOURCE]`: build, switch, prove; or put everything back.

use camino::Utf8PathBuf;
use time::OffsetDateTime;

use super::Context;
use super::code::{self, Asked, Code};
use super::ending::{self, Outcome};
use super::switching::{self, Prepared, refuse};
use crate::error::{Context as _, ErrorKind, Result};
use crate::exit_code::ExitCode;
use crate::hook::Verb;
use crate::host::signal::Patience;
use crate::host::user;
use crate::plan;
use crate::site::{History, Record, ReleaseId, State, make_dir};
use crate::step::before::Before;
use crate::step::preconditions::Preconditions;
use crate::step::{Mission, before, in_force, second_copy};

/// What was asked for.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The directory to release; what `[source]` names otherwise.
    pub source: Option<Utf8PathBuf>,
    /// The branch, tag or commit of a git source; `[source] ref` otherwise.
    pub reference: Option<String>,
    /// Whether nothing is to be done when the live release has this revision.
    pub is_if_changed: bool,
    /// What can be asked of every switch.
    pub switching: switching::Request,
}

/// Makes a release and tells how it ended.
///
/// # Errors
/// When the result cannot be printed.
pub fn run(context: &Context<'_>, request: &Request) -> Result<ExitCode> {
    let refused = |error| ending::tell(context, &Outcome::refused(Some(&context.site), error));
    let asked = match Asked::of(context, request) {
        Ok(asked) => asked,
        Err(error) => return refused(error),
    };
    if !request.switching.is_dry_run
        && let Err(error) = found(context)
    {
        return refused(error);
    }
    switching::run(context, &request.switching, |history| {
        prepare(context, request, &asked, history)
    })
}

/// The first release makes the site.
fn found(context: &Context<'_>) -> Result<()> {
    context.site.check_owner(&context.command)?;
    make_dir(&context.site.releases_dir(), 0o755).context("cannot make the site")
}

/// Looks at everything, and makes the plan or says all that stands against it. What takes long, a
/// fetch, comes last.
fn prepare(
    context: &Context<'_>,
    request: &Request,
    asked: &Asked<'_>,
    history: &History,
) -> Result<Prepared> {
    let config = &context.config;
    let began = context.clock.now();
    let release = history.next_id(began);
    let from = history.current().release();
    let conditions = Preconditions {
        site: &context.site,
        config,
        history,
        release: &release,
    };
    let patience = Patience::of_command();
    let found = match asked.look(context, &conditions, &patience) {
        Err(error) if error.kind == ErrorKind::Interrupted => return Err(error),
        found => found,
    };
    let already = |found: &code::Found<'_>| found.already(context, history);
    if let Some(already) = found
        .as_ref()
        .ok()
        .filter(|_| request.is_if_changed)
        .and_then(already)
    {
        return Ok(Prepared::Unchanged(already));
    }
    let mut findings = conditions.findings_for_release()?;
    let room = match (conditions.usual_room(), &found) {
        (None, Ok(found)) => found.room()?,
        (usual, _) => usual,
    };
    findings.extend(conditions.too_little_room(room)?);
    let leaving = in_force::leaving(history.live(), config);
    let living = from.map(|from| (from, leaving.as_slice()));
    let seen = before::look(&context.site, config, &release, living, &patience);
    findings.extend(seen.findings.iter().cloned());
    findings.extend(second_copy::finding(
        &context.site,
        config,
        &release,
        living,
    )?);
    let found = code::refuse_with(findings, found)?;
    before::warn(&seen, config, context.report);
    let code = found.code(context, request.switching.is_dry_run, &patience)?;
    if request.is_if_changed && code.revision.is_none() {
        let note = "the source names no revision: whether it has changed is not known";
        context.report.note(note);
    }
    if let Some(already) = code
        .already(context, history)
        .filter(|_| request.is_if_changed)
    {
        return Ok(Prepared::Unchanged(already));
    }
    refuse(conditions.too_little_room(code.room)?)?;
    let planned = planned(context, request, (history, release, began), code, seen);
    Ok(Prepared::Plan(Box::new(planned)))
}

fn planned(
    context: &Context<'_>,
    request: &Request,
    (history, release, began): (&History, ReleaseId, OffsetDateTime),
    code: Code,
    seen: Before,
) -> (plan::Plan, Record) {
    let config = context.config.without_credentials();
    let Code {
        source, revision, ..
    } = code;
    let version = revision.as_ref();
    let skipped_hooks = &request.switching.skipped_hooks;
    let record = Record {
        created_at: Some(began),
        performer: Some(user::performer()),
        revision: version.map(|revision| revision.id.clone()),
        branch: version.and_then(|revision| revision.branch.clone()),
        is_dirty: version.is_some_and(|revision| revision.is_dirty),
        source: Some(source.place().to_owned()),
        skipped_hooks: skipped_hooks
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
        from: history.current().release().cloned(),
        leaving: in_force::leaving(history.live(), &config),
        config,
        performer: user::performer(),
        started_at: began,
        source: Some(source),
        revision,
        skipped_hooks: skipped_hooks.clone(),
        migrations: Vec::new(),
        services_before: seen.services,
        health_before: seen.health,
    };
    (plan::release::plan(mission), record)
}
