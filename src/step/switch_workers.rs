//! Tells the background workers, after the web services are verified, and waits until each runs the
//! new release. The way back is part of the switch's.

use super::{Stage, prove, tell};
use crate::config::schema::Role;
use crate::error::Result;

/// Tells one worker after the other, in file order.
///
/// # Errors
/// As telling and proving a web service.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    for place in stage.services_of(Role::Worker) {
        tell::tell(stage, place)?;
        prove::prove(stage, place)?;
    }
    Ok(())
}
