//! What one thread of a copy does with one entry.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;

use nix::fcntl::{AtFlags, readlinkat};
use nix::sys::stat::{UtimensatFlags, fstatat, utimensat};
use nix::sys::time::TimeSpec;
use nix::unistd::symlinkat;

use super::{Copied, changed};
use crate::host::signal::Patience;
use crate::host::tree::listing::Entry;

/// A file up to this size goes through one buffer; a larger one is copied by the kernel, which
/// shares the blocks where the file system can (xfs, btrfs).
const BUFFER_BYTES: usize = 64 * 1024;

/// How much of a large file is copied between two looks at the patience.
pub(super) const STRETCH_BYTES: u64 = 16 * 1024 * 1024;

/// What one thread carries along.
pub(super) struct Hands {
    buffer: Vec<u8>,
    pub(super) copied: Copied,
}

impl Hands {
    pub(super) fn new() -> Self {
        Hands {
            buffer: vec![0; BUFFER_BYTES],
            copied: Copied::default(),
        }
    }

    /// Copies as many bytes as the file had when it was opened, or fewer if it has shrunk. Returns
    /// whether the patience held.
    pub(super) fn copy_bytes(
        &mut self,
        mut from: &File,
        mut to: &File,
        size: u64,
        patience: &Patience,
    ) -> io::Result<bool> {
        let mut left = size;
        while left > 0 {
            if patience.is_over() {
                return Ok(false);
            }
            let moved = if left <= BUFFER_BYTES as u64 {
                let length = from.read(&mut self.buffer)?;
                to.write_all(&self.buffer[..length])?;
                length as u64
            } else {
                io::copy(&mut from.take(left.min(STRETCH_BYTES)), &mut to)?
            };
            if moved == 0 {
                break;
            }
            left = left.saturating_sub(moved);
            self.copied.bytes += moved;
        }
        self.copied.files += 1;
        Ok(true)
    }
}

/// Makes the same link with the same time.
pub(super) fn copy_link(from: &OwnedFd, to: &OwnedFd, entry: &Entry) -> nix::Result<()> {
    let name = entry.name.as_os_str();
    let status = fstatat(from, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    symlinkat(readlinkat(from, name)?.as_os_str(), to, name)?;
    let time = changed(&status);
    utimensat(
        to,
        name,
        &TimeSpec::UTIME_OMIT,
        &time,
        UtimensatFlags::NoFollowSymlink,
    )
}
