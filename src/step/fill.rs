//! Copies the files of the source into the release, and writes down which commit they are.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use camino::Utf8Path;
use fs_err as fs;

use super::Stage;
use crate::error::{Context, Error, Result};
use crate::source::directory::Directory;

/// Copies the files, then writes REVISION and REVISION_TIME where the source knows its commit.
///
/// # Errors
/// When a file cannot be read or written; what was copied stays for a look.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    let began = Instant::now();
    let source = stage
        .mission
        .source
        .as_ref()
        .ok_or_else(|| Error::failed("no source is named"))?;
    let exclude = &stage.mission.config.source.exclude;
    stage.report.started("Copying", source.as_str());
    let directory = Directory::open(
        source,
        exclude,
        stage.site.root(),
        &stage.site.releases_dir(),
    )?;
    let survey = directory.survey()?;
    let copied =
        directory.copy_into(&stage.site.release_dir(&stage.record.id), &stage.patience())?;
    write_revision(stage)?;
    let plural = if copied.files == 1 { "" } else { "s" };
    let what = format!("{} file{plural} from {source}", copied.files);
    stage
        .report
        .finished("Copied", &what, Some(began.elapsed()));
    for skipped in survey.skipped {
        stage.report.warning(&format!(
            "`{}` is a socket or a pipe: left out",
            skipped.display()
        ));
    }
    for link in survey.outside_links {
        stage.report.warning(&format!(
            "the link `{}` leads out of the release",
            link.display()
        ));
    }
    Ok(())
}

fn write_revision(stage: &Stage<'_>) -> Result<()> {
    let Some(revision) = &stage.mission.revision else {
        return Ok(());
    };
    let id = &stage.record.id;
    write_for_all(&stage.site.revision_path(id), &revision.id)?;
    match revision.time {
        Some(time) => write_for_all(&stage.site.revision_time_path(id), &time.to_string()),
        None => Ok(()),
    }
}

/// Error trackers read it as other users, whatever the umask of the caller.
fn write_for_all(path: &Utf8Path, line: &str) -> Result<()> {
    fs::write(path, format!("{line}\n"))
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o644)))
        .context("cannot write the revision")
}
