//! A dry boot: the new release run aside, as the unit would run it, on a socket of its own. Where
//! systemd can be asked for a transient unit it is one, with the unit's user, groups and
//! environment, and it ends with its whole control group; elsewhere it is a process of the caller.

use std::ffi::OsString;
use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use serde::{Deserialize, Serialize};

use super::process::{self, Launch};
use super::unit_state::UnitState;
use crate::config::schema::{Scope, Service};
use crate::error::{Context, Error, Result};
use crate::host::command::Command;
use crate::host::log_tail::{READ_LINES, condensed};
use crate::host::signal::Patience;
use crate::site::instance::Instance;

/// How long systemd may take to start or stop the transient unit.
const SYSTEMD_TIMEOUT: Duration = Duration::from_secs(30);

/// One dry boot, as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// The socket it is to listen on.
    pub socket: Utf8PathBuf,
    /// The transient unit, when it is one.
    pub unit: Option<String>,
    /// Whether that unit belongs to the caller's systemd.
    pub is_user_scope: bool,
    /// The release it runs in.
    pub directory: Utf8PathBuf,
    /// Where an own process writes its pid.
    pub pid_file: Utf8PathBuf,
}

impl Trial {
    /// Decides how it is run, and makes what it needs. Nothing is started yet.
    ///
    /// # Errors
    /// When the private directory cannot be made.
    pub fn prepare(service: &Service, directory: &Utf8Path) -> Result<Trial> {
        let name = format!("zdd-try-{}", std::process::id());
        let is_user_scope = service.scope == Scope::User;
        let runtime = match std::env::var("XDG_RUNTIME_DIR") {
            Ok(path) if is_user_scope || !nix::unistd::geteuid().is_root() => path.into(),
            _ if nix::unistd::geteuid().is_root() => Utf8PathBuf::from("/run"),
            _ => Utf8PathBuf::from(std::env::temp_dir().to_string_lossy().into_owned()),
        };
        let own = runtime.join(&name);
        let may_ask_systemd = is_user_scope || nix::unistd::geteuid().is_root();
        let has_systemd = Utf8Path::new("/run/systemd/system").exists();
        let is_transient = service.unit.is_some() && may_ask_systemd && has_systemd;
        if !is_transient {
            use std::os::unix::fs::DirBuilderExt;
            let what = "cannot make the dry boot's directory";
            std::fs::DirBuilder::new()
                .mode(0o700)
                .create(&own)
                .context(what)?;
        }
        Ok(Trial {
            socket: own.join("app.sock"),
            unit: is_transient.then(|| format!("{name}.service")),
            is_user_scope,
            directory: directory.to_owned(),
            pid_file: own.join("pid"),
        })
    }

