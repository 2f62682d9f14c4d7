//! Instances that systemd runs: of a template each release has its own.

use std::time::Duration;

use camino::Utf8Path;

use super::{Begun, Instance};
use crate::error::{Error, Result};
use crate::host::signal::Patience;
use crate::host::{cgroup, disk};
use crate::report::Report;
use crate::running::Processes;
use crate::service::{Unit, UnitState};

/// How long systemd may take to stop a unit beyond the unit's own limit, which is 90 s by default.
const STOP_TIMEOUT: Duration = Duration::from_secs(150);

/// How it stands before anything is done.
pub(super) fn find(unit: &Unit) -> Result<Begun> {
    let state = unit.state()?;
    Ok(Begun {
        ran: state.is_active(),
        was_enabled: state.is_enabled() || state.cannot_be_enabled(),
    })
}

/// Enables and starts it, as far as that is not so.
pub(super) fn begin(
    instance: &Instance,
    unit: &Unit,
    is_running: bool,
    patience: &Patience,
) -> Result<()> {
    if !is_running {
        instance.remove_dead_socket();
    }
    enable_and_start(unit, instance.switch_timeout(), patience)
}

/// Lets a unit start at boot, durably, and starts it now, as far as that is not so.
pub(super) fn enable_and_start(unit: &Unit, limit: Duration, patience: &Patience) -> Result<()> {
    let state = unit.state()?;
    if !state.is_enabled() && !state.cannot_be_enabled() {
        unit.enable(limit, patience)?;
        sync_units(&state);
    }
    if state.is_active() {
        return Ok(());
    }
    if state.active_state == "failed" {
        unit.reset_failed(limit, patience)?;
    }
    unit.start(limit, patience)
}

/// After a power cut, what is to be started at boot must be known: systemd does not see to it.
fn sync_units(state: &UnitState) {
    let own = state.fragment_path.as_deref().and_then(Utf8Path::parent);
    for directory in [Some(Utf8Path::new("/etc")), own].into_iter().flatten() {
        let _ = disk::sync_file_system(directory);
    }
}

/// Lets it not be started at boot.
pub(super) fn disable(instance: &Instance, unit: &Unit, patience: &Patience) -> Result<()> {
    if !unit.state()?.is_enabled() {
        return Ok(());
    }
    unit.disable(instance.switch_timeout(), patience)
}

/// Stops it as it is.
pub(super) fn stop(
    instance: &Instance,
    unit: &Unit,
    report: &dyn Report,
    patience: &Patience,
) -> Result<()> {
    let state = unit.state()?;
    if state.active_state == "failed" {
        // Nobody is to find the failure of a release that is gone.
        return unit.reset_failed(instance.switch_timeout(), patience);
    }
    if state.is_stopped() {
        return Ok(());
    }
    let limit = instance.service.drain.duration() + STOP_TIMEOUT;
    unit.stop(limit, patience)?;
    report.finished("Stopped", unit.name(), None);
    Ok(())
}

/// All its processes now.
pub(super) fn processes(unit: &Unit) -> Result<Processes> {
    let state = unit.state()?;
    if !state.is_active() {
        let what = format!("`{}` does not run", unit.name());
        return Err(Error::failed(what).cause(format!("it is {}", state.active_state)));
    }
    Ok(Processes {
        main: state.main_pid,
        all: cgroup::processes(&state.control_group),
    })
}
