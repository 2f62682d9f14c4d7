//! A systemd unit, plain or the instance of a template: telling it of a new release, and asking
//! systemd about it.

use std::time::Duration;

use time::OffsetDateTime;

use crate::config::schema::{Kind, Scope, Service};
use crate::error::{Error, Result};
use crate::host::command::Command;
use crate::host::log_tail::{READ_LINES, condensed};
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;

use super::sudo;
use super::systemctl::{Systemctl, Verb};
use super::unit_state::{PROPERTIES, UnitState};
use super::unit_watch::UnitWatch;

/// How long reading the journal may take; it only helps a message.
const JOURNAL_TIMEOUT: Duration = Duration::from_secs(5);

/// How far back the journal explains a call that just failed: five seconds.
const RECENT_TICKS: u64 = 500;

/// A systemd unit as `[[service]] unit = …` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    name: String,
    systemctl: Systemctl,
}

impl Unit {
    /// The unit that all releases of a service share; `None` for other kinds.
    pub fn of(service: &Service) -> Option<Self> {
        (service.kind() == Kind::Unit).then(|| Unit::named(service, full_name(service)))
    }

    /// A unit of the system that no release runs on: a proxy.
    pub fn shared(name: &str, through_sudo: bool) -> Self {
        let service = Service {
            unit: Some(name.to_owned()),
            sudo: through_sudo,
            ..Service::default()
        };
        Unit::named(&service, full_name(&service))
    }

    /// The instance of a template that belongs to one release; `None` for other kinds.
    pub fn instance_of(service: &Service, release: &str) -> Option<Self> {
        if service.kind() != Kind::Instance {
            return None;
        }
        let name = full_name(service).replacen('@', &format!("@{release}"), 1);
        Some(Unit::named(service, name))
    }

