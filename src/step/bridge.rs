//! Lets pages that users loaded before the switch find what they still ask for. Before the flip,
//! each of the two releases gets the files that only the other one has: whichever way `current`
//! goes, both are there. They are hard links, so they survive the other's deletion. A file that
//! cannot be put there is said: a release that is good without it goes on.
//!
//! A release passes on its own files, and those of the last one that was taken back to it, but not
//! those of the one before it: nothing adds up from release to release.

use std::collections::BTreeSet;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use super::Stage;
use crate::error::{Error, Result};
use crate::hook::Verb;
use crate::host::tree::link::{link, unlink};
use crate::host::tree::listing::{EntryKind, Listing};
use crate::site::{Bridged, ReleaseId};

/// Files that a server may hand out in place of the one without this ending.
const COMPRESSED: [&str; 3] = ["gz", "br", "zst"];

/// Links both ways. What the new release had of others before goes, and so does what the old one
/// had of the last but one that was to follow it.
///
/// # Errors
/// When the file system refuses, or a directory to bridge is a link in a new release.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    let (site, new) = (stage.site, &stage.mission.release);
    let Some(old) = old_release(stage) else {
        return Ok(());
    };
    let (new_dir, old_dir) = (site.release_dir(new), site.release_dir(old));
    // A rollback takes a release as it was built.
    if stage.mission.verb == Verb::Release {
        let mut directories = stage.mission.config.shared.bridge.iter();
        directories.try_for_each(|directory| refuse_link(&new_dir, directory))?;
    }
    unlink(&new_dir, Bridged::load(site, new).all())?;
    let new_files = files_of(stage, new)?;
    let old_files = files_of(stage, old)?;
    let mut old_bridged = Bridged::load(site, old);

    let is_passed_on = |path: &&Utf8PathBuf| {
        !old_bridged.followed.contains(*path) && !old_bridged.earlier.contains(*path)
    };
    let new_bridged = Bridged {
        followed: missing(old_files.iter().filter(is_passed_on), &new_files),
        ..Bridged::default()
    };
    new_bridged.save(site, new)?;
    let refused = give(stage, old, new, &new_bridged.followed)?;

    // The files of the last one stay until the flip: their pages may still be open.
    let (kept, gone): (BTreeSet<_>, BTreeSet<_>) = old_bridged
        .earlier
        .into_iter()
        .partition(|path| new_files.contains(path));
    unlink(&old_dir, &gone)?;
    old_bridged.earlier = old_bridged.follower.into_iter().chain(kept).collect();
    old_bridged.follower = missing(new_files.iter(), &old_files);
    old_bridged.save(site, old)?;
    give(stage, new, old, &old_bridged.follower)?;
    let what = match new_bridged.followed.len() - refused {
        0 => return Ok(()),
        1 => format!("1 file of {old}"),
        count => format!("{count} files of {old}"),
    };
    stage.report.finished("Bridged", &what, None);
    Ok(())
}

/// Puts files of one release into another. Returns how many could not be.
fn give(
    stage: &Stage<'_>,
    from: &ReleaseId,
    to: &ReleaseId,
    files: &BTreeSet<Utf8PathBuf>,
) -> Result<usize> {
    let release_dir = |id| stage.site.release_dir(id);
    let refused = link(&release_dir(from), &release_dir(to), files)?;
    if let Some(first) = refused.first() {
        let count = match refused.len() {
            1 => "1 file".to_owned(),
            many => format!("{many} files"),
        };
        let what = format!("pages of {from} will not find {count} in {to}: {first}");
        stage.report.warning(&what);
    }
    Ok(refused.len())
}

/// Takes the new release's files out of the old one again, when no user has met the new one. That
/// some stay changes nothing for anybody.
///
/// # Errors
/// Never.
pub fn undo(stage: &mut Stage<'_>) -> Result<()> {
    if stage.was_switched() {
        return Ok(());
    }
    stage.or_warn("bridge", |stage| match old_release(stage) {
        Some(old) if stage.site.release_dir(old).is_dir() => {
            let bridged = Bridged::load(stage.site, old);
            unlink(&stage.site.release_dir(old), &bridged.follower)
        }
        _ => Ok(()),
    });
    Ok(())
}

