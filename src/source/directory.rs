//! A directory on this host as the source of a release: the SOURCE argument or `[source] path`.
//! What is left out is said by `[source] exclude` alone: the project's own `.gitignore` speaks of
//! what is not kept in git, which is often just what a release needs (built assets, say).

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};

use super::excluded::Excluded;
use super::leads_outside;
use super::revision::Revision;
use crate::error::{Error, Result};
use crate::host::signal::Patience;
use crate::host::tree::copy::{self, Copied};
use crate::host::tree::listing::{EntryKind, Listing};
use crate::host::tree::measure::{Room, measure};

/// A directory whose files a release is made of.
#[derive(Debug)]
pub struct Directory {
    path: Utf8PathBuf,
    excluded: Excluded,
}

/// What a release from a directory will hold.
#[derive(Debug)]
pub struct Survey {
    /// The room it will take.
    pub room: Room,
    /// Sockets and named pipes, which are left out.
    pub skipped: Vec<PathBuf>,
    /// Links that are kept although they point out of the directory, or to an absolute path: the
    /// release depends on something that no release holds.
    pub outside_links: Vec<PathBuf>,
}

impl Directory {
    /// Takes a directory as the source. `exclude` is in the syntax of gitignore; `root` and
    /// `releases` are those of the site and need not exist yet.
    ///
    /// # Errors
    /// When the path is no directory, holds the site, or lies in its releases, and when a pattern
    /// cannot be understood.
    pub fn open(
        path: &Utf8Path,
        exclude: &[String],
        root: &Utf8Path,
        releases: &Utf8Path,
    ) -> Result<Directory> {
        refuse_unless_directory(path)?;
        let real_path = real(path)?;
        if real(root)?.starts_with(&real_path) {
            let what = format!("the source `{path}` holds the site `{root}` itself");
            return Err(Error::failed(what).hint("name the directory of the code alone"));
        }
        if real_path.starts_with(real(releases)?) {
            let what = format!("the source `{path}` lies in `{releases}`");
            return Err(Error::failed(what).hint("to go back to a release: zdd rollback RELEASE"));
        }
        Ok(Directory {
            path: path.to_owned(),
            excluded: Excluded::new(exclude)?,
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// Looks at everything that would be copied, and copies nothing.
    ///
    /// # Errors
    /// When something cannot be read, and at a device.
    pub fn survey(&self) -> Result<Survey> {
        let listing = self.listing()?;
        if let Some(device) = listing.paths_of(EntryKind::Device).next() {
            return Err(copy::device(&listing, &device));
        }
        let mut outside_links = Vec::new();
        for link in listing.paths_of(EntryKind::Link) {
            let target = fs_err::read_link(self.path.as_std_path().join(&link))?;
            if leads_outside(&link, &target) {
                outside_links.push(link);
            }
        }
        Ok(Survey {
            room: measure(&listing)?,
            skipped: listing.paths_of(EntryKind::Channel).collect(),
            outside_links,
        })
    }

    /// Copies the files into an empty directory. See [`copy::copy`] for what is kept of them.
    ///
    /// # Errors
    /// As [`copy::copy`].
    pub fn copy_into(&self, destination: &Utf8Path, patience: &Patience) -> Result<Copied> {
        copy::copy(&self.listing()?, destination, patience)
    }

    /// Which version of the code this is, where that can be told: see [`Revision::of`].
    pub fn revision(&self, patience: &Patience) -> Option<Revision> {
        Revision::of(&self.path, patience)
    }

    fn listing(&self) -> Result<Listing> {
        let is_wanted = |path: &Path, is_folder| !self.excluded.has(path, is_folder);
        Listing::of(&self.path, &is_wanted)
    }
}

fn refuse_unless_directory(path: &Utf8Path) -> Result<()> {
    match fs_err::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(()),
        Ok(_) => Err(Error::failed(format!(
            "the source `{path}` is not a directory"
        ))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Error::failed(format!("the source `{path}` does not exist")))
        }
        Err(error) => Err(error.into()),
    }
}

/// The path without links. The part of it that does not exist yet is taken as it is written.
fn real(path: &Utf8Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    for ancestor in absolute.ancestors() {
        match fs_err::canonicalize(ancestor) {
            Ok(found) => {
                let rest = absolute.strip_prefix(ancestor).unwrap_or(Path::new(""));
                return Ok(found.join(rest));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(absolute)
}

#[cfg(test)]
mod tests;
