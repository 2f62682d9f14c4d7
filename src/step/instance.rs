//! The own processes of a release: started before the flip and asked on their own socket, stopped
//! when the release is left.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::{Stage, surroundings};
use crate::config::Config;
use crate::config::schema::Service;
use crate::error::{Context, Error, Result};
use crate::health::{self, own, wait};
use crate::host::lines::Tail;
use crate::host::ticks::Ticks;
use crate::host::{self, socket::connections_to};
use crate::running::Processes;
use crate::service::process::{self, Launch};
use crate::site::instance::{self, Instance};
use crate::site::record::{self, Found};
use crate::site::{ReleaseId, Site};

/// For how long nobody must have talked to a process before it is stopped.
const IDLE_TIME: Duration = Duration::from_millis(250);

/// How often its connections are counted.
const DRAIN_INTERVAL: Duration = Duration::from_millis(25);

/// The socket of a service's process in a release.
pub fn socket_path(site: &Site, id: &ReleaseId, service: &Service) -> Utf8PathBuf {
    let socket = service
        .socket
        .clone()
        .unwrap_or_else(|| "run/app.sock".into());
    site.release_dir(id).join(socket)
}

/// Starts the process of the service at `place` and waits until it answers on its own socket.
///
/// # Errors
/// When it cannot be started, ends, or does not become healthy in time; its log's tail is with the
/// error.
pub fn run(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let began = Instant::now();
    let service = &stage.mission.config.service[place];
    let line = service.start.clone().unwrap_or_default();
    stage.report.started("Starting", &line);
    let instance = start(stage, place, &line)?;
    let log = log_path(stage, place);
    await_answer(stage, place, instance).map_err(|error| error.tail(tail_of(&log)))?;
    stage.report.finished(
        "Started",
        &format!("{line} (pid {})", instance.pid),
        Some(began.elapsed()),
    );
    Ok(())
}

/// Stops the process of the release that did not become live.
///
/// # Errors
/// When it does not end.
pub fn undo(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let id = stage.mission.release.clone();
    stop(stage, &id, place)
}

/// The process of a release with all its children.
///
/// # Errors
/// When it ended.
pub fn processes(site: &Site, id: &ReleaseId, place: usize) -> Result<Processes> {
    let instance = instance::read(site, id, place)?;
    let running = instance.filter(|found| process::is_running(*found, &site.release_dir(id)));
    let main = running
        .map(|found| found.pid)
        .ok_or_else(|| Error::failed(format!("the process of release `{id}` does not run")))?;
    Ok(Processes {
        main: Some(main),
        all: host::process::tree(main),
    })
}

/// The moment before the process of a release was started. It and all its children were executed
/// for that release, however long before the flip.
pub fn begun_after(site: &Site, id: &ReleaseId, place: usize) -> Option<Ticks> {
    let started = instance::read(site, id, place).ok()??.start_time?;
    Some(Ticks(started.saturating_sub(1)))
}

/// Stops every process that zdd started for a release, whatever today's settings name.
///
/// # Errors
/// The first that does not end; the others are stopped all the same.
pub fn stop_all(stage: &mut Stage<'_>, id: &ReleaseId) -> Result<()> {
    let mut result = Ok(());
    for place in instance::places(stage.site, id)? {
        result = result.and(stop(stage, id, place));
    }
    result
}

/// Lets the process of any release finish what it began, stops it, removes its socket and forgets
/// it.
///
/// # Errors
/// When it does not end.
pub fn stop(stage: &mut Stage<'_>, id: &ReleaseId, place: usize) -> Result<()> {
    let Some(instance) = instance::read(stage.site, id, place)? else {
        return Ok(());
    };
    let service = service_of(stage, id, place);
    let socket = socket_path(stage.site, id, &service);
    let directory = stage.site.release_dir(id);
    if process::is_running(instance, &directory) {
        drain(stage, &service, &socket);
    }
    let limit = service.stop_timeout;
    if process::stop(instance, &directory, limit.duration(), &stage.patience())? {
        let text = format!(
            "pid {} did not end when told to, and was killed",
            instance.pid
        );
        stage.report.warning(&text);
    }
    let _ = fs::remove_file(socket);
    instance::forget(stage.site, id, place)
}

