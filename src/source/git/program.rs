//! How git is called. It never asks anybody anything, talks over a few protocols only, and ends
//! with zdd. What it prints is shown without passwords.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use camino::Utf8Path;

use crate::config::git_url;
use crate::error::{Error, ErrorKind, Result};
use crate::host::command::{Command, Ending, Finished};
use crate::host::signal::Patience;
use crate::report::text::harmless;

/// For what only reads the mirror.
const LOCAL_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// Ends of `ssh` that nobody waits for: it neither asks, nor hangs on a host that has gone.
const SSH_OPTIONS: &str =
    "-oBatchMode=yes -oConnectTimeout=20 -oServerAliveInterval=15 -oServerAliveCountMax=4";

/// Variables of the caller that git may see when it talks to a repository. All others that begin
/// with `GIT_` are about the caller's own repository: in a `post-receive` hook, say.
const KEPT: [&str; 7] = [
    "GIT_EXEC_PATH",
    "GIT_SSH_VARIANT",
    "GIT_PROXY_COMMAND",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_COUNT",
];

/// The same for all that begin so.
const KEPT_GROUPS: [&str; 4] = [
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_VALUE_",
    "GIT_SSL_",
    "GIT_HTTP_",
];

/// A repository somewhere, and how it may be reached.
#[derive(Debug, Clone, Copy)]
pub(super) struct Remote<'a> {
    /// Its address, passwords included.
    pub url: &'a str,
    /// Whether it may be one of this host. The submodule of a repository elsewhere may not.
    pub may_be_local: bool,
}

impl Remote<'_> {
    /// The address as it is shown.
    pub fn shown(&self) -> String {
        git_url::masked(self.url)
    }

    /// git as the caller has set it up, about to talk to this repository.
    pub fn command(&self, patience: &Patience, timeout: Duration) -> Command {
        let mut variables = environment(&|name| {
            KEPT.contains(&name) || KEPT_GROUPS.iter().any(|group| name.starts_with(group))
        });
        let ssh = ssh_command(&variables, patience);
        let is_allowed = |protocol: &&str| self.may_be_local || *protocol != "file";
        let protocols = git_url::PROTOCOLS.iter().copied().filter(is_allowed);
        let protocols = protocols.collect::<Vec<_>>().join(":");
        let mut set = |name: &str, value: &str| variables.push((name.into(), value.into()));
        set("GIT_ALLOW_PROTOCOL", &protocols);
        set("GIT_TERMINAL_PROMPT", "0");
        set("GIT_ASKPASS", "");
        set("SSH_ASKPASS", "");
        set("SSH_ASKPASS_REQUIRE", "never");
        set("GCM_INTERACTIVE", "never");
        set("GIT_SSH_COMMAND", &ssh);
        command(variables).timeout(timeout)
    }

    /// What git said, without passwords.
    pub fn words(&self, finished: &Finished) -> String {
        let said = finished.tail.iter().map(|line| line.trim_end());
        let said: Vec<_> = said.filter(|line| !line.is_empty()).collect();
        let mut text = said.join("\n");
        if text.is_empty() {
            text = format!("git ended with {}", finished.ending);
        } else if !matches!(finished.ending, Ending::Exited(_)) {
            text = format!("{text}\ngit: {}", finished.ending);
        }
        for secret in git_url::secrets_of(self.url) {
            text = text.replace(&secret, "***");
        }
        harmless(&git_url::masked_text(&text))
    }

    /// The error for something that git could not do.
    pub fn failure(&self, what: impl Into<String>, finished: &Finished) -> Error {
        let what = what.into();
        if finished.ending == Ending::Interrupted {
            return Error::new(ErrorKind::Interrupted, format!("interrupted: {what}"));
        }
        let words = self.words(finished);
        let hint = self.advice(&words);
        Error::failed(what).cause(words).hint(hint)
    }

    fn advice(&self, words: &str) -> String {
        const EXCEPTION: &str = "git config --global --add safe.directory ";
        let exception = words
            .lines()
            .map(str::trim)
            .find(|it| it.starts_with(EXCEPTION));
        if let Some(line) = exception {
            return line.to_owned();
        }
        let has = |texts: &[&str]| texts.iter().any(|text| words.contains(text));
        if has(&["Host key verification failed"]) {
            return "the host is not known to ssh: connect to it once, and compare its key".into();
        }
        if has(&[
            "Permission denied",
            "could not read Username",
            "could not read Password",
            "Authentication failed",
        ]) {
            return "git is not asked for a password: use a deploy key or a credential helper"
                .into();
        }
        format!("git ls-remote {}", self.shown())
    }
}

