//! Copies a listed tree into an empty folder, in parallel. What is kept: contents, links as they
//! are, the time of the last change to the nanosecond, and the mode within `KEPT_MODE`. What is
//! not: owner (files belong to whoever runs zdd), extended attributes, holes, and hard links, which
//! become copies. Durability is left to the seal (`disk::sync_file_system`).

mod hands;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use camino::Utf8Path;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{
    FchmodatFlags, FileStat, Mode, SFlag, UtimensatFlags, fchmod, fchmodat, fstat, fstatat,
    futimens, mkdirat, utimensat,
};
use nix::sys::time::TimeSpec;

use self::hands::{Hands, copy_link};
use super::listing::{Entry, EntryKind, Folder, Listing};
use super::{cannot, in_parallel};
use crate::error::{Error, ErrorKind, Result};
use crate::host::disk;
use crate::host::signal::Patience;

/// What a release may keep of a mode: nothing that others could write, no setuid, setgid or sticky
/// bit, whatever the source or the umask says (`docs/security.md`).
const KEPT_MODE: u32 = 0o755;

/// How many entries of one folder a thread takes at a time, so that a flat folder is shared out.
const BATCH_ENTRIES: usize = 256;

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Regular files.
    pub files: u64,
    /// Symbolic links.
    pub links: u64,
    /// Folders, the root not counted.
    pub folders: u64,
    /// The contents of the files.
    pub bytes: u64,
}

/// Copies everything listed into `destination`, which must exist and be empty; its own mode and
/// time stay as they are. Sockets and named pipes are left out.
///
/// # Errors
/// At the first file that cannot be copied, named with its size; at a device; when the patience
/// ends (`ErrorKind::Interrupted`). What was copied so far stays for the caller to delete.
pub fn copy(listing: &Listing, destination: &Utf8Path, patience: &Patience) -> Result<Copied> {
    let copying = Copying::begin(listing, destination, patience)?;
    copying.make_folders()?;
    let mut copied = copying.copy_entries()?;
    copying.finish_folders()?;
    copied.folders = listing.folders.len() as u64 - 1;
    Ok(copied)
}

/// The refusal of a device, given by its path in the listing.
pub fn device(listing: &Listing, path: &Path) -> Error {
    let path = listing.root.as_std_path().join(path);
    Error::failed(format!("`{}` is a device", path.display()))
        .cause("a release holds files, links and folders only")
}

/// A copy under way, with both roots held open.
struct Copying<'a> {
    listing: &'a Listing,
    destination: &'a Utf8Path,
    from: OwnedFd,
    to: OwnedFd,
    patience: &'a Patience,
}

impl<'a> Copying<'a> {
    fn begin(
        listing: &'a Listing,
        destination: &'a Utf8Path,
        patience: &'a Patience,
    ) -> Result<Self> {
        if fs_err::read_dir(destination)?.next().is_some() {
            return Err(Error::failed(format!("`{destination}` is not empty")));
        }
        let open_root = |path: &Utf8Path, verb| {
            open(path.as_std_path(), folder_flags(), Mode::empty())
                .map_err(|errno| cannot(verb, path.as_std_path(), errno))
        };
        Ok(Copying {
            from: open_root(&listing.root, "read")?,
            to: open_root(destination, "write")?,
            listing,
            destination,
            patience,
        })
    }

    /// Private and writable until everything is in them.
    fn make_folders(&self) -> Result<()> {
        for folder in self.subfolders() {
            mkdirat(&self.to, &folder.path, Mode::S_IRWXU)
                .map_err(|errno| self.cannot_copy(&folder.path, None, errno.into()))?;
        }
        Ok(())
    }

    fn copy_entries(&self) -> Result<Copied> {
        let batches = Mutex::new(self.listing.folders.iter().flat_map(|folder| {
            let batches = folder.entries.chunks(BATCH_ENTRIES);
            batches.map(move |entries| (folder, entries))
        }));
        let has_failed = AtomicBool::new(false);
        let work = || -> Result<Copied> {
            let mut hands = Hands::new();
            while !has_failed.load(Ordering::Relaxed) {
                let next = batches
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .next();
                let Some((folder, entries)) = next else { break };
                self.copy_batch(folder, entries, &mut hands)
                    .inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?;
            }
            Ok(hands.copied)
        };
        let mut total = Copied::default();
        for copied in in_parallel(work) {
            let copied = copied?;
            total.files += copied.files;
            total.links += copied.links;
            total.bytes += copied.bytes;
        }
        Ok(total)
    }

