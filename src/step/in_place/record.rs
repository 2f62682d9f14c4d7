//! The instances that were last made live, and those that users could not be led away from, written
//! down with the start time of each, so that a pid which belongs to somebody else by now is
//! recognised.

use std::collections::BTreeMap;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::Instance;
use crate::config::deploy_conf::Service;
use crate::error::{Context, Result};
use crate::host::atomic_file;
use crate::site::Site;
use crate::step::process::Process;

/// What is known of the live instances, by service, and of others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Each with its port.
    pub services: BTreeMap<String, Instance>,
    /// Those that were taken back and that users may still be led to. No pid file names them, and
    /// the journal may be set aside: the next release that leads users away ends them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<Left>,
}

/// An instance that was left running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// Its service, as it was then.
    pub service: Service,
    /// Its main process.
    #[serde(flatten)]
    pub process: Process,
}

impl Known {
    /// What was written down. A file that is not understood says nothing: the pid files do.
    pub fn of(site: &Site) -> Known {
        let bytes = fs::read(site.in_place_record_path()).unwrap_or_default();
        let mut known: Known = serde_json::from_slice(&bytes).unwrap_or_default();
        known.left.retain(|left| left.process.is_running());
        known
    }

    /// Writes it down.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn save(&self, site: &Site) -> Result<()> {
        let what = "cannot write down the instances";
        let text = serde_json::to_string(self).context(what)?;
        let path = site.in_place_record_path();
        atomic_file::replace(&path, text.as_bytes(), 0o644).context(what)
    }
}
