//! Sees a crash loop that systemd hides: `Restart=always` calls a unit active that ends every
//! second. What gives it away is the main pid, the invocation, the number of restarts.

use super::Stage;
use super::instance::Instance;
use super::tell::{self, How, Told};
use crate::config::schema::{Kind, Role};
use crate::error::Result;
use crate::service::{Unit, UnitState};

/// The units of a site, each as it must stay, and since when.
pub struct CrashWatch {
    units: Vec<Watched>,
}

struct Watched {
    unit: Unit,
    from: UnitState,
}

/// Takes every unit as it was when it was told of the new release: before, for a reload; now, for
/// one that was started anew on purpose.
///
/// # Errors
/// When systemd does not answer.
pub fn of(stage: &Stage<'_>) -> Result<CrashWatch> {
    let mut units = Vec::new();
    for (place, service) in stage.mission.config.service.iter().enumerate() {
        if service.role == Role::Web
            && service.kind() == Kind::Instance
            && let Some(unit) = Instance::of_mission(stage, place).unit()
        {
            let from = unit.state()?;
            units.push(Watched { unit, from });
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
    Ok(CrashWatch { units })
}

impl CrashWatch {
    /// What happened to a unit since, if anything did.
    pub fn finding(&self) -> Option<String> {
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
    }
}
