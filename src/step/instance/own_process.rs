//! Instances that zdd runs itself: a process in its own session, written down in a pid file.

use std::ffi::OsString;
use std::time::Duration;

use camino::Utf8PathBuf;
use fs_err as fs;

use super::{Instance, left_behind, own_daemon};
use crate::error::{Context, Error, Result};
use crate::host;
use crate::host::signal::Patience;
use crate::host::socket::Address;
use crate::report::Report;
use crate::report::time::duration;
use crate::running::Processes;
use crate::service::process::{self as launch, Launch, is_running, note};
use crate::site::instance::{self, Instance as Known};
use crate::step::process::{self, MARK};
use crate::step::{Stage, surroundings};

/// A whole environment.
pub type Variables = Vec<(String, OsString)>;

/// Starts it in the environment of its release.
///
/// # Errors
/// When it cannot be started, or what an earlier command left does not end.
pub(super) fn begin(instance: &Instance, stage: &Stage<'_>) -> Result<()> {
    // What an earlier command could not stop, or its process left behind, would be lost from sight.
    stop(instance, Duration::ZERO, stage.report, &stage.patience())?;
    let address = instance.told_socket().map(Address::Unix);
    let id = &instance.release;
    let facts = surroundings::facts(stage.site, stage.mission, id, address);
    instance.start_process(stage.surroundings.variables(&facts))
}

/// Starts it in this environment. What an earlier command could not stop must be gone.
///
/// # Errors
/// When it cannot be started.
pub(super) fn start(instance: &Instance, environment: Variables) -> Result<Known> {
    if let Some(socket) = &instance.told_socket() {
        if let Some(directory) = socket.parent() {
            fs::create_dir_all(directory).context("cannot make the socket's directory")?;
        }
        // A file that nobody listens on would make the program's bind fail.
        let _ = fs::remove_file(socket);
    }
    if let Some(file) = &instance.service.port_file {
        let _ = fs::remove_file(instance.directory().join(file));
    }
    own_daemon::forget_pid(instance);
    let mut environment = environment;
    environment.push((MARK.to_owned(), own_daemon::mark(instance).into()));
    let pid_file = instance
        .site
        .instance_path(&instance.release, instance.place);
    let process = launch::start(&Launch {
        line: instance.service.start.as_deref().unwrap_or_default(),
        directory: &instance.working_directory(),
        environment,
        log: &log_path(instance),
        pid_file: &pid_file,
    })?;
    let id = &instance.release;
    instance::write(&instance.site, id, instance.place, process)?;
    Ok(process)
}

/// The process, while it is still the one that was started.
///
/// # Errors
/// When the pid file cannot be read.
pub(super) fn running(instance: &Instance) -> Result<Option<u32>> {
    Ok(main(instance)?.map(|main| main.pid))
}

/// The same, told from a later one with its pid.
///
/// # Errors
/// When the pid file cannot be read.
pub(super) fn main(instance: &Instance) -> Result<Option<process::Process>> {
    if own_daemon::is_one(instance) {
        return own_daemon::main(instance);
    }
    let runs = |found: &Known| is_running(*found, &instance.working_directory());
    let found = known(instance)?.filter(runs);
    Ok(found.and_then(|found| process::Process::of(found.pid)))
}

/// The process that was taken down for it, whether it runs or not.
///
/// # Errors
/// When the pid file cannot be read.
pub(super) fn known(instance: &Instance) -> Result<Option<Known>> {
    instance::read(&instance.site, &instance.release, instance.place)
}

/// Whether anything of it runs, be it only what its main process left behind.
///
/// # Errors
/// When the pid file cannot be read.
pub(super) fn is_there(instance: &Instance) -> Result<bool> {
    Ok(running(instance)?.is_some() || !left_behind::found(instance)?.is_empty())
}

/// It and all its children.
///
/// # Errors
/// When it does not run.
pub(super) fn processes(instance: &Instance) -> Result<Processes> {
    let id = &instance.release;
    let main = running(instance)?
        .ok_or_else(|| Error::failed(format!("the process of release `{id}` does not run")))?;
    let all = match own_daemon::is_one(instance) {
        true => {
            let all = own_daemon::everything(instance, process::Process::of(main));
            all.into_iter().map(|process| process.pid).collect()
        }
        false => host::process::tree(main),
    };
    Ok(Processes {
        main: Some(main),
        all,
    })
}

/// Ends it with what it left behind, removes its socket and forgets it. What it works on may take
/// its `stop_timeout`, and never less than `grace`.
///
/// # Errors
/// When it does not end.
pub(super) fn stop(
    instance: &Instance,
    grace: Duration,
    report: &dyn Report,
    patience: &Patience,
) -> Result<()> {
    let (site, id, place) = (&instance.site, &instance.release, instance.place);
    let Some(process) = instance::read(site, id, place)? else {
        return Ok(());
    };
    let limit = instance.service.stop_timeout.duration().max(grace);
    let directory = instance.working_directory();
    let was_killed = match own_daemon::is_one(instance) {
        true => own_daemon::stop(instance, limit, report, patience)?,
        false => {
            let was_killed = launch::stop(process, &directory, limit, patience)?;
            left_behind::end(instance, limit, patience)? || was_killed
        }
    };
    if was_killed {
        let (pid, limit) = (process.pid, duration(limit));
        let text = format!("pid {pid} did not end within {limit} and was sent SIGKILL");
        report.warning(&text);
        // The log stays when the process is forgotten.
        note(&log_path(instance), &format!("[zdd: {text}]"));
    }
    own_daemon::forget_pid(instance);
    if let Some(socket) = instance.told_socket() {
        let _ = fs::remove_file(socket);
    }
    instance::forget(site, id, place)
}

/// Where it prints to.
pub(super) fn log_path(instance: &Instance) -> Utf8PathBuf {
    let step = format!("instance_{}", instance.place);
    instance.site.log_path(&instance.release, &step)
}
