//! Calls of `systemctl`: one form for all of them, so that one line in sudoers allows it, always
//! with a timeout and never with a question for a password.

use std::time::Duration;

use crate::config::schema::Scope;
use crate::error::{Error, Result};
use crate::host::command::{Command, Ending, Finished};
use crate::host::signal::Patience;

/// Where Debian, Fedora and Arch have it. Sudoers must name a path.
const PATH: &str = "/usr/bin/systemctl";

/// How long a mere question to systemd may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// A verb that changes a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Let it read its code and settings again.
    Reload,
    /// Start it.
    Start,
    /// Stop it and start it.
    Restart,
    /// Stop it.
    Stop,
    /// Forget that it failed, and how often it was started lately.
    ResetFailed,
    /// Let it start at boot.
    Enable,
    /// Let it not start at boot.
    Disable,
}

impl Verb {
    /// The verbs that zdd uses on a plain unit.
    pub const OF_UNIT: [Verb; 5] = [
        Verb::Reload,
        Verb::Start,
        Verb::Restart,
        Verb::Stop,
        Verb::ResetFailed,
    ];

    /// The verbs that zdd uses on the instances of a template.
    pub const OF_INSTANCE: [Verb; 5] = [
        Verb::Start,
        Verb::Stop,
        Verb::Enable,
        Verb::Disable,
        Verb::ResetFailed,
    ];

    /// The word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Reload => "reload",
            Verb::Start => "start",
            Verb::Restart => "restart",
            Verb::Stop => "stop",
            Verb::ResetFailed => "reset-failed",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
        }
    }
}

/// How to reach the systemd that a unit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Systemctl {
    /// The system's, or the calling user's.
    pub scope: Scope,
    /// Whether changing calls go through `sudo -n`.
    pub through_sudo: bool,
}

impl Systemctl {
    /// Asks systemd for properties of a unit: `KEY=VALUE` lines.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub fn show(&self, unit: &str, properties: &[&str], patience: &Patience) -> Result<String> {
        let command = Command::new("systemctl")
            .args(self.user_flag())
            .args(["--no-ask-password", "--no-pager", "show", "-p"])
            .arg(properties.join(","))
            .args(["--", unit])
            .timeout(QUESTION_TIMEOUT);
        // The properties are of no use to who reads the error.
        let line = format!("systemctl show -- {unit}");
        let finished = self.run(&command, &line, unit, patience)?;
        Ok(finished.stdout)
    }

    /// The names of all units that systemd has loaded and that match a pattern.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let command = Command::new("systemctl")
            .args(self.user_flag())
            .args(["--no-ask-password", "--no-pager", "list-units", "--all"])
            .args(["--plain", "--no-legend", "--full", "--", pattern])
            .timeout(QUESTION_TIMEOUT);
        let finished = self.run(&command, &command.line(), pattern, &Patience::fresh())?;
        let name = |line: &str| line.split_whitespace().next().map(str::to_owned);
        Ok(finished.stdout.lines().filter_map(name).collect())
    }

    /// Changes a unit, in exactly the form that [`sudoers_line`](Self::sudoers_line) allows.
    ///
    /// # Errors
    /// When it fails or takes longer than `timeout`. The call is then given up; the job in systemd
    /// may go on.
    pub fn change(
        &self,
        verb: Verb,
        unit: &str,
        timeout: Duration,
        patience: &Patience,
    ) -> Result<()> {
        let program: &[&str] = match self.through_sudo {
            true => &["sudo", "-n", "systemctl"],
            false => &["systemctl"],
        };
        let command = Command::new(program[0])
            .args(&program[1..])
            .args(self.user_flag())
            .args(["--no-ask-password", verb.word(), "--", unit])
            .timeout(timeout);
        self.run(&command, &command.line(), unit, patience)
            .map(drop)
    }

    /// The line that lets `user` do this to `unit` by `sudo -n` and nothing else.
    pub fn sudoers_line(user: &str, verb: Verb, unit: &str) -> String {
        let verb = verb.word();
        format!("{user} ALL=(root) NOPASSWD: {PATH} --no-ask-password {verb} -- {unit}")
    }

    /// The line that lets `user` do all this to every instance of a template, and to nothing else:
    /// an anchored regular expression (sudo 1.9.10), since `myapp@*` would match further words.
    pub fn sudoers_line_of_instances(
        user: &str,
        verbs: &[Verb],
        prefix: &str,
        suffix: &str,
    ) -> String {
        let verbs: Vec<&str> = verbs.iter().map(|verb| verb.word()).collect();
        let literal = |text: &str| text.replace('.', "\\.");
        format!(
            "{user} ALL=(root) NOPASSWD: {PATH} ^--no-ask-password ({}) -- {}@[0-9]{{14}}{}$",
            verbs.join("|"),
            literal(prefix),
            literal(suffix)
        )
    }

    /// The same for a sudo without regular expressions: a line for each verb. A class matches one
    /// digit and nothing else.
    pub fn old_sudoers_lines_of_instances(
        user: &str,
        verbs: &[Verb],
        prefix: &str,
        suffix: &str,
    ) -> Vec<String> {
        let digits = "[0-9]".repeat(14);
        let unit = format!("{prefix}@{digits}{suffix}");
        let line = |verb: &Verb| Systemctl::sudoers_line(user, *verb, &unit);
        verbs.iter().map(line).collect()
    }

    /// The words that `sudo -n -l` must accept for that line to be in force.
    pub fn sudo_test(verb: Verb, unit: &str) -> Vec<String> {
        [
            "sudo",
            "-n",
            "-l",
            PATH,
            "--no-ask-password",
            verb.word(),
            "--",
            unit,
        ]
        .map(str::to_owned)
        .to_vec()
    }

    fn user_flag(&self) -> Option<&'static str> {
        (self.scope == Scope::User).then_some("--user")
    }

    fn run(
        &self,
        command: &Command,
        line: &str,
        unit: &str,
        patience: &Patience,
    ) -> Result<Finished> {
        let finished = command
            .capture(patience)
            .map_err(|error| Error::failed(format!("cannot run `{line}`")).cause(error))?;
        if finished.ending.is_success() {
            return Ok(finished);
        }
        let said = finished.tail.join(" ");
        let said = said.trim_end();
        let error = Error::failed(format!("`{line}` failed"));
        let error = match finished.ending {
            Ending::Exited(_) if !said.is_empty() => error.cause(said),
            ending => error.cause(ending),
        };
        Err(match advice(said, unit, self) {
            Some(hint) => error.hint(hint),
            None => error,
        })
    }
}

