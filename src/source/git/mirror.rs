//! The bare mirror of a repository in the site's cache. It holds nothing that cannot be fetched
//! again: one that is damaged, half made or of another kind is made anew without a word from the
//! user. Only the holder of the site's lock changes it.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::program::{self, Remote};
use super::survey::Survey;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::host::command::Finished;
use crate::host::signal::Patience;
use crate::report::Report;

/// How long a fetch may take: the first one of a large repository over a slow line.
const FETCH_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// Where what is neither a branch nor a tag is kept.
const WANTED: &str = "refs/zdd/wanted";

/// All branches and tags, each under its own name.
const EVERYTHING: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// A mirror, which need not be there yet.
pub(super) struct Mirror<'a> {
    path: Utf8PathBuf,
    remote: Remote<'a>,
    patience: &'a Patience,
    report: &'a dyn Report,
}

impl<'a> Mirror<'a> {
    /// The mirror at a path, of a repository that may be another one than last time: addresses are
    /// given to git with each fetch and written down nowhere.
    pub fn new(
        path: Utf8PathBuf,
        remote: Remote<'a>,
        patience: &'a Patience,
        report: &'a dyn Report,
    ) -> Mirror<'a> {
        Mirror {
            path,
            remote,
            patience,
            report,
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Utf8Path {
        &self.path
    }

    /// What a commit holds below a directory; none when not all of it is here.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn survey(&self, id: &str, subdir: Option<&Utf8Path>) -> Result<Option<Survey>> {
        Survey::of(&self.path, id, subdir, self.patience)
    }

