//! Where the files of a release come from. How they are copied or unpacked is known to
//! `host::tree`; where a release lies, to `site`.

pub mod directory;
mod excluded;
pub mod git;
pub mod revision;

use std::fmt;
use std::path::{Component, Path};

use camino::Utf8PathBuf;
use serde::{Deserialize, Serialize};

/// Where the files of one release come from, fixed before any effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A directory on this host.
    Directory {
        /// Its path, from `/` on.
        path: Utf8PathBuf,
    },
    /// A commit, which is in the site's mirror by then.
    Git(git::Commit),
}

impl Source {
    /// Where the files come from, without which version of them it is.
    pub fn place(&self) -> &str {
        match self {
            Source::Directory { path } => path.as_str(),
            Source::Git(commit) => &commit.url,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Directory { path } => f.write_str(path.as_str()),
            Source::Git(commit) => commit.fmt(f),
        }
    }
}

/// Whether a link, given by its path in the release, leads out of it, by its text alone.
fn leads_outside(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count() - 1;
    for component in target.components() {
        match component {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth == 0 => return true,
            Component::ParentDir => depth -= 1,
        }
    }
    false
}
