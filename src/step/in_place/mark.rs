//! The first step: `web.previous.pid` names the instance that is to be left, and `web.pid` makes
//! room for the new one.

use super::Stage;

use crate::error::{Context, Result};
use crate::host::atomic_file;
use crate::step::pid_file::{put_back, write_number};

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    for (service, before) in stage.services().iter().zip(&stage.deployment.services) {
        if let Some(previous) = before.previous {
            write_number(&service.previous_pid_file(), previous.pid)?;
        }
        // A stale one would be taken for that of the new instance.
        let path = &service.pid_file;
        atomic_file::remove(path).context(format!("cannot remove `{path}`"))?;
    }
    Ok(())
}

pub(super) fn undo(stage: &mut Stage<'_>) -> Result<()> {
    for (service, before) in stage.services().iter().zip(&stage.deployment.services) {
        put_back(&service.pid_file, before.pid_file.as_ref())?;
        put_back(&service.previous_pid_file(), before.previous_file.as_ref())?;
    }
    Ok(())
}
