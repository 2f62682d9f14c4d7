//! Unpacks tar streams into an empty folder. An entry is only ever put into a folder that was made
//! here, and only where nothing is yet: a link in the stream is written, never followed, and
//! nothing is replaced. What is kept: contents, links as they are, whether a file can be run, the
//! time of its last change in seconds. What is not: owner, all other bits of the mode.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::Permissions;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use camino::{Utf8Path, Utf8PathBuf};
use nix::sys::stat::futimens;
use nix::sys::time::TimeSpec;
use tar::{Archive, Entry, EntryType};

use crate::error::{Error, Result};
use crate::host::disk;

/// The mode of folders, and of files that can be run.
const OPEN_MODE: u32 = 0o755;

/// The mode of other files.
const PLAIN_MODE: u32 = 0o644;

/// A file is read in pieces of so many bytes.
const BUFFER_BYTES: usize = 128 * 1024;

/// How a stream ended.
#[derive(Debug)]
pub enum End {
    /// With its last entry.
    Whole,
    /// It is no tar, or broke off: who wrote it knows why.
    Broken(io::Error),
}

/// Where an entry of a stream goes, relative to the destination; none leaves it out. Asked with the
/// path in the stream, and whether it is a folder.
pub type Placing<'a> = dyn Fn(&Path, bool) -> Option<PathBuf> + Sync + 'a;

/// A folder that streams are unpacked into, one after the other.
pub struct Unpacking {
    destination: Utf8PathBuf,
    folders: BTreeSet<PathBuf>,
    buffer: Vec<u8>,
    /// Regular files so far.
    pub files: u64,
    /// The links, by their path in the destination, with what they name.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Files that begin with the mark.
    pub marked: Vec<PathBuf>,
    mark: &'static [u8],
}

impl Unpacking {
    /// Begins with an empty folder. `mark` is how the files begin that are to be told.
    ///
    /// # Errors
    /// When there is something in it.
    pub fn into(destination: &Utf8Path, mark: &'static [u8]) -> Result<Unpacking> {
        if fs_err::read_dir(destination)?.next().is_some() {
            return Err(Error::failed(format!("`{destination}` is not empty")));
        }
        Ok(Unpacking {
            destination: destination.to_owned(),
            folders: BTreeSet::from([PathBuf::new()]),
            buffer: vec![0; BUFFER_BYTES],
            files: 0,
            links: Vec::new(),
            marked: Vec::new(),
            mark,
        })
    }

    /// Whether a folder was made at this path.
    pub fn has_folder(&self, path: &Path) -> bool {
        self.folders.contains(path)
    }

    /// Unpacks one stream.
    ///
    /// # Errors
    /// At the first entry that cannot be written, that leads out of the folder, is there already, or
    /// is neither a file nor a link nor a folder. What was written stays.
    pub fn unpack(&mut self, mut stream: impl Read, placing: &Placing<'_>) -> Result<End> {
        let end = self.entries(&mut stream, placing)?;
        if let End::Broken(_) = end {
            return Ok(end);
        }
        // Behind the last entry comes padding; who writes it must not be cut off.
        Ok(io::copy(&mut stream, &mut io::sink()).map_or_else(End::Broken, |_| End::Whole))
    }

    fn entries(&mut self, stream: &mut impl Read, placing: &Placing<'_>) -> Result<End> {
        let mut archive = Archive::new(stream);
        let entries = match archive.entries() {
            Ok(entries) => entries,
            Err(error) => return Ok(End::Broken(error)),
        };
        for entry in entries {
            let mut entry = match entry {
                Ok(entry) => entry,
                Err(error) => return Ok(End::Broken(error)),
            };
            let kind = entry.header().entry_type();
            if kind.is_pax_global_extensions() {
                continue;
            }
            let path = plain_path(&entry.path_bytes())?;
            let Some(place) = placing(&path, kind.is_dir()) else {
                continue;
            };
            if let End::Broken(error) = self.take(&mut entry, kind, &place)? {
                return Ok(End::Broken(error));
            }
        }
        Ok(End::Whole)
    }

