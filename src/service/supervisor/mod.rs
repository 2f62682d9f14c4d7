//! Programs of supervisor, one for each release: `myapp-20261122014228` with a file of its own in
//! the directory that supervisor includes. Only that program is ever told of anything: a `reload`
//! of supervisor, or an `update` without a name, would restart what belongs to others.

mod control;
mod file;
mod include;
mod last_words;
mod status;
#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use fs_err as fs;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

pub use control::Supervisorctl;
pub use file::{Facts, log_paths, render};
pub use last_words::LastWords;
pub use status::{Phase, ProgramState};

use crate::config::schema::{Kind, Service};
use crate::error::{Context, Error, Finding, Result};
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;
use crate::host::{atomic_file, process};
use control::Verb;

/// The program of one release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    name: String,
    conf_dir: Utf8PathBuf,
    control: Supervisorctl,
}

/// How long the children of a stopped program may go on before they are told to end as well.
const CHILDREN_GRACE: Duration = Duration::from_secs(1);

/// How often it is looked whether they ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A program that supervisor has stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stopped {
    /// Processes that went on, and were then told to end.
    pub told: Vec<u32>,
    /// Those that go on all the same.
    pub left: Vec<u32>,
    /// How the others ended, where it ran.
    pub last_words: Option<LastWords>,
}

impl Program {
    /// The program of a release; `None` for other kinds of services.
    pub fn of(service: &Service, release: &str) -> Option<Program> {
        if service.kind() != Kind::Program {
            return None;
        }
        let short = service.program.as_deref().unwrap_or_default();
        Some(Program {
            name: format!("{short}-{release}"),
            conf_dir: service.conf_dir.clone(),
            control: Supervisorctl::of(service),
        })
    }

    /// The releases that have a program of this service's name: a file, or supervisor knows one.
    ///
    /// # Errors
    /// When supervisor cannot be asked, or its directory not be read.
    pub fn releases(service: &Service) -> Result<Vec<String>> {
        let Some(any) = Program::of(service, "") else {
            return Ok(Vec::new());
        };
        let mut names: Vec<String> = any.control.status()?.groups().collect();
        for entry in fs::read_dir(&any.conf_dir)? {
            let file = entry?.file_name().to_string_lossy().into_owned();
            names.extend(file.strip_suffix(".conf").map(str::to_owned));
        }
        let release = |name: &String| name.strip_prefix(&any.name).map(str::to_owned);
        let mut releases: Vec<String> = names.iter().filter_map(release).collect();
        releases.sort_unstable();
        releases.dedup();
        Ok(releases)
    }

    /// Its full name, for instance `myapp-20261122014228`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its file in supervisor's directory.
    pub fn file_path(&self) -> Utf8PathBuf {
        self.conf_dir.join(format!("{}.conf", self.name))
    }

    /// Whether supervisor would start it when it starts itself.
    pub fn is_written(&self) -> bool {
        self.file_path().exists()
    }

    /// The value of a key in its file.
    pub fn value(&self, key: &str) -> Option<String> {
        let text = fs::read_to_string(self.file_path()).ok()?;
        file::value(&text, key)
    }

    /// Whether its file was written for another site: two sites may use one name.
    pub fn is_of_another_site(&self, root: &camino::Utf8Path) -> bool {
        let text = fs::read_to_string(self.file_path());
        text.is_ok_and(|text| !file::belongs_to(&text, root))
    }

    /// What supervisor says of it now.
    ///
    /// # Errors
    /// When supervisor cannot be asked.
    pub fn state(&self) -> Result<ProgramState> {
        Ok(self.control.status()?.of(&self.name))
    }

    /// Writes its file, durably. Nothing is started by that.
    ///
    /// # Errors
    /// When the text is not that of this program, or the directory may not be written to.
    pub fn write(&self, text: &str) -> Result<()> {
        file::check(text, &self.name)?;
        let path = self.file_path();
        atomic_file::replace(&path, text.as_bytes(), 0o644)
            .context(format!("cannot write `{path}`"))
    }

