//! What was found: the release, how sure that is, and the paths in `/proc` that show it. It goes
//! into the journal, the records and the JSON output.

use std::fmt;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use crate::host::ticks::Ticks;

/// How the running release compares with the wanted one. The order is from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every judged process runs the wanted release, by strong evidence.
    Proved,
    /// Nothing speaks against it, but nothing proves it.
    Unproved,
    /// This user may not look.
    Unreadable,
    /// New code runs on the old release's virtualenv or libraries, or the other way round.
    Mixed,
    /// Another release runs.
    Stale,
}

impl Verdict {
    /// Whether the service runs something else than it should. [`Verdict::Unproved`] and
    /// [`Verdict::Unreadable`] are no failure, but are said.
    pub fn is_failure(self) -> bool {
        self >= Verdict::Mixed
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verdict::Proved => "proved",
            Verdict::Unproved => "unproved",
            Verdict::Unreadable => "unreadable",
            Verdict::Mixed => "mixed",
            Verdict::Stale => "stale",
        })
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EvidenceKind {
    /// The program file.
    Exe,
    /// A file mapped into memory, mostly a compiled library.
    Maps,
    /// The interpreter or script on the command line.
    Argv,
    /// The working directory.
    Cwd,
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EvidenceKind::Exe => "exe",
            EvidenceKind::Maps => "maps",
            EvidenceKind::Argv => "argv",
            EvidenceKind::Cwd => "cwd",
        })
    }
}

/// One path of one process that lies in a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The process.
    pub pid: u32,
    /// Where the path stood.
    pub kind: EvidenceKind,
    /// The path.
    pub path: Utf8PathBuf,
}

impl Evidence {
    /// Where in `/proc` it stands, and what stands there.
    pub fn place(&self) -> String {
        let Evidence { pid, kind, path } = self;
        match kind {
            EvidenceKind::Exe | EvidenceKind::Cwd => format!("`/proc/{pid}/{kind}` is `{path}`"),
            EvidenceKind::Maps => format!("`/proc/{pid}/maps` has `{path}`"),
            EvidenceKind::Argv => format!("`/proc/{pid}/cmdline` has `{path}`"),
        }
    }
}

/// A process of the old release that is about to go: as many of the new one took over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// The process.
    pub pid: u32,
    /// The release it runs.
    pub release: String,
    /// Its command line, shortened.
    pub command: String,
}

/// A process that was seen, to be known again after a flip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The process.
    pub pid: u32,
    /// When it was forked.
    pub started: Ticks,
    /// Changes with an exec; 0 when it could not be read.
    pub image: u64,
    /// Whether it was judged: it answered, or worked.
    pub is_judged: bool,
}

/// The running release of one service at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// The release that runs, as far as anything shows it; for a mixed one, the one it works in.
    pub release: Option<String>,
    /// How that compares with the wanted release.
    pub verdict: Verdict,
    /// Why the verdict is what it is, in words: a fragment for `not proved: …` or `cause: …`.
    pub reason: String,
    /// What shows it: for each judged process the path that decides.
    pub evidence: Vec<Evidence>,
    /// Old processes that finish what they began.
    pub leaving: Vec<Leaving>,
    /// Facts worth telling that change nothing.
    pub notes: Vec<String>,
    /// How many processes were judged, the leaving ones not counted.
    pub judged: usize,
    /// How many of them run the wanted release, by whatever evidence.
    pub arrived: usize,
    /// All processes of the service, the main one first where there is one.
    pub known: Vec<Known>,
}

impl Observation {
    /// Whether the service runs what it ran at the other moment, and is as sure of it. An undo
    /// aims at that.
    pub fn is_like(&self, other: &Observation) -> bool {
        self.release == other.release && self.verdict <= other.verdict
    }
}
