//! What becomes of the services of a release that was left: ended, or kept running for a while, so
//! that a rollback is one rename.

use time::OffsetDateTime;

use super::instance::{Instance, disable, retire};
use super::{Stage, surplus};
use crate::config::schema::Kind;
use crate::error::Result;
use crate::hook::Verb;
use crate::service::timer::Timer;
use crate::site::{History, ReleaseId};

/// Ends what only the release `from` ran on, and whatever was kept of older ones: one release is
/// enough to go back to. Its instances are kept running as long as their `standby` says, unless it
/// was left by a rollback.
///
/// # Errors
/// The first that does not end; the others are ended all the same.
pub fn leave(stage: &Stage<'_>, from: &ReleaseId) -> Result<()> {
    let until = kept_until(stage, from)?;
    remember(stage, from, until)?;
    let unkept = match until {
        Some(_) => end_unkept(stage, from),
        None => Ok(()),
    };
    let (config, now) = (&stage.mission.config, stage.clock.now());
    let ended = surplus::end(stage.site, config, now, stage.report, &stage.patience());
    unkept.and(ended).and(end_shared(stage, from))
}

/// Ends those of its instances that are not to be kept, though others are.
fn end_unkept(stage: &Stage<'_>, from: &ReleaseId) -> Result<()> {
    let mut result = Ok(());
    for instance in Instance::all(stage.site, from, &stage.mission.leaving)? {
        if instance.service.standby.is_zero() {
            result = result.and(retire(&instance, stage.report, &stage.patience()));
        }
    }
    result
}

/// Until when the instances of the release that was left are kept; those are not to be started at
/// boot.
fn kept_until(stage: &Stage<'_>, from: &ReleaseId) -> Result<Option<OffsetDateTime>> {
    let mission = stage.mission;
    if mission.verb == Verb::Rollback {
        return Ok(None);
    }
    let mut longest = None;
    for instance in Instance::all(stage.site, from, &mission.leaving)? {
        let standby = instance.service.standby.duration();
        if standby.is_zero() || !instance.is_running()? {
            continue;
        }
        disable(&instance, &stage.patience())?;
        longest = longest.max(Some(standby));
    }
    let Some(standby) = longest else {
        return Ok(None);
    };
    // Looked at before the timer is made, which systemd may take long for: it finds the time over.
    let until = stage.clock.now() + standby;
    stage.report.note(&format!(
        "release {from} is kept running for {}: a rollback is one rename",
        crate::report::time::duration(standby)
    ));
    if let Err(error) = Timer::of(&mission.leaving).arm(stage.site.root(), standby) {
        let text = format!("no timer ends it then, but the next command does: {error}");
        stage.report.warning(&text);
    }
    Ok(Some(until))
}

/// Writes down which release is kept, and that no other one is.
fn remember(stage: &Stage<'_>, from: &ReleaseId, until: Option<OffsetDateTime>) -> Result<()> {
    for record in History::load(stage.site)?.releases() {
        let until = until.filter(|_| record.id == *from);
        if record.standby_until != until {
            let mut record = record.clone();
            record.standby_until = until;
            record.save(stage.site)?;
        }
    }
    Ok(())
}

/// Ends units that all releases shared, and that the settings no longer name.
fn end_shared(stage: &Stage<'_>, from: &ReleaseId) -> Result<()> {
    let mission = stage.mission;
    let mut result = Ok(());
    for (place, service) in mission.leaving.iter().enumerate() {
        let mut named = mission.config.service.iter();
        let is_named = named.any(|named| named.is_same(service));
        if service.kind() == Kind::Unit && !is_named {
            let shared = Instance::new(stage.site, from, place, service);
            result = result.and(retire(&shared, stage.report, &stage.patience()));
        }
    }
    result
}