/// What to change, for the refusals that people meet.
fn advice(said: &str, unit: &str, systemctl: &Systemctl) -> Option<String> {
    let said = said.to_ascii_lowercase();
    let says = |part: &str| said.contains(part);
    if says("is not applicable") {
        Some(format!(
            "add `ExecReload=/bin/kill -HUP $MAINPID` to `{unit}`, or set `switch = \"restart\"` for it in zdd.toml"
        ))
    } else if says("not found") || says("not loaded") {
        Some(format!(
            "name an installed unit: `{unit}` is unknown to systemd"
        ))
    } else if says("a password is required") || says("not allowed to execute") {
        Some("`zdd check` prints the sudoers lines that this user needs".to_owned())
    } else if says("interactive authentication") || says("access denied") {
        Some(format!(
            "set `sudo = true` for `{unit}` in zdd.toml; `zdd check` prints the sudoers lines"
        ))
    } else if says("failed to connect to bus") && systemctl.scope == Scope::User {
        Some(
            "set XDG_RUNTIME_DIR=/run/user/$(id -u), and run `loginctl enable-linger` once"
                .to_owned(),
        )
    } else if says("start request repeated too quickly") || says("start-limit") {
        Some(format!(
            "run `systemctl reset-failed -- {unit}`, then start it"
        ))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYSTEM: Systemctl = Systemctl {
        scope: Scope::System,
        through_sudo: true,
    };

    #[test]
    fn a_sudoers_line_allows_one_verb_on_one_unit() {
        assert_eq!(
            Systemctl::sudoers_line("deploy", Verb::Reload, "myapp.service"),
            "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl --no-ask-password reload -- myapp.service"
        );
        assert_eq!(
            Systemctl::sudo_test(Verb::ResetFailed, "a.service").join(" "),
            "sudo -n -l /usr/bin/systemctl --no-ask-password reset-failed -- a.service"
        );
    }

    #[test]
    fn one_line_allows_all_instances_of_a_template_and_no_other_unit() {
        assert_eq!(
            Systemctl::sudoers_line_of_instances(
                "deploy",
                &Verb::OF_INSTANCE,
                "my.app",
                ".service"
            ),
            "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl ^--no-ask-password \
             (start|stop|enable|disable|reset-failed) -- my\\.app@[0-9]{14}\\.service$"
        );
    }

    #[test]
    fn an_old_sudo_gets_a_line_for_each_verb() {
        let verbs = [Verb::Start, Verb::ResetFailed];
        let lines = Systemctl::old_sudoers_lines_of_instances("deploy", &verbs, "app", ".service");
        let digits = "[0-9]".repeat(14);
        let unit = format!("app@{digits}.service");
        assert_eq!(
            lines[1],
            format!(
                "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl --no-ask-password reset-failed -- {unit}"
            )
        );
    }

    #[test]
    fn what_people_meet_comes_with_the_line_to_change() {
        for (said, advice_says) in [
            (
                "Failed to reload app.service: Job type reload is not applicable for unit app.service.",
                "ExecReload=/bin/kill -HUP $MAINPID",
            ),
            (
                "Failed to reload app.service: Unit app.service not found.",
                "unknown to systemd",
            ),
            (
                "Failed to restart app.service: Interactive authentication required.",
                "sudo = true",
            ),
            (
                "Failed to restart app.service: Access denied",
                "sudo = true",
            ),
            ("sudo: a password is required", "zdd check"),
        ] {
            let advice = advice(said, "app.service", &SYSTEM).unwrap();
            assert!(advice.contains(advice_says), "{said}: {advice}");
        }
        assert_eq!(
            advice("Job for app.service failed.", "app.service", &SYSTEM),
            None
        );
    }
}
