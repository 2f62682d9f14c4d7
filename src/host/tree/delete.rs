//! Deletes a tree: renamed out of sight first, so that it is gone at once and whole, then emptied
//! in parallel. Every step goes by descriptor and one name (see `anchor`): links are removed, never
//! followed, and no mount is entered.

mod queue;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use camino::Utf8Path;
use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, renameat};
use nix::sys::stat::{FchmodatFlags, FileStat, Mode, SFlag, fchmod, fchmodat, fstat, fstatat};
use nix::unistd::{UnlinkatFlags, fsync, unlinkat};

use self::queue::Queue;
use super::{anchor, cannot, in_parallel};
use crate::error::{Error, Result};
use crate::host::disk;
use crate::host::signal::Patience;

/// How many names of one folder a thread takes at a time, so that a flat folder is shared out.
const BATCH_ENTRIES: usize = 1024;

/// A folder deeper than this is moved up before it is entered: each level holds a descriptor.
const DEEPEST: usize = 64;

/// How many failures are told in full.
const TOLD_FAILURES: usize = 5;

/// What a deletion came to.
#[derive(Debug, Default)]
pub struct Deleted {
    /// The disk space that came free; a file with further hard links elsewhere frees none.
    pub bytes: u64,
    /// Files, links and folders removed.
    pub entries: u64,
    /// The first things that could not be removed, and why. What they lie in is still there, under
    /// the trash name; the next deletion to the same name tries again.
    pub failures: Vec<String>,
    /// How many could not be removed.
    pub failed: u64,
    /// Whether the patience ended before everything was gone.
    pub is_interrupted: bool,
}

/// Deletes `from`, which is renamed to `trash` first. Both lie below `root` and are given relative
/// to it or absolute; the parent of `trash` exists, on the same file system. What an earlier
/// deletion left in `trash` goes too, and a `from` that is no longer there is no error: the same
/// call resumes one that was interrupted.
///
/// # Errors
/// When nothing was deleted: a link or a mount point on the way or inside, no right to rename.
/// What fails later is in the result.
pub fn delete(
    root: &Utf8Path,
    from: &Utf8Path,
    trash: &Utf8Path,
    patience: &Patience,
) -> Result<Deleted> {
    let site = anchor::open_root(root)?;
    let real_root = fs_err::canonicalize(root)?;
    let below = |path: &Utf8Path| {
        path.strip_prefix(root)
            .unwrap_or(path)
            .as_std_path()
            .to_owned()
    };
    let (from, trash) = (below(from), below(trash));
    for path in [&from, &trash] {
        refuse_mounts(&real_root.join(path))?;
    }
    let (parent, name) = anchor::open_parent(&site, &from)?;
    let (trash_parent, trash_name) = anchor::open_parent(&site, &trash)?;
    let bin = Arc::new(Folder {
        fd: trash_parent,
        path: real_root.join(trash.parent().unwrap_or(Path::new(""))),
        place: None,
        depth: 0,
        bytes: 0,
    });
    let deletion = Deletion::new(patience);
    deletion.empty(&bin, &trash_name);
    match renameat(&parent, name.as_os_str(), &bin.fd, trash_name.as_os_str()) {
        Ok(()) => fsync(&parent).map_err(|errno| cannot("delete", &from, errno))?,
        Err(Errno::ENOENT) => {}
        Err(errno) => return Err(cannot("delete", &real_root.join(from), errno)),
    }
    deletion.empty(&bin, &trash_name);
    Ok(deletion.finished())
}

fn refuse_mounts(path: &Path) -> Result<()> {
    match disk::mounts_below(path)?.first() {
        None => Ok(()),
        Some(mount) => Err(Error::failed(format!("cannot delete `{}`", path.display()))
            .cause(format!("`{}` is a mount point", mount.display()))
            .hint(format!("umount {}", mount.display()))),
    }
}

/// A folder held open while something in it is still to be removed. The last to let go of it
/// removes it (see [`Deletion::leave`]).
struct Folder {
    fd: OwnedFd,
    /// For messages only.
    path: PathBuf,
    /// The parent and the name in it; `None` for the folder that holds the trash, which stays.
    place: Option<(Arc<Folder>, OsString)>,
    depth: usize,
    bytes: u64,
}

