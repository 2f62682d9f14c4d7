//! Which program runs at a point: the line in `zdd.toml`, else the executable in the release.

use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use camino::{Utf8Path, Utf8PathBuf};

use super::account::Account;
use super::point::Point;
use crate::config::schema::{self, HookTable, Hooks};
use crate::config::units::Span;
use crate::error::{Context, Error, Result};
use crate::host::command::Command;

/// A hook that can be run.
#[derive(Debug, Clone)]
pub struct Hook {
    /// When it runs.
    pub point: Point,
    pub(super) program: Program,
    pub(super) account: Option<Account>,
    pub(super) timeout: Span,
}

/// What is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Program {
    /// A line for the shell.
    Line(String),
    /// An executable file.
    File(Utf8PathBuf),
}

impl Hook {
    /// The hook for a point, if the site has one: the line in `zdd.toml`, else the executable
    /// `hooks/<point>` below the release.
    ///
    /// # Errors
    /// When the file is there and cannot be run, or must not be run by root because others can
    /// write it, and when the user it is to run as cannot be had.
    pub fn find(point: Point, hooks: &Hooks, release_dir: &Utf8Path) -> Result<Option<Hook>> {
        let setting = match point.setting(hooks) {
            Some(schema::Hook::Line(line)) => HookTable {
                run: Some(line.clone()),
                user: None,
                timeout: None,
            },
            Some(schema::Hook::Table(table)) => table.clone(),
            None => HookTable {
                run: None,
                user: None,
                timeout: None,
            },
        };
        let user = setting.user.as_ref().or(hooks.user.as_ref());
        let account = user.map(|name| Account::named(name)).transpose()?;
        let program = match setting.run {
            Some(line) => Some(Program::Line(line)),
            None => {
                let path = release_dir.join(&hooks.dir).join(point.name());
                runnable(&path, account.as_ref())?.then_some(Program::File(path))
            }
        };
        Ok(program.map(|program| Hook {
            point,
            program,
            account,
            timeout: setting.timeout.unwrap_or(hooks.timeout),
        }))
    }

    /// What is run, for messages and `--dry-run`: the path of the file or the line.
    pub fn line(&self) -> &str {
        match &self.program {
            Program::Line(line) => line,
            Program::File(path) => path.as_str(),
        }
    }

    pub(super) fn command(&self) -> Command {
        match &self.program {
            Program::Line(line) => Command::shell(line),
            Program::File(path) => Command::new(path),
        }
    }
}

/// Whether there is such a file.
fn runnable(path: &Utf8Path, account: Option<&Account>) -> Result<bool> {
    let metadata = match fs_err::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if is_absent(path, &error) => return Ok(false),
        Err(error) => return Err(Error::failed("a hook cannot be run").cause(error)),
    };
    if !metadata.is_file() {
        return Err(Error::failed(format!(
            "`{path}` is not a file, though it has the name of a hook"
        ))
        .hint("rename it, or name another place with `[hooks] dir = …`"));
    }
    if metadata.permissions().mode() & 0o111 == 0 {
        return Err(
            Error::failed(format!("the hook `{path}` is not executable"))
                .hint(format!("chmod +x {path}")),
        );
    }
    if Account::is_root(account) {
        refuse_if_others_can_write(path)?;
    }
    Ok(true)
}

/// A link to nothing is not absent: somebody wanted a hook there.
fn is_absent(path: &Utf8Path, error: &io::Error) -> bool {
    let is_missing = matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    );
    is_missing && fs_err::symlink_metadata(path).is_err()
}

/// Root runs nothing that someone else could have put there: not the file, not one in its place.
fn refuse_if_others_can_write(path: &Utf8Path) -> Result<()> {
    let real = path.canonicalize_utf8().context("a hook cannot be run")?;
    for place in real.ancestors() {
        let metadata = fs_err::metadata(place)?;
        let mode = metadata.mode();
        let is_sticky = metadata.is_dir() && mode & 0o1000 != 0;
        let group_can_write = mode & 0o020 != 0 && metadata.gid() != 0 && !is_sticky;
        let all_can_write = mode & 0o002 != 0 && !is_sticky;
        if metadata.uid() != 0 || group_can_write || all_can_write {
            let error = Error::failed(format!("root does not run the hook `{path}`"));
            return Err(error
                .cause(format!("others than root can write `{place}`"))
                .hint("run zdd as the owner of the site, or name a user with `[hooks] user = …`"));
        }
    }
    Ok(())
}
