//! Fronts that keep connections to the release that is left open between requests. They go on asking
//! it after the flip, and every check through them would be answered by its code. Those that leave
//! it within seconds are waited for. Others would go on for minutes: it is ended before the checks,
//! by its own graceful stop; the old one is started again on the way back.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Stage;
use super::instance::{self, Instance};
use crate::config::schema::Role;
use crate::error::Result;
use crate::hook::Verb;
use crate::report::time::duration;
use crate::running::front::{Front, Pools};
use crate::running::sockets::SETTLE_TIME;

/// The key of the journal for the instance of the old release at a place of its settings.
fn key(place: usize) -> String {
    format!("ended_early:{place}")
}

/// Sees to it that no front asks the old release any more.
///
/// # Errors
/// When an instance of it does not end, or the journal cannot be written.
pub fn let_go(stage: &mut Stage<'_>) -> Result<()> {
    for old in old_instances(stage) {
        let (known_by, is_bad) = (key(old.place), stage.mission.verb == Verb::Rollback);
        part(stage, &old, is_bad, |stage| stage.fact(known_by, true))?;
    }
    Ok(())
}

/// The same for the new release, once `current` names the old one again: what asks through a front
/// whether the site is as before must not be answered by the new one.
///
/// # Errors
/// The first instance that does not end.
pub fn let_go_of_new(stage: &mut Stage<'_>) -> Result<()> {
    let mut result = Ok(());
    for place in stage.services_of(Role::Web) {
        let new = Instance::of_mission(stage, place);
        if new.service.has_instances() {
            result = result.and(part(stage, &new, true, |_| Ok(())));
        }
    }
    result
}

/// Ends an instance that a front holds on to; one that is left soon is waited for. Users are not to
/// be answered by one that `is_bad` for the sake of WebSockets.
fn part(
    stage: &mut Stage<'_>,
    left: &Instance,
    is_bad: bool,
    announce: impl FnOnce(&mut Stage<'_>) -> Result<()>,
) -> Result<()> {
    let fronts = left.connected_fronts();
    let holds_on = |front: &&Front| front.pools.change().is_some();
    if !fronts.iter().any(|front| holds_on(&front)) {
        return await_brief(stage, left, &fronts);
    }
    for front in fronts.iter().filter(holds_on) {
        stage.report.note(&complaint(front, left, is_bad));
    }
    announce(stage)?;
    let end = match is_bad {
        true => instance::stop_soon,
        false => instance::drain_and_stop,
    };
    end(left, stage.report, &stage.patience())
}

fn complaint(front: &Front, left: &Instance, is_bad: bool) -> String {
    let name = left.name();
    let change = front.pools.change().unwrap_or_default();
    let end = match front.pools {
        Pools::WithWebSockets(_) if !is_bad => format!(
            "no WebSocket can be told from them, so it is ended when all are closed, at the latest \
             after {} (`drain`)",
            left.service.drain
        ),
        _ => "it is ended now, so that no user meets it any more".to_owned(),
    };
    format!(
        "{front} keeps connections to {name} open: {end}, and a request that meets its end may fail; \
         to let {front} follow the flip by itself: {change}"
    )
}

/// Waits as long as fronts that soon close their connections by themselves may use them.
fn await_brief(stage: &Stage<'_>, left: &Instance, fronts: &BTreeSet<Front>) -> Result<()> {
    let brief = fronts.iter().filter_map(|front| match front.pools {
        Pools::Briefly(time) => Some((time, front)),
        _ => None,
    });
    let Some((time, front)) = brief.max() else {
        return Ok(());
    };
    let (began, name) = (Instant::now(), left.name());
    let what = format!("{front} to leave {name}, within {}", duration(time));
    stage.report.started("Awaiting", &what);
    // A front takes a moment between looking at the link and being connected.
    left.await_left(time + SETTLE_TIME, &stage.patience())?;
    let what = format!("{front} from {name}");
    stage.report.finished("Moved", &what, Some(began.elapsed()));
    Ok(())
}

/// Starts again what was ended, and waits until it answers: `current` is about to name it.
///
/// # Errors
/// The first that does not answer; the others are started all the same.
pub fn take_back(stage: &mut Stage<'_>) -> Result<()> {
    let mut result = Ok(());
    for old in old_instances(stage) {
        if stage.known(&key(old.place)) == Some(true) {
            let started = instance::start_again(stage, &old)
                .and_then(|()| instance::await_answer(stage, &old));
            if started.is_ok() {
                stage.report.finished("Started", &old.name(), None);
            }
            result = result.and(started);
        }
    }
    result
}

/// Whether the copies of the new release answer, so that users have them where the old ones cannot be
/// started again.
pub fn has_successor(stage: &Stage<'_>) -> bool {
    let mut web = stage.services_of(Role::Web).into_iter();
    web.all(|place| {
        let new = Instance::of_mission(stage, place);
        !new.service.has_instances() || instance::await_answer(stage, &new).is_ok()
    })
}

/// The copies that the web services of the old release run on.
fn old_instances(stage: &Stage<'_>) -> Vec<Instance> {
    let Some(from) = &stage.mission.from else {
        return Vec::new();
    };
    let leaving = stage.mission.leaving.iter().enumerate();
    let web = leaving.filter(|(_, left)| left.role == Role::Web && left.has_instances());
    web.map(|(place, left)| Instance::new(stage.site, from, place, left))
        .collect()
}