    /// Starts it: a shell line, in the release.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        &self,
        line: &str,
        state: Option<&UnitState>,
        variables: Vec<(String, OsString)>,
        log: &Utf8Path,
    ) -> Result<()> {
        match (&self.unit, state) {
            (Some(unit), Some(state)) => self.start_unit(unit, line, state, &variables),
            _ => self.start_process(line, state, variables, log),
        }
    }

    /// Whether it still runs.
    pub fn is_running(&self) -> bool {
        match &self.unit {
            Some(unit) => {
                let shown = self.systemctl(&["show", "-p", "ActiveState", "--value", "--", unit]);
                shown.is_ok_and(|text| matches!(text.trim(), "active" | "activating"))
            }
            None => self
                .instance()
                .is_some_and(|found| process::is_running(found, &self.directory)),
        }
    }

    /// Ends it with everything it started, and clears up.
    ///
    /// # Errors
    /// When it does not end.
    pub fn end(&self) -> Result<()> {
        match &self.unit {
            Some(unit) => {
                // A unit that already ended is gone, and stopping it is refused.
                let _ = self.systemctl(&["stop", "--", unit]);
                if self.is_running() {
                    return Err(Error::failed(format!("the dry boot `{unit}` does not end")));
                }
            }
            None => {
                if let Some(instance) = self.instance() {
                    let patience = Patience::fresh();
                    process::stop(instance, &self.directory, Duration::from_secs(2), &patience)?;
                }
            }
        }
        if let Some(own) = self.socket.parent().filter(|own| own.exists()) {
            fs::remove_dir_all(own).context("cannot clear up after the dry boot")?;
        }
        Ok(())
    }

    /// What it printed, where that is in the journal of systemd.
    pub fn journal_tail(&self) -> Vec<String> {
        let Some(unit) = &self.unit else {
            return Vec::new();
        };
        let scope = if self.is_user_scope {
            "--user-unit"
        } else {
            "--unit"
        };
        let command = Command::new("journalctl")
            .args(["--quiet", "--no-pager", "-o", "cat"])
            .arg(format!("--lines={READ_LINES}"))
            .arg(format!("{scope}={unit}"));
        let finished = command.capture(&Patience::fresh());
        finished
            .map(|done| condensed(done.stdout.lines().map(str::to_owned).collect()))
            .unwrap_or_default()
    }

    fn start_unit(
        &self,
        unit: &str,
        line: &str,
        state: &UnitState,
        variables: &[(String, OsString)],
    ) -> Result<()> {
        let runtime = unit.trim_end_matches(".service");
        let mut properties = vec![
            format!("WorkingDirectory={}", self.directory),
            format!("RuntimeDirectory={runtime}"),
            "RuntimeDirectoryMode=0700".to_owned(),
            "KillMode=control-group".to_owned(),
            "TimeoutStopSec=5".to_owned(),
        ];
        properties.extend(state.user.iter().map(|user| format!("User={user}")));
        properties.extend(state.group.iter().map(|group| format!("Group={group}")));
        properties.extend(
            state
                .environment_files
                .iter()
                .map(|file| format!("EnvironmentFile=-{file}")),
        );
        let own = variables.iter().filter(|(key, _)| key.starts_with("ZDD_"));
        let own = own.map(|(key, value)| format!("{key}={}", value.to_string_lossy()));
        let mut command = Command::new("systemd-run").args(["--quiet", "--collect"]);
        if self.is_user_scope {
            command = command.arg("--user");
        }
        command = command.arg(format!("--unit={unit}"));
        command = command.args(
            properties
                .iter()
                .map(|property| format!("--property={property}")),
        );
        let environment = state.environment.iter().cloned().chain(own);
        command = command.args(environment.map(|pair| format!("--setenv={pair}")));
        let finished = command
            .args(["--", "/bin/sh", "-c", line])
            .timeout(SYSTEMD_TIMEOUT)
            .capture(&Patience::fresh())
            .context("cannot run `systemd-run`")?;
        if finished.ending.is_success() {
            return Ok(());
        }
        Err(Error::failed("systemd refuses the dry boot").cause(finished.tail.join(" ")))
    }

    fn start_process(
        &self,
        line: &str,
        state: Option<&UnitState>,
        mut variables: Vec<(String, OsString)>,
        log: &Utf8Path,
    ) -> Result<()> {
        let of_unit = state
            .map(|state| state.environment.clone())
            .unwrap_or_default();
        let pairs = of_unit.iter().filter_map(|pair| pair.split_once('='));
        variables.extend(pairs.map(|(key, value)| (key.to_owned(), value.into())));
        let words = ["/bin/sh", "-c", line];
        let quoted = shlex::try_join(words).context("cannot start the dry boot")?;
        let instance = process::start(&Launch {
            line: &quoted,
            directory: &self.directory,
            environment: variables,
            log,
            pid_file: &self.pid_file,
        })?;
        // With its start time it is recognised wherever it changes to.
        fs::write(&self.pid_file, instance.to_string()).context("cannot start the dry boot")
    }

    fn instance(&self) -> Option<Instance> {
        Instance::parse(&fs::read_to_string(&self.pid_file).ok()?)
    }

    fn systemctl(&self, words: &[&str]) -> Result<String> {
        let mut command = Command::new("systemctl");
        if self.is_user_scope {
            command = command.arg("--user");
        }
        let command = command
            .arg("--no-ask-password")
            .args(words)
            .timeout(SYSTEMD_TIMEOUT);
        let finished = command
            .capture(&Patience::fresh())
            .context("cannot run `systemctl`")?;
        Ok(finished.stdout)
    }
}
