//! What is known about one release, as JSON in `.zdd/releases/<id>.json`. Records are history:
//! what users get is said by the link alone.

use std::collections::BTreeMap;
use std::io::{self, Read};

use camino::Utf8Path;
use fs_err as fs;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ReleaseId, Samples, Site};
use crate::config::Config;
use crate::error::{Context, Result};
use crate::host::atomic_file;

/// The version of the format. A record of a later version is never overwritten.
const SCHEMA: u32 = 1;

/// Records larger than this are not zdd's.
const SIZE_LIMIT: u64 = 8 << 20;

/// Most records fit in this.
const USUAL_BYTES: usize = 8 << 10;

/// Where a release stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its files are being made.
    Building,
    /// Complete and durable, not switched to yet.
    Ready,
    /// It is what users get.
    Live,
    /// It was live, and a later release took its place.
    Retired,
    /// It failed before the switch, or as the first one of a site after it.
    Failed,
    /// It was taken back after the switch.
    Bad,
    /// Its files were deleted.
    Pruned,
}

impl State {
    /// The word of the JSON and of `zdd list`.
    pub fn word(self) -> &'static str {
        match self {
            State::Building => "building",
            State::Ready => "ready",
            State::Live => "live",
            State::Retired => "retired",
            State::Failed => "failed",
            State::Bad => "bad",
            State::Pruned => "pruned",
        }
    }

    /// Whether it counts for `keep` and can be the target of a plain rollback.
    pub fn is_good(self) -> bool {
        matches!(self, State::Live | State::Retired)
    }

    /// Whether it can be switched to at all: it was complete and live once.
    pub fn can_be_live_again(self) -> bool {
        matches!(self, State::Live | State::Retired | State::Bad)
    }
}

/// One step of a release: its name, how long it took, how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepTime {
    /// One of the stable names.
    pub name: String,
    /// Wall time in milliseconds.
    pub ms: u64,
    /// Whether it ended well.
    pub ok: bool,
}

/// Why a release failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The step that failed.
    pub step: Option<String>,
    /// What failed.
    pub message: String,
    /// The innermost fact.
    pub cause: Option<String>,
    /// What to do next.
    pub hint: Option<String>,
}

/// Everything known about one release. No absolute path is needed to make sense of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The version of the format.
    pub schema: u32,
    /// Its name.
    pub id: ReleaseId,
    /// Its place in the order of releases, the only order there is.
    pub seq: i64,
    /// Where it stands.
    pub state: State,
    /// Whether another tool made it.
    #[serde(default)]
    pub adopted: bool,
    /// When it was begun.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub created_at: Option<OffsetDateTime>,
    /// When it last became live.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub live_at: Option<OffsetDateTime>,
    /// The commit it was made from.
    #[serde(default)]
    pub revision: Option<String>,
    /// The branch of that commit; of a git source, what was asked for.
    #[serde(default)]
    pub branch: Option<String>,
    /// Whether there were changes beside that commit.
    #[serde(default)]
    pub is_dirty: bool,
    /// Who made it.
    #[serde(default)]
    pub performer: Option<String>,
    /// How long its release took, in milliseconds.
    #[serde(default)]
    pub took_ms: Option<u64>,
    /// Whether prune leaves it alone whatever it is told.
    #[serde(default)]
    pub pinned: bool,
    /// Where its files came from: a directory, or the address of a git repository.
    #[serde(default)]
    pub source: Option<String>,
    /// Bytes on disk when it was sealed.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// Files and directories when it was sealed.
    #[serde(default)]
    pub inodes: Option<u64>,
    /// The steps of the last command that dealt with it.
    #[serde(default)]
    pub steps: Vec<StepTime>,
    /// Hooks that were left out on demand.
    #[serde(default)]
    pub skipped_hooks: Vec<String>,
    /// What hooks wrote to `ZDD_OUTPUT`.
    #[serde(default)]
    pub notes: BTreeMap<String, String>,
    /// What its `migrate` hook wrote there.
    #[serde(default)]
    pub migration_notes: BTreeMap<String, String>,
    /// Whether its `migrate` hook was begun.
    #[serde(default)]
    pub is_migrated: bool,
    /// Figures of the probe, as in the JSON of `zdd release`.
    #[serde(default)]
    pub cutover: Option<serde_json::Value>,
    /// How long after the switch it was taken back, in milliseconds, where the probe saw it.
    #[serde(default)]
    pub taken_back_ms: Option<u64>,
    /// The probe's requests. Only a few of the newest releases have them.
    #[serde(default)]
    pub samples: Samples,
    /// What each service ran in the end, as in the JSON of `zdd release`.
    #[serde(default)]
    pub running: Vec<serde_json::Value>,
    /// What became of the processes that ran before the switch, as in the JSON of `zdd release`.
    #[serde(default)]
    pub replaced: Vec<serde_json::Value>,
    /// What waited for the workers, as in the JSON of `zdd release`.
    #[serde(default)]
    pub queues: Vec<serde_json::Value>,
    /// What the logs complained of since the switch, as in the JSON of `zdd release`.
    #[serde(default)]
    pub complaints: Vec<serde_json::Value>,
    /// How each health check ended.
    #[serde(default)]
    pub health: Vec<serde_json::Value>,
    /// Why it failed.
    #[serde(default)]
    pub error: Option<Failure>,
    /// Until when its instances go on running after it was left, ready for a rollback.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub standby_until: Option<OffsetDateTime>,
    /// The effective settings it was made with.
    #[serde(default)]
    pub config: Option<Config>,
}

