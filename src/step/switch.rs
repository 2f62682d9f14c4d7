//! The switch: the flip of `current` and its taking effect, one step. Were they two, the way back
//! would tell the services before the link is back.

use std::time::Instant;

use crate::config::schema::Role;
use crate::error::{Error, Result};
use crate::host::disk;
use crate::site::link::{self, Current};

use super::instance::Instance;
use super::{Stage, complaints, pools, prove, proxy, restore, tell, worker};

/// The key of the journal that says that the flip is about to happen.
pub const FLIPPING: &str = "flipping";

/// Flips, tells every web service, waits until each runs the new release, and lets nginx follow.
///
/// # Errors
/// When the settings of nginx, the flip or a service are refused, a service dies, or still runs the old release.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    let release = stage.mission.release.clone();
    link_sockets(stage)?;
    proxy::place(stage)?;
    disk::sync_file_system(stage.site.root())?;
    stage.logs = Some(complaints::listen(stage));
    stage.fact(FLIPPING, true)?;
    worker::quiet_all(stage)?;
    if let Some(probe) = &stage.probe {
        probe.mark_switch();
    }
    stage.switched_at = Some(Instant::now());
    if let Err(error) = link::flip(stage.site, &release) {
        let is_flipped = link::read(stage.site).is_ok_and(|current| current.names(&release));
        // Where users met nothing new, this is a failure before the switch.
        if !is_flipped {
            stage.remember(FLIPPING, false);
        }
        return Err(error);
    }
    stage
        .report
        .finished("Flipped", &format!("current to {release}"), None);
    let shared = |place: &usize| !stage.mission.config.service[*place].has_instances();
    // What has copies of its own was proved before the flip.
    let services: Vec<usize> = stage
        .services_of(Role::Web)
        .into_iter()
        .filter(shared)
        .collect();
    for place in &services {
        tell::tell(stage, *place)?;
    }
    for place in services {
        prove::prove(stage, place)?;
    }
    match stage.mission.config.proxy {
        // New workers hold no connection to the old release, and the old ones take no request.
        Some(_) => proxy::take_effect(stage),
        None => pools::let_go(stage),
    }
}

/// A proxy that connects through `current` finds every socket below it, wherever it lies.
fn link_sockets(stage: &Stage<'_>) -> Result<()> {
    for place in stage.services_of(Role::Web) {
        Instance::of_mission(stage, place).link_socket()?;
    }
    Ok(())
}

/// Flips back and gives nginx its settings back, then puts every service that was told back to what
/// it was: web services in file order, workers last. The health checks that were good before must
/// be good again. Where the old release cannot be started again and the new one answers, users stay
/// with it.
///
/// # Errors
/// When the site is worse than before the command.
pub fn undo(stage: &mut Stage<'_>) -> Result<()> {
    stage.is_stuck = true;
    let mut result = stage.undisturbed(pools::take_back);
    if result.is_err() && pools::has_successor(stage) {
        return result;
    }
    // A worker may have been quieted before a flip that was then refused.
    if stage.was_switched() {
        flip_back(stage)?;
    }
    let led_back = stage.undisturbed(proxy::undo);
    stage.is_stuck = led_back.is_err();
    result = result.and(led_back);
    // Where nginx was given its settings back, its new workers hold no connection to the new one.
    if stage.was_switched() && stage.mission.config.proxy.is_none() {
        stage.or_warn("the new release's processes", |stage| {
            stage.undisturbed(pools::let_go_of_new)
        });
    }
    for role in [Role::Web, Role::Worker] {
        for place in stage.services_of(role) {
            let restored = stage.undisturbed(|stage| restore::service(stage, place));
            result = result.and(restored);
        }
    }
    match stage.was_switched() {
        true => result.and(restore::health(stage)),
        false => result,
    }
}

/// Makes `current` name what it named before. Needs no free block on the disk.
fn flip_back(stage: &Stage<'_>) -> Result<()> {
    let mission = stage.mission;
    let current = link::read(stage.site)?;
    // Also when the files of the new release are gone.
    let is_new = current.names(&mission.release);
    match &mission.from {
        Some(from) if current.release() == Some(from) => {}
        Some(from) if is_new && !stage.site.release_dir(from).is_dir() => {
            return Err(Error::failed(format!(
                "the files of release `{from}` are gone"
            )));
        }
        Some(from) if is_new => {
            link::flip(stage.site, from)?;
            if let Some(probe) = &stage.probe {
                probe.mark_taken_back();
            }
            stage
                .report
                .finished("Flipped", &format!("current back to {from}"), None);
        }
        None if current == Current::Missing => {}
        None if is_new => {
            link::remove(stage.site)?;
            stage
                .report
                .finished("Removed", "current: there was none before", None);
        }
        _ => {
            return Err(Error::failed(
                "`current` names neither the old nor the new release",
            ));
        }
    }
    Ok(())
}
