//! File systems: what is free, which one a path lies on, making writes durable, mount points.

use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use camino::Utf8Path;
use nix::sys::statvfs::statvfs;
use nix::unistd::syncfs;

use crate::error::{Context, Result};

/// What a user other than root can still take of a file system. The blocks reserved for root are
/// not counted: `f_bfree` said 163 where a user had 0 (`f_bavail`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSpace {
    /// Bytes.
    pub bytes: u64,
    /// Files, links and folders; `None` on a file system without a fixed number (btrfs).
    pub inodes: Option<u64>,
}

impl fmt::Display for FreeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.bytes)?;
        match self.inodes {
            Some(inodes) => write!(f, " and {inodes} inodes"),
            None => Ok(()),
        }
    }
}

/// What is free where `path` lies.
///
/// # Errors
/// When the path does not exist or cannot be reached.
pub fn free_space(path: &Utf8Path) -> Result<FreeSpace> {
    let what = || format!("cannot read the free space at `{path}`");
    let status = statvfs(path.as_std_path()).context(what())?;
    Ok(FreeSpace {
        bytes: status
            .blocks_available()
            .saturating_mul(status.fragment_size()),
        inodes: (status.files() > 0).then(|| status.files_available()),
    })
}

/// The id of the file system that `path` lies on; two paths with the same id can be renamed into
/// each other, bind mounts excepted.
///
/// # Errors
/// When the path does not exist or cannot be reached.
pub fn file_system(path: &Utf8Path) -> Result<u64> {
    Ok(fs_err::metadata(path)?.dev())
}

/// Makes everything written to the file system of `directory` durable, other programs' writes
/// included.
///
/// # Errors
/// When the kernel could not write something. It then forgets what it was, so trying again would
/// be told a lie: what was written must be thrown away.
pub fn sync_file_system(directory: &Utf8Path) -> Result<()> {
    let file = fs_err::File::open(directory)?;
    syncfs(file.file()).context(format!("cannot make `{directory}` durable"))
}

/// The mount points at or below `path`, bind mounts included. The path must be absolute and free of
/// links, as the kernel writes it.
///
/// # Errors
/// When `/proc` is not mounted.
pub fn mounts_below(path: &Path) -> Result<Vec<PathBuf>> {
    let table = fs_err::read("/proc/self/mountinfo")?;
    let points = table
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(unescaped);
    Ok(points.filter(|point| point.starts_with(path)).collect())
}

/// The kernel writes blanks, tabs, newlines and backslashes of a path as three octal digits.
fn unescaped(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| first == b'\\');
        let code = code.and_then(|digits| std::str::from_utf8(digits).ok());
        match code.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &after[3..];
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::atomic_file::sync_directory;

    #[test]
    fn free_space_is_what_df_says() {
        let space = free_space(Utf8Path::new("/")).unwrap();
        let output = std::process::Command::new("df")
            .args(["--output=avail,iavail", "-B1", "/"])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let figures = text.lines().nth(1).unwrap();
        let figures: Vec<u64> = figures
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        // Others write to the same disk meanwhile.
        assert!(
            space.bytes.abs_diff(figures[0]) < 512 << 20,
            "{space} {text}"
        );
        if let (Some(inodes), Some(expected)) = (space.inodes, figures.get(1)) {
            assert!(inodes.abs_diff(*expected) < 100_000, "{space} {text}");
        }
    }

    #[test]
    fn a_missing_path_is_an_error_that_names_it() {
        let error = free_space(Utf8Path::new("/no/such/place")).unwrap_err();
        assert!(error.to_string().contains("`/no/such/place`"), "{error}");
        assert!(file_system(Utf8Path::new("/no/such/place")).is_err());
        assert!(sync_file_system(Utf8Path::new("/no/such/place")).is_err());
        assert!(sync_directory(Utf8Path::new("/no/such/place")).is_err());
    }

    #[test]
    fn proc_is_another_file_system() {
        let id = |path: &str| file_system(Utf8Path::new(path)).unwrap();
        assert_ne!(id("/"), id("/proc"));
        assert_eq!(id("/proc"), id("/proc/self"));
    }

    #[test]
    fn a_directory_can_be_made_durable() {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap();
        sync_file_system(path).unwrap();
        sync_directory(path).unwrap();
    }

    #[test]
    fn mount_points_are_found_at_and_below_a_path() {
        let mounts = mounts_below(Path::new("/proc")).unwrap();
        assert!(mounts.contains(&PathBuf::from("/proc")), "{mounts:?}");
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(
            mounts_below(directory.path()).unwrap(),
            Vec::<PathBuf>::new()
        );
    }

    #[test]
    fn escaped_blanks_of_the_mount_table_are_read() {
        assert_eq!(unescaped(br"/a\040b\134c"), PathBuf::from(r"/a b\c"));
        assert_eq!(unescaped(br"/plain\9"), PathBuf::from(r"/plain\9"));
    }
}
