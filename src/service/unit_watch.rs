//! Following a unit while something is awaited: which processes are its own now, and whether it
//! died meanwhile. `Restart=always` hides a crash loop behind "active", so the invocation and the
//! number of restarts are looked at, not the state alone.

use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::host::{cgroup, process};

use super::unit::Unit;
use super::unit_state::UnitState;

/// systemd is asked no more often than this; the control group is read every time.
const ASK_INTERVAL: Duration = Duration::from_millis(100);

/// Follows a unit from a state in which it was well.
#[derive(Debug)]
pub struct UnitWatch {
    unit: Unit,
    from: UnitState,
    now: UnitState,
    asked: Instant,
}

impl UnitWatch {
    pub(super) fn new(unit: Unit, from: UnitState) -> Self {
        UnitWatch {
            unit,
            now: from.clone(),
            from,
            asked: Instant::now(),
        }
    }

    /// The main process and all processes of the unit now. A main process that was replaced
    /// without systemd starting the unit anew is no death: some servers hand over to a successor.
    ///
    /// # Errors
    /// When the unit died or was started anew since the watch began.
    pub fn processes(&mut self) -> Result<(Option<u32>, Vec<u32>)> {
        let main_is_there = self
            .now
            .main_pid
            .is_none_or(|pid| process::stat(pid) != process::Look::Gone);
        if !main_is_there || self.asked.elapsed() >= ASK_INTERVAL {
            self.now = self.unit.state()?;
            self.asked = Instant::now();
            self.check()?;
        }
        let processes = cgroup::processes(&self.now.control_group);
        Ok((self.now.main_pid, processes))
    }

    /// What systemd said last.
    pub fn state(&self) -> &UnitState {
        &self.now
    }

    fn check(&self) -> Result<()> {
        let (from, now) = (&self.from, &self.now);
        if now.is_active()
            && now.invocation_id == from.invocation_id
            && now.restarts == from.restarts
        {
            return Ok(());
        }
        let name = self.unit.name();
        let what = match now.is_active() {
            true => format!("`{name}` died and systemd started it again"),
            false => format!("`{name}` died"),
        };
        let mut cause = format!("it is {} ({})", now.active_state, now.sub_state);
        if now.result != "success" {
            cause = format!("{cause}, result {}", now.result);
        }
        if let Some(status) = now.exit_status.filter(|status| *status != 0) {
            cause = format!("{cause}, exit status {status}");
        }
        if now.restarts > from.restarts {
            let restarts = now.restarts - from.restarts;
            cause = format!("{cause}, restarted {restarts} times by systemd");
        }
        Err(Error::failed(what).cause(cause))
    }
}
