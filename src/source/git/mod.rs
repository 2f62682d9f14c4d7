//! A git repository as the source of a release. It is asked for a commit, which is then fetched into
//! a mirror in the site's cache; exactly this commit is exported, whatever is pushed meanwhile.

mod export;
mod mirror;
mod modules;
mod program;
mod remote;
mod survey;

use std::fmt;
use std::time::Instant;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use serde::{Deserialize, Serialize};

use self::mirror::Mirror;
use self::modules::Parent;
use self::program::Remote;
use super::revision::Revision;
use crate::config::git_url;
use crate::config::schema;
use crate::error::{Context, Error, Result};
use crate::host::signal::Patience;
use crate::host::tree::measure::Room;
use crate::report::Report;
use crate::site::{Site, make_dir};

pub use export::{Exported, export};
pub use remote::Wanted;

/// How many digits of a commit's number are shown.
const BRIEF: usize = 7;

/// One commit, with all that is needed to export it from the mirrors. Without passwords: it is
/// written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The address of the repository, as it is shown.
    pub url: String,
    /// What was asked for: a branch, a tag, a commit.
    pub name: String,
    /// Its number, in full.
    pub id: String,
    /// The directory of the repository that becomes the release.
    pub subdir: Option<Utf8PathBuf>,
    /// The submodules, those in others behind them.
    pub modules: Vec<Module>,
}

/// A submodule at its recorded commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Module {
    /// Where it lies, from the top of the repository.
    pub path: Utf8PathBuf,
    /// The number of the commit, in full.
    pub id: String,
}

impl fmt::Display for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(subdir) = &self.subdir {
            write!(f, "{subdir} of ")?;
        }
        match self.name == self.id {
            true => write!(f, "{}", self.id)?,
            false => write!(f, "{} ({})", self.name, self.id)?,
        }
        write!(f, " from {}", self.url)
    }
}

/// The path as git has it, without `.` in it.
fn plain(path: &Utf8Path) -> Utf8PathBuf {
    let parts = path.components();
    parts
        .filter(|part| *part != Utf8Component::CurDir)
        .collect()
}

/// The first digits of a commit's number.
fn brief(id: &str) -> &str {
    id.get(..BRIEF).unwrap_or(id)
}

/// A commit that was fetched.
#[derive(Debug)]
pub struct Fetched {
    /// The commit.
    pub commit: Commit,
    /// The same as the version of the code.
    pub revision: Revision,
    /// The room that its files will take.
    pub room: Room,
}

/// A repository that a site is released from.
pub struct Repository<'a> {
    site: &'a Site,
    settings: &'a schema::Source,
    url: &'a str,
    reference: Option<&'a str>,
    subdir: Option<Utf8PathBuf>,
}

