//! How the nginx of `[proxy]` stands now.

use camino::Utf8PathBuf;
use serde::Serialize;

use super::Before;
use super::findings::{not_running, refuse_unread};
use crate::config::schema::Proxy;
use crate::error::{Error, Result};

/// The nginx that leads users to the live release.
#[derive(Debug, Serialize)]
pub struct State {
    /// The settings that zdd writes for it.
    pub settings: Utf8PathBuf,
    /// The process id of its master; none when it does not run.
    pub pid: Option<u32>,
    /// Why users are not led to the live release.
    #[serde(skip)]
    pub problem: Option<Error>,
}

impl State {
    /// Looks at it.
    ///
    /// # Errors
    /// When its unit cannot be asked.
    pub fn of(proxy: &Proxy) -> Result<State> {
        let before = Before::of(proxy)?;
        let front = before.front(proxy)?;
        let problem = match &before.master {
            Some(master) => refuse_unread(&front, master).err(),
            None => Some(not_running(&front)),
        };
        Ok(State {
            settings: proxy.output().to_owned(),
            pid: before.master.map(|master| master.pid),
            problem,
        })
    }
}