/// git on a mirror, with no settings but those of the mirror: a release looks the same whoever
/// makes it, and no filter of the caller's runs.
pub(super) fn local(mirror: &Utf8Path) -> Command {
    bare_of_settings().arg(format!("--git-dir={mirror}"))
}

/// git without anybody's settings.
pub(super) fn bare_of_settings() -> Command {
    let mut variables = environment(&|name| name == "GIT_EXEC_PATH");
    variables.retain(|(name, _)| name != "HOME" && name != "XDG_CONFIG_HOME");
    for (name, value) in [
        ("HOME", "/nonexistent"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_NO_REPLACE_OBJECTS", "1"),
        ("GIT_ALLOW_PROTOCOL", ""),
    ] {
        variables.push((name.into(), value.into()));
    }
    command(variables).timeout(LOCAL_TIMEOUT)
}

/// Runs it to the end and captures what it prints.
///
/// # Errors
/// When git cannot be started, and when a signal asked to stop.
pub(super) fn run(command: &Command, patience: &Patience) -> Result<Finished> {
    let finished = command
        .capture(patience)
        .map_err(|error| not_started(&error))?;
    if finished.ending == Ending::Interrupted {
        return Err(interrupted());
    }
    Ok(finished)
}

/// The error for a git that cannot be started.
pub(super) fn not_started(error: &std::io::Error) -> Error {
    let what = "git cannot be run";
    let hint = match error.kind() {
        std::io::ErrorKind::NotFound => "apt-get install git, or the same of your system",
        _ => "git --version",
    };
    Error::failed(what).cause(error).hint(hint)
}

/// The error for a signal that asked to stop.
pub(super) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, "interrupted while git was at work")
}

/// Not in the directory of the caller: that may be a repository with settings of its own.
fn command(variables: Vec<(OsString, OsString)>) -> Command {
    Command::new("git")
        .env(variables)
        .cwd("/")
        .ends_with_caller()
        .arg("--no-pager")
}

/// The caller's environment without what would lead git elsewhere; in the language of the advice.
fn environment(is_kept: &dyn Fn(&str) -> bool) -> Vec<(OsString, OsString)> {
    let is_own = |name: &OsStr| {
        let name = name.to_string_lossy();
        !name.starts_with("GIT_") || is_kept(&name)
    };
    let mut variables: Vec<_> = std::env::vars_os()
        .filter(|(name, _)| is_own(name) && name != "LANGUAGE")
        .collect();
    variables.push(("LC_ALL".into(), "C".into()));
    variables
}

/// The caller's own way to run ssh, told not to ask.
fn ssh_command(variables: &[(OsString, OsString)], patience: &Patience) -> String {
    let variable = |name| std::env::var(name).ok().filter(|text| !text.is_empty());
    let configured = || {
        let command = command(variables.to_vec());
        let command = command.args(["config", "--get", "core.sshCommand"]);
        let finished = command.capture(patience).ok()?;
        let line = finished.stdout.trim().to_owned();
        (finished.ending.is_success() && !line.is_empty()).then_some(line)
    };
    let program = || {
        let program = variable("GIT_SSH")?;
        shlex::try_quote(&program).ok().map(Into::into)
    };
    let base = variable("GIT_SSH_COMMAND")
        .or_else(configured)
        .or_else(program);
    format!("{} {SSH_OPTIONS}", base.as_deref().unwrap_or("ssh"))
}
