//! Which version of the code a source directory holds: said by its own `REVISION` file, else by
//! git. Writing `REVISION` into the release is left to the step that makes the release.

use std::ffi::OsString;
use std::io::Read;
use std::time::Duration;

use camino::Utf8Path;
use serde::{Deserialize, Serialize};

use crate::host::command::Command;
use crate::host::signal::Patience;
use crate::site::{REVISION_NAME, REVISION_TIME_NAME};

/// How long git may take to name a commit.
const GIT_TIMEOUT: Duration = Duration::from_secs(10);

/// A longer name of a revision is cut: it goes into tables and headers.
const LONGEST_ID: usize = 200;

/// A version of the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revision {
    /// The commit, or whatever the `REVISION` file says in its first line.
    pub id: String,
    /// When it was committed, in seconds since 1970, as Capistrano's `REVISION_TIME` has it.
    pub time: Option<i64>,
    /// The branch that is checked out; of a git source, what was asked for.
    pub branch: Option<String>,
    /// Whether there are changes beside the commit, as git sees it: new files that it does not
    /// ignore count, too.
    #[serde(default)]
    pub is_dirty: bool,
}

impl Revision {
    /// Reads `REVISION` and `REVISION_TIME` of a directory, which a build server may have put
    /// there; without them asks git, as the caller would. None when neither knows: no git work
    /// tree, no commit yet, no `git`, a work tree that git calls unsafe because of its owner.
    pub fn of(directory: &Utf8Path, patience: &Patience) -> Option<Revision> {
        Revision::written(directory).or_else(|| Revision::of_work_tree(directory, patience))
    }

    fn written(directory: &Utf8Path) -> Option<Revision> {
        let id = first_line(&directory.join(REVISION_NAME))?;
        let time = first_line(&directory.join(REVISION_TIME_NAME));
        Some(Revision {
            id,
            time: time.and_then(|text| text.parse().ok()),
            branch: None,
            is_dirty: false,
        })
    }

    fn of_work_tree(directory: &Utf8Path, patience: &Patience) -> Option<Revision> {
        let log = [
            "-c",
            "log.showSignature=false",
            "log",
            "-1",
            "--format=%H %ct",
        ];
        let head = git(directory, &log, patience)?;
        let (id, time) = head.split_once(' ')?;
        Some(Revision {
            id: id.to_owned(),
            time: time.parse().ok(),
            branch: git(
                directory,
                &["symbolic-ref", "--quiet", "--short", "HEAD"],
                patience,
            ),
            is_dirty: is_dirty(directory, patience),
        })
    }
}

/// The first line of a small text file, if it says something.
fn first_line(path: &Utf8Path) -> Option<String> {
    let mut bytes = Vec::new();
    // Opening a named pipe would wait for its writer.
    if !fs_err::metadata(path).ok()?.is_file() {
        return None;
    }
    let file = fs_err::File::open(path).ok()?;
    file.take(LONGEST_ID as u64).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next()?.trim();
    let is_plain = !line.is_empty() && !line.chars().any(char::is_control);
    is_plain.then(|| line.to_owned())
}

/// Whether git names a change. It is believed only when it comes to the end of its list.
fn is_dirty(directory: &Utf8Path, patience: &Patience) -> bool {
    let args = [
        "status",
        "--porcelain",
        "--untracked-files=normal",
        "--",
        ".",
    ];
    let listed = command(directory, &args).capture(patience);
    listed.map_or(true, |it| !it.ending.is_success() || !it.stdout.is_empty())
}

/// What git prints, if it prints something.
fn git(directory: &Utf8Path, args: &[&str], patience: &Patience) -> Option<String> {
    let finished = command(directory, args).capture(patience).ok()?;
    let line = finished.stdout.trim();
    (finished.ending.is_success() && !line.is_empty()).then(|| line.to_owned())
}

/// git in a work tree, in which it only reads.
fn command(directory: &Utf8Path, args: &[&str]) -> Command {
    Command::new("git")
        .args([
            "-C",
            directory.as_str(),
            "--no-pager",
            "--no-optional-locks",
        ])
        .args(args)
        .env(environment_without_git())
        .timeout(GIT_TIMEOUT)
}

/// In a git hook (`post-receive` is a common place for a release) git has set `GIT_DIR` and others
/// to the repository that was pushed to; here they would win over the directory.
fn environment_without_git() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os().filter(|(name, _)| !name.as_encoded_bytes().starts_with(b"GIT_"))
}

#[cfg(test)]
mod tests;
