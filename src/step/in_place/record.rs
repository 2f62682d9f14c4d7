//! The instances that were last made live, written down with the start time of each, so that a
//! pid which belongs to somebody else by now is recognised.

use std::collections::BTreeMap;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::Instance;
use crate::error::{Context, Result};
use crate::host::atomic_file;
use crate::site::Site;

/// What is known of the live instances, by service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Each with its port.
    pub services: BTreeMap<String, Instance>,
}

impl Known {
    /// What was written down. A file that is not understood says nothing: the pid files do.
    pub fn of(site: &Site) -> Known {
        let bytes = fs::read(site.in_place_record_path()).unwrap_or_default();
        serde_json::from_slice(&bytes).unwrap_or_default()
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