    /// Makes the mirror, or takes the one that is there when it is a whole repository of the right
    /// kind. Whether it is new.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn make(&self, is_sha256: bool) -> Result<bool> {
        let format = if is_sha256 { "sha256" } else { "sha1" };
        if self.format()?.as_deref() == Some(format) {
            sweep(&self.path);
            return Ok(false);
        }
        self.remove()?;
        let command =
            program::bare_of_settings().args(["init", "--quiet", "--bare", "--template="]);
        let command = command.arg(format!("--object-format={format}"));
        let made = program::run(&command.arg("--").arg(&self.path), self.patience)?;
        match made.ending.is_success() {
            true => Ok(true),
            false => {
                let what = format!("cannot make the mirror `{}`", self.path);
                Err(Error::failed(what).cause(self.remote.words(&made)))
            }
        }
    }

    /// Sees to it that a commit is here, whole: fetches what is missing, and makes the mirror anew
    /// when it is damaged. `specs` are other names of it, for a repository that gives no commit by
    /// its number.
    ///
    /// # Errors
    /// In git's own words, when the repository does not give it.
    pub fn bring(&self, id: &str, specs: &[&str]) -> Result<()> {
        if self.survey(id, None)?.is_some() {
            return Ok(());
        }
        self.mending(&|| self.fetch_commit(id, specs))
    }

    /// Fetches all branches and tags.
    ///
    /// # Errors
    /// In git's own words.
    pub fn fetch_all(&self) -> Result<()> {
        self.mending(&|| self.fetch(&EVERYTHING.map(str::to_owned)))
    }

    /// Fetches what git finds under a name, and returns the number of the commit.
    ///
    /// # Errors
    /// In git's own words, when there is no such thing, or it is no commit.
    pub fn fetch_named(&self, name: &str) -> Result<String> {
        self.mending(&|| self.fetch(&[format!("+{name}:{WANTED}")]))?;
        let found = self.commit_of(WANTED)?;
        found.map_err(|finished| {
            let what = format!("`{name}` names no commit");
            Error::failed(what).cause(self.remote.words(&finished))
        })
    }

    /// The number of the commit that a name or the beginning of a number means here, or what git
    /// says against it.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn commit_of(&self, name: &str) -> Result<Result<String, Finished>> {
        let args = ["rev-parse", "--verify", &format!("{name}^{{commit}}")];
        let found = program::run(&program::local(&self.path).args(args), self.patience)?;
        Ok(match found.ending.is_success() {
            true => Ok(found.stdout.trim().to_owned()),
            false => Err(found),
        })
    }

    /// When a commit was made, in seconds since 1970.
    ///
    /// # Errors
    /// When git cannot be run.
    pub fn time_of(&self, id: &str) -> Result<Option<i64>> {
        let args = ["log", "-1", "--format=%ct", id, "--"];
        let told = program::run(&program::local(&self.path).args(args), self.patience)?;
        Ok(told.stdout.trim().parse().ok())
    }

    fn fetch_commit(&self, id: &str, specs: &[&str]) -> Result<()> {
        self.fetch(&EVERYTHING.map(str::to_owned))?;
        let mut refusal = None;
        // It is on no branch any more, or never was.
        for name in std::iter::once(&id).chain(specs) {
            if self.survey(id, None)?.is_some() {
                return Ok(());
            }
            refusal = self.fetch(&[format!("+{name}:{WANTED}")]).err();
        }
        match (self.survey(id, None)?, refusal) {
            (Some(_), _) => Ok(()),
            (None, Some(error)) => Err(error),
            (None, None) => {
                let what = format!("`{id}` is no commit of `{}`", self.remote.shown());
                Err(Error::failed(what).cause("it was fetched, and is not there"))
            }
        }
    }

    fn fetch(&self, specs: &[String]) -> Result<()> {
        let command = self
            .remote
            .command(self.patience, FETCH_TIMEOUT)
            .arg(format!("--git-dir={}", self.path))
            // What was fetched is there as a whole pack or not at all.
            .args(["-c", "fetch.unpackLimit=1"])
            // Housekeeping of git is done before anything else goes on.
            .args([
                "-c",
                "gc.autoDetach=false",
                "-c",
                "maintenance.autoDetach=false",
            ])
            .args([
                "-c",
                "core.hooksPath=/dev/null",
                "fetch",
                "--quiet",
                "--force",
            ])
            .args(["--prune", "--no-tags", "--no-recurse-submodules"])
            .args(["--no-write-fetch-head", "--", self.remote.url])
            .args(specs);
        let finished = program::run(&command, self.patience)?;
        match finished.ending.is_success() {
            true => Ok(()),
            false => {
                // On a full disk it would stand in the way of all that follows.
                sweep(&self.path);
                let what = format!("cannot fetch from `{}`", self.remote.shown());
                Err(self.remote.failure(what, &finished))
            }
        }
    }

    /// Does something, and once more with a new mirror when this one turns out to be damaged.
    fn mending(&self, work: &dyn Fn() -> Result<()>) -> Result<()> {
        match work() {
            Err(error) if error.kind != ErrorKind::Interrupted && self.is_damaged()? => {
                let text = format!("the mirror `{}` is damaged: fetching all anew", self.path);
                self.report.warning(&text);
                let is_sha256 = self.format()?.as_deref() == Some("sha256");
                self.remove()?;
                self.make(is_sha256)?;
                work()
            }
            result => result,
        }
    }

    /// Whether something is missing that must be here.
    fn is_damaged(&self) -> Result<bool> {
        let args = [
            "fsck",
            "--connectivity-only",
            "--no-dangling",
            "--no-progress",
        ];
        let looked = program::run(&program::local(&self.path).args(args), self.patience)?;
        Ok(!looked.ending.is_success())
    }

    /// `sha1` or `sha256` of a repository; none when this is none.
    fn format(&self) -> Result<Option<String>> {
        let args = ["rev-parse", "--show-object-format"];
        let told = program::run(&program::local(&self.path).args(args), self.patience)?;
        let format = told.stdout.trim().to_owned();
        Ok(told.ending.is_success().then_some(format))
    }

    fn remove(&self) -> Result<()> {
        remove(&self.path)
    }
}

/// Removes what a git that was killed, or ended by a power cut, left in a mirror: locks that nobody
/// holds, packs that were never whole, empty files.
pub(super) fn sweep(mirror: &Utf8Path) {
    for entry in walkdir::WalkDir::new(mirror).into_iter().flatten() {
        let name = entry.file_name().to_string_lossy();
        let is_left = name.ends_with(".lock") || name.starts_with("tmp_") || name == "gc.pid";
        // A power cut leaves files without their contents; nothing of git is empty.
        let is_empty = || entry.metadata().is_ok_and(|metadata| metadata.len() == 0);
        if !entry.file_type().is_dir() && (is_left || is_empty()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Removes a mirror, or what stands in its place.
///
/// # Errors
/// When the file system refuses.
pub(super) fn remove(path: &Utf8Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.context(format!("cannot remove the mirror `{path}`"))
}