impl<'a> Repository<'a> {
    /// The repository that the settings name, if they name one. `reference` wins over theirs.
    pub fn of(
        site: &'a Site,
        settings: &'a schema::Source,
        reference: Option<&'a str>,
    ) -> Option<Repository<'a>> {
        Some(Repository {
            site,
            settings,
            url: settings.git.as_deref()?,
            reference: reference.or(settings.reference.as_deref()),
            subdir: settings.subdir.as_deref().map(plain),
        })
    }

    /// Asks which commit is meant. Fetches nothing and changes nothing.
    ///
    /// # Errors
    /// In git's own words, when the repository cannot be reached; when it has nothing to release.
    pub fn ask(&self, patience: &Patience) -> Result<Wanted> {
        remote::ask(&self.remote(), self.reference, patience)
    }

    /// The commit as far as it is known without fetching.
    ///
    /// # Errors
    /// When the repository has nothing of this name.
    pub fn foreseen(&self, wanted: &Wanted) -> Result<Commit> {
        let id = match &wanted.id {
            Some(id) => id,
            None if wanted.is_short_id() => &wanted.name,
            None => {
                let cause = format!("couldn't find remote ref {}", wanted.name);
                return Err(self.unknown(wanted, Error::failed("").cause(cause)));
            }
        };
        Ok(self.commit(wanted, id, Vec::new()))
    }

    /// Sees to it that the commit and its submodules are in the mirrors. Only under the lock.
    ///
    /// # Errors
    /// In git's own words, when something cannot be fetched; when there is no such commit, or no
    /// such directory in it.
    pub fn fetch(
        &self,
        wanted: &Wanted,
        report: &dyn Report,
        patience: &Patience,
    ) -> Result<Fetched> {
        let began = Instant::now();
        let fetching = Fetching {
            site: self.site,
            report,
            patience,
        };
        if wanted.is_double {
            let name = &wanted.name;
            report.warning(&format!(
                "a branch and a tag are called `{name}`: taking the branch"
            ));
        }
        let shown = git_url::masked(self.url);
        report.started("Fetching", &format!("{} from {shown}", wanted.name));
        make_dir(&self.site.cache_dir(), 0o755)
            .and_then(|()| make_dir(&self.site.mirrors_dir(), 0o700))
            .context("cannot make the cache")?;
        let mirror = fetching.mirror(None, self.remote());
        mirror.make(wanted.is_sha256)?;
        let id = self.brought(wanted, &mirror)?;
        let subdir = self.subdir.as_deref();
        let survey = mirror.survey(&id, subdir)?;
        let survey = survey.ok_or_else(|| Error::failed("the mirror changed meanwhile"))?;
        if let Some(subdir) = subdir.filter(|_| !survey.has_subdir) {
            let what = format!("there is no directory `{subdir}` in {}", wanted.name);
            return Err(Error::failed(what).hint("change `subdir` in zdd.toml"));
        }
        let what = match wanted.name == id {
            true => format!("{} from {shown}", brief(&id)),
            false => format!("{} ({}) from {shown}", wanted.name, brief(&id)),
        };
        report.finished("Fetched", &what, Some(began.elapsed()));
        let mut room = survey.room;
        let mut submodules = Vec::new();
        if self.settings.submodules {
            let parent = Parent {
                path: Utf8Path::new(""),
                mirror: &mirror,
                remote: self.remote(),
                id: &id,
                survey: &survey,
            };
            submodules = modules::fetch(&fetching, &parent, &mut room)?;
        } else {
            for (path, _) in &survey.modules {
                let path = path.display();
                report.warning(&format!(
                    "`{path}` is a submodule, and stays empty: `submodules = true` fetches it"
                ));
            }
        }
        let revision = Revision {
            id: id.clone(),
            time: mirror.time_of(&id)?,
            branch: Some(wanted.name.clone()),
            is_dirty: false,
        };
        Ok(Fetched {
            commit: self.commit(wanted, &id, submodules),
            revision,
            room,
        })
    }

    /// The number of the commit, which is in the mirror then.
    fn brought(&self, wanted: &Wanted, mirror: &Mirror<'_>) -> Result<String> {
        if let Some(id) = &wanted.id {
            mirror.bring(id, &[&wanted.spec])?;
            return match mirror.commit_of(id)? {
                Ok(id) => Ok(id),
                Err(finished) => {
                    let what = format!("`{}` names no commit", wanted.name);
                    Err(Error::failed(what).cause(self.remote().words(&finished)))
                }
            };
        }
        if wanted.is_short_id() {
            mirror.fetch_all()?;
            match mirror.commit_of(&wanted.name)? {
                Ok(id) => return Ok(id),
                Err(finished) => {
                    let words = self.remote().words(&finished);
                    if words.contains("ambiguous") {
                        let what = format!("`{}` is the beginning of several commits", wanted.name);
                        return Err(Error::failed(what)
                            .cause(words)
                            .hint("write more of its digits"));
                    }
                }
            }
        }
        mirror
            .fetch_named(&wanted.spec)
            .map_err(|error| self.unknown(wanted, error))
    }

    fn unknown(&self, wanted: &Wanted, error: Error) -> Error {
        if error.kind == crate::error::ErrorKind::Interrupted {
            return error;
        }
        let name = &wanted.name;
        let what = format!("`{}` has no `{name}`", git_url::masked(self.url));
        let hint = match name.strip_prefix("origin/") {
            Some(branch) => format!("write `{branch}`"),
            None => format!("git ls-remote {}", git_url::masked(self.url)),
        };
        Error { what, ..error }.hint(hint)
    }

    fn commit(&self, wanted: &Wanted, id: &str, modules: Vec<Module>) -> Commit {
        Commit {
            url: git_url::masked(self.url),
            name: wanted.name.clone(),
            id: id.to_owned(),
            subdir: self.subdir.clone(),
            modules,
        }
    }

    fn remote(&self) -> Remote<'a> {
        Remote {
            url: self.url,
            may_be_local: true,
        }
    }
}

/// Removes what a fetch left that was killed. Only under the lock.
pub fn sweep(site: &Site) {
    let Ok(mirrors) = site.mirrors_dir().read_dir_utf8() else {
        return;
    };
    for mirror in mirrors.flatten() {
        mirror::sweep(mirror.path());
    }
}

/// A fetch under way.
struct Fetching<'a> {
    site: &'a Site,
    report: &'a dyn Report,
    patience: &'a Patience,
}

impl Fetching<'_> {
    fn mirror<'m>(&'m self, module: Option<&Utf8Path>, remote: Remote<'m>) -> Mirror<'m> {
        let path = self.site.mirror_dir(module);
        Mirror::new(path, remote, self.patience, self.report)
    }
}

#[cfg(test)]
mod tests;