/// A piece of work for one thread.
enum Task {
    /// Open this folder and remove what is in it.
    Enter(Arc<Folder>, OsString),
    /// Remove these entries.
    Remove(Arc<Folder>, Vec<OsString>),
}

/// A deletion under way, shared by its threads.
struct Deletion<'a> {
    patience: &'a Patience,
    queue: Queue<Task>,
    bytes: AtomicU64,
    entries: AtomicU64,
    lifted: AtomicU64,
    failed: AtomicU64,
    failures: Mutex<Vec<String>>,
}

impl<'a> Deletion<'a> {
    fn new(patience: &'a Patience) -> Self {
        Deletion {
            patience,
            queue: Queue::new(),
            bytes: AtomicU64::new(0),
            entries: AtomicU64::new(0),
            lifted: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            failures: Mutex::new(Vec::new()),
        }
    }

    /// Removes one entry of `bin` with everything in it.
    fn empty(&self, bin: &Arc<Folder>, name: &OsStr) {
        self.queue
            .push(Task::Remove(bin.clone(), vec![name.to_owned()]));
        in_parallel(|| self.queue.work_off(|task| self.perform(task)));
    }

    fn finished(self) -> Deleted {
        Deleted {
            bytes: self.bytes.into_inner(),
            entries: self.entries.into_inner(),
            failed: self.failed.into_inner(),
            failures: self
                .failures
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner),
            is_interrupted: self.patience.is_over(),
        }
    }

    fn perform(&self, task: Task) {
        match task {
            Task::Enter(folder, _) | Task::Remove(folder, _) if self.patience.is_over() => {
                self.leave(folder);
            }
            Task::Enter(parent, name) => self.enter(parent, name),
            Task::Remove(folder, names) => {
                self.remove(&folder, &names);
                self.leave(folder);
            }
        }
    }

    fn enter(&self, parent: Arc<Folder>, name: OsString) {
        let path = parent.path.join(&name);
        if parent.depth > DEEPEST {
            return self.lift(parent, &name);
        }
        match open_folder(&parent, &name) {
            Ok((fd, bytes, mut names)) => {
                let depth = parent.depth + 1;
                let place = Some((parent, name));
                let folder = Arc::new(Folder {
                    fd,
                    path,
                    place,
                    depth,
                    bytes,
                });
                while names.len() > BATCH_ENTRIES {
                    let batch = names.split_off(names.len() - BATCH_ENTRIES);
                    self.queue.push(Task::Remove(folder.clone(), batch));
                }
                self.remove(&folder, &names);
                self.leave(folder);
            }
            Err(Errno::ENOENT) => self.leave(parent),
            Err(errno) => {
                self.fail(&path, anchor::reason(errno));
                self.leave(parent);
            }
        }
    }

    /// Moves a folder that lies very deep to the top of the trash and goes on there.
    fn lift(&self, deep: Arc<Folder>, name: &OsStr) {
        let mut top = &deep;
        while let Some((above, _)) = &top.place
            && top.depth > 1
        {
            top = above;
        }
        let top = top.clone();
        let number = self.lifted.fetch_add(1, Ordering::Relaxed);
        let short = OsString::from(format!(".zdd-lifted-{}-{number}", std::process::id()));
        let rename = || rename_folder(&deep.fd, name, &top.fd, &short);
        match permitted(&deep, || permitted(&top, rename)) {
            Ok(()) => self.queue.push(Task::Enter(top, short)),
            Err(errno) => {
                self.fail(&deep.path.join(name), errno.into());
                self.leave(top);
            }
        }
        self.leave(deep);
    }

    fn remove(&self, folder: &Arc<Folder>, names: &[OsString]) {
        for name in names {
            if self.patience.is_over() {
                return;
            }
            match self.remove_entry(folder, name) {
                Ok(()) | Err(Errno::ENOENT) => {}
                Err(errno) => self.fail(&folder.path.join(name), errno.into()),
            }
        }
    }

    fn remove_entry(&self, folder: &Arc<Folder>, name: &OsStr) -> nix::Result<()> {
        let look = || fstatat(&folder.fd, name, AtFlags::AT_SYMLINK_NOFOLLOW);
        let status = permitted(folder, look)?;
        if is_folder(&status) {
            self.queue
                .push(Task::Enter(folder.clone(), name.to_owned()));
            return Ok(());
        }
        permitted(folder, || {
            unlinkat(&folder.fd, name, UnlinkatFlags::NoRemoveDir)
        })?;
        self.count(if status.st_nlink == 1 {
            allocated(&status)
        } else {
            0
        });
        Ok(())
    }

    /// Lets go of a folder. The last one to do so removes it, and then lets go of its parent.
    fn leave(&self, mut folder: Arc<Folder>) {
        while let Some(Folder {
            path, place, bytes, ..
        }) = Arc::into_inner(folder)
        {
            let Some((above, name)) = place else { return };
            let remove = || unlinkat(&above.fd, name.as_os_str(), UnlinkatFlags::RemoveDir);
            match permitted(&above, remove) {
                Ok(()) => self.count(bytes),
                Err(Errno::ENOENT) => {}
                Err(Errno::ENOTEMPTY) if self.is_incomplete() => {}
                Err(errno) => self.fail(&path, errno.into()),
            }
            folder = above;
        }
    }

    fn is_incomplete(&self) -> bool {
        self.failed.load(Ordering::Relaxed) > 0 || self.patience.is_over()
    }

    fn count(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.entries.fetch_add(1, Ordering::Relaxed);
    }

    fn fail(&self, path: &Path, error: io::Error) {
        self.failed.fetch_add(1, Ordering::Relaxed);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < TOLD_FAILURES {
            failures.push(cannot("delete", path, error).to_string());
        }
    }
}

