//! What runs a copy: systemd by a unit, supervisor by a program, or zdd itself by a process. All
//! that differs between them begins here; their own files have the rest.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Begun, Instance, left_behind, own_process, own_program, own_unit};
use crate::error::Result;
use crate::host::log_tail;
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;
use crate::report::Report;
use crate::running::Processes;
use crate::service::{Program, Unit};
use crate::step::process::Process;
use crate::step::{Stage, name_of};

/// What runs a copy.
#[derive(Debug)]
pub enum Runner {
    /// systemd.
    Unit(Unit),
    /// supervisor.
    Program(Program),
    /// zdd itself.
    Process,
}

impl Instance {
    /// What runs it.
    pub fn runner(&self) -> Runner {
        let release = self.release.as_str();
        let unit = Unit::instance_of(&self.service, release).or_else(|| Unit::of(&self.service));
        match (unit, Program::of(&self.service, release)) {
            (Some(unit), _) => Runner::Unit(unit),
            (None, Some(program)) => Runner::Program(program),
            (None, None) => Runner::Process,
        }
    }

    /// How messages name it.
    pub fn name(&self) -> String {
        match self.runner() {
            Runner::Unit(unit) => unit.name().to_owned(),
            Runner::Program(program) => program.name().to_owned(),
            Runner::Process => name_of(&self.service),
        }
    }

    /// Whether it runs now.
    ///
    /// # Errors
    /// When systemd or supervisor cannot be asked, or the pid file not be read.
    pub fn is_running(&self) -> Result<bool> {
        match self.runner() {
            Runner::Unit(unit) => Ok(unit.state()?.is_active()),
            Runner::Program(program) => Ok(program.state()?.is_up()),
            Runner::Process => Ok(own_process::running(self)?.is_some()),
        }
    }

    /// Whether anything of it runs, be it only what its main process left behind.
    ///
    /// # Errors
    /// As [`is_running`](Self::is_running).
    pub(super) fn is_there(&self) -> Result<bool> {
        match self.runner() {
            Runner::Process => own_process::is_there(self),
            Runner::Unit(_) | Runner::Program(_) => self.is_running(),
        }
    }

    /// The main process of one that zdd itself runs.
    ///
    /// # Errors
    /// When the pid file cannot be read.
    pub fn main_process(&self) -> Result<Option<Process>> {
        own_process::main(self)
    }

    /// All its processes now.
    ///
    /// # Errors
    /// When it does not run.
    pub fn processes(&self) -> Result<Processes> {
        match self.runner() {
            Runner::Unit(unit) => own_unit::processes(&unit),
            Runner::Program(program) => own_program::processes(&program),
            Runner::Process => own_process::processes(self),
        }
    }

    /// The same of one whose main process ended, with what it left behind.
    ///
    /// # Errors
    /// When nothing of it runs.
    pub fn remains(&self) -> Result<Processes> {
        let left = match self.runner() {
            Runner::Process => left_behind::found(self)?,
            Runner::Unit(_) | Runner::Program(_) => BTreeSet::new(),
        };
        match left.is_empty() {
            true => self.processes(),
            false => Ok(Processes {
                main: None,
                all: left.into_iter().map(|process| process.pid).collect(),
            }),
        }
    }

    /// Starts it at a boot, where systemd or supervisor run it; a process needs its environment.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn enable_and_start(&self, patience: &Patience) -> Result<()> {
        match self.runner() {
            Runner::Unit(unit) => {
                own_unit::enable_and_start(&unit, self.switch_timeout(), patience)
            }
            Runner::Program(program) => own_program::begin(self, &program, false, patience),
            Runner::Process => Ok(()),
        }
    }

    /// How it stands before anything is done.
    pub(super) fn find(&self) -> Result<Begun> {
        match self.runner() {
            Runner::Unit(unit) => own_unit::find(&unit),
            Runner::Program(program) => Ok(Begun {
                ran: program.state()?.is_up(),
                was_enabled: program.is_written(),
            }),
            Runner::Process => Ok(Begun {
                ran: self.is_running()?,
                was_enabled: true,
            }),
        }
    }

    /// Lets it start at boot, and starts it, as far as that is not so.
    pub(super) fn begin(&self, stage: &Stage<'_>, begun: Begun) -> Result<()> {
        let patience = stage.patience();
        match self.runner() {
            Runner::Unit(unit) => own_unit::begin(self, &unit, begun.ran, &patience),
            Runner::Program(program) => own_program::begin(self, &program, begun.ran, &patience),
            Runner::Process if begun.ran => Ok(()),
            Runner::Process => own_process::begin(self, stage),
        }
    }

    /// Lets it not be started at boot.
    pub(super) fn disable(&self, patience: &Patience) -> Result<()> {
        match self.runner() {
            Runner::Unit(unit) => own_unit::disable(self, &unit, patience),
            Runner::Program(program) => own_program::disable(self, &program),
            Runner::Process => Ok(()),
        }
    }

    /// Ends it as it is, and waits for its end. What a process of zdd's own works on may take
    /// `grace`, however short its own limit; systemd and supervisor have theirs.
    pub(super) fn stop(
        &self,
        grace: Duration,
        report: &dyn Report,
        patience: &Patience,
    ) -> Result<()> {
        match self.runner() {
            Runner::Unit(unit) => own_unit::stop(self, &unit, report, patience),
            Runner::Program(program) => own_program::stop(self, &program, report, patience),
            Runner::Process => own_process::stop(self, grace, report, patience),
        }
    }

    /// Where the process of a release prints to, when zdd itself runs it.
    pub fn log_path(&self) -> camino::Utf8PathBuf {
        own_process::log_path(self)
    }

    /// The last lines of that.
    pub fn log_tail(&self) -> Vec<String> {
        log_tail::of_file(&self.log_path())
    }

    /// What it printed last.
    pub(super) fn last_lines(&self, since: Ticks) -> Vec<String> {
        match self.runner() {
            Runner::Unit(unit) => unit.journal_tail(since),
            Runner::Program(program) => log_tail::condensed(program.tail()),
            Runner::Process => log_tail::of_file(&own_process::log_path(self)),
        }
    }

    /// How long it may take to start.
    pub(super) fn switch_timeout(&self) -> Duration {
        self.service.switch_timeout.duration()
    }
}
