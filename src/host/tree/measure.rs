//! How much room a tree takes.

use std::io::ErrorKind;
use std::path::Path;

use super::listing::{EntryKind, Listing};
use crate::error::Result;

/// The unit of allocation of the usual file systems, in bytes.
const BLOCK_BYTES: u64 = 4096;

/// The room that a tree takes, or that a copy of it will take.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Whole blocks of 4 KiB; holes and hard links count in full, as in a copy.
    pub bytes: u64,
    /// Files, links and folders, the root included.
    pub inodes: u64,
}

/// Looks at every file of the listing. One that has vanished since takes no room.
///
/// # Errors
/// When a file cannot be looked at.
pub fn measure(listing: &Listing) -> Result<Room> {
    let mut room = Room::default();
    for folder in &listing.folders {
        let path = listing.root.as_std_path().join(&folder.path);
        room.add(BLOCK_BYTES);
        for entry in &folder.entries {
            match entry.kind {
                EntryKind::File => room.add_file(&path.join(&entry.name))?,
                // The target of a link mostly fits the inode.
                EntryKind::Link => room.add(0),
                EntryKind::Channel | EntryKind::Device => {}
            }
        }
    }
    Ok(room)
}

impl Room {
    fn add_file(&mut self, path: &Path) -> Result<()> {
        match fs_err::symlink_metadata(path) {
            Ok(metadata) => self.add(metadata.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// One more file, link or folder of so many bytes.
    pub fn add(&mut self, bytes: u64) {
        let bytes = bytes.next_multiple_of(BLOCK_BYTES);
        self.bytes = self.bytes.saturating_add(bytes);
        self.inodes += 1;
    }
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;
    use crate::host::tree::scratch::Scratch;

    fn room(root: &Utf8Path) -> Room {
        measure(&Listing::of(root, &|_, _| true).unwrap()).unwrap()
    }

    #[test]
    fn every_file_takes_whole_blocks_and_an_inode() {
        let scratch = Scratch::new();
        let folder = Room {
            bytes: 4096,
            inodes: 1,
        };
        assert_eq!(room(scratch.path()), folder);
        for (name, length) in [("empty", 0), ("one", 1), ("block", 4096), ("more", 4097)] {
            scratch.file(name, &"x".repeat(length));
        }
        let expected = Room {
            bytes: 5 * 4096,
            inodes: 5,
        };
        assert_eq!(room(scratch.path()), expected);
    }

    #[test]
    fn a_file_that_vanished_takes_no_room() {
        let scratch = Scratch::new();
        let file = scratch.file("file", "x");
        let listing = Listing::of(scratch.path(), &|_, _| true).unwrap();
        std::fs::remove_file(file).unwrap();
        assert_eq!(measure(&listing).unwrap().inodes, 1);
    }
}
