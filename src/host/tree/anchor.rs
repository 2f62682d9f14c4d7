//! Folders held by descriptor, each opened from its parent by one name: no link is followed and no
//! mount is entered, whoever swaps what meanwhile (field notes on security, cases 10 and 11).

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use camino::Utf8Path;
use nix::errno::Errno;
use nix::fcntl::{OFlag, OpenHow, ResolveFlag, open, openat, openat2};
use nix::sys::stat::{Mode, fstat};

use super::cannot;
use crate::error::{Error, Result};

/// Opens the folder that everything else is reached from. Links on the way to it are followed:
/// they are the caller's.
pub(super) fn open_root(root: &Utf8Path) -> Result<OwnedFd> {
    open(root.as_std_path(), folder_flags(), Mode::empty())
        .map_err(|errno| cannot("open", root.as_std_path(), errno))
}

/// Opens the parent of `path`, which is relative to `root`, and returns it with the last name.
pub(super) fn open_parent(root: &OwnedFd, path: &Path) -> Result<(OwnedFd, OsString)> {
    let strange = || Error::failed(format!("`{}` is no plain relative path", path.display()));
    let mut names = path.components().map(|component| match component {
        Component::Normal(name) => Ok(name.to_owned()),
        _ => Err(strange()),
    });
    let mut last = names.next().ok_or_else(strange)??;
    let open = |parent: &OwnedFd, name: &OsStr| {
        open_child(parent, name).map_err(|errno| cannot("reach", path, reason(errno)))
    };
    let mut parent = open(root, OsStr::new("."))?;
    for name in names {
        parent = open(&parent, &last)?;
        last = name?;
    }
    Ok((parent, last))
}

/// What an error of [`open_child`] means.
pub(super) fn reason(errno: Errno) -> io::Error {
    match errno {
        Errno::ELOOP | Errno::ENOTDIR => io::Error::other("a link or a file is in the way"),
        Errno::EXDEV => io::Error::other("it is a mount point"),
        errno => errno.into(),
    }
}

/// Opens one folder in its parent; [`reason`] says what its errors mean.
pub(super) fn open_child(parent: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let how = OpenHow::new()
        .flags(folder_flags() | OFlag::O_NOFOLLOW)
        .resolve(ResolveFlag::RESOLVE_NO_SYMLINKS | ResolveFlag::RESOLVE_NO_XDEV);
    match openat2(parent, name, how) {
        // Kernels before 5.6, and sandboxes that do not know the call.
        Err(Errno::ENOSYS | Errno::EPERM) => open_child_before_5_6(parent, name),
        result => result,
    }
}

/// The same by the device number, which cannot tell a bind mount of the same file system.
fn open_child_before_5_6(parent: &OwnedFd, name: &OsStr) -> nix::Result<OwnedFd> {
    let child = openat(
        parent,
        name,
        folder_flags() | OFlag::O_NOFOLLOW,
        Mode::empty(),
    )?;
    if fstat(&child)?.st_dev != fstat(parent)?.st_dev {
        return Err(Errno::EXDEV);
    }
    Ok(child)
}

fn folder_flags() -> OFlag {
    OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC
}
