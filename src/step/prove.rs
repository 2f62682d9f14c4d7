//! Waits until a service runs the release it was told of, and says so with evidence.

use std::time::Instant;

use super::instance::{self, Instance};
use super::outcome::Running;
use super::tell::{self, How, Told};
use super::{Stage, advice, before, name_of};
use crate::config::schema::{OnStale, Service};
use crate::error::{Error, Result};
use crate::health::release_of;
use crate::host::ticks::Ticks;
use crate::report::Event;
use crate::running::{self, Limits, Observation, Processes, Question, Until, Verdict};
use crate::service::{Unit, UnitState};
use crate::site::ReleaseId;

/// Proves that the service at `place` runs the release of the mission.
///
/// # Errors
/// When it died, or still runs the old release at the end of its `switch_timeout`: the pid, the
/// path that betrays it, and the change that helps are with the error.
pub fn prove(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let release = stage.mission.release.clone();
    let began = Instant::now();
    let service = stage.mission.config.service[place].clone();
    let mut observation = observe(stage, place, &release, Until::Proved)?;
    if observation.verdict.is_failure() && service.on_stale == OnStale::Restart {
        observation = restart(stage, place, &service, &release)?;
    }
    let name = name_of(&service);
    stage.note_running(Running::new(&name, &observation));
    if observation.verdict.is_failure() {
        return Err(advice::stale(stage, place, &observation));
    }
    for leaving in &observation.leaving {
        stage.report.warning(&format!(
            "{name}: pid {} still finishes what it began on release {} after {}",
            leaving.pid, leaving.release, service.drain
        ));
    }
    for note in &observation.notes {
        stage.report.note(&format!("{name}: {note}"));
    }
    if observation.verdict == Verdict::Proved {
        let processes = observation.judged;
        let whose = match processes {
            1 => "its process runs".to_owned(),
            many => format!("its {many} processes run"),
        };
        let what = format!("{name}: {whose} {release}");
        stage
            .report
            .finished("Proved", &what, Some(began.elapsed()));
    } else if service.reload.is_none() || !stage.checks.iter().any(|check| check.names_release()) {
        stage.doubts.push(format!("{name}: {}", observation.reason));
    }
    Ok(())
}

/// Waits until the service's processes use `release`, for at most its `switch_timeout`.
///
/// # Errors
/// When the service died meanwhile, or a signal ended the wait.
pub fn observe(
    stage: &mut Stage<'_>,
    place: usize,
    release: &ReleaseId,
    until: Until,
) -> Result<Observation> {
    let service = &stage.mission.config.service[place];
    let told: Option<Told> = stage.known(&tell::key(place));
    stage.report.started(
        "Proving",
        &format!("that {} runs {release}", name_of(service)),
    );
    let before = stage.mission.services_before.get(place);
    let mut question = Question {
        current_path: stage.site.current_path(),
        releases_dir: stage.site.releases_dir(),
        wanted: release.to_string(),
        flipped_at: told.map(|told| flipped_at(stage, told)),
        before: before.and_then(|before| before.observation.clone()),
        start_words: Vec::new(),
        neutral: Vec::new(),
    };
    let observation = if let Some(unit) = Unit::of(service) {
        let from = baseline(stage, place, &unit, told)?;
        question.start_words.clone_from(&from.argv);
        let mut watch = unit.watch(from);
        wait(stage, service, &question, until, &mut || {
            Ok(watch.processes()?.into())
        })?
    } else if service.has_instances() {
        let instance = Instance::new(stage.site, release, place, service);
        question.flipped_at = instance::begun_after(&instance.processes()?);
        // `current` may still name another release: what goes through it is no evidence.
        question.current_path = instance.directory();
        wait(stage, service, &question, until, &mut || {
            instance.processes()
        })?
    } else {
        unknown_processes()
    };
    Ok(by_answers(stage, release, observation))
}

/// The moment after which processes know of the flip. After a boot the clock of the journal's
/// moments has begun anew, and the link alone tells.
fn flipped_at(stage: &Stage<'_>, told: Told) -> Ticks {
    let time = || before::last_flip(stage.site);
    let of_link = stage.is_recovering.then(time).flatten();
    of_link.unwrap_or(told.since)
}

fn wait(
    stage: &Stage<'_>,
    service: &Service,
    question: &Question,
    until: Until,
    processes: &mut dyn FnMut() -> Result<Processes>,
) -> Result<Observation> {
    let limits = Limits {
        switch_timeout: service.switch_timeout.duration(),
        drain: service.drain.duration(),
        until,
    };
    let on_progress = &mut |seen: &Observation| {
        let text = format!("{} of {} processes run it", seen.arrived, seen.judged);
        stage.report.event(Event::Progress(&text));
    };
    running::wait_for(question, &limits, &stage.patience(), processes, on_progress)
}

/// The unit as it must stay while it is watched: as before the telling for a reload, as after it
/// for a start or restart.
fn baseline(stage: &Stage<'_>, place: usize, unit: &Unit, told: Option<Told>) -> Result<UnitState> {
    let before = stage
        .mission
        .services_before
        .get(place)
        .and_then(|before| before.unit.clone());
    match (told.map(|told| told.how), before) {
        (Some(How::Reload), Some(before)) if before.is_active() && !stage.is_recovering => {
            Ok(before)
        }
        _ => unit.state(),
    }
}

fn unknown_processes() -> Observation {
    Observation {
        release: None,
        verdict: Verdict::Unproved,
        reason: "its processes are not known to zdd".to_owned(),
        evidence: Vec::new(),
        leaving: Vec::new(),
        notes: Vec::new(),
        judged: 0,
        arrived: 0,
        known: Vec::new(),
    }
}

/// Where `/proc` decides nothing, the answers do, when a health check names the release.
fn by_answers(stage: &Stage<'_>, release: &ReleaseId, observation: Observation) -> Observation {
    let is_open = matches!(observation.verdict, Verdict::Unproved | Verdict::Unreadable);
    let naming = stage.checks.iter().find(|check| check.names_release());
    let (true, Some(check)) = (is_open, naming) else {
        return observation;
    };
    let names = stage.names_of(release);
    let connections = u32::try_from(observation.judged)
        .unwrap_or(u32::MAX)
        .saturating_add(2);
    let answers = release_of::ask(check, &names, connections, &stage.patience());
    if answers.are_all_new() {
        let release = Some(release.to_string());
        let reason = answers.to_string();
        return Observation {
            release,
            verdict: Verdict::Proved,
            reason,
            ..observation
        };
    }
    observation
}

fn restart(
    stage: &mut Stage<'_>,
    place: usize,
    service: &Service,
    release: &ReleaseId,
) -> Result<Observation> {
    let began = Instant::now();
    let Some(unit) = Unit::of(service) else {
        return Err(Error::failed("only a unit can be restarted"));
    };
    let text = format!(
        "{} still ran the old release: restarting, as `on_stale` says",
        unit.name()
    );
    stage.report.warning(&text);
    tell::tell_unit(stage, place, &unit, How::Restart)?;
    let observation = observe(stage, place, release, Until::Proved)?;
    stage.report.warning(&format!(
        "the restart took {} ms",
        began.elapsed().as_millis()
    ));
    Ok(observation)
}
