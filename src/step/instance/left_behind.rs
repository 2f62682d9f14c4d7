//! What a process of zdd's own leaves behind when it ends alone, as `npm` or `sh` do that run out of
//! memory: its children go on answering, and only their session tells whose they are.

use std::collections::BTreeSet;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::{Instance, Runner, own_daemon, own_process};
use crate::error::{Error, Result};
use crate::host::process::{self as seen, Stat};
use crate::host::signal::Patience;
use crate::step::process::{self, MARK, Process};

/// Them, where the main process ended.
///
/// # Errors
/// When what was taken down of it cannot be read.
pub(super) fn found(instance: &Instance) -> Result<BTreeSet<Process>> {
    if own_daemon::is_one(instance) {
        let is_alone = own_daemon::main(instance)?.is_none();
        let all = is_alone.then(|| own_daemon::everything(instance, None));
        return Ok(all.unwrap_or_default());
    }
    let known = own_process::known(instance)?;
    Ok(known.map_or_else(BTreeSet::new, |known| session(instance, known.pid)))
}

/// Tells them to end, and kills what is left after `limit`. Returns whether anything was killed.
///
/// # Errors
/// When something does not even end then.
pub(super) fn end(instance: &Instance, limit: Duration, patience: &Patience) -> Result<bool> {
    let mut all = found(instance)?;
    all.iter().for_each(|it| it.signal(Signal::SIGTERM));
    let more = || found(instance).unwrap_or_default();
    if all.is_empty() || process::have_ended(&mut all, &more, limit, patience) {
        return Ok(false);
    }
    if process::kill(&mut all, &more) {
        return Ok(true);
    }
    let what = format!("pid {} does not end, not even when killed", pids(&all));
    Err(Error::failed(what))
}

/// The members of the session that the process began, once it is gone. Its number may have been
/// given away since: then another has it, or strangers that show nothing of the instance.
fn session(instance: &Instance, first: u32) -> BTreeSet<Process> {
    if Process::of(first).is_some() {
        return BTreeSet::new();
    }
    let is_member = |stat: Stat| stat.session == first && !stat.is_zombie;
    let all = seen::all().into_iter();
    let members = all.filter(|pid| seen::stat(*pid).seen().is_some_and(is_member));
    members
        .filter(|pid| is_of(instance, *pid))
        .filter_map(Process::of)
        .collect()
}

/// Whether it has the mark of the instance. Servers that write a title over their environment lose
/// it, but not the directory that they work in.
fn is_of(instance: &Instance, pid: u32) -> bool {
    let mark = seen::variable(pid, MARK).seen().flatten();
    mark == Some(own_daemon::mark(instance)) || seen::is_inside(pid, &instance.working_directory())
}

impl Instance {
    /// What to say of one that runs without its main process.
    pub fn complaint(&self) -> Option<String> {
        let left = match self.runner() {
            Runner::Process => found(self).ok()?,
            Runner::Unit(_) | Runner::Program(_) => return None,
        };
        let name = self.name();
        (!left.is_empty()).then(|| {
            format!(
                "the main process of `{name}` ended, and what it left behind goes on (pid {}): it \
                 is ended by the next release",
                pids(&left)
            )
        })
    }
}

fn pids(all: &BTreeSet<Process>) -> String {
    let pids: Vec<String> = all.iter().map(|it| it.pid.to_string()).collect();
    pids.join(", ")
}
