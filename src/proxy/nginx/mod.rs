//! nginx with settings that zdd writes: tested before they are put in place, replaced in one
//! rename, and proved to be in use by a new generation of workers. nginx itself tells nobody: a
//! signal to reload is always taken, and settings it cannot use are kept out without a word but in
//! its log (`field/cutover.md` §1c).

mod log;
mod master;
mod reads;
mod reload;
mod start;

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use crate::error::{Context, Error, Result};
use crate::host::atomic_file;
use crate::host::command::{Command, Finished};
use crate::host::signal::Patience;

pub use master::Master;
pub use reads::Reads;

/// How long a test of the settings may take: names of hosts in them are looked up.
const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the workers are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// One nginx: a file of settings, and who reads it.
#[derive(Debug, Clone, Copy)]
pub struct Nginx<'a> {
    /// The settings, as zdd writes them.
    pub settings: &'a Utf8Path,
    /// How its master is found.
    pub pid: Pid<'a>,
    /// Whether `nginx` is called through `sudo -n`.
    pub through_sudo: bool,
}

/// How the master of an nginx is found.
#[derive(Debug, Clone, Copy)]
pub enum Pid<'a> {
    /// It writes its pid there.
    File(&'a Utf8Path),
    /// Who started it knows its pid; none when it does not run.
    Known(Option<u32>),
}

impl Nginx<'_> {
    /// The master that runs. A number that belongs to another program by now is no nginx.
    pub fn master(&self) -> Option<Master> {
        match self.pid {
            Pid::File(file) => Master::of_pid_file(file),
            Pid::Known(pid) => Master::of_pid(pid?),
        }
    }

    /// Lets nginx itself look at settings before they are put in place. Settings that are a part
    /// of others can only be looked at when they are, and sudo allows no file of another name: that
    /// is [`test_placed`](Self::test_placed).
    ///
    /// # Errors
    /// What nginx has against them.
    pub fn test(&self, text: &str, reads: &Reads, patience: &Patience) -> Result<()> {
        let Reads::Whole { prefix } = reads else {
            return Ok(());
        };
        if self.through_sudo {
            return Ok(());
        }
        let directory = self.settings.parent().unwrap_or(Utf8Path::new("/"));
        let what = || format!("cannot write beside `{}`", self.settings);
        // In the same directory: what the settings include is looked for from there.
        let mut candidate = tempfile::Builder::new()
            .prefix(atomic_file::TEMPORARY)
            .tempfile_in(directory)
            .context(what())?;
        candidate.write_all(text.as_bytes()).context(what())?;
        let path = Utf8Path::from_path(candidate.path());
        let path = path.ok_or_else(|| Error::failed(what()))?;
        self.test_file(path, prefix.as_deref(), patience)
            .map_err(|error| Error {
                tail: renamed(error.tail, path, self.settings),
                ..error
            })
    }

    /// The same for settings in place that could not be looked at before.
    ///
    /// # Errors
    /// What nginx has against them.
    pub fn test_placed(&self, reads: &Reads, patience: &Patience) -> Result<()> {
        match reads {
            Reads::Included { main, prefix } => self.test_file(main, prefix.as_deref(), patience),
            Reads::Whole { prefix } if self.through_sudo => {
                self.test_file(self.settings, prefix.as_deref(), patience)
            }
            _ => Ok(()),
        }
    }

    /// Puts settings in place, as a whole and durably. A link stays a link.
    ///
    /// # Errors
    /// When the file system refuses; the old ones are then still there.
    pub fn place(&self, text: &[u8]) -> Result<()> {
        let path = self.settings.canonicalize_utf8();
        let path = path.unwrap_or_else(|_| self.settings.to_owned());
        let mode = fs::metadata(&path).map_or(0o644, |old| old.permissions().mode() & 0o7777);
        let what = format!("cannot write `{}`", self.settings);
        atomic_file::replace(&path, text, mode).context(what)
    }

    /// Tells the master to use what is in place, and waits until it does: there are new workers,
    /// and every old one has ended or says that it is shutting down.
    ///
    /// # Errors
    /// When it does not, or takes longer than two minutes; with what nginx wrote into its log since.
    pub fn reload(&self, master: &Master) -> Result<()> {
        let hang_up = || match master.hang_up() {
            Ok(true) => Ok(()),
            Ok(false) => Err(Error::failed("it ended")),
            Err(error) => Err(Error::from(std::io::Error::from(error))),
        };
        self.reload_by(master, &hang_up)
    }

    /// The same, where `tell` is what makes the master read its settings again.
    ///
    /// # Errors
    /// When it cannot be told, or as [`reload`](Self::reload).
    pub fn reload_by(&self, master: &Master, tell: &dyn Fn() -> Result<()>) -> Result<()> {
        reload::reload(self, master, tell)
    }

    /// Starts nginx with what is in place, and waits until it has workers. What it says before it
    /// has a log of its own goes to `said`.
    ///
    /// # Errors
    /// When it ends, or has no workers in time.
    pub fn start(&self, said: &Utf8Path, patience: &Patience) -> Result<Master> {
        start::start(self, said, patience)
    }
}

impl Nginx<'_> {
    /// `nginx -t`, or the longer form of it that tells what was read, so that sudo needs to allow
    /// only one.
    fn test_file(
        &self,
        file: &Utf8Path,
        prefix: Option<&Utf8Path>,
        patience: &Patience,
    ) -> Result<()> {
        let tested = self.dump(file, prefix, patience)?;
        if tested.ending.is_success() {
            return Ok(());
        }
        let error = Error::failed("nginx refuses its settings").cause(tested.ending);
        Err(error.tail(tested.tail).hint("correct the template"))
    }

    /// All settings that nginx reads from a file on, or why it cannot.
    fn dump(
        &self,
        file: &Utf8Path,
        prefix: Option<&Utf8Path>,
        patience: &Patience,
    ) -> Result<Finished> {
        let command = self.command(prefix).args(["-T", "-q", "-c"]).arg(file);
        let dumped = command.timeout(TEST_TIMEOUT).capture(patience);
        dumped.context("cannot run nginx")
    }

    fn command(&self, prefix: Option<&Utf8Path>) -> Command {
        let command = match self.through_sudo {
            true => Command::new("sudo").args(["-n", "--"]).arg(program()),
            false => Command::new(program()),
        };
        match prefix {
            Some(prefix) => command.arg("-p").arg(prefix),
            None => command,
        }
    }
}

/// Where nginx is: on the PATH, else where a user's PATH mostly does not lead.
fn program() -> Utf8PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin"];
    let mut places = path
        .split(':')
        .chain(usual)
        .map(|place| Utf8Path::new(place).join("nginx"));
    places
        .find(|program| program.is_file())
        .unwrap_or_else(|| "nginx".into())
}

/// What nginx says of the candidate, under the name that people know.
fn renamed(lines: Vec<String>, candidate: &Utf8Path, settings: &Utf8Path) -> Vec<String> {
    let lines = lines.into_iter();
    lines
        .map(|line| line.replace(candidate.as_str(), settings.as_str()))
        .collect()
}

#[cfg(test)]
mod tests;
