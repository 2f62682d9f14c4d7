//! Own processes that are ended by a command, or write their pid themselves, as those of the
//! original zddeploy do: what `start` begins may end at once and leave a daemon behind. The pid is
//! believed only of a process that was there when it was written, and taken down with its start
//! time once the instance is ready.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use fs_err as fs;
use nix::sys::signal::Signal;

use super::{Instance, own_process};
use crate::error::{Error, ErrorKind, Result};
use crate::host::command::Command;
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;
use crate::report::Report;
use crate::service::process::program_in;
use crate::site::instance::{self, Instance as Known};
use crate::step::Stage;
use crate::step::pid_file::{Kept, unnamed};
use crate::step::process::{self, Process, address_of, listening, marked};

/// How often it is looked whether it has written its pid.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Whether an instance is run so.
pub(super) fn is_one(instance: &Instance) -> bool {
    instance.service.pid_file.is_some() || instance.service.stop.is_some()
}

/// What marks its processes.
pub(super) fn mark(instance: &Instance) -> String {
    format!("{}#{}", instance.directory(), instance.place)
}

/// Removes what an earlier process of the release left: it would be taken for the new one's.
pub(super) fn forget_pid(instance: &Instance) {
    let Some(file) = pid_path(instance) else {
        return;
    };
    if let Some(kept) = Kept::of(&file).and_then(|kept| kept.number()) {
        let _ = fs::remove_file(file.with_file_name(format!("{kept}.port")));
    }
    let _ = fs::remove_file(file);
}

/// The main process: the one that names itself, else the one that was taken down.
///
/// # Errors
/// When what was taken down cannot be read.
pub(super) fn main(instance: &Instance) -> Result<Option<Process>> {
    let known = own_process::known(instance)?;
    let same =
        known.and_then(|known| Process::of(known.pid).filter(|found| is_same(known, *found)));
    Ok(named(instance, known).or(same))
}

/// The process that its pid file names, when it is that one.
fn named(instance: &Instance, known: Option<Known>) -> Option<Process> {
    let kept = Kept::of(&pid_path(instance)?)?;
    let found = Process::of(kept.number()?)?;
    let is_meant = match known.filter(|known| known.pid == found.pid) {
        Some(known) => is_same(known, found),
        None => kept.is_written_since(found.started),
    };
    is_meant.then_some(found)
}

/// Whether what has the pid is what was taken down. A program that was killed before it could look
/// wrote no start time.
fn is_same(known: Known, found: Process) -> bool {
    let started = known.start_time.map(Ticks);
    started.is_none_or(|started| started == found.started)
}

/// Where it listens: by the port file beside its pid file, else at the only port that it has.
pub(super) fn address(instance: &Instance) -> Option<SocketAddr> {
    let main = named(instance, own_process::known(instance).ok()?)?;
    let heard = listening(everything(instance, Some(main)));
    let file = pid_path(instance)?.with_file_name(format!("{}.port", main.pid));
    let mut ports: BTreeSet<u16> = heard.iter().map(SocketAddr::port).collect();
    let port = match main.port_in(&file) {
        Some(port) if ports.is_empty() || ports.contains(&port) => port,
        None if ports.len() == 1 => ports.pop_first()?,
        _ => return None,
    };
    Some(address_of(port, &heard))
}

/// Why no address was found, and what to do about it.
pub(super) fn unheard(instance: &Instance) -> (String, &'static str) {
    let file = pid_path(instance).unwrap_or_default();
    let known = own_process::known(instance).ok().flatten();
    let Some(main) = named(instance, known) else {
        return unnamed(&file);
    };
    let port = file.with_file_name(format!("{}.port", main.pid));
    let heard = listening(everything(instance, Some(main)));
    let ports: Vec<String> = heard.iter().map(|it| it.port().to_string()).collect();
    let heard = match ports.is_empty() {
        true => "it listens on none that zdd can see".to_owned(),
        false => format!("it listens on {}", ports.join(", ")),
    };
    (
        format!("no port of its own in `{port}`, and {heard}"),
        "let the service write its port into that file",
    )
}

