//! The link `current`: read, flipped and removed. The flip is a symbolic link under another name,
//! renamed over the old one: whoever opens `current` meanwhile gets the old or the new release,
//! never nothing. The target stays below 60 bytes, so that it lives in the inode and a flip back
//! works on a full disk (`field/reliability.md` §0).

use std::io;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use time::OffsetDateTime;

use super::{ReleaseId, Site};
use crate::error::{Context, Error, Result};
use crate::host::atomic_file::sync_directory;

/// How the link's temporary names begin.
const TEMPORARY: &str = ".current.zdd-";

/// What stands where `current` should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Current {
    /// Nothing: no release was made yet.
    Missing,
    /// A link to a release that is there.
    Release(ReleaseId),
    /// A link to a release that is not there.
    Dangling(Utf8PathBuf),
    /// A link to something that is no release of this site.
    Outside(Utf8PathBuf),
    /// A real directory or file.
    NotALink,
}

impl Current {
    /// The release it names, when it names one.
    pub fn release(&self) -> Option<&ReleaseId> {
        match self {
            Current::Release(id) => Some(id),
            _ => None,
        }
    }

    /// Whether it names this release, its files being there or not.
    pub fn names(&self, id: &ReleaseId) -> bool {
        match self {
            Current::Release(found) => found == id,
            Current::Dangling(target) => target.file_name() == Some(id.as_str()),
            _ => false,
        }
    }

    /// The release a changing command starts from.
    ///
    /// # Errors
    /// Anything but a link to a release, or nothing, is refused with the one command that repairs
    /// it.
    pub fn usable(&self, site: &Site) -> Result<Option<ReleaseId>> {
        let current = site.current_path();
        let releases = site.releases_dir();
        match self {
            Current::Missing => Ok(None),
            Current::Release(id) => Ok(Some(id.clone())),
            Current::NotALink => Err(Error::failed(format!("`{current}` is not a link"))
                .cause("zdd replaces a link, never a directory with files in it")
                .hint(into_releases(site, "mv", &current))),
            Current::Dangling(target) => Err(Error::failed(format!(
                "`{current}` names `{target}`, which is not there"
            ))
            .hint(format!(
                "ln -sfn releases/<a release of `zdd list`> {current}"
            ))),
            Current::Outside(target) => Err(Error::failed(format!(
                "`{current}` names `{target}`, outside `{releases}`"
            ))
            .hint(into_releases(site, "cp -a", &site.root().join(target)))),
        }
    }
}

/// The command that makes what is served now the first release, without a moment in which nothing
/// is; of what is no directory nobody can tell what it is good for.
fn into_releases(site: &Site, bring: &str, directory: &Utf8Path) -> String {
    let current = site.current_path();
    if !directory.is_dir() {
        return format!("mv {current} {current}.before-zdd");
    }
    let changed = fs::metadata(directory).and_then(|it| it.modified());
    let changed = changed.map_or(OffsetDateTime::UNIX_EPOCH, OffsetDateTime::from);
    let releases = site.releases_dir();
    let id = ReleaseId::next(changed, |id| site.release_dir(id).exists());
    format!(
        "mkdir -p {releases} && {bring} {directory} {releases}/{id} && ln -sfn releases/{id} {current}"
    )
}

/// Reads what stands at `current`. An absolute link into `releases/` is as good as a relative one.
///
/// # Errors
/// When the file system refuses to say.
pub fn read(site: &Site) -> Result<Current> {
    let path = site.current_path();
    let target = match fs::read_link(&path) {
        Ok(target) => target,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Current::Missing),
        Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Ok(Current::NotALink),
        Err(error) => return Err(error.into()),
    };
    let Ok(target) = Utf8PathBuf::from_path_buf(target) else {
        return Ok(Current::Outside("a name that is not UTF-8".into()));
    };
    let Some(id) = id_of(site, &target) else {
        return Ok(Current::Outside(target));
    };
    Ok(if site.release_dir(&id).is_dir() {
        Current::Release(id)
    } else {
        Current::Dangling(target)
    })
}

/// The release that a link target names, as written or after resolving links on the way.
fn id_of(site: &Site, target: &Utf8Path) -> Option<ReleaseId> {
    let directory = site.root().join(target);
    let id: ReleaseId = directory.file_name()?.parse().ok()?;
    let parent = directory.parent()?;
    let is_inside = parent == site.releases_dir()
        || parent.canonicalize_utf8().ok()? == site.releases_dir().canonicalize_utf8().ok()?;
    is_inside.then_some(id)
}

