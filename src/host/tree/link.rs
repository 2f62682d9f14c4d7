//! Gives a tree further names for files of another one: hard links, so that they outlive the tree
//! they come from and take no room. Folders are held by descriptor (see `anchor`): nothing outside
//! the two trees is reached, whoever swaps what meanwhile.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use camino::{Utf8Path, Utf8PathBuf};
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fchmod, fstat, fstatat, futimens, mkdirat};
use nix::sys::time::TimeSpec;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};

use super::copy::{changed, kept_mode};
use super::{anchor, cannot};
use crate::error::{Error, Result};

/// Links `files`, relative paths of regular files, from one tree into another at the same paths,
/// and makes the folders that they need. What cannot be linked is copied: a file of somebody else
/// (`fs.protected_hardlinks`), one on another file system, or one with too many names. What is in
/// the way of one stays, and so does a file that is gone meanwhile.
///
/// Returns why others are not there, an error for each.
///
/// # Errors
/// When a tree cannot be opened.
pub fn link<'a>(
    from: &Utf8Path,
    to: &Utf8Path,
    files: impl IntoIterator<Item = &'a Utf8PathBuf>,
) -> Result<Vec<Error>> {
    let (from, to) = (anchor::open_root(from)?, anchor::open_root(to)?);
    let given = files
        .into_iter()
        .map(|file| give(&from, &to, file.as_std_path()));
    Ok(given.filter_map(Result::err).collect())
}

fn give(from: &OwnedFd, to: &OwnedFd, file: &Path) -> Result<()> {
    let (source, name) = anchor::open_parent(from, file)?;
    if !is_file(&source, &name) {
        return Ok(());
    }
    let Some(target) = make_parent(to, file)? else {
        return Ok(());
    };
    let name = name.as_os_str();
    match linkat(&source, name, &target, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::EEXIST | Errno::ENOENT) => Ok(()),
        Err(_) => copy_file(&source, &target, name).map_err(|error| {
            Error::failed(format!("cannot bridge `{}`", file.display())).cause(error)
        }),
    }
}

/// With its time, which servers tell browsers, and its mode as a release may have it. No half of it
/// stays.
fn copy_file(source: &OwnedFd, target: &OwnedFd, name: &OsStr) -> io::Result<()> {
    // Not to block on a pipe that has taken the place of the file.
    let reading = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let mut source = File::from(openat(source, name, reading, Mode::empty())?);
    let status = fstat(&source)?;
    let writing =
        OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut copy = match openat(target, name, writing, kept_mode(&status)) {
        Err(Errno::EEXIST) => return Ok(()),
        opened => File::from(opened?),
    };
    let copied = io::copy(&mut source, &mut copy).and_then(|_| {
        fchmod(&copy, kept_mode(&status))?;
        Ok(futimens(&copy, &TimeSpec::UTIME_OMIT, &changed(&status))?)
    });
    if copied.is_err() {
        let _ = unlinkat(target, name, UnlinkatFlags::NoRemoveDir);
    }
    copied
}

/// Removes `files`, relative paths, from a tree, and the folders that become empty by it. What is
/// no regular file stays; one that is not there is no error.
///
/// # Errors
/// When the file system refuses.
pub fn unlink<'a>(tree: &Utf8Path, files: impl IntoIterator<Item = &'a Utf8PathBuf>) -> Result<()> {
    let root = anchor::open_root(tree)?;
    for file in files {
        let Ok((parent, name)) = anchor::open_parent(&root, file.as_std_path()) else {
            continue;
        };
        if !is_file(&parent, &name) {
            continue;
        }
        match unlinkat(&parent, name.as_os_str(), UnlinkatFlags::NoRemoveDir) {
            Ok(()) | Err(Errno::ENOENT) => {}
            Err(errno) => return Err(cannot("remove", file.as_std_path(), errno)),
        }
        remove_empty(&root, file);
    }
    Ok(())
}

fn is_file(parent: &OwnedFd, name: &OsStr) -> bool {
    fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFREG)
}

/// The folder that `file` is to lie in, made where it is not there; servers run as other users, so
/// all may enter it. `None` when something else is in the way.
fn make_parent(root: &OwnedFd, file: &Path) -> Result<Option<OwnedFd>> {
    let folders = file.parent().into_iter().flat_map(Path::ancestors);
    let mut folders: Vec<&Path> = folders.filter(|it| !it.as_os_str().is_empty()).collect();
    folders.reverse();
    for folder in folders {
        let (parent, name) = anchor::open_parent(root, folder)?;
        let made = mkdirat(&parent, name.as_os_str(), Mode::from_bits_truncate(0o755));
        let opened = anchor::open_child(&parent, &name);
        match (made, opened) {
            (Ok(()), Ok(made)) => fchmod(&made, Mode::from_bits_truncate(0o755))
                .map_err(|errno| cannot("open up", folder, errno))?,
            (Err(Errno::EEXIST), Ok(_)) => {}
            (Err(Errno::EEXIST), Err(Errno::ELOOP | Errno::ENOTDIR | Errno::EXDEV)) => {
                return Ok(None);
            }
            (Err(errno), _) | (_, Err(errno)) => return Err(cannot("make", folder, errno)),
        }
    }
    anchor::open_parent(root, file).map(|(parent, _)| Some(parent))
}

