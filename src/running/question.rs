//! What is asked about a service: where its releases are, which one is wanted, since when, and
//! which processes are its own.

use camino::Utf8PathBuf;

use crate::host::ticks::Ticks;

use super::answer::Observation;

/// Everything about a service that does not change while its running release is awaited.
#[derive(Debug, Clone, Default)]
pub struct Question {
    /// The link to the live release, absolute, as configured. It need not resolve.
    pub current_path: Utf8PathBuf,
    /// The directory of the releases, absolute, as configured.
    pub releases_dir: Utf8PathBuf,
    /// The release that should run: the one `current` names.
    pub wanted: String,
    /// When `current` was flipped, best from [`Ticks::fence`] right after it and before the
    /// service is told. `None` when that is not known; then a working directory alone proves
    /// nothing.
    pub flipped_at: Option<Ticks>,
    /// What was observed of the same service before the flip: how many processes ran, and what
    /// their memory images were.
    pub before: Option<Observation>,
    /// The words the service is started with by its unit, when known. Servers that write a title
    /// over their command line hide them.
    pub start_words: Vec<String>,
    /// Paths that say nothing about a release, such as a cache that old and new release share.
    pub neutral: Vec<Utf8PathBuf>,
}

/// The processes of a service at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Processes {
    /// The main process, where there is such a thing.
    pub main: Option<u32>,
    /// All of them, the main one included.
    pub all: Vec<u32>,
}

impl From<(Option<u32>, Vec<u32>)> for Processes {
    fn from((main, all): (Option<u32>, Vec<u32>)) -> Self {
        Processes { main, all }
    }
}