/// Opens a folder, made readable where it is not, with its size on disk and the names in it.
fn open_folder(parent: &Folder, name: &OsStr) -> nix::Result<(OwnedFd, u64, Vec<OsString>)> {
    let open = || permitted(parent, || anchor::open_child(&parent.fd, name));
    let fd = match open() {
        Err(Errno::EACCES) => {
            open_up(&parent.fd, name)?;
            open()?
        }
        result => result?,
    };
    let bytes = allocated(&fstat(&fd)?);
    let mut names = Vec::new();
    for entry in Dir::from_fd(fd.try_clone().map_err(|_| Errno::last())?)?.iter() {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name != "." && name != ".." {
            names.push(name.to_owned());
        }
    }
    Ok((fd, bytes, names))
}

/// Does something in a folder; where that is not permitted, makes the folder writable and tries
/// once more.
fn permitted<T>(folder: &Folder, action: impl Fn() -> nix::Result<T>) -> nix::Result<T> {
    match action() {
        Err(Errno::EACCES) if fchmod(folder.fd.as_fd(), Mode::S_IRWXU).is_ok() => action(),
        result => result,
    }
}

/// Renames a folder. Moving one writes into it (its `..` changes), so a read-only one is made
/// writable first.
fn rename_folder(from: &OwnedFd, name: &OsStr, to: &OwnedFd, new_name: &OsStr) -> nix::Result<()> {
    match renameat(from, name, to, new_name) {
        Err(Errno::EACCES) => {
            open_up(from, name)?;
            renameat(from, name, to, new_name)
        }
        result => result,
    }
}

/// Makes a folder writable, which works for its owner only. Never through a link.
fn open_up(parent: &OwnedFd, name: &OsStr) -> nix::Result<()> {
    fchmodat(parent, name, Mode::S_IRWXU, FchmodatFlags::NoFollowSymlink).map_err(|_| Errno::EACCES)
}

fn is_folder(status: &FileStat) -> bool {
    SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

/// The kernel counts in units of 512 bytes whatever the block size.
fn allocated(status: &FileStat) -> u64 {
    u64::try_from(status.st_blocks).unwrap_or(0) * 512
}

#[cfg(test)]
mod tests;
