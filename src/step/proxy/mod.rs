//! `[proxy]`: the settings of nginx that lead to one release, made from a template. They are tested
//! before the flip, when nothing has changed for users, and take effect after it.

mod findings;
mod follow;
mod state;
mod text;

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::Stage;
use super::instance::Instance;
use super::nginx::{self, Front};
use crate::config::schema::{Proxy, Role};
use crate::error::{Error, Result};
use crate::proxy::nginx::{Master, Nginx, Pid};
use crate::service::Unit;

pub use findings::{abandoned, findings};
pub use follow::follow;
pub use state::State;
pub use text::previous_of;

/// The key of the journal for the nginx that ran before.
const BEFORE: &str = "proxy";

/// The nginx before the command.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Before {
    master: Option<Master>,
    had_settings: bool,
}

/// Writes the settings for the release that is to become live, once nginx has tested them.
///
/// # Errors
/// When the template cannot be filled in, or nginx refuses what comes out.
pub fn place(stage: &mut Stage<'_>) -> Result<()> {
    let mission = stage.mission;
    let Some(proxy) = &mission.config.proxy else {
        return Ok(());
    };
    let (config, release) = (&mission.config, &mission.release);
    let text = text::text_for(stage.site, proxy, config, release, Some(mission))?;
    let before = Before::of(proxy)?;
    stage.fact(BEFORE, before)?;
    nginx::place(stage, &before.front(proxy)?, &text)
}

/// Lets nginx use them. From now on users meet the new release.
///
/// # Errors
/// When nginx does not use them, or an instance has ended meanwhile.
pub fn take_effect(stage: &mut Stage<'_>) -> Result<()> {
    let mission = stage.mission;
    let (Some(proxy), Some(before)) = (&mission.config.proxy, stage.known::<Before>(BEFORE)) else {
        return Ok(());
    };
    let began = Instant::now();
    stage.report.started("Switching", "nginx");
    let master = nginx::take_effect(stage, &before.front(proxy)?)?;
    for (place, service) in mission.services_of(Role::Web) {
        let instance = Instance::of_mission(stage, place);
        if service.has_instances() && !instance.is_running()? {
            return Err(Error::failed(format!(
                "`{}` did not stay up",
                instance.name()
            )));
        }
    }
    let what = format!("nginx (pid {}) to {}", master.pid, mission.release);
    stage
        .report
        .finished("Switched", &what, Some(began.elapsed()));
    Ok(())
}

/// Gives nginx back the settings that it had.
///
/// # Errors
/// When it does not use them again.
pub fn undo(stage: &mut Stage<'_>) -> Result<()> {
    let proxy = stage.mission.config.proxy.as_ref();
    match (proxy, stage.known::<Before>(BEFORE)) {
        (Some(proxy), Some(before)) => nginx::put_back(stage, &before.front(proxy)?),
        _ => Ok(()),
    }
}

impl Before {
    fn of(proxy: &Proxy) -> Result<Before> {
        let had_settings = proxy.output().exists();
        let unknown = Before {
            master: None,
            had_settings,
        };
        let master = unknown.front(proxy)?.nginx.master();
        Ok(Before { master, ..unknown })
    }

    fn front<'a>(&self, proxy: &'a Proxy) -> Result<Front<'a>> {
        let unit = proxy.unit.as_deref();
        let unit = unit.map(|unit| Unit::shared(unit, proxy.sudo));
        let pid = match (&unit, &proxy.pid_file) {
            (None, Some(file)) => Pid::File(file),
            (Some(unit), _) => Pid::Known(unit.state()?.main_pid),
            (None, None) => Pid::Known(None),
        };
        Ok(Front {
            nginx: Nginx {
                settings: proxy.output(),
                pid,
                through_sudo: proxy.sudo,
            },
            unit,
            master_before: self.master,
            had_settings: self.had_settings,
        })
    }
}
