//! Which files of a release are another one's, put there so that pages of that one find them. All
//! its other files are its own.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

use super::{ReleaseId, Site, make_dir};
use crate::error::{Context, Result};
use crate::host::atomic_file;

/// The paths, relative to the release. A name may stand here whose file is not there: it is written
/// down before the file is linked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Bridged {
    /// Of the release whose place this one took.
    pub followed: BTreeSet<Utf8PathBuf>,
    /// Of the release that was last to take this one's place.
    pub follower: BTreeSet<Utf8PathBuf>,
    /// Of the one that tried before that.
    pub earlier: BTreeSet<Utf8PathBuf>,
}

impl Bridged {
    /// What is written down about a release: nothing, when it is not there or broken. Its files
    /// then count as its own.
    pub fn load(site: &Site, id: &ReleaseId) -> Bridged {
        let text = fs_err::read(site.bridged_path(id)).unwrap_or_default();
        serde_json::from_slice(&text).unwrap_or_default()
    }

    /// Writes it down, durably.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, site: &Site, id: &ReleaseId) -> Result<()> {
        let what = || format!("cannot write down what `{id}` has of others");
        let text = serde_json::to_vec(self).context(what())?;
        make_dir(&site.bridged_dir(), 0o755).context(what())?;
        atomic_file::replace(&site.bridged_path(id), &text, 0o644).context(what())
    }

    /// Forgets a release whose files are deleted.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn forget(site: &Site, id: &ReleaseId) -> Result<()> {
        atomic_file::remove(&site.bridged_path(id))
            .context(format!("cannot forget what `{id}` had of others"))
    }

    /// All paths that are not the release's own.
    pub fn all(&self) -> impl Iterator<Item = &Utf8PathBuf> {
        let tried = self.follower.iter().chain(&self.earlier);
        self.followed.iter().chain(tried)
    }
}
