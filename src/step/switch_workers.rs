//! Tells the background workers, after the web services are verified, and waits until each runs the
//! new release. The way back is part of the switch's.

use super::worker::{self, Queue};
use super::{Stage, name_of, prove, tell};
use crate::config::schema::Role;
use crate::error::Result;

/// Tells one worker after the other, in file order.
///
/// # Errors
/// As telling and proving a web service; when a worker ends in its first second.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    for place in stage.services_of(Role::Worker) {
        let service = &stage.mission.config.service[place];
        let (name, has_copies) = (name_of(service), service.has_instances());
        let release = stage.mission.release.clone();
        let before = worker::queue(stage, place, &release);
        if has_copies {
            worker::hand_over(stage, place)?;
        } else {
            tell::tell(stage, place)?;
            prove::prove(stage, place)?;
            worker::stays_told(stage, place)?;
        }
        let after = worker::queue(stage, place, &release);
        if let (Some(before), Some(after)) = (&before, &after) {
            let text = format!("{name}: waiting before: {before}; after: {after}");
            stage.report.note(&text);
            stage.queues.push(Queue {
                service: name,
                before: Some(before.clone()),
                after: Some(after.clone()),
            });
        }
    }
    Ok(())
}
