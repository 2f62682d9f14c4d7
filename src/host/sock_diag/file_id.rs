//! The file of a unix socket, by the numbers that the kernel itself has for it.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::libc::O_PATH;
use nix::sys::stat::{major, minor};

/// The file a unix socket is bound to: it survives a change of name, and a bind by a relative name
/// or behind another mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// The device of the file system, in the encoding of the kernel: 12 bits and 20.
    pub device: u32,
    /// The lower half of the inode's number; `sock_diag` tells no more.
    pub inode: u32,
}

impl FileId {
    /// The file at `path`, links followed.
    ///
    /// # Errors
    /// When it does not exist or cannot be reached.
    pub fn of_path(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.read(true).custom_flags(O_PATH).open(path)?;
        let metadata = file.metadata()?;
        let stat = metadata.dev();
        // On overlayfs and btrfs `stat` tells another device than that of the file system.
        let (major, minor) = device_of_mount(&file).unwrap_or((major(stat), minor(stat)));
        Ok(FileId {
            device: lower_half(major << 20 | minor),
            inode: lower_half(metadata.ino()),
        })
    }
}

/// The device of the file system that the file was opened in.
fn device_of_mount(file: &File) -> Option<(u64, u64)> {
    let facts = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let mount = facts
        .lines()
        .find_map(|line| line.strip_prefix("mnt_id:"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        let is_it = fields.next() == Some(mount.trim());
        let (major, minor) = fields.nth(1)?.split_once(':')?;
        is_it.then_some((major.parse().ok()?, minor.parse().ok()?))
    })
}

fn lower_half(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or_default()
}