    fn take(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        kind: EntryType,
        place: &Path,
    ) -> Result<End> {
        if kind.is_dir() {
            return self.folder(place).map(|()| End::Whole);
        }
        self.folder(place.parent().unwrap_or(Path::new("")))?;
        if kind.is_file() || kind.is_contiguous() {
            return self.file(entry, place);
        }
        let target = entry.link_name_bytes().filter(|_| kind.is_symlink());
        let Some(target) = target else {
            let what = format!("`{}` is neither a file nor a link", place.display());
            return Err(Error::failed(what).cause("a release holds files, links and folders only"));
        };
        let target = PathBuf::from(OsStr::from_bytes(&target));
        fs_err::os::unix::fs::symlink(&target, self.path(place))
            .map_err(|error| self.cannot_write(place, error))?;
        self.links.push((place.to_owned(), target));
        Ok(End::Whole)
    }

    /// Makes a folder and those it lies in. One that is there without having been made here is the
    /// work of another entry of the same name: a link, perhaps.
    fn folder(&mut self, place: &Path) -> Result<()> {
        if self.folders.contains(place) {
            return Ok(());
        }
        self.folder(place.parent().unwrap_or(Path::new("")))?;
        let path = self.path(place);
        fs_err::create_dir(&path)
            // The umask may have taken bits away.
            .and_then(|()| fs_err::set_permissions(&path, Permissions::from_mode(OPEN_MODE)))
            .map_err(|error| self.cannot_write(place, error))?;
        self.folders.insert(place.to_owned());
        Ok(())
    }

    fn file(&mut self, entry: &mut Entry<'_, impl Read>, place: &Path) -> Result<End> {
        let can_be_run = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
        let mode = if can_be_run { OPEN_MODE } else { PLAIN_MODE };
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        let failed = |error| cannot_write(&self.destination, place, error);
        let mut file = options.open(self.path(place)).map_err(failed)?;
        let mut is_first = true;
        loop {
            let count = match entry.read(&mut self.buffer) {
                Ok(count) => count,
                Err(error) => return Ok(End::Broken(error)),
            };
            let piece = &self.buffer[..count];
            if std::mem::take(&mut is_first) && piece.starts_with(self.mark) {
                self.marked.push(place.to_owned());
            }
            if count == 0 {
                break;
            }
            file.write_all(piece).map_err(failed)?;
        }
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(failed)?;
        if let Some(time) = entry
            .header()
            .mtime()
            .ok()
            .and_then(|it| it.try_into().ok())
        {
            let time = TimeSpec::new(time, 0);
            futimens(&file, &TimeSpec::UTIME_OMIT, &time).map_err(|errno| failed(errno.into()))?;
        }
        self.files += 1;
        Ok(End::Whole)
    }

    fn path(&self, place: &Path) -> PathBuf {
        self.destination.as_std_path().join(place)
    }

    fn cannot_write(&self, place: &Path, error: io::Error) -> Error {
        cannot_write(&self.destination, place, error)
    }
}

/// Names the file, and what is free when that is the trouble.
fn cannot_write(destination: &Utf8Path, place: &Path, error: io::Error) -> Error {
    let kind = error.kind();
    let what = format!("cannot write `{}`", place.display());
    let failed = Error::failed(what);
    if kind == io::ErrorKind::AlreadyExists {
        return failed.cause("there are two entries of this name, or one below a link");
    }
    let is_full = matches!(
        kind,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let failed = failed.cause(error);
    match disk::free_space(destination) {
        Ok(free) if is_full => failed.hint(format!("`{destination}` has {free} left")),
        _ => failed,
    }
}

/// The path of an entry, when it is one below the folder it is unpacked into.
fn plain_path(bytes: &[u8]) -> Result<PathBuf> {
    let path = Path::new(OsStr::from_bytes(bytes));
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if path.components().next().is_none() || !path.components().all(is_plain) {
        let what = format!("`{}` leads out of the release", path.display());
        return Err(Error::failed(what).cause("it was not unpacked"));
    }
    // Without the slash at the end of folders.
    Ok(path.components().collect())
}

#[cfg(test)]
mod tests;
