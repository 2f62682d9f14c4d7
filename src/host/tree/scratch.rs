//! What the tests of this module stand on: a scratch directory, small mounts when root, and a
//! thread without root's rights.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{Gid, Uid, chown, geteuid, setfsgid, setfsuid};
use tempfile::TempDir;

/// `nobody`, or at least nobody with rights.
const PLAIN_USER: u32 = 65_534;

/// A directory that is gone with the value.
pub(super) struct Scratch {
    directory: TempDir,
}

impl Scratch {
    pub(super) fn new() -> Self {
        Scratch {
            directory: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.directory.path()).unwrap()
    }

    /// A new empty folder.
    pub(super) fn folder(&self, name: &str) -> Utf8PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    /// A file with its text in it; its folders are made.
    pub(super) fn file(&self, name: &str, text: &str) -> Utf8PathBuf {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Gives everything to the user of [`as_plain_user`].
    pub(super) fn give_away(&self) {
        if geteuid().is_root() {
            give_away(self.directory.path());
        }
    }
}

fn give_away(path: &Path) {
    let (uid, gid) = (Uid::from_raw(PLAIN_USER), Gid::from_raw(PLAIN_USER));
    if path.is_symlink() {
        return;
    }
    chown(path, Some(uid), Some(gid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give_away(&entry.unwrap().path());
        }
    }
}

/// Runs something in a thread that has no right to override file modes, also when the tests run
/// as root. The rights of files belong to the thread, and its own threads inherit them.
pub(super) fn as_plain_user<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    let plain = || {
        if geteuid().is_root() {
            setfsgid(Gid::from_raw(PLAIN_USER));
            setfsuid(Uid::from_raw(PLAIN_USER));
        }
        work()
    };
    thread::scope(|scope| scope.spawn(plain).join().unwrap())
}

/// A mount that is gone with the value.
pub(super) struct Mount {
    path: Utf8PathBuf,
}

impl Mount {
    /// Mounts with these arguments on `path`. None where that is not permitted: not root, or a
    /// sandbox.
    pub(super) fn new(args: &[&str], path: &Utf8Path) -> Option<Mount> {
        let mut command = Command::new("mount");
        let is_mounted = geteuid().is_root()
            && command
                .args(args)
                .arg(path)
                .output()
                .is_ok_and(|o| o.status.success());
        is_mounted.then(|| Mount {
            path: path.to_owned(),
        })
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(&self.path).status().unwrap();
        assert!(unmounted.success());
    }
}