impl Record {
    /// A record that knows no more than the name and the place in the order.
    pub fn new(id: ReleaseId, seq: i64, state: State) -> Self {
        Record {
            schema: SCHEMA,
            id,
            seq,
            state,
            adopted: false,
            created_at: None,
            live_at: None,
            revision: None,
            branch: None,
            is_dirty: false,
            performer: None,
            took_ms: None,
            pinned: false,
            source: None,
            bytes: None,
            inodes: None,
            steps: Vec::new(),
            skipped_hooks: Vec::new(),
            notes: BTreeMap::new(),
            migration_notes: BTreeMap::new(),
            is_migrated: false,
            cutover: None,
            taken_back_ms: None,
            samples: Samples::default(),
            running: Vec::new(),
            replaced: Vec::new(),
            queues: Vec::new(),
            complaints: Vec::new(),
            health: Vec::new(),
            error: None,
            standby_until: None,
            config: None,
        }
    }

    /// Whether a hook said that its migration cannot be taken back.
    pub fn is_irreversible(&self) -> bool {
        self.notes
            .get("irreversible")
            .is_some_and(|value| matches!(value.as_str(), "true" | "yes" | "1"))
    }

    /// Writes the record durably.
    ///
    /// # Errors
    /// When the file system refuses; the old record is then still there.
    pub fn save(&self, site: &Site) -> Result<()> {
        let what = || format!("cannot write the record of release `{}`", self.id);
        let mut text = serde_json::to_vec_pretty(self).context(what())?;
        text.push(b'\n');
        atomic_file::replace(&site.record_path(&self.id), &text, 0o644).context(what())
    }
}

/// What was found where a record should be.
#[derive(Debug)]
pub enum Found {
    /// A record.
    Record(Box<Record>),
    /// Nothing.
    Nothing,
    /// Something that is no record; the text says why.
    Broken(String),
    /// No right to look.
    Unreadable(io::Error),
}

/// Reads the record at `path`. The name inside must be the one of the file.
pub fn read(path: &Utf8Path) -> Found {
    let mut bytes = Vec::with_capacity(USUAL_BYTES);
    let file = fs::File::open(path);
    match file.and_then(|file| file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes)) {
        Ok(_) if bytes.len() as u64 > SIZE_LIMIT => {
            return Found::Broken(format!(
                "more than {SIZE_LIMIT} bytes are too many for a record"
            ));
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Found::Nothing,
        Err(error) => return Found::Unreadable(error),
    }
    match serde_json::from_slice::<Record>(&bytes) {
        Ok(record) if record.schema > SCHEMA => Found::Unreadable(io::Error::other(format!(
            "`{path}` was written by a later version of zdd (format {})",
            record.schema
        ))),
        Ok(record) if Some(record.id.as_str()) == path.file_stem() => {
            Found::Record(Box::new(record))
        }
        Ok(record) => Found::Broken(format!("it names release `{}`", record.id)),
        Err(error) => Found::Broken(error.to_string()),
    }
}
