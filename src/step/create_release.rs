//! Makes the directory of the release. Its record comes first: a directory without one would look
//! like a release of another tool.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::Utf8Path;
use fs_err as fs;

use super::Stage;
use crate::error::{Context, Result};
use crate::site::State;

/// Writes the record, then makes the directory.
///
/// # Errors
/// When the file system refuses, or the directory is already there.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    let directory = stage.site.release_dir(&stage.record.id);
    stage.record.save(stage.site)?;
    // Servers run as other users; the umask of the caller must not shut them out.
    create(&directory).context("cannot create the release")?;
    stage
        .report
        .finished("Created", &format!("release {}", stage.record.id), None);
    Ok(())
}

fn create(directory: &Utf8Path) -> io::Result<()> {
    fs::create_dir(directory)?;
    fs::set_permissions(directory, Permissions::from_mode(0o755))
}

/// Marks the release as failed. Its files stay for a look, as long as `keep_failed` says. A record
/// that cannot be written on a full disk changes nothing for users; the next command marks it.
///
/// # Errors
/// Never.
pub fn undo(stage: &mut Stage<'_>) -> Result<()> {
    if !stage.site.record_path(&stage.record.id).exists() {
        return Ok(());
    }
    // A first release left nothing to go back to: it never was what the site served.
    stage.record.state = if stage.was_switched() && !stage.mission.is_first() {
        State::Bad
    } else {
        State::Failed
    };
    stage.or_warn("record", |stage| stage.record.save(stage.site));
    Ok(())
}
