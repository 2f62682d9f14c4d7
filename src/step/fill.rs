//! Brings the files of the source into the release, and writes down which commit they are.

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Instant;

use camino::Utf8Path;
use fs_err as fs;

use super::Stage;
use crate::error::{Context, Error, Result};
use crate::source::Source;
use crate::source::directory::Directory;
use crate::source::git::{self, Commit};

/// Brings the files in, then writes REVISION and REVISION_TIME where the source knows its commit.
///
/// # Errors
/// When a file cannot be read or written; what was written stays for a look.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    match &stage.mission.source {
        Some(Source::Directory { path }) => copy(stage, path)?,
        Some(Source::Git(commit)) => export(stage, commit)?,
        None => return Err(Error::failed("no source is named")),
    }
    write_revision(stage)
}

fn copy(stage: &Stage<'_>, source: &Utf8Path) -> Result<()> {
    let began = Instant::now();
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
    let what = format!("{} from {source}", files(copied.files));
    stage
        .report
        .finished("Copied", &what, Some(began.elapsed()));
    for skipped in survey.skipped {
        stage.report.warning(&format!(
            "`{}` is a socket or a pipe: left out",
            skipped.display()
        ));
    }
    warn_of_links(stage, &survey.outside_links);
    Ok(())
}

fn export(stage: &Stage<'_>, commit: &Commit) -> Result<()> {
    let began = Instant::now();
    let exclude = &stage.mission.config.source.exclude;
    stage.report.started("Exporting", &commit.to_string());
    let release = stage.site.release_dir(&stage.record.id);
    let exported = git::export(stage.site, commit, exclude, &release, &stage.patience())?;
    let what = format!("{} of {}", files(exported.files), commit.name);
    stage
        .report
        .finished("Exported", &what, Some(began.elapsed()));
    warn_of_links(stage, &exported.outside_links);
    if let Some(first) = exported.pointers.first() {
        let count = files(exported.pointers.len() as u64);
        stage.report.warning(&format!(
            "`{}` only stands for a file that Git LFS keeps, which is not fetched ({count})",
            first.display()
        ));
    }
    Ok(())
}

fn warn_of_links(stage: &Stage<'_>, links: &[PathBuf]) {
    for link in links {
        stage.report.warning(&format!(
            "the link `{}` leads out of the release",
            link.display()
        ));
    }
}

fn files(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} file{plural}")
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
    // The code may bring a link of this name, which must not be followed.
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => fs::write(path, format!("{line}\n")),
    }
    .and_then(|()| fs::set_permissions(path, Permissions::from_mode(0o644)))
    .context("cannot write the revision")
}