/// Waits until it has named itself, and takes that process down with its start time: its pid is not
/// believed again when another process has it.
///
/// # Errors
/// When it does not name itself within its `switch_timeout`.
pub(super) fn take_down(stage: &Stage<'_>, instance: &Instance) -> Result<()> {
    let Some(file) = pid_path(instance) else {
        return Ok(());
    };
    let limit = instance.switch_timeout();
    let deadline = Instant::now() + limit;
    let main = loop {
        if let Some(main) = named(instance, own_process::known(instance)?) {
            break main;
        }
        if Instant::now() >= deadline {
            let (what, hint) = unnamed(&file);
            return Err(Error::failed(what).hint(hint));
        }
        if !stage.patience().sleep(LOOK_INTERVAL) {
            let what = format!("interrupted while waiting for `{file}`");
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    };
    let known = Known {
        pid: main.pid,
        start_time: Some(main.started.0),
    };
    instance::write(&instance.site, &instance.release, instance.place, known)
}

/// The pid that it wrote since it was started, whether that process runs or not.
pub(super) fn written_pid(instance: &Instance) -> Option<u32> {
    Kept::of(&pid_path(instance)?)?.number()
}

/// Whether anything of it runs, named or not.
pub(super) fn is_there(instance: &Instance) -> bool {
    let main = main(instance).ok().flatten();
    !everything(instance, main).is_empty()
}

/// All its processes.
pub(super) fn everything(instance: &Instance, main: Option<Process>) -> BTreeSet<Process> {
    process::all_of(&mark(instance), main)
}

/// Runs `stop` with its pid, or tells it to end, and kills what is left after `limit`. Returns
/// whether anything was killed.
///
/// # Errors
/// When something of it does not even end then.
pub(super) fn stop(
    instance: &Instance,
    limit: Duration,
    report: &dyn Report,
    patience: &Patience,
) -> Result<bool> {
    let main = main(instance)?;
    let mut all = everything(instance, main);
    if all.is_empty() {
        return Ok(false);
    }
    match (main, &instance.service.stop) {
        (Some(main), Some(line)) => run_stop(instance, line, main, limit, report, patience),
        (Some(main), None) => main.signal(Signal::SIGTERM),
        (None, _) => all.iter().for_each(|it| it.signal(Signal::SIGTERM)),
    }
    let more = || marked(&mark(instance));
    if process::have_ended(&mut all, &more, limit, patience) {
        return Ok(false);
    }
    if process::kill(&mut all, &more) {
        return Ok(true);
    }
    let what = format!("`{}` does not end, not even when killed", instance.name());
    Err(Error::failed(what))
}

fn run_stop(
    instance: &Instance,
    line: &str,
    main: Process,
    limit: Duration,
    report: &dyn Report,
    patience: &Patience,
) {
    let directory = instance.working_directory();
    let words = shlex::split(line).unwrap_or_default();
    let Some((program, words)) = words.split_first() else {
        return;
    };
    let command = Command::new(program_in(&directory, program))
        .args(words)
        .arg(main.pid.to_string())
        .cwd(&directory)
        .timeout(limit);
    report.detail(&format!("running `{}` in {directory}", command.line()));
    // Between this look and the command lies a moment that no signal by another program can close.
    if !main.is_running() {
        return;
    }
    let ended = match command.capture(patience) {
        Ok(finished) if finished.ending.is_success() => return,
        Ok(finished) => {
            let last = finished.tail.last().map(|line| format!(": {line}"));
            format!("ended with {}{}", finished.ending, last.unwrap_or_default())
        }
        Err(error) => format!("cannot be run: {error}"),
    };
    report.warning(&format!("`{}` {ended}", command.line()));
}

fn pid_path(instance: &Instance) -> Option<Utf8PathBuf> {
    let file = instance.service.pid_file.as_ref()?;
    Some(instance.directory().join(file))
}