/// Removes the folders above `file` for as long as they are empty.
fn remove_empty(root: &OwnedFd, file: &Utf8Path) {
    let folders = file.ancestors().skip(1).filter(|it| *it != "");
    for folder in folders {
        let Ok((parent, name)) = anchor::open_parent(root, folder.as_std_path()) else {
            return;
        };
        if unlinkat(&parent, name.as_os_str(), UnlinkatFlags::RemoveDir).is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use fs_err as fs;

    use super::*;

    fn trees() -> (tempfile::TempDir, Utf8PathBuf, Utf8PathBuf) {
        let guard = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(guard.path().to_owned()).unwrap();
        let (old, new) = (path.join("old"), path.join("new"));
        fs::create_dir_all(old.join("static/js")).unwrap();
        fs::create_dir_all(&new).unwrap();
        fs::write(old.join("static/js/a.js"), "old").unwrap();
        (guard, old, new)
    }

    fn files(names: &[&str]) -> Vec<Utf8PathBuf> {
        names.iter().map(Utf8PathBuf::from).collect()
    }

    #[test]
    fn a_linked_file_outlives_its_tree_and_goes_with_its_folders() {
        let (_guard, old, new) = trees();
        let names = files(&["static/js/a.js", "static/js/gone.js"]);
        link(&old, &new, &names).unwrap();
        let inode = |tree: &Utf8Path| fs::metadata(tree.join("static/js/a.js")).unwrap().ino();
        assert_eq!(inode(&old), inode(&new));
        let mode = fs::metadata(new.join("static/js")).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o755);
        fs::remove_dir_all(&old).unwrap();
        assert_eq!(
            fs::read_to_string(new.join("static/js/a.js")).unwrap(),
            "old"
        );
        unlink(&new, &names).unwrap();
        assert_eq!(fs::read_dir(&new).unwrap().count(), 0);
    }

    #[test]
    fn what_cannot_be_linked_is_copied_with_its_time_and_a_safe_mode() {
        let (_guard, _, new) = trees();
        let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
        let old = Utf8Path::from_path(elsewhere.path()).unwrap();
        let device = |tree: &Utf8Path| fs::metadata(tree).unwrap().dev();
        assert_ne!(device(old), device(&new), "a link would do");
        fs::write(old.join("a.js"), "old").unwrap();
        let mode = std::fs::Permissions::from_mode(0o666);
        fs::set_permissions(old.join("a.js"), mode).unwrap();
        let hour = std::time::Duration::from_secs(3600);
        let before = std::time::SystemTime::now() - hour;
        let file = fs::OpenOptions::new().write(true).open(old.join("a.js"));
        file.unwrap().file().set_modified(before).unwrap();

        assert_eq!(link(old, &new, &files(&["a.js"])).unwrap().len(), 0);
        let copy = new.join("a.js");
        assert_eq!(fs::read_to_string(&copy).unwrap(), "old");
        let copied = fs::metadata(&copy).unwrap();
        assert_eq!(copied.permissions().mode() & 0o777, 0o644);
        assert_eq!(copied.modified().unwrap(), before);
    }

    #[test]
    fn what_is_in_the_way_stays() {
        let (guard, old, new) = trees();
        fs::write(old.join("static/b"), "old").unwrap();
        fs::create_dir_all(new.join("static/b")).unwrap();
        fs::write(new.join("static/js"), "a file").unwrap();
        let names = files(&["static/js/a.js", "static/b"]);
        link(&old, &new, &names).unwrap();
        unlink(&new, &names).unwrap();
        assert_eq!(fs::read_to_string(new.join("static/js")).unwrap(), "a file");
        assert!(new.join("static/b").is_dir());

        // Nothing is written through a link.
        fs::remove_file(new.join("static/js")).unwrap();
        let outside = guard.path().join("outside");
        fs::create_dir(&outside).unwrap();
        symlink(&outside, new.join("static/js")).unwrap();
        link(&old, &new, &names).unwrap();
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }

    #[test]
    fn nothing_outside_the_tree_is_linked_or_removed() {
        let (guard, old, new) = trees();
        fs::write(guard.path().join("secret"), "secret").unwrap();
        symlink(guard.path(), old.join("static/up")).unwrap();
        symlink(guard.path().join("secret"), old.join("static/s")).unwrap();
        for name in ["static/up/secret", "../secret"] {
            let refused = link(&old, &new, &files(&[name])).unwrap();
            assert_eq!(refused.len(), 1, "{name}");
            let _ = unlink(&old, &files(&[name]));
        }
        link(&old, &new, &files(&["static/s"])).unwrap();
        assert!(!new.join("static/s").exists());
        assert!(guard.path().join("secret").exists());
    }
}
