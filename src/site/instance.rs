//! The processes that zdd itself started: one small file for each service of a release, written by
//! the new process before it becomes the program, so that no kill of zdd can lose it.

use std::fmt;
use std::io;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::{ReleaseId, Site};
use crate::error::{Context, Result};
use crate::host::atomic_file;

/// A process that zdd started. It leads its own session and process group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its process id.
    pub pid: u32,
    /// Its start time in clock ticks since boot, so that a reused pid is recognised; none when zdd
    /// was killed before it could look.
    pub start_time: Option<u64>,
}

impl Instance {
    /// Reads what [`Display`](fmt::Display) wrote, or the pid alone, as a new process writes it.
    pub fn parse(text: &str) -> Option<Instance> {
        let mut words = text.split_whitespace();
        let pid = words.next()?.parse().ok()?;
        let start_time = words.next().and_then(|word| word.parse().ok());
        Some(Instance { pid, start_time })
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.pid)?;
        self.start_time
            .map_or(Ok(()), |ticks| write!(f, " {ticks}"))
    }
}

/// The process of the `index`-th service of a release, as far as it is known.
///
/// # Errors
/// When the file is there but cannot be read.
pub fn read(site: &Site, id: &ReleaseId, index: usize) -> Result<Option<Instance>> {
    let text = match fs::read_to_string(site.instance_path(id, index)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(Instance::parse(&text))
}

/// The places of the services whose processes are written down for a release. Today's settings may
/// name others than those it was started with.
///
/// # Errors
/// When the directory is there but cannot be read.
pub fn places(site: &Site, id: &ReleaseId) -> Result<Vec<usize>> {
    let directory = site.instances_dir();
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let prefix = format!("{id}-");
    let mut places = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let place = name
            .strip_prefix(&prefix)
            .and_then(|rest| rest.strip_suffix(".pid"));
        places.extend(place.and_then(|place| place.parse::<usize>().ok()));
    }
    places.sort_unstable();
    Ok(places)
}

/// Whether any process is written down.
pub fn any(site: &Site) -> bool {
    fs::read_dir(site.instances_dir()).is_ok_and(|mut entries| entries.next().is_some())
}

/// Writes down a process with its start time.
///
/// # Errors
/// When the file system refuses.
pub fn write(site: &Site, id: &ReleaseId, index: usize, instance: Instance) -> Result<()> {
    let text = format!("{instance}\n");
    let path = site.instance_path(id, index);
    atomic_file::replace(&path, text.as_bytes(), 0o644).context("cannot write the pid file")
}

/// Forgets a process.
///
/// # Errors
/// When the file system refuses.
pub fn forget(site: &Site, id: &ReleaseId, index: usize) -> Result<()> {
    if !site.instances_dir().exists() {
        return Ok(());
    }
    atomic_file::remove(&site.instance_path(id, index)).context("cannot remove the pid file")
}

#[cfg(test)]
mod tests {
    use camino::Utf8PathBuf;

    use super::*;

    #[test]
    fn processes_of_a_release_are_found_without_any_settings() {
        let directory = tempfile::tempdir().unwrap();
        let site = Site::new(Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap());
        let id: ReleaseId = "20260101000000".parse().unwrap();
        let other: ReleaseId = "20260102000000".parse().unwrap();
        assert_eq!(places(&site, &id).unwrap(), [0_usize; 0]);
        fs::create_dir_all(site.instances_dir()).unwrap();
        let instance = Instance {
            pid: 7,
            start_time: Some(99),
        };
        for place in [2, 0] {
            write(&site, &id, place, instance).unwrap();
        }
        write(&site, &other, 1, instance).unwrap();
        assert_eq!(places(&site, &id).unwrap(), [0, 2]);
        assert_eq!(read(&site, &id, 2).unwrap(), Some(instance));
        forget(&site, &id, 2).unwrap();
        assert_eq!(read(&site, &id, 2).unwrap(), None);
    }
}