/// The settings that a release's process was started with: those of this command for its own
/// release, those of the record for another.
fn service_of(stage: &Stage<'_>, id: &ReleaseId, place: usize) -> Service {
    let started_by = |config: &Config| {
        let service = config.service.get(place);
        service.filter(|service| service.start.is_some()).cloned()
    };
    let today = started_by(&stage.mission.config);
    let then = match record::read(&stage.site.record_path(id)) {
        Found::Record(record) => record.config.as_ref().and_then(started_by),
        _ => None,
    };
    let found = if *id == stage.mission.release {
        today.or(then)
    } else {
        then.or(today)
    };
    found.unwrap_or_default()
}

/// Waits until nobody talks to the process any more: what still sits in its socket's queue would
/// be lost with it (`field/cutover.md`: 6 requests lost half a second after the flip, none after
/// the sockets were empty).
fn drain(stage: &Stage<'_>, service: &Service, socket: &Utf8Path) {
    let began = Instant::now();
    let mut idle_since = began;
    loop {
        let open = connections_to(socket.as_str());
        if open > 0 {
            idle_since = Instant::now();
        } else if idle_since.elapsed() >= IDLE_TIME {
            return;
        }
        if began.elapsed() >= service.drain.duration() {
            let text = format!(
                "{open} connections to `{socket}` are open after {}",
                service.drain
            );
            stage.report.warning(&text);
            return;
        }
        if !stage.patience().sleep(DRAIN_INTERVAL) {
            return;
        }
    }
}

fn start(stage: &mut Stage<'_>, place: usize, line: &str) -> Result<Instance> {
    let id = stage.mission.release.clone();
    // What an earlier command could not stop would be lost from sight.
    stop(stage, &id, place)?;
    let service = &stage.mission.config.service[place];
    let socket = socket_path(stage.site, &id, service);
    if let Some(directory) = socket.parent() {
        fs::create_dir_all(directory).context("cannot make the socket's directory")?;
    }
    // A file that nobody listens on would make the program's bind fail.
    let _ = fs::remove_file(&socket);
    let facts = surroundings::facts(stage.site, stage.mission, &id, Some(socket));
    let instance = process::start(&Launch {
        line,
        directory: &stage.site.release_dir(&id),
        environment: stage.surroundings.variables(&facts),
        log: &log_path(stage, place),
        pid_file: &stage.site.instance_path(&id, place),
    })?;
    instance::write(stage.site, &id, place, instance)?;
    Ok(instance)
}

fn await_answer(stage: &Stage<'_>, place: usize, instance: Instance) -> Result<()> {
    let service = &stage.mission.config.service[place];
    let directory = stage.site.release_dir(&stage.mission.release);
    let socket = socket_path(stage.site, &stage.mission.release, service);
    let check = own::readiness(&socket, service.health.as_deref(), service.switch_timeout)?;
    let died = || {
        (!process::is_running(instance, &directory))
            .then(|| format!("process {} ended", instance.pid))
    };
    let on_attempt = &mut |attempt: &health::Attempt, _: u32| {
        stage
            .report
            .event(crate::report::Event::Progress(&attempt.detail));
    };
    wait::until_healthy(&check, &stage.patience(), &died, on_attempt)
        .map(drop)
        .map_err(Error::from)
}

fn log_path(stage: &Stage<'_>, place: usize) -> Utf8PathBuf {
    stage
        .site
        .log_path(&stage.mission.release, &format!("instance_{place}"))
}

/// The last lines of a log, as the program itself wrote them.
pub fn tail_of(log: &Utf8Path) -> Vec<String> {
    let mut tail = Tail::default();
    if let Ok(file) = fs::File::open(log) {
        for line in BufReader::new(file).split(b'\n').map_while(Result::ok) {
            tail.push(String::from_utf8_lossy(&line).into_owned());
        }
    }
    tail.into()
}
