//! Starting the new instances, all at once, and stopping them when they are not to become live.

use std::collections::BTreeSet;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Stdio};
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use nix::sys::signal::Signal;

use super::record::Left;
use super::{Instance, Known, Stage, finish};
use crate::config::deploy_conf::Service;
use crate::error::{Context, Error, Result};
use crate::host::descriptors;
use crate::host::log_tail;
use crate::step::pid_file::Kept;
use crate::step::process::{self, MARK, Process};

/// How long an instance may take to end before it is killed.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    for (place, service) in stage.services().iter().enumerate() {
        let line = service.start.join(" ");
        let text = format!("running `{line}` in {}", service.cwd);
        stage.report.detail(&text);
        stage.report.started("Starting", &service.name);
        let child = spawn(stage, place, service)?;
        stage.children.push((place, child));
    }
    Ok(())
}

/// In a session of its own, so that a signal from the terminal does not reach it, with its output
/// in a log. It is never waited for: mostly it is a daemon.
fn spawn(stage: &Stage<'_>, place: usize, service: &Service) -> Result<Child> {
    let what = || format!("cannot start `{}`", service.name);
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    options.options_mut().mode(0o600);
    let log = options.open(log_path(stage, place)).context(what())?;
    let log = log.into_file();
    descriptors::keep_private();
    let mut command = std::process::Command::new(program_in(&service.cwd, &service.start[0]));
    command.args(&service.start[1..]).current_dir(&service.cwd);
    command.env(MARK, stage.deployment.mark_of(place));
    command.stdin(Stdio::null());
    command.stdout(log.try_clone().context(what())?).stderr(log);
    // SAFETY: one system call between fork and exec.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    command.spawn().map_err(|error| {
        let line = service.start.join(" ");
        let cause = format!("`{line}` in `{}`: {error}", service.cwd);
        Error::failed(what()).cause(cause).hint(format!(
            "correct `start` in `[service:{}]`; no shell reads it",
            service.name
        ))
    })
}

/// A program with a slash is relative to the directory it runs in, any other is on the PATH.
pub(super) fn program_in(directory: &Utf8Path, program: &str) -> Utf8PathBuf {
    if program.contains('/') {
        directory.join(program)
    } else {
        program.into()
    }
}

/// The last lines that the new instance printed.
pub(super) fn last_lines(stage: &Stage<'_>, place: usize) -> Vec<String> {
    log_tail::of_file(&log_path(stage, place))
}

fn log_path(stage: &Stage<'_>, place: usize) -> Utf8PathBuf {
    stage.site.in_place_log_path(&format!("service-{place}"))
}

/// Ends every new instance, but where nginx may still lead users there. What answers users by now
/// is drained first.
pub(super) fn undo(stage: &mut Stage<'_>) -> Result<()> {
    if stage.is_stuck {
        return leave_running(stage);
    }
    let mut left = Vec::new();
    for (place, service) in stage.services().iter().enumerate() {
        let main = new_main(stage, place);
        let mut all = stage.deployment.everything(place, main);
        let pid = main
            .map(|main| main.pid)
            .or_else(|| new_number(stage, place));
        let port_file = pid.map(|pid| service.port_file(pid));
        if all.is_empty() {
            remove(port_file);
            continue;
        }
        if stage.was_switched() {
            finish::drain(stage, &service.name, &all);
        }
        let marked = stage.deployment.processes_of(place);
        if let Some(main) = main.filter(|main| !marked.contains(main)) {
            // Somebody else runs it on behalf of `start`, and knows how to end it.
            finish::tell_to_stop(stage, service, main);
        }
        all.extend(stage.deployment.everything(place, main));
        if !has_ended(stage, place, &all) {
            left.push(service.name.clone());
        }
        remove(port_file);
    }
    if left.is_empty() {
        return Ok(());
    }
    let what = format!("the new instance of {} does not end", left.join(", "));
    Err(Error::failed(what))
}

/// Writes them down for the release that leads users away from them: it must end them.
fn leave_running(stage: &Stage<'_>) -> Result<()> {
    let mut known = Known::of(stage.site);
    let mut names = Vec::new();
    for (place, service) in stage.services().iter().enumerate() {
        names.push(service.name.as_str());
        let process = stage.instance(place).map(|instance| instance.process);
        let is_known = |process: &Process| known.left.iter().any(|it| it.process == *process);
        if let Some(process) = process.filter(|process| !is_known(process)) {
            let service = service.clone();
            known.left.push(Left { service, process });
        }
    }
    if let Err(error) = known.save(stage.site) {
        stage.report.warning(&error.to_string());
    }
    let what = "users may still be led to the new instance of";
    let what = format!("{what} {}: it is left running", names.join(", "));
    Err(Error::failed(what))
}

/// The process that the new instance named as its own. It may have ended, and its pid file be gone.
fn new_main(stage: &Stage<'_>, place: usize) -> Option<Process> {
    if let Some(seen) = stage.known(&Instance::main_key(place)) {
        return Some(seen);
    }
    let before = &stage.deployment.services[place];
    let found = new_number(stage, place).and_then(Process::of)?;
    let is_new = Some(found) != before.previous && found.started >= stage.deployment.begun;
    is_new.then_some(found)
}

/// The pid that was written since the first step, whether its process still runs or not. When that
/// step was undone before, what stood there before stands there again.
fn new_number(stage: &Stage<'_>, place: usize) -> Option<u32> {
    let before = &stage.deployment.services[place];
    let now = Kept::of(&stage.services()[place].pid_file);
    let is_new = now != before.pid_file;
    let number = now.filter(|_| is_new)?.number();
    number.filter(|pid| before.previous.is_none_or(|old| old.pid != *pid))
}

/// A port file that nobody needs any more; that it cannot be removed harms nobody.
fn remove(port_file: Option<Utf8PathBuf>) {
    if let Some(file) = port_file {
        let _ = fs::remove_file(file);
    }
}

/// TERM for all of it, and KILL for what is left after 10 s. A script that is interrupted may have
/// started something just before its own end.
fn has_ended(stage: &Stage<'_>, place: usize, all: &BTreeSet<Process>) -> bool {
    for process in all {
        process.signal(Signal::SIGTERM);
    }
    let (mut left, more) = (all.clone(), || stage.deployment.processes_of(place));
    process::have_ended(&mut left, &more, STOP_TIMEOUT, &stage.patience())
        || process::kill(&mut left, &more)
}
