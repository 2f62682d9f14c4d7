//! Puts links to the shared files and directories into the release. The links are relative, so
//! that the whole root can be moved.

use std::io;

use camino::Utf8Path;
use fs_err as fs;

use super::Stage;
use crate::error::{Context, Error, Result};
use crate::site::{Site, make_dir};

/// Links every shared directory and file.
///
/// A directory that the first release brings along becomes the shared one; later ones are replaced
/// by the link.
///
/// # Errors
/// When a shared file is missing or the file system refuses.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    let shared = &stage.mission.config.shared;
    let release = stage.site.release_dir(&stage.record.id);
    for directory in &shared.dirs {
        let target = stage.site.shared_dir().join(directory);
        keep_first(&release.join(directory), &target)?;
        link(&release, directory, &target)?;
    }
    for file in &shared.files {
        let target = stage.site.shared_dir().join(file);
        if !target.exists() {
            return Err(Error::failed(format!(
                "the shared file `{target}` is missing"
            )));
        }
        link(&release, file, &target)?;
    }
    let count = shared.dirs.len() + shared.files.len();
    if count > 0 {
        stage
            .report
            .finished("Linked", &format!("{count} shared paths"), None);
    }
    Ok(())
}

/// Makes the shared directory: from what the release brings when there is none yet, else empty.
fn keep_first(brought: &Utf8Path, target: &Utf8Path) -> Result<()> {
    if target.exists() {
        return Ok(());
    }
    let what = "cannot make a shared directory";
    let is_brought = fs::symlink_metadata(brought).is_ok_and(|metadata| metadata.is_dir());
    if !is_brought {
        return make_dir(target, 0o755).context(what);
    }
    if let Some(parent) = target.parent() {
        make_dir(parent, 0o755).context(what)?;
    }
    fs::rename(brought, target).context(what)
}

/// Replaces `path` in the release by a link to `target`.
fn link(release: &Utf8Path, path: &Utf8Path, target: &Utf8Path) -> Result<()> {
    let place = release.join(path);
    remove(&place).context(format!("cannot replace `{place}` by a link"))?;
    if let Some(parent) = place.parent() {
        fs::create_dir_all(parent).context("cannot link a shared path")?;
    }
    let relative = Site::shared_target_path(path);
    fs::os::unix::fs::symlink(&relative, &place).context("cannot link a shared path")?;
    if place.exists() {
        return Ok(());
    }
    Err(
        Error::failed(format!("the link `{place}` does not reach `{target}`"))
            .cause("a directory on the way is itself a link"),
    )
}

fn remove(place: &Utf8Path) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(place),
        Ok(_) => fs::remove_file(place),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