    /// The names of all instances of this unit's template that systemd knows of, running or
    /// enabled.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub fn siblings(&self) -> Result<Vec<String>> {
        let Some((prefix, suffix)) = self.template() else {
            return Ok(Vec::new());
        };
        self.systemctl.names(&format!("{prefix}@*{suffix}"))
    }

    /// Another instance of the same template.
    pub fn sibling(&self, name: &str) -> Self {
        Unit {
            name: name.to_owned(),
            systemctl: self.systemctl,
        }
    }

    /// What stands between `@` and the suffix; `None` for a plain unit.
    pub fn instance_name(&self) -> Option<&str> {
        let (_, rest) = self.name.split_once('@')?;
        Some(rest.rsplit_once('.').map_or(rest, |(instance, _)| instance))
    }

    /// The unit that recovers a site at boot, as the instance of its name.
    pub fn at_boot(site: &str, scope: Scope) -> Self {
        Unit {
            name: format!("zdd-recover@{}.service", escaped(site)),
            systemctl: Systemctl {
                scope,
                through_sudo: false,
            },
        }
    }

    fn named(service: &Service, name: String) -> Self {
        let systemctl = Systemctl {
            scope: service.scope,
            through_sudo: service.sudo,
        };
        Unit { name, systemctl }
    }

    /// What stands before `@` and after the instance.
    fn template(&self) -> Option<(&str, &str)> {
        let (prefix, rest) = self.name.split_once('@')?;
        let dot = rest.rfind('.')?;
        Some((prefix, &rest[dot..]))
    }

    /// The full name, for instance `gunicorn.service`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which systemd it belongs to.
    pub fn scope(&self) -> Scope {
        self.systemctl.scope
    }

    /// The lines that let `user` switch this unit through `sudo = true`.
    pub fn sudoers_lines(&self, user: &str) -> Vec<String> {
        self.lines_for(user, &self.verbs())
    }

    fn verbs(&self) -> [Verb; 5] {
        match self.template() {
            Some(_) => Verb::OF_INSTANCE,
            None => Verb::OF_UNIT,
        }
    }

    fn lines_for(&self, user: &str, verbs: &[Verb]) -> Vec<String> {
        match self.template() {
            Some((prefix, suffix)) => {
                let all = Verb::OF_INSTANCE;
                let Some(version) = sudo::too_old() else {
                    let line = Systemctl::sudoers_line_of_instances(user, &all, prefix, suffix);
                    return vec![line];
                };
                let why = format!("# sudo {version} knows no regular expressions (1.9.10 does)");
                let lines = Systemctl::old_sudoers_lines_of_instances(user, &all, prefix, suffix);
                std::iter::once(why).chain(lines).collect()
            }
            None => {
                let line = |verb: &Verb| Systemctl::sudoers_line(user, *verb, &self.name);
                verbs.iter().map(line).collect()
            }
        }
    }

    /// The lines that are missing in sudoers so that `user` can switch this unit without a
    /// password; `None` when none is.
    pub fn refused_by_sudo(&self, user: &str) -> Option<Vec<String>> {
        self.refused_verbs(user, &self.verbs())
    }

    /// The same for some verbs.
    pub fn refused_verbs(&self, user: &str, verbs: &[Verb]) -> Option<Vec<String>> {
        let is_refused = |verb: &Verb| {
            let words = Systemctl::sudo_test(*verb, &self.name);
            let asked = Command::new(&words[0])
                .args(&words[1..])
                .capture(&Patience::fresh());
            !asked.is_ok_and(|finished| finished.ending.is_success())
        };
        let refused: Vec<Verb> = verbs.iter().copied().filter(is_refused).collect();
        (!refused.is_empty()).then(|| self.lines_for(user, &refused))
    }

    /// What systemd knows of it now. A unit that does not exist is a state too.
    ///
    /// # Errors
    /// When systemd cannot be asked.
    pub fn state(&self) -> Result<UnitState> {
        let patience = Patience::fresh();
        let shown = self.systemctl.show(&self.name, &PROPERTIES, &patience)?;
        let state = UnitState::parse(&shown);
        let paths = state.fragment_path.iter().chain(&state.drop_in_paths);
        let files: Vec<String> = paths.flat_map(fs_err::read_to_string).collect();
        Ok(state.with_exact_words(&files))
    }

    /// Tells it to read its code again. Most servers answer before they have.
    ///
    /// # Errors
    /// When systemd refuses, the reload fails, or it takes longer than `timeout`.
    pub fn reload(&self, timeout: Duration, patience: &Patience) -> Result<()> {
        self.change(Verb::Reload, timeout, patience)
    }

    /// Starts it.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn start(&self, timeout: Duration, patience: &Patience) -> Result<()> {
        self.change(Verb::Start, timeout, patience)
    }

    /// Stops and starts it.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn restart(&self, timeout: Duration, patience: &Patience) -> Result<()> {
        self.change(Verb::Restart, timeout, patience)
    }

    /// Stops it.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn stop(&self, timeout: Duration, patience: &Patience) -> Result<()> {
        self.change(Verb::Stop, timeout, patience)
    }

    /// Lets it be started again after it failed too often.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn reset_failed(&self, timeout: Duration, patience: &Patience) -> Result<()> {
        self.change(Verb::ResetFailed, timeout, patience)
    }

    /// Lets it start at boot.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn enable(&self, timeout: Duration, patience: &Patience) -> Result<()> {
        self.change(Verb::Enable, timeout, patience)
    }

    /// Lets it not start at boot.
    ///
    /// # Errors
    /// As for [`reload`](Self::reload).
    pub fn disable(&self, timeout: Duration, patience: &Patience) -> Result<()> {
        self.change(Verb::Disable, timeout, patience)
    }

    /// Follows it from this state on: see [`UnitWatch`].
    pub fn watch(&self, from: UnitState) -> UnitWatch {
        UnitWatch::new(self.clone(), from)
    }

    /// The last lines it wrote to the journal since a moment. Empty where the journal may not be
    /// read or there is none: this only helps a message.
    pub fn journal_tail(&self, since: Ticks) -> Vec<String> {
        self.journal(since, &[self.journal_flag()])
    }

    /// The last lines of one run of it, named by its InvocationID, up to `until`.
    pub fn run_tail(&self, invocation: &str, since: Ticks, until: OffsetDateTime) -> Vec<String> {
        let scope = match self.systemctl.scope {
            Scope::System => None,
            Scope::User => Some("--user".to_owned()),
        };
        let run = format!("_SYSTEMD_INVOCATION_ID={invocation}");
        let until = format!("--until=@{}", until.unix_timestamp() + 1);
        let words: Vec<String> = scope.into_iter().chain([until, run]).collect();
        self.journal(since, &words)
    }

    fn journal(&self, since: Ticks, which: &[String]) -> Vec<String> {
        let seconds = since.elapsed().as_secs() + 1;
        let command = Command::new("journalctl")
            // With `--since` alone, `--lines` would give the first lines of that time.
            .args(["--quiet", "--no-pager", "--reverse", "-o", "cat"])
            .arg(format!("--since=-{seconds}s"))
            .arg(format!("--lines={READ_LINES}"))
            .args(which)
            .timeout(JOURNAL_TIMEOUT);
        match command.capture(&Patience::fresh()) {
            Ok(finished) if finished.ending.is_success() => {
                condensed(finished.stdout.lines().rev().map(str::to_owned).collect())
            }
            _ => Vec::new(),
        }
    }

    fn change(&self, verb: Verb, timeout: Duration, patience: &Patience) -> Result<()> {
        self.systemctl
            .change(verb, &self.name, timeout, patience)
            .map_err(|error| self.with_journal(error))
    }

    /// A job that failed tells its reason only in the journal; a refusal tells it itself.
    fn with_journal(&self, error: Error) -> Error {
        let is_refusal = error
            .cause
            .as_deref()
            .is_some_and(|cause| !cause.contains("journalctl"));
        if is_refusal {
            return error;
        }
        let since = Ticks(Ticks::now().0.saturating_sub(RECENT_TICKS));
        let tail = self.journal_tail(since);
        error.tail(tail)
    }
}

/// A name without a suffix is a `.service`, as for systemctl.
fn full_name(service: &Service) -> String {
    let name = service.unit.as_deref().unwrap_or_default();
    match name.contains('.') {
        true => name.to_owned(),
        false => format!("{name}.service"),
    }
}

/// A name as it can stand in that of a unit, by the rules of systemd-escape(1).
fn escaped(name: &str) -> String {
    let mut escaped = String::new();
    for (at, byte) in name.bytes().enumerate() {
        let is_plain = byte.is_ascii_alphanumeric() || b":_".contains(&byte);
        // systemd-escape turns `-` into `\x2d`, so that `/` can become `-`; a name has no `/` here.
        if is_plain || (at > 0 && b".-".contains(&byte)) {
            escaped.push(char::from(byte));
        } else {
            escaped += &format!("\\x{byte:02x}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_at_boot_has_the_name_of_the_site() {
        for (site, name) in [
            ("my-app.example", "zdd-recover@my-app.example.service"),
            ("my app", "zdd-recover@my\\x20app.service"),
        ] {
            assert_eq!(Unit::at_boot(site, Scope::System).name(), name);
        }
    }
}