    fn copy_batch(&self, folder: &Folder, entries: &[Entry], hands: &mut Hands) -> Result<()> {
        let open_folder = |root| {
            openat(
                root,
                below_root(&folder.path),
                folder_flags(),
                Mode::empty(),
            )
            .map_err(|errno| self.cannot_copy(&folder.path, None, errno.into()))
        };
        let (from, to) = (open_folder(&self.from)?, open_folder(&self.to)?);
        for entry in entries {
            if self.patience.is_over() {
                return Err(self.interrupted());
            }
            let path = || folder.path.join(&entry.name);
            match entry.kind {
                EntryKind::File => self.copy_file(&from, &to, entry, &path, hands)?,
                EntryKind::Link => {
                    copy_link(&from, &to, entry)
                        .map_err(|errno| self.cannot_copy(&path(), None, errno.into()))?;
                    hands.copied.links += 1;
                }
                EntryKind::Channel => {}
                EntryKind::Device => {
                    return Err(device(self.listing, &path()));
                }
            }
        }
        Ok(())
    }

    fn copy_file(
        &self,
        from: &OwnedFd,
        to: &OwnedFd,
        entry: &Entry,
        path: &dyn Fn() -> PathBuf,
        hands: &mut Hands,
    ) -> Result<()> {
        let failed = |error| self.cannot_copy(&path(), None, error);
        // Not to block on a pipe that has taken the place of the file.
        let reading = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let source = openat(from, entry.name.as_os_str(), reading, Mode::empty())
            .map_err(|errno| failed(errno.into()))?;
        let status = fstat(&source).map_err(|errno| failed(errno.into()))?;
        if SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFREG {
            return Err(failed(io::Error::other("it changed while being copied")));
        }
        let size = u64::try_from(status.st_size).unwrap_or(0);
        let failed = |error| self.cannot_copy(&path(), Some(size), error);
        let writing =
            OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let copy = openat(to, entry.name.as_os_str(), writing, kept_mode(&status))
            .map_err(|errno| failed(errno.into()))?;
        let (source, copy) = (File::from(source), File::from(copy));
        match hands.copy_bytes(&source, &copy, size, self.patience) {
            Ok(true) => {}
            Ok(false) => return Err(self.interrupted()),
            Err(error) => return Err(failed(error)),
        }
        // The umask may have taken bits away.
        fchmod(&copy, kept_mode(&status)).map_err(|errno| failed(errno.into()))?;
        futimens(&copy, &TimeSpec::UTIME_OMIT, &changed(&status))
            .map_err(|errno| failed(errno.into()))
    }

    /// Modes and times, children before parents: a parent may become unreadable.
    fn finish_folders(&self) -> Result<()> {
        let finish = |path: &Path| -> nix::Result<()> {
            let status = fstatat(&self.from, path, AtFlags::AT_SYMLINK_NOFOLLOW)?;
            utimensat(
                &self.to,
                path,
                &TimeSpec::UTIME_OMIT,
                &changed(&status),
                UtimensatFlags::NoFollowSymlink,
            )?;
            fchmodat(
                &self.to,
                path,
                kept_mode(&status),
                FchmodatFlags::FollowSymlink,
            )
        };
        for folder in self.subfolders().rev() {
            finish(&folder.path)
                .map_err(|errno| self.cannot_copy(&folder.path, None, errno.into()))?;
        }
        Ok(())
    }

    fn subfolders(&self) -> impl DoubleEndedIterator<Item = &Folder> {
        self.listing.folders.iter().skip(1)
    }

    /// Names the file, its size where that is known, and what is free when that is the trouble.
    fn cannot_copy(&self, path: &Path, size: Option<u64>, error: io::Error) -> Error {
        let is_full = matches!(
            error.raw_os_error().map(Errno::from_raw),
            Some(Errno::ENOSPC | Errno::EDQUOT)
        );
        let size = size.map_or_else(String::new, |bytes| format!(" ({bytes} bytes)"));
        let path = self.listing.root.as_std_path().join(path);
        let error = Error::failed(format!("cannot copy `{}`{size}", path.display())).cause(error);
        match disk::free_space(self.destination) {
            Ok(free) if is_full => error.hint(format!("`{}` has {free} left", self.destination)),
            _ => error,
        }
    }

    fn interrupted(&self) -> Error {
        let what = format!("interrupted while copying `{}`", self.listing.root);
        Error::new(ErrorKind::Interrupted, what)
    }
}

fn folder_flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}

/// A path as `openat` wants it: the root itself is `.`.
fn below_root(path: &Path) -> &Path {
    if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    }
}

pub(super) fn kept_mode(status: &FileStat) -> Mode {
    Mode::from_bits_truncate(status.st_mode & KEPT_MODE)
}

pub(super) fn changed(status: &FileStat) -> TimeSpec {
    TimeSpec::new(status.st_mtime, status.st_mtime_nsec)
}

#[cfg(test)]
mod tests;
