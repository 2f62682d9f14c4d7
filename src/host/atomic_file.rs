//! Files that are either old or new, never half: temporary file, fsync, rename, fsync of the
//! directory. The order is the one of `field/reliability.md` §2, measured to survive a power cut
//! on ext4, xfs and btrfs.

use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use camino::Utf8Path;
use fs_err as fs;
use tempfile::Builder;

/// How every temporary file of zdd begins, so that a crashed command's leftovers are recognised.
pub const TEMPORARY: &str = ".zdd-tmp-";

/// Replaces the file at `path` by `bytes`, durably. The file gets exactly `mode`, whatever the
/// umask.
///
/// # Errors
/// When any of the system calls fails; the old file is then still there, whole.
pub fn replace(path: &Utf8Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let directory = parent_of(path);
    let mut temporary = Builder::new().prefix(TEMPORARY).tempfile_in(directory)?;
    temporary.write_all(bytes)?;
    temporary
        .as_file()
        .set_permissions(std::fs::Permissions::from_mode(mode))?;
    temporary.as_file().sync_all()?;
    temporary.persist(path)?;
    sync_directory(directory)
}

/// Appends `line` and a newline to the file at `path`, durably, and makes the file with `mode`
/// when it is not there.
///
/// # Errors
/// When any of the system calls fails; a part of the line may then be in the file.
pub fn append_line(path: &Utf8Path, line: &str, mode: u32) -> io::Result<()> {
    let is_new = !path.exists();
    let mut options = fs::OpenOptions::new();
    options.append(true).create(true).options_mut().mode(mode);
    let mut file = options.open(path)?;
    if is_new {
        // The umask may have taken bits away.
        file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    }
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()?;
    if is_new {
        sync_directory(parent_of(path))
    } else {
        Ok(())
    }
}

/// Removes the file at `path`, durably; that it is not there is no error.
///
/// # Errors
/// When the file cannot be removed or the directory not be made durable.
pub fn remove(path: &Utf8Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_directory(parent_of(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Makes the names in a directory durable.
///
/// # Errors
/// When the directory cannot be opened or the disk reports an error.
pub fn sync_directory(directory: &Utf8Path) -> io::Result<()> {
    fs::File::open(directory)?.sync_all()
}

/// Removes what killed commands left of their temporary files in `directory`. Only to be called
/// by the holder of the lock that covers the directory.
///
/// # Errors
/// When the directory cannot be read or a leftover not be removed.
pub fn remove_leftovers(directory: &Utf8Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn parent_of(path: &Utf8Path) -> &Utf8Path {
    path.parent()
        .filter(|parent| !parent.as_str().is_empty())
        .unwrap_or(Utf8Path::new("."))
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    fn scratch() -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        (directory, path)
    }

    #[test]
    fn a_replaced_file_has_the_new_text_and_mode_and_leaves_nothing_beside_it() {
        let (_guard, directory) = scratch();
        let path = directory.join("a.json");
        replace(&path, b"old", 0o644).unwrap();
        replace(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    }

    #[test]
    fn leftovers_go_and_other_files_stay() {
        let (_guard, directory) = scratch();
        fs::write(directory.join(".zdd-tmp-x1"), "half").unwrap();
        fs::write(directory.join("a.json"), "whole").unwrap();
        remove_leftovers(&directory).unwrap();
        assert!(directory.join("a.json").exists() && !directory.join(".zdd-tmp-x1").exists());
    }
}
