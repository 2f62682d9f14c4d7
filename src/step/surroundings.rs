//! What the programs of a site are given by zdd: the clean environment, and the mask for what they
//! print.

use std::ffi::OsString;

use super::Mission;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::hook::env_file::EnvFile;
use crate::hook::{Environment, Facts, Mask};
use crate::host::socket::Address;
use crate::site::{ReleaseId, Site};

/// The same for all programs of a command.
pub struct Surroundings {
    /// The caller's environment, as far as it is passed on, and `env_file`.
    pub environment: Environment,
    /// What is not shown.
    pub mask: Mask,
}

impl Surroundings {
    /// Reads `env_file`, where the settings name one.
    ///
    /// # Errors
    /// When it cannot be read or understood.
    pub fn of(config: &Config) -> Result<Surroundings> {
        let env_file = config.env_file.as_deref().map(EnvFile::read).transpose()?;
        let env_file = env_file.unwrap_or_default();
        Ok(Surroundings {
            environment: Environment::new(&config.hooks, &env_file),
            mask: Mask::new(env_file.variables(), &config.hooks)?,
        })
    }

    /// The environment of a program that is no hook, run for a release.
    pub fn variables(&self, facts: &Facts) -> Vec<(String, OsString)> {
        self.environment
            .variables(None, facts)
            .into_iter()
            .collect()
    }

    /// The error without what must not be shown of what programs printed.
    pub fn masked(&self, error: Error) -> Error {
        let tail = error.tail.iter().map(|line| self.mask.apply(line));
        Error {
            tail: tail.collect(),
            cause: error.cause.map(|cause| self.mask.apply(&cause)),
            ..error
        }
    }
}

/// What programs are told of a release. `address` is the new instance's, where there is one.
pub fn facts(
    site: &Site,
    mission: &Mission,
    release: &ReleaseId,
    address: Option<Address>,
) -> Facts {
    Facts {
        root: site.root().to_owned(),
        release: release.to_string(),
        release_path: site.release_dir(release),
        previous: mission.from.as_ref().map(ReleaseId::to_string),
        previous_path: mission.from.as_ref().map(|id| site.release_dir(id)),
        current_path: site.current_path(),
        shared_path: site.shared_dir(),
        revision: mission
            .revision
            .as_ref()
            .map(|revision| revision.id.clone()),
        command: mission.verb,
        address,
    }
}
