//! Calls of `supervisorctl`: always in the same few forms, so that one line in sudoers allows
//! them, always with a timeout. Its exit code alone says little: 0 also for a program that crashes
//! at once.

use std::time::Duration;

use camino::Utf8PathBuf;

use super::status::Status;
use crate::config::schema::Service;
use crate::error::{Error, Finding, Result};
use crate::host::command::{Command, Ending, Finished};
use crate::host::signal::Patience;

/// Where Debian, Fedora and Arch have it. Sudoers must name a path.
const PATH: &str = "/usr/bin/supervisorctl";

/// How long a mere question to supervisor may take.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(10);

/// How many bytes of a program's output explain a failure.
const TAIL_BYTES: &str = "-16000";

/// A call that changes something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb<'a> {
    /// Read all files again. Nothing is started or stopped.
    Reread,
    /// Add, restart or remove one program, as its file says.
    Update(&'a str),
    /// Start one program.
    Start(&'a str),
    /// Stop one program.
    Stop(&'a str),
}

impl Verb<'_> {
    fn words(self) -> Vec<String> {
        match self {
            Verb::Reread => vec!["reread".to_owned()],
            Verb::Update(name) => vec!["update".to_owned(), name.to_owned()],
            Verb::Start(name) => vec!["start".to_owned(), format!("{name}:*")],
            Verb::Stop(name) => vec!["stop".to_owned(), format!("{name}:*")],
        }
    }
}

/// How to reach the supervisor of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisorctl {
    words: Vec<String>,
    through_sudo: bool,
}

impl Supervisorctl {
    /// As the settings say.
    pub(super) fn of(service: &Service) -> Self {
        let words = shlex::split(&service.supervisorctl).filter(|words| !words.is_empty());
        Supervisorctl {
            words: words.unwrap_or_else(|| vec!["supervisorctl".to_owned()]),
            through_sudo: service.sudo,
        }
    }

    /// Every program that supervisor knows, as it stands.
    pub(super) fn status(&self) -> Result<Status> {
        let words = ["status".to_owned()];
        let (line, finished) = self.run(&words, QUESTION_TIMEOUT, &Patience::fresh())?;
        // 3: some program does not run.
        match finished.ending {
            Ending::Exited(0 | 3) if !is_unreachable(&finished.stdout) => {
                Ok(Status::parse(&finished.stdout))
            }
            _ => Err(self.failure(&line, &finished)),
        }
    }

    /// Changes something, and waits until it is done.
    pub(super) fn call(&self, verb: &Verb<'_>, limit: Duration, patience: &Patience) -> Result<()> {
        let (line, finished) = self.run(&verb.words(), limit, patience)?;
        let failed = finished.stdout.lines().any(|line| {
            let is_error = line.contains("ERROR") || line.starts_with("error:");
            is_error && !line.contains("not running") && !line.contains("already started")
        });
        // `start` of a program that ends at once exits with 7; the wait after it tells how it ended.
        let is_told = matches!((verb, finished.ending), (Verb::Start(_), Ending::Exited(7)));
        if is_told || (finished.ending.is_success() && !failed) {
            return Ok(());
        }
        Err(self.failure(&line, &finished))
    }

    /// The last bytes that a process wrote to `stdout` or `stderr`.
    pub(super) fn tail(&self, process: &str, channel: &str) -> Result<String> {
        let words = ["tail", TAIL_BYTES, process, channel].map(str::to_owned);
        let (line, finished) = self.run(&words, QUESTION_TIMEOUT, &Patience::fresh())?;
        let is_refusal = finished.stdout.contains("ERROR (");
        match finished.ending.is_success() && !is_refusal {
            true => Ok(finished.stdout),
            false => Err(self.failure(&line, &finished)),
        }
    }

    /// The last bytes of supervisor's own log.
    pub(super) fn main_tail(&self) -> Result<String> {
        let words = ["maintail", TAIL_BYTES].map(str::to_owned);
        let (line, finished) = self.run(&words, QUESTION_TIMEOUT, &Patience::fresh())?;
        let is_refusal = finished.stdout.contains("ERROR (");
        match finished.ending.is_success() && !is_refusal {
            true => Ok(finished.stdout),
            false => Err(self.failure(&line, &finished)),
        }
    }

    /// The settings of supervisor itself: behind `-c`, or where supervisor looks for them.
    pub(super) fn settings_path(&self) -> Option<Utf8PathBuf> {
        let mut words = self.words.iter();
        if words.any(|word| word == "-c" || word == "--configuration") {
            return words.next().map(Utf8PathBuf::from);
        }
        let usual = ["/etc/supervisord.conf", "/etc/supervisor/supervisord.conf"];
        let mut usual = usual.map(Utf8PathBuf::from).into_iter();
        usual.find(|path| path.is_file())
    }