/// Makes `current` name `id`: atomically, durably, and read back.
///
/// # Errors
/// When any step is refused. `current` then names what it named before or `id`; [`read`] tells.
pub fn flip(site: &Site, id: &ReleaseId) -> Result<()> {
    let current = site.current_path();
    let target = Utf8Path::new("releases").join(id.as_str());
    let temporary = site
        .root()
        .join(format!("{TEMPORARY}{}", std::process::id()));
    let what = || format!("cannot flip `{current}` to `{target}`");
    remove_leftovers(site)?;
    fs::os::unix::fs::symlink(&target, &temporary).context(what())?;
    sync_directory(site.root()).context(what())?;
    fs::rename(&temporary, &current).context(what())?;
    sync_directory(site.root()).context(what())?;
    match fs::read_link(&current) {
        Ok(found) if found == target => Ok(()),
        Ok(found) => Err(Error::failed(what()).cause(format!("it names `{}`", found.display()))),
        Err(error) => Err(Error::failed(what()).cause(error)),
    }
}

/// Removes `current`, durably: the way back of a first release.
///
/// # Errors
/// When the file system refuses.
pub fn remove(site: &Site) -> Result<()> {
    match fs::remove_file(site.current_path()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => sync_directory(site.root()).context("cannot remove `current`"),
    }
}

/// Removes temporary links that killed commands left. Only to be called by the lock's holder.
///
/// # Errors
/// When the root cannot be read or a leftover not be removed.
pub fn remove_leftovers(site: &Site) -> Result<()> {
    for entry in fs::read_dir(site.root())? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> (tempfile::TempDir, Site) {
        let directory = tempfile::tempdir().unwrap();
        let site = Site::new(Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap());
        for id in ["20260101000000", "20260102000000"] {
            fs::create_dir_all(site.releases_dir().join(id)).unwrap();
        }
        (directory, site)
    }

    fn id(text: &str) -> ReleaseId {
        text.parse().unwrap()
    }

    #[test]
    fn a_flip_is_relative_and_leaves_nothing_behind() {
        let (_guard, site) = site();
        assert_eq!(read(&site).unwrap(), Current::Missing);
        flip(&site, &id("20260101000000")).unwrap();
        fs::os::unix::fs::symlink("x", site.root().join(".current.zdd-1")).unwrap();
        flip(&site, &id("20260102000000")).unwrap();
        assert_eq!(read(&site).unwrap(), Current::Release(id("20260102000000")));
        let target = fs::read_link(site.current_path()).unwrap();
        assert_eq!(target.to_str(), Some("releases/20260102000000"));
        assert_eq!(fs::read_dir(site.root()).unwrap().count(), 2);
    }

    #[test]
    fn an_absolute_link_into_the_releases_is_understood() {
        let (_guard, site) = site();
        let release = site.releases_dir().join("20260101000000");
        fs::os::unix::fs::symlink(release, site.current_path()).unwrap();
        assert_eq!(read(&site).unwrap(), Current::Release(id("20260101000000")));
    }

    #[test]
    fn what_is_no_link_to_a_release_is_refused_with_its_repair() {
        let (_guard, site) = site();
        fs::create_dir(site.current_path()).unwrap();
        fs::write(site.current_path().join("app"), "v0").unwrap();
        assert!(flip(&site, &id("20260101000000")).is_err());
        assert_eq!(served_after_repair(&site), "v0");
        fs::remove_file(site.current_path()).unwrap();

        fs::os::unix::fs::symlink("releases/20260109000000", site.current_path()).unwrap();
        assert!(matches!(read(&site).unwrap(), Current::Dangling(_)));
        fs::remove_file(site.current_path()).unwrap();

        fs::create_dir(site.root().join("old")).unwrap();
        fs::write(site.root().join("old/app"), "older").unwrap();
        fs::os::unix::fs::symlink("old", site.current_path()).unwrap();
        assert!(matches!(read(&site).unwrap(), Current::Outside(_)));
        assert_eq!(served_after_repair(&site), "older");
    }

    /// Does as the refusal says; what is served then, by a link to a release.
    fn served_after_repair(site: &Site) -> String {
        let refused = read(site).unwrap().usable(site).unwrap_err();
        let mut shell = std::process::Command::new("/bin/sh");
        let repair = shell.arg("-c").arg(refused.hint.unwrap()).status();
        assert!(repair.unwrap().success());
        assert!(matches!(read(site).unwrap(), Current::Release(_)));
        fs::read_to_string(site.current_path().join("app")).unwrap()
    }
}
