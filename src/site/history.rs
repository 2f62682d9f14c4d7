//! All releases of a site in their order: the records, what lies in `releases/` without one, and
//! what `current` names. Order is by sequence number alone; names, file times and the clock all
//! mislead (`field/release-dirs.md` §2).

use std::collections::{BTreeMap, BTreeSet};

use fs_err as fs;
use time::OffsetDateTime;

use super::link::{self, Current};
use super::record::{self, Found};
use super::samples::RELEASES_WITH_SAMPLES;
use super::{Record, ReleaseId, Samples, Site, State, TRASH_PREFIX, adoption, revisions_log};
use crate::error::{Context, Error, Result};

/// Everything known about the releases of a site.
#[derive(Debug)]
pub struct History {
    /// The releases, oldest first.
    releases: Vec<Record>,
    /// Releases whose directory is there.
    present: BTreeSet<ReleaseId>,
    /// What `current` is.
    current: Current,
    /// Entries of `releases/` that are no releases, and broken records: reported, never touched.
    pub oddities: Vec<String>,
    /// Records that were made up just now, for directories without one.
    unsaved: BTreeSet<ReleaseId>,
    /// Releases whose record is there but cannot be used.
    broken: BTreeSet<ReleaseId>,
}

/// The file by which Deployer says that a release was taken back.
const BAD_MARK: &str = "BAD_RELEASE";

fn is_marked_bad(site: &Site, id: &ReleaseId) -> bool {
    site.release_dir(id).join(BAD_MARK).exists()
}

impl History {
    /// Reads everything; changes nothing.
    ///
    /// # Errors
    /// When `releases/` or a record exists but cannot be read.
    pub fn load(site: &Site) -> Result<History> {
        let current = link::read(site)?;
        let (present, mut oddities) = present_releases(site)?;
        let (mut records, broken) = saved_records(site, &mut oddities)?;
        let unknown: BTreeSet<ReleaseId> = present
            .iter()
            .filter(|id| !records.contains_key(*id))
            .cloned()
            .collect();
        let unsaved = unknown.clone();
        let (lost, foreign) = unknown.into_iter().partition(|id| broken.contains(id));
        let live = current.release();
        if !broken.is_empty() {
            adoption::rebuild(lost, live, &revisions_log::logged(site), &mut records);
        }
        let marked = foreign.iter().filter(|id| is_marked_bad(site, id));
        let marked = marked.cloned().collect();
        adoption::adopt(foreign, live, &marked, &mut records);
        let mut releases: Vec<Record> = records.into_values().collect();
        releases.sort_by_key(|record| record.seq);
        Ok(History {
            releases,
            present,
            current,
            oddities,
            unsaved,
            broken,
        })
    }

    /// Writes records for adopted releases, and sets broken ones aside. Only for the holder of the
    /// lock.
    ///
    /// # Errors
    /// When a record cannot be written.
    pub fn settle(&mut self, site: &Site, now: OffsetDateTime) -> Result<()> {
        for id in &self.broken {
            let path = site.record_path(id);
            let aside = path.with_extension(format!("broken-{}", now.unix_timestamp()));
            fs::rename(&path, &aside).context("cannot set a broken record aside")?;
        }
        self.broken.clear();
        for record in self
            .releases
            .iter()
            .filter(|record| self.unsaved.contains(&record.id))
        {
            record.save(site)?;
        }
        self.unsaved.clear();
        Ok(())
    }

    /// Lets go of the samples of all but the newest releases that have some; those of `touched`, the
    /// release that the command was about, stay in any case. Only for the holder of the lock.
    ///
    /// # Errors
    /// When a record cannot be written.
    pub fn forget_samples(&mut self, site: &Site, touched: &ReleaseId) -> Result<()> {
        let with_samples = self.releases.iter_mut().rev();
        let with_samples = with_samples.filter(|record| !record.samples.is_empty());
        for record in with_samples.skip(RELEASES_WITH_SAMPLES) {
            if record.id != *touched {
                record.samples = Samples::default();
                record.save(site)?;
            }
        }
        Ok(())
    }

