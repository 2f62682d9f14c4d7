//! What a tree holds: its folders, parents before children, each with the names of its entries.
//! Contents, sizes and modes are left to whoever reads the files.

use std::ffi::OsString;
use std::fs::FileType;
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};

use crate::error::Result;

/// A tree as it was when it was walked. 100,000 files take about 10 MiB.
#[derive(Debug)]
pub struct Listing {
    /// The folder that was walked.
    pub root: Utf8PathBuf,
    /// Every folder, parents before children, the root itself first.
    pub folders: Vec<Folder>,
}

/// One folder and what lies in it, further folders excepted.
#[derive(Debug)]
pub struct Folder {
    /// Relative to the root of the listing; empty for the root itself.
    pub path: PathBuf,
    /// The entries that are no folders, in the order of the disk.
    pub entries: Vec<Entry>,
}

/// One entry of a folder.
#[derive(Debug)]
pub struct Entry {
    /// The name in its folder; any bytes.
    pub name: OsString,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry that is no folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A symbolic link, whatever it points to.
    Link,
    /// A socket or a named pipe: it means nothing outside the process that made it.
    Channel,
    /// A block or character device.
    Device,
}

impl Listing {
    /// Walks a tree without following links. `is_wanted` is asked with the path relative to the
    /// root, and whether it is a folder; what lies below an unwanted folder is not looked at.
    ///
    /// # Errors
    /// When a folder cannot be read. One that vanishes during the walk is as good as never there.
    pub fn of(root: &Utf8Path, is_wanted: &dyn Fn(&Path, bool) -> bool) -> Result<Listing> {
        let mut folders = Vec::new();
        let mut unread = vec![PathBuf::new()];
        while let Some(path) = unread.pop() {
            let children = match fs_err::read_dir(root.as_std_path().join(&path)) {
                Ok(children) => children,
                Err(error) if error.kind() == ErrorKind::NotFound && !folders.is_empty() => {
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let mut entries = Vec::new();
            for child in children {
                let child = child?;
                let file_type = child.file_type()?;
                let name = child.file_name();
                let child_path = path.join(&name);
                if !is_wanted(&child_path, file_type.is_dir()) {
                    continue;
                }
                if file_type.is_dir() {
                    unread.push(child_path);
                } else {
                    let kind = EntryKind::from(file_type);
                    entries.push(Entry { name, kind });
                }
            }
            entries.shrink_to_fit();
            folders.push(Folder { path, entries });
        }
        Ok(Listing {
            root: root.to_owned(),
            folders,
        })
    }

    /// The paths of all entries of one kind, relative to the root.
    pub fn paths_of(&self, kind: EntryKind) -> impl Iterator<Item = PathBuf> {
        let of_kind = move |entry: &&Entry| entry.kind == kind;
        self.folders.iter().flat_map(move |folder| {
            let entries = folder.entries.iter().filter(of_kind);
            entries.map(|entry| folder.path.join(&entry.name))
        })
    }
}

impl From<FileType> for EntryKind {
    /// Of anything but a folder.
    fn from(file_type: FileType) -> Self {
        if file_type.is_file() {
            EntryKind::File
        } else if file_type.is_symlink() {
            EntryKind::Link
        } else if file_type.is_socket() || file_type.is_fifo() {
            EntryKind::Channel
        } else {
            EntryKind::Device
        }
    }
}

#[cfg(test)]
mod tests;
