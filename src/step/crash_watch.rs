//! Sees a crash loop that systemd hides: `Restart=always` calls a unit active that ends every
//! second. What gives it away is the main pid, the invocation, the number of restarts. Supervisor
//! hides it as well; there the processes themselves tell, as for those that zdd runs itself.

use super::Stage;
use super::instance::{Instance, Runner};
use super::process::Process;
use super::tell::{self, How, Told};
use crate::config::schema::Role;
use crate::error::Result;
use crate::host::process;
use crate::host::ticks::Ticks;
use crate::service::{Program, Unit, UnitState};

/// The units, programs and own processes of a site, each as it must stay, and since when.
pub struct CrashWatch {
    units: Vec<Watched>,
    programs: Vec<WatchedProgram>,
    processes: Vec<WatchedProcess>,
}

struct WatchedProcess {
    instance: Instance,
    main: Option<Process>,
}

struct WatchedProgram {
    program: Program,
    mains: Vec<(u32, Ticks)>,
}

struct Watched {
    unit: Unit,
    from: UnitState,
}

/// Takes every program and process as it is, and every unit as it was when it was told of the new
/// release: before, for a reload; now, for one that was started anew on purpose.
///
/// # Errors
/// When systemd or supervisor does not answer, or a pid file cannot be read.
pub fn of(stage: &Stage<'_>) -> Result<CrashWatch> {
    let (mut units, mut programs, mut processes) = (Vec::new(), Vec::new(), Vec::new());
    for (place, service) in stage.mission.config.service.iter().enumerate() {
        if service.role == Role::Web && service.has_instances() {
            let instance = Instance::of_mission(stage, place);
            match instance.runner() {
                Runner::Unit(unit) => {
                    let from = unit.state()?;
                    units.push(Watched { unit, from });
                }
                Runner::Program(program) => programs.push(WatchedProgram::now(program)?),
                Runner::Process => processes.push(WatchedProcess {
                    main: instance.main_process()?,
                    instance,
                }),
            }
        }
        let Some(unit) = Unit::of(service) else {
            continue;
        };
        let told: Option<Told> = stage.known(&tell::key(place));
        let Some(told) = told else {
            continue;
        };
        let before = stage.mission.services_before.get(place);
        let before = before.and_then(|before| before.unit.clone());
        let from = match before {
            Some(before)
                if told.how == How::Reload && before.is_active() && !stage.is_recovering =>
            {
                before
            }
            _ => unit.state()?,
        };
        units.push(Watched { unit, from });
    }
    Ok(CrashWatch {
        units,
        programs,
        processes,
    })
}

impl CrashWatch {
    /// What happened to one of them since, if anything did.
    pub fn finding(&self) -> Option<String> {
        let of_program = self.programs.iter().find_map(WatchedProgram::finding);
        let of_unit = || {
            self.units.iter().find_map(|watched| {
                let now = watched.unit.state().ok()?;
                let name = watched.unit.name();
                if now.active_state == "activating" {
                    return Some(format!("`{name}` ended and is being restarted by systemd"));
                }
                if !now.is_active() {
                    return Some(format!(
                        "`{name}` ended: it is {} ({})",
                        now.active_state, now.result
                    ));
                }
                let is_same = now.is_same_run(&watched.from);
                (!is_same).then(|| format!("`{name}` ended and was started again by systemd"))
            })
        };
        let of_process = || self.processes.iter().find_map(WatchedProcess::finding);
        of_program.or_else(of_process).or_else(of_unit)
    }
}

impl WatchedProcess {
    fn finding(&self) -> Option<String> {
        let now = self.instance.main_process().ok()?;
        let name = self.instance.name();
        match now {
            None => Some(format!("`{name}` ended: its main process is gone")),
            Some(_) if now == self.main => None,
            Some(other) => Some(format!("`{name}` ended, and pid {} took over", other.pid)),
        }
    }
}

impl WatchedProgram {
    fn now(program: Program) -> Result<WatchedProgram> {
        let pids = program.state()?.pids().into_iter();
        let started = |pid: u32| Some((pid, process::stat(pid).seen()?.started));
        Ok(WatchedProgram {
            mains: pids.filter_map(started).collect(),
            program,
        })
    }

    fn finding(&self) -> Option<String> {
        let is_alive = |(pid, started): &(u32, Ticks)| process::is_alive(*pid, *started);
        if self.mains.iter().all(is_alive) {
            return None;
        }
        let name = self.program.name();
        let state = self.program.state().ok()?;
        Some(match state.is_up() {
            true => format!("`{name}` ended and was started again by supervisor"),
            false => format!("`{name}` ended: {}", state.in_words()),
        })
    }
}
