//! A copy as it must stay while it is waited for. Both systemd and supervisor start again what
//! ended, and call it well.

use std::time::{Duration, Instant};

use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::runner::Runner;
use super::{Instance, own_daemon, own_process};
use crate::error::Result;
use crate::host::process::{self, Look};
use crate::service::{Program, UnitWatch};

/// Supervisor is asked no more often than this, unless a process is gone.
const ASK_INTERVAL: Duration = Duration::from_millis(300);

/// The instance as it must stay while it is waited for.
pub(super) enum Watch<'a> {
    Unit(Box<UnitWatch>),
    Program(ProgramWatch),
    Process(ProcessWatch<'a>),
}

/// An own process, and how its command ended, where that is known.
pub(super) struct ProcessWatch<'a> {
    instance: &'a Instance,
    command: Option<u32>,
    ending: Option<WaitStatus>,
    named: Option<u32>,
}

/// A program from the first process that was seen of it.
pub(super) struct ProgramWatch {
    program: Program,
    pids: Vec<u32>,
    asked: Instant,
}

impl<'a> Watch<'a> {
    pub fn of(instance: &'a Instance) -> Result<Watch<'a>> {
        Ok(match instance.runner() {
            Runner::Unit(unit) => {
                let from = unit.state()?;
                Watch::Unit(Box::new(unit.watch(from)))
            }
            Runner::Program(program) => Watch::Program(ProgramWatch {
                pids: program.state()?.pids(),
                program,
                asked: Instant::now(),
            }),
            Runner::Process => Watch::Process(ProcessWatch {
                instance,
                command: own_process::known(instance)?.map(|known| known.pid),
                ending: None,
                named: None,
            }),
        })
    }

    /// How it ended, if it did.
    pub fn death(&mut self) -> Option<String> {
        match self {
            Watch::Unit(watch) => watch.processes().err().map(|error| error.to_string()),
            Watch::Program(watch) => watch.death(),
            Watch::Process(watch) => watch.death(),
        }
    }
}

impl ProcessWatch<'_> {
    fn death(&mut self) -> Option<String> {
        match own_process::running(self.instance) {
            Ok(None) => {}
            Ok(now) => {
                self.named = now.filter(|_| now != self.command).or(self.named);
                return None;
            }
            Err(_) => return None,
        }
        if self.instance.service.pid_file.is_none() || self.named.is_some() {
            return Some("its process ended".to_owned());
        }
        let pid = self.command.map(|pid| Pid::from_raw(pid.cast_signed()));
        if self.ending.is_none() {
            self.ending = pid.and_then(|pid| waitpid(pid, Some(WaitPidFlag::WNOHANG)).ok());
        }
        match self.ending {
            _ if own_daemon::is_there(self.instance) => None,
            _ if own_daemon::written_pid(self.instance).is_some() => {
                Some("its process ended".to_owned())
            }
            // One that ended well may have told somebody else to start it.
            Some(WaitStatus::Exited(_, 0)) => None,
            Some(WaitStatus::Exited(_, code)) => Some(format!("its command ended with {code}")),
            _ => Some("its process ended".to_owned()),
        }
    }
}

impl ProgramWatch {
    fn death(&mut self) -> Option<String> {
        let is_there = |pid: &u32| !matches!(process::stat(*pid), Look::Gone);
        if self.pids.iter().all(is_there) && self.asked.elapsed() < ASK_INTERVAL {
            return None;
        }
        let state = self.program.state().ok()?;
        self.asked = Instant::now();
        if !state.is_up() {
            return Some(state.in_words());
        }
        self.take(state.pids())
    }

    /// Supervisor names a process once it has run for `startsecs`: of several, one after the other.
    fn take(&mut self, pids: Vec<u32>) -> Option<String> {
        let is_gone = |pid: &u32| !pids.contains(pid);
        if self.pids.iter().any(is_gone) {
            return Some("it ended, and supervisor started it again".to_owned());
        }
        self.pids = pids;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::schema::Service;

    #[test]
    fn a_process_that_joins_is_no_end_and_one_that_is_gone_is() {
        let service = Service {
            program: Some("jobs".to_owned()),
            ..Service::default()
        };
        let mut watch = ProgramWatch {
            program: Program::of(&service, "20260101000000").unwrap(),
            pids: Vec::new(),
            asked: Instant::now(),
        };
        for pids in [&[][..], &[7], &[7, 8], &[6, 7, 8]] {
            assert_eq!(watch.take(pids.to_vec()), None, "{pids:?}");
        }
        let replaced = watch.take(vec![6, 9, 8]).unwrap();
        assert!(replaced.contains("started it again"));
        assert!(watch.take(vec![6, 8]).is_some());
    }
}
