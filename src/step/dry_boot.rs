//! Boots the new release aside, on a socket of its own, before any user meets it. A server that
//! dies of broken code dies here and not in the reload (`field/cutover.md` §2: gunicorn's master
//! ends within half a second of a HUP onto an import error).

use std::time::Instant;

use super::{Stage, surroundings};
use crate::config::schema::Service;
use crate::error::{Error, Result};
use crate::health::{own, wait};
use crate::host::log_tail;
use crate::host::socket::Address;
use crate::service::Unit;
use crate::service::trial::Trial;

/// Boots the service at `place`, waits until it answers, and ends it again with everything it
/// started.
///
/// # Errors
/// When it ends, or does not answer within `switch_timeout`; its last lines are with the error.
pub fn run(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let began = Instant::now();
    let service = stage.mission.config.service[place].clone();
    let line = service.dry_boot.clone().unwrap_or_default();
    stage.report.started("Trying", &line);
    let trial = Trial::prepare(&service, &stage.site.release_dir(&stage.mission.release))?;
    if trial.unit.is_none() && service.unit.is_some() {
        stage
            .report
            .note("the dry boot runs as the caller, not as the unit's user");
    }
    stage.fact(key(place), &trial)?;
    let answer = boot(stage, &service, &line, &trial);
    let ended = trial.end();
    answer?;
    ended?;
    stage.report.finished("Tried", &line, Some(began.elapsed()));
    Ok(())
}

/// A dry boot ends with its step, whatever happens; what a killed zdd left is ended here.
///
/// # Errors
/// When a process does not end.
pub fn undo(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    stage
        .known::<Trial>(&key(place))
        .map_or(Ok(()), |trial| trial.end())
}

fn boot(stage: &Stage<'_>, service: &Service, line: &str, trial: &Trial) -> Result<()> {
    let release = &stage.mission.release;
    let address = Address::Unix(trial.socket.clone());
    let facts = surroundings::facts(stage.site, stage.mission, release, Some(address.clone()));
    let log = stage.site.log_path(release, "try");
    let state = Unit::of(service).map(|unit| unit.state()).transpose()?;
    let variables = stage.surroundings.variables(&facts);
    trial.start(line, state.as_ref(), variables, &log)?;
    let check = own::readiness(&address, service, service.switch_timeout)?;
    let ended = || (!trial.is_running()).then(|| "it ended by itself".to_owned());
    wait::until_healthy(&check, &stage.patience(), &ended, &mut |_, _| {})
        .map(drop)
        .map_err(|unhealthy| {
            let cause = Error::from(unhealthy);
            let mut tail = trial.journal_tail();
            if tail.is_empty() {
                tail = log_tail::of_file(&log);
            }
            Error {
                what: "the dry boot failed".to_owned(),
                ..Error::new(cause.kind, "")
            }
            .cause(cause)
            .tail(tail)
        })
}

fn key(place: usize) -> String {
    format!("try:{place}")
}