fn old_release<'a>(stage: &Stage<'a>) -> Option<&'a ReleaseId> {
    let mission = stage.mission;
    mission.from.as_ref().filter(|old| **old != mission.release)
}

/// The regular files in the bridged directories of a release.
fn files_of(stage: &Stage<'_>, id: &ReleaseId) -> Result<BTreeSet<Utf8PathBuf>> {
    let release = stage.site.release_dir(id);
    let mut files = BTreeSet::new();
    for directory in &stage.mission.config.shared.bridge {
        let path = release.join(directory);
        if !path.exists() {
            continue;
        }
        if refuse_link(&release, directory).is_err() {
            let what = format!("`{directory}` of release {id} is no directory of its own");
            stage.report.warning(&what);
            continue;
        }
        let listing = Listing::of(&path, &|_, _| true)?;
        // Nobody asks for a name that is not UTF-8.
        let names = listing.paths_of(EntryKind::File);
        let names = names.filter_map(|name| Utf8PathBuf::from_path_buf(name).ok());
        let is_name = |component: &Utf8Component| *component != Utf8Component::CurDir;
        let directory: Utf8PathBuf = directory.components().filter(is_name).collect();
        files.extend(names.map(|name| directory.join(name)));
    }
    Ok(files)
}

/// A link may lead to what all releases share, or out of the site.
fn refuse_link(release: &Utf8Path, directory: &Utf8Path) -> Result<()> {
    let path = release.join(directory);
    let is_plain = match (path.canonicalize_utf8(), release.canonicalize_utf8()) {
        (Ok(real), Ok(release)) => path.is_dir() && real == release.join(directory),
        _ => path.symlink_metadata().is_err(),
    };
    match is_plain {
        true => Ok(()),
        false => Err(Error::failed(format!(
            "`{path}` is no directory of the release's own: nothing can be bridged"
        ))
        .hint(format!(
            "let the build make it, or take `{directory}` out of `bridge`"
        ))),
    }
}

/// The files of one release that another lacks. A compressed one stays away where the other has
/// the file that it stands for: it would be handed out in its place.
fn missing<'a>(
    files: impl Iterator<Item = &'a Utf8PathBuf>,
    present: &BTreeSet<Utf8PathBuf>,
) -> BTreeSet<Utf8PathBuf> {
    let stands_for = |file: &Utf8Path| {
        let ending = file.extension().filter(|it| COMPRESSED.contains(it));
        ending.map(|_| file.with_extension(""))
    };
    files
        .filter(|file| !present.contains(*file))
        .filter(|file| stands_for(file).is_none_or(|plain| !present.contains(&plain)))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<Utf8PathBuf> {
        names.iter().map(Utf8PathBuf::from).collect()
    }

    #[test]
    fn a_compressed_file_is_not_put_beside_a_newer_plain_one() {
        let old = set(&[
            "s/a.1.js",
            "s/a.1.js.gz",
            "s/site.css",
            "s/site.css.gz",
            "s/x.tar.gz",
        ]);
        let new = set(&["s/a.2.js", "s/site.css"]);
        assert_eq!(
            missing(old.iter(), &new),
            set(&["s/a.1.js", "s/a.1.js.gz", "s/x.tar.gz"])
        );
    }

    #[test]
    fn only_a_directory_of_the_release_itself_is_bridged() {
        let guard = tempfile::tempdir().unwrap();
        let release = Utf8PathBuf::from_path_buf(guard.path().join("r")).unwrap();
        fs_err::create_dir_all(release.join("plain/deep")).unwrap();
        fs_err::os::unix::fs::symlink("/etc", release.join("out")).unwrap();
        fs_err::os::unix::fs::symlink("plain", release.join("inside")).unwrap();
        fs_err::os::unix::fs::symlink("nowhere", release.join("lost")).unwrap();
        fs_err::write(release.join("file"), "").unwrap();
        let is_good = |path: &str| refuse_link(&release, Utf8Path::new(path)).is_ok();
        assert!(is_good("plain") && is_good("plain/deep") && is_good("not/there"));
        for path in ["out", "out/ssl", "inside/deep", "lost", "file"] {
            assert!(!is_good(path), "{path}");
        }
    }
}