    /// The releases, oldest first, deleted ones included.
    pub fn releases(&self) -> &[Record] {
        &self.releases
    }

    /// Whether the directory of a release is there.
    pub fn is_present(&self, id: &ReleaseId) -> bool {
        self.present.contains(id)
    }

    /// What `current` is.
    pub fn current(&self) -> &Current {
        &self.current
    }

    /// The record of the release that `current` names.
    pub fn live(&self) -> Option<&Record> {
        self.find(self.current.release()?)
    }

    /// The record of one release.
    pub fn find(&self, id: &ReleaseId) -> Option<&Record> {
        self.releases.iter().find(|record| record.id == *id)
    }

    /// The state that a release shows. The link wins: what it names is live, nothing else is.
    pub fn state_of(&self, record: &Record) -> State {
        let is_current = self.current.release() == Some(&record.id);
        match record.state {
            _ if is_current => State::Live,
            State::Live => State::Retired,
            state if !self.is_present(&record.id) && state != State::Failed => State::Pruned,
            state => state,
        }
    }

    /// Where a plain rollback goes: the newest good release older than the current one.
    pub fn previous(&self) -> Option<&Record> {
        let live = self.live()?;
        self.releases.iter().rev().find(|record| {
            record.seq < live.seq && self.state_of(record).is_good() && self.is_present(&record.id)
        })
    }

    /// The place in the order for a release that is begun now.
    pub fn next_seq(&self) -> i64 {
        self.releases
            .iter()
            .map(|record| record.seq)
            .max()
            .unwrap_or(0)
            + 1
    }

    /// The name for a release that is begun at `now`.
    pub fn next_id(&self, now: OffsetDateTime) -> ReleaseId {
        ReleaseId::next(now, |id| self.is_present(id) || self.find(id).is_some())
    }

    /// The release that a user named.
    ///
    /// # Errors
    /// When there is none of that name, or its files are gone.
    pub fn named(&self, id: &ReleaseId) -> Result<&Record> {
        let hint = "see `zdd list`";
        let record = self
            .find(id)
            .ok_or_else(|| Error::failed(format!("there is no release `{id}`")).hint(hint))?;
        if !self.is_present(id) {
            let message = format!("the files of release `{id}` were deleted");
            return Err(Error::failed(message).hint(hint));
        }
        Ok(record)
    }
}

/// The releases whose directories are there, and the names of everything else beside them.
fn present_releases(site: &Site) -> Result<(BTreeSet<ReleaseId>, Vec<String>)> {
    let mut present = BTreeSet::new();
    let mut oddities = Vec::new();
    let entries = match fs::read_dir(site.releases_dir()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok((present, oddities));
        }
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        match name.parse::<ReleaseId>() {
            Ok(id) if is_directory => {
                present.insert(id);
            }
            _ if name.starts_with(TRASH_PREFIX) => {}
            _ => oddities.push(format!("`releases/{}` is no release", name.escape_debug())),
        }
    }
    Ok((present, oddities))
}

/// The records by name, and the releases whose record is broken.
fn saved_records(
    site: &Site,
    oddities: &mut Vec<String>,
) -> Result<(BTreeMap<ReleaseId, Record>, BTreeSet<ReleaseId>)> {
    let mut records = BTreeMap::new();
    let mut broken = BTreeSet::new();
    let entries = match fs::read_dir(site.records_dir()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((records, broken)),
        Err(error) => return Err(error.into()),
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let Some(Ok(id)) = name.strip_suffix(".json").map(str::parse::<ReleaseId>) else {
            continue;
        };
        match record::read(&site.record_path(&id)) {
            Found::Record(record) => {
                records.insert(id, *record);
            }
            Found::Nothing => {}
            Found::Broken(why) => {
                oddities.push(format!("the record of release `{id}` is broken: {why}"));
                broken.insert(id);
            }
            Found::Unreadable(error) => return Err(error.into()),
        }
    }
    Ok((records, broken))
}