    /// Why `sudo -n` will not do, with the line to add; none without `sudo = true`.
    pub(super) fn refused_by_sudo(&self, user: &str, program: &str) -> Option<Finding> {
        if !self.through_sudo {
            return None;
        }
        let is_allowed = |verb: &Verb<'_>| {
            let asked = Command::new("sudo")
                .args(["-n", "-l"])
                .args(self.full_words())
                .args(verb.words())
                .capture(&Patience::fresh());
            asked.is_ok_and(|finished| finished.ending.is_success())
        };
        let verbs = [
            Verb::Reread,
            Verb::Update(program),
            Verb::Start(program),
            Verb::Stop(program),
        ];
        if verbs.iter().all(is_allowed) {
            return None;
        }
        let what = format!("sudo does not allow to switch `{program}` without a password");
        let line = self.sudoers_line(user, program);
        Some(Finding::new(what).hint(format!("add to /etc/sudoers.d/zdd:\n{line}")))
    }

    /// The line that lets `user` do all this to the programs of one service: an anchored regular
    /// expression (sudo 1.9.10), since `*` would match further words.
    fn sudoers_line(&self, user: &str, program: &str) -> String {
        let literal = |text: &str| text.replace('.', "\\.");
        let short = program.rsplit_once('-').map_or(program, |(short, _)| short);
        let name = format!("{}-[0-9]{{14}}", literal(short));
        let words = self.full_words();
        let options: Vec<String> = words[1..].iter().map(|word| literal(word) + " ").collect();
        format!(
            "{user} ALL=(root) NOPASSWD: {} ^{}(status|reread|update {name}|(start|stop) \
             {name}:[*]|tail {TAIL_BYTES} {name}(:[^ ]+)? (stdout|stderr)|maintail {TAIL_BYTES})$",
            words[0],
            options.concat()
        )
    }

    /// The words with the path that sudoers must name.
    fn full_words(&self) -> Vec<String> {
        let mut words = self.words.clone();
        if words[0] == "supervisorctl" {
            PATH.clone_into(&mut words[0]);
        }
        words
    }

    fn run(
        &self,
        words: &[String],
        limit: Duration,
        patience: &Patience,
    ) -> Result<(String, Finished)> {
        let line = format!("{} {}", self.words.join(" "), words.join(" "));
        let command = match self.through_sudo {
            true => Command::new("sudo").arg("-n").args(self.full_words()),
            false => Command::new(&self.words[0]).args(&self.words[1..]),
        };
        let finished = command
            .args(words)
            .timeout(limit)
            .capture(patience)
            .map_err(|error| Error::failed(format!("cannot run `{line}`")).cause(error))?;
        Ok((line, finished))
    }

    fn failure(&self, line: &str, finished: &Finished) -> Error {
        let said = format!("{} {}", finished.stdout.trim(), finished.tail.join(" "));
        let said = said.trim();
        let error = Error::failed(format!("`{line}` failed"));
        let error = match finished.ending {
            Ending::Exited(_) if !said.is_empty() => error.cause(said),
            ending => error.cause(ending),
        };
        match self.advice(said) {
            Some(hint) => error.hint(hint),
            None => error,
        }
    }

    /// What to change, for the refusals that people meet.
    fn advice(&self, said: &str) -> Option<String> {
        let said = said.to_ascii_lowercase();
        let says = |part: &str| said.contains(part);
        if says("permission") && says("denied") {
            let file = self.settings_path();
            let file = file.map_or("supervisord.conf".to_owned(), |path| path.to_string());
            Some(format!(
                "set `sudo = true` in zdd.toml, or let this user in: `chmod=0770` and \
                 `chown=root:GROUP` in `[unix_http_server]` of `{file}`"
            ))
        } else if says("no such file") || says("refused connection") {
            Some("start supervisor: systemctl enable --now supervisor".to_owned())
        } else if says("a password is required") || says("not allowed to execute") {
            Some("`zdd check` prints the sudoers line that this user needs".to_owned())
        } else if says("cant_reread") || says("source contains parsing errors") {
            Some("repair the file of supervisor that this names".to_owned())
        } else {
            None
        }
    }
}

/// Old versions of `supervisorctl` exit with 0 or 3 though nobody answered.
fn is_unreachable(text: &str) -> bool {
    let text = text.trim_end();
    text.ends_with("no such file") || text.ends_with("refused connection")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(line: &str) -> Supervisorctl {
        Supervisorctl::of(&Service {
            program: Some("hc".to_owned()),
            supervisorctl: line.to_owned(),
            ..Service::default()
        })
    }

    #[test]
    fn one_line_of_sudoers_allows_the_programs_of_one_service() {
        assert_eq!(
            control("supervisorctl").sudoers_line("deploy", "my.hc-20261122014228"),
            "deploy ALL=(root) NOPASSWD: /usr/bin/supervisorctl ^(status|reread|update \
             my\\.hc-[0-9]{14}|(start|stop) my\\.hc-[0-9]{14}:[*]|tail -16000 \
             my\\.hc-[0-9]{14}(:[^ ]+)? (stdout|stderr)|maintail -16000)$"
        );
    }

    #[test]
    fn the_settings_of_supervisor_may_be_named() {
        let named = control("supervisorctl -c '/srv/super visord.conf'");
        let path = named.settings_path();
        assert_eq!(path.as_deref(), Some("/srv/super visord.conf".into()));
    }

    #[test]
    fn what_people_meet_comes_with_the_line_to_change() {
        let control = control("supervisorctl");
        for (said, advice_says) in [
            ("unix:///var/run/supervisor.sock no such file", "systemctl"),
            (
                "error: <class 'PermissionError'>, [Errno 13] Permission denied: file: socket.py",
                "chmod=0770",
            ),
            ("sudo: a password is required", "zdd check"),
        ] {
            assert!(control.advice(said).unwrap().contains(advice_says));
        }
        assert_eq!(control.advice("hc-1: ERROR (no such group)"), None);
    }
}
