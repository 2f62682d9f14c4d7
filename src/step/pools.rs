//! Fronts that keep connections to the old release open between requests. They would go on asking
//! it for minutes after the flip, and every check through them would be answered by old code. So it
//! is ended before the checks, by its own graceful stop, and started again on the way back.

use super::Stage;
use super::instance::{self, Instance};
use crate::config::schema::Role;
use crate::error::Result;

/// The key of the journal for the instance of the old release at a place of its settings.
fn key(place: usize) -> String {
    format!("ended_early:{place}")
}

/// Ends each instance of the old release that a front holds on to.
///
/// # Errors
/// When one does not end, or the journal cannot be written.
pub fn let_go(stage: &mut Stage<'_>) -> Result<()> {
    for old in old_instances(stage) {
        let fronts = old.pooling_fronts();
        if fronts.is_empty() {
            continue;
        }
        let name = old.name();
        for (front, change) in fronts {
            stage.report.note(&format!(
                "{front} keeps connections to {name} open: it is ended now, so that users meet the \
                 new release; to let {front} follow the flip by itself: {change}"
            ));
        }
        stage.fact(key(old.place), true)?;
        instance::drain_and_stop(&old, stage.report, &stage.patience())?;
    }
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
