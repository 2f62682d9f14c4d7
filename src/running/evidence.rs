//! One process as the decision sees it: only what lies in a release, and how it relates to other
//! processes. Plain data, so that a test can write any case down.

use camino::Utf8PathBuf;

use crate::host::ticks::Ticks;

/// A path that lies in a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The id of the release.
    pub release: String,
    /// The whole path.
    pub path: Utf8PathBuf,
}

/// What was seen of one process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub pid: u32,
    pub parent: u32,
    /// When it was forked.
    pub started: Ticks,
    /// New with every exec, inherited by a fork; 0 when it could not be read.
    pub image: u64,
    /// The image of the parent, also of one outside the service.
    pub parent_image: u64,
    /// The command line, shortened.
    pub command: String,
    /// Whether this user may not look at its files.
    pub is_denied: bool,
    /// The listening sockets it holds.
    pub sockets: Vec<u64>,
    pub cwd: Option<Place>,
    pub exe: Option<Place>,
    pub maps: Vec<Place>,
    /// The interpreter or the script, where the command line names a release by its id.
    pub argv: Option<Place>,
    /// The interpreter or the script, where the command line goes through `current`.
    pub through_current: Option<Utf8PathBuf>,
    /// The program file, wherever it lies.
    pub program: Utf8PathBuf,
}