    /// Lets supervisor read its file, and start it where it does not run. Returns before it runs.
    ///
    /// # Errors
    /// When supervisor refuses; its own words are the cause.
    pub fn start(&self, limit: Duration, patience: &Patience) -> Result<()> {
        self.control.call(&Verb::Reread, limit, patience)?;
        let before = self.state()?;
        self.control
            .call(&Verb::Update(&self.name), limit, patience)?;
        // Known and ended before: the same file would change nothing.
        if before.is_known() && !before.is_up() && !self.state()?.is_up() {
            self.control
                .call(&Verb::Start(&self.name), limit, patience)?;
        }
        if !self.state()?.is_known() {
            let what = format!("supervisor does not know `{}` by its file", self.name);
            let error = Error::failed(what);
            return Err(match include::missing(&self.control, &self.file_path()) {
                Some(finding) => {
                    let hint = finding.hint.unwrap_or_default();
                    error.cause(finding.message).hint(hint)
                }
                None => error.hint(format!(
                    "let the files of supervisor include `{}`",
                    self.conf_dir
                )),
            });
        }
        Ok(())
    }

    /// Lets supervisor not start it any more when it starts itself. It goes on running.
    ///
    /// # Errors
    /// When the directory may not be written to.
    pub fn remove_file(&self) -> Result<()> {
        let path = self.file_path();
        atomic_file::remove(&path).context(format!("cannot remove `{path}`"))
    }

    /// Stops it and waits for its end, its children's too; supervisor forgets it when its file is
    /// gone. Supervisor ends only the process that it started, unless `stopasgroup` is set: what
    /// goes on is told to end here, and may take as long as `drain`.
    ///
    /// # Errors
    /// When supervisor refuses.
    pub fn stop(&self, limit: Duration, drain: Duration, patience: &Patience) -> Result<Stopped> {
        let state = self.state()?;
        let known = alive(state.processes());
        if state.is_known() && !state.is_ended() {
            self.control
                .call(&Verb::Stop(&self.name), limit, patience)?;
        }
        let was_running = !state.pids().is_empty();
        let last_words = was_running.then(|| LastWords::of(&self.control, &state));
        if state.is_known() && !self.is_written() {
            self.control
                .call(&Verb::Update(&self.name), limit, patience)?;
        }
        let told = survivors(known, CHILDREN_GRACE, patience);
        for (pid, _) in &told {
            let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
        }
        let left = survivors(told.clone(), drain, patience);
        let pids = |of: Vec<(u32, Ticks)>| of.into_iter().map(|(pid, _)| pid).collect();
        Ok(Stopped {
            told: pids(told),
            left: pids(left),
            last_words,
        })
    }

    /// What it printed last to its standard error, or to its standard output where that is all.
    pub fn tail(&self) -> Vec<String> {
        let Ok(state) = self.state() else {
            return Vec::new();
        };
        let Some(member) = state.worst() else {
            return Vec::new();
        };
        let read = |channel| self.control.tail(&member.full_name, channel).ok();
        let text = read("stderr").filter(|text| !text.trim().is_empty());
        let text = text.or_else(|| read("stdout")).unwrap_or_default();
        text.trim_end().lines().map(str::to_owned).collect()
    }

    /// Why it cannot be started here: supervisor does not answer, its directory may not be written
    /// to or is not included, sudo asks for a password.
    pub fn obstacles(&self, user: &str) -> Vec<Finding> {
        let mut findings = Vec::new();
        findings.extend(self.control.refused_by_sudo(user, &self.name));
        if findings.is_empty()
            && let Err(error) = self.state()
        {
            findings.push(Finding::from(error));
        }
        findings.extend(include::unwritable(&self.conf_dir, user));
        findings.extend(include::missing(&self.control, &self.file_path()));
        findings
    }
}

/// The processes that run, each with its start: a number may be used again.
fn alive(pids: Vec<u32>) -> Vec<(u32, Ticks)> {
    let started = |pid: u32| Some((pid, process::stat(pid).seen()?.started));
    pids.into_iter().filter_map(started).collect()
}

/// Those that still run a while later.
fn survivors(
    mut known: Vec<(u32, Ticks)>,
    limit: Duration,
    patience: &Patience,
) -> Vec<(u32, Ticks)> {
    let until = Instant::now() + limit;
    loop {
        known.retain(|(pid, started)| process::is_alive(*pid, *started));
        if known.is_empty() || Instant::now() >= until || !patience.sleep(LOOK_INTERVAL) {
            return known;
        }
    }
}
