//! The code that a release is made from: what was asked for, what was found there, and whether that
//! is live already.

use camino::{Utf8Path, Utf8PathBuf};

use super::Context;
use super::release::Request;
use super::switching::refuse;
use crate::config::git_url;
use crate::error::{Error, ErrorKind, Finding, Result};
use crate::host::signal::Patience;
use crate::host::tree::measure::Room;
use crate::site::{History, Record};
use crate::source::Source;
use crate::source::directory::Directory;
use crate::source::git::{Repository, Wanted};
use crate::source::revision::Revision;
use crate::step::preconditions::Preconditions;

/// What was asked for, before anything was looked at.
pub enum Asked<'a> {
    /// A directory.
    Directory(Utf8PathBuf),
    /// A git repository.
    Git(Repository<'a>),
}

/// What was found there.
pub enum Found<'a> {
    /// A directory, and which version of the code it holds.
    Directory(Directory, Option<Revision>),
    /// What a repository has under the name.
    Git(&'a Repository<'a>, Wanted),
}

/// What the release will be made from, down to the commit.
pub struct Code {
    /// The source.
    pub source: Source,
    /// Its version.
    pub revision: Option<Revision>,
    /// The room its files take, where that is known.
    pub room: Option<Room>,
}

impl<'a> Asked<'a> {
    /// The SOURCE argument, else what `[source]` names.
    ///
    /// # Errors
    /// When nothing is named, or `--ref` makes no sense.
    pub fn of(context: &'a Context<'_>, request: &'a Request) -> Result<Asked<'a>> {
        let reference = request.reference.as_deref();
        if let Some(name) = reference.filter(|name| !git_url::is_ref_name(name)) {
            let what = format!("`{name}` is not the name of a branch, a tag or a commit");
            return Err(Error::usage(what).hint("write `main`, `v1.2.3` or the number of a commit"));
        }
        let settings = &context.config.source;
        let git = || Repository::of(&context.site, settings, reference).map(Asked::Git);
        let path = |path: &Utf8PathBuf| match reference {
            None => absolute(path).map(Asked::Directory),
            Some(_) => Err(Error::usage(format!(
                "`--ref` belongs to a git source, and `{path}` is a directory"
            ))
            .hint("name the repository in zdd.toml: `git = \"…\"` below `[source]`")),
        };
        let named = request.source.as_ref().map(path);
        let named = named.or_else(|| git().map(Ok));
        let named = named.or_else(|| settings.path.as_ref().map(path));
        named.unwrap_or_else(|| {
            let hint = "zdd release DIRECTORY, or `path` or `git` below `[source]` in zdd.toml";
            Err(Error::usage("no source is named").hint(hint))
        })
    }

    /// Looks at the directory, or asks the repository. Fetches nothing.
    ///
    /// # Errors
    /// When it cannot be used or reached.
    pub fn look(
        &'a self,
        context: &Context<'_>,
        conditions: &Preconditions<'_>,
        patience: &Patience,
    ) -> Result<Found<'a>> {
        match self {
            Asked::Directory(path) => {
                let releases = context.site.releases_dir();
                let exclude = &context.config.source.exclude;
                let directory = Directory::open(path, exclude, context.site.root(), &releases)?;
                let revision = directory.revision(patience);
                Ok(Found::Directory(directory, revision))
            }
            Asked::Git(repository) => {
                if let Some(finding) = conditions.missing_git() {
                    let error = Error::failed(finding.message);
                    return Err(error.hint(finding.hint.unwrap_or_default()));
                }
                repository
                    .ask(patience)
                    .map(|wanted| Found::Git(repository, wanted))
            }
        }
    }
}

impl Found<'_> {
    /// What the live release already is, when it was made from this very version of the code, with
    /// settings that take the same files of it.
    pub fn already(&self, context: &Context<'_>, history: &History) -> Option<String> {
        let (id, is_dirty) = match self {
            Found::Directory(_, revision) => {
                let revision = revision.as_ref()?;
                (&revision.id, revision.is_dirty)
            }
            Found::Git(_, wanted) => (wanted.id.as_ref()?, false),
        };
        already(context, history, id, is_dirty)
    }

    /// The room that the release will take, where that can be told.
    ///
    /// # Errors
    /// When the directory cannot be looked at.
    pub fn room(&self) -> Result<Option<Room>> {
        match self {
            Found::Directory(directory, _) => Ok(Some(directory.survey()?.room)),
            Found::Git(..) => Ok(None),
        }
    }

    /// The code as it will be released. What git has is fetched, except for a look at the plan.
    ///
    /// # Errors
    /// When it cannot be fetched.
    pub fn code(
        self,
        context: &Context<'_>,
        is_dry_run: bool,
        patience: &Patience,
    ) -> Result<Code> {
        let report = context.report;
        match self {
            Found::Directory(directory, revision) => Ok(Code {
                source: Source::Directory {
                    path: directory.path().to_owned(),
                },
                revision,
                room: None,
            }),
            Found::Git(repository, wanted) if is_dry_run => {
                let commit = repository.foreseen(&wanted)?;
                report.note("the repository was asked, and nothing was fetched");
                Ok(Code {
                    revision: Some(Revision {
                        id: commit.id.clone(),
                        time: None,
                        branch: Some(commit.name.clone()),
                        is_dirty: false,
                    }),
                    source: Source::Git(commit),
                    room: None,
                })
            }
            Found::Git(repository, wanted) => {
                let fetched = repository.fetch(&wanted, report, patience)?;
                Ok(Code {
                    source: Source::Git(fetched.commit),
                    revision: Some(fetched.revision),
                    room: Some(fetched.room),
                })
            }
        }
    }
}

impl Code {
    /// See [`Found::already`]; for a commit that was known only after it was fetched.
    pub fn already(&self, context: &Context<'_>, history: &History) -> Option<String> {
        let revision = self.revision.as_ref()?;
        already(context, history, &revision.id, revision.is_dirty)
    }
}

fn already(context: &Context<'_>, history: &History, id: &str, is_dirty: bool) -> Option<String> {
    let live = history.live()?;
    let is_same = !is_dirty && !live.is_dirty && live.revision.as_deref() == Some(id);
    (is_same && takes_the_same(context, live))
        .then(|| format!("{} is made from {id} already", live.id))
}

/// Whether the settings take the same files of a version as they did for the live release.
fn takes_the_same(context: &Context<'_>, live: &Record) -> bool {
    let now = &context.config.source;
    live.config.as_ref().is_none_or(|then| {
        let then = &then.source;
        (&then.exclude, &then.subdir, then.submodules)
            == (&now.exclude, &now.subdir, now.submodules)
    })
}

/// What stands against the release, and last of all that its source cannot be used. Alone, that
/// keeps its cause.
///
/// # Errors
/// All of it.
pub fn refuse_with<T>(mut findings: Vec<Finding>, found: Result<T>) -> Result<T> {
    let error = match found {
        Ok(found) => return refuse(findings).map(|()| found),
        Err(error) => error,
    };
    findings.push(Finding {
        hint: error.hint.clone(),
        ..Finding::new(error.to_string())
    });
    match findings.len() {
        1 => Err(Error { findings, ..error }),
        _ => Err(Error::from_findings(ErrorKind::Failed, findings)),
    }
}

/// The path from `/` on. `..` after a link means what the shell means by it.
fn absolute(path: &Utf8Path) -> Result<Utf8PathBuf> {
    if path.components().any(|part| part.as_str() == "..")
        && let Ok(resolved) = path.canonicalize_utf8()
    {
        return Ok(resolved);
    }
    Ok(camino::absolute_utf8(path)?.components().collect())
}
