//! `[[service]]`: what runs the code, and how it takes a new release.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::Span;

/// What runs the code. Exactly one of `unit`, `program`, `start` and `reload` says which kind it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Service {
    /// Its name in the template of `[proxy]`, and in messages where it is neither unit nor
    /// program. Default: the name of its unit or program.
    pub name: Option<String>,
    /// A systemd unit. Of a template (`myapp@.service`) each release runs an instance of its own,
    /// named by the release.
    pub unit: Option<String>,
    /// A program of supervisor: each release runs one of its own, named by the release, as in
    /// `myapp-20261122014228`.
    pub program: Option<String>,
    /// The file in the release that the program's file is made from, in the language of Jinja.
    #[schemars(with = "Option<String>")]
    pub template: Option<Utf8PathBuf>,
    /// What the template may use as `values.NAME`.
    pub values: BTreeMap<String, String>,
    /// The directory that supervisor includes program files from.
    #[schemars(with = "String")]
    pub conf_dir: Utf8PathBuf,
    /// How `supervisorctl` is called, for instance with `-c` and a file.
    pub supervisorctl: String,
    /// A command that starts an own process for each release; it gets `ZDD_SOCKET`.
    pub start: Option<String>,
    /// The directory in the release that `start` and `stop` are run in. Default: the release.
    #[schemars(with = "Option<String>")]
    pub cwd: Option<Utf8PathBuf>,
    /// The file in the release that the program writes its pid to. It may become a daemon then.
    #[schemars(with = "Option<String>")]
    pub pid_file: Option<Utf8PathBuf>,
    /// A command that ends the process; its pid is put behind the words. Default: SIGTERM.
    pub stop: Option<String>,
    /// A command, run in the release after the flip, that makes the service take the new code.
    pub reload: Option<String>,
    /// How a unit is told of the new release.
    pub switch: SwitchWay,
    /// Which systemd the unit belongs to.
    pub scope: Scope,
    /// Call `systemctl` or `supervisorctl` through `sudo -n`.
    pub sudo: bool,
    /// Whether it answers users or works behind them.
    pub role: Role,
    /// The socket that it listens on: relative to the release, or absolute with `%i` for the
    /// release.
    #[schemars(with = "Option<String>")]
    pub socket: Option<Utf8PathBuf>,
    /// A file in the release that an instance writes its port to.
    #[schemars(with = "Option<String>")]
    pub port_file: Option<Utf8PathBuf>,
    /// A path asked on the new instance itself, before the switch.
    pub health: Option<String>,
    /// A text that its answer must contain.
    pub contains: Option<String>,
    /// A command line for a dry boot of the new release before the flip; it gets `ZDD_SOCKET`.
    #[serde(rename = "try")]
    pub dry_boot: Option<String>,
    /// What happens when the service still runs the old release after the switch.
    pub on_stale: OnStale,
    /// How long the service may take to run the new release.
    pub switch_timeout: Span,
    /// How long the old release's processes may finish what they began.
    pub drain: Span,
    /// How long a process may take to end after SIGTERM before it is killed.
    pub stop_timeout: Span,
    /// How long the old instance goes on running after the switch, ready for a rollback.
    pub standby: Span,
    /// A shell line, run before the flip, that makes a worker take no further jobs.
    pub quiet: Option<String>,
    /// A shell line that prints what waits for a worker; run before and after it is switched.
    pub queue: Option<String>,
}

impl Default for Service {
    fn default() -> Self {
        Service {
            name: None,
            unit: None,
            program: None,
            template: None,
            values: BTreeMap::new(),
            conf_dir: "/etc/supervisor/conf.d".into(),
            supervisorctl: "supervisorctl".to_owned(),
            start: None,
            cwd: None,
            pid_file: None,
            stop: None,
            reload: None,
            switch: SwitchWay::default(),
            scope: Scope::default(),
            sudo: false,
            role: Role::default(),
            socket: None,
            port_file: None,
            health: None,
            contains: None,
            dry_boot: None,
            on_stale: OnStale::default(),
            switch_timeout: Span::secs(30),
            drain: Span::secs(30),
            stop_timeout: Span::secs(10),
            standby: Span::secs(0),
            quiet: None,
            queue: None,
        }
    }
}

/// What kind of thing runs the code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A systemd unit that all releases share.
    Unit,
    /// A template unit: each release runs an instance of its own.
    Instance,
    /// A program of supervisor: each release runs one of its own.
    Program,
    /// A process that zdd starts for each release.
    Process,
    /// A command that makes something else take the new code.
    Command,
}

impl Service {
    /// What kind it is.
    pub fn kind(&self) -> Kind {
        match &self.unit {
            Some(unit) if is_template(unit) => Kind::Instance,
            Some(_) => Kind::Unit,
            None if self.program.is_some() => Kind::Program,
            None if self.start.is_some() => Kind::Process,
            None => Kind::Command,
        }
    }

    /// Whether each release runs a copy of its own.
    pub fn has_instances(&self) -> bool {
        matches!(self.kind(), Kind::Instance | Kind::Program | Kind::Process)
    }

    /// Its name in the template of `[proxy]`, where a name has letters, digits and `_`.
    pub fn name_in_template(&self) -> Option<String> {
        let unit = self.unit.as_deref().map(|unit| {
            let name = unit.rsplit_once('.').map_or(unit, |(name, _)| name);
            name.trim_end_matches('@')
        });
        let name = self.name.as_deref().or(self.program.as_deref()).or(unit)?;
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        Some(name.chars().map(plain).collect())
    }

    /// Whether two settings mean the same service, however it is to be switched. Processes need no
    /// name: of several see [`counterpart`](Self::counterpart).
    pub fn is_same(&self, other: &Service) -> bool {
        let key = |service: &Service| {
            let name = service.unit.clone().or_else(|| service.program.clone());
            let role = (service.kind() == Kind::Process).then_some(service.role);
            (service.kind(), name, service.scope, role)
        };
        let is_named = self.unit.is_some() || self.program.is_some();
        let names = (&self.name, &other.name);
        let is_other = matches!(names, (Some(one), Some(other)) if one != other);
        key(self) == key(other) && (is_named || !is_other)
    }

    /// The place among `others` of the service that is the same as the one at `place` of `all`.
    /// Processes go by what starts them, else by their order.
    pub fn counterpart(all: &[Service], place: usize, others: &[Service]) -> Option<usize> {
        let service = all.get(place)?;
        let in_turn = |is_alike: &dyn Fn(&Service) -> bool| {
            let earlier = all[..place].iter().filter(|it| is_alike(it)).count();
            let alike = others.iter().enumerate().filter(|(_, it)| is_alike(it));
            alike.map(|(place, _)| place).nth(earlier)
        };
        in_turn(&|it| it.is_same(service) && it.start == service.start)
            .or_else(|| in_turn(&|it| it.is_same(service)))
    }
}

/// `myapp@.service`, of which each release runs its own instance.
fn is_template(unit: &str) -> bool {
    let name = unit.rsplit_once('.').map_or(unit, |(name, _)| name);
    name.len() > 1 && name.ends_with('@')
}

/// How a systemd unit is told of the new release.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SwitchWay {
    /// `systemctl reload`.
    #[default]
    Reload,
    /// `systemctl restart`.
    Restart,
}

/// Which systemd a unit belongs to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The system's.
    #[default]
    System,
    /// The calling user's.
    User,
}

/// Whether a service answers users or works behind them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It answers users.
    #[default]
    Web,
    /// It works in the background, and is switched after the web services are verified.
    Worker,
}

/// What happens when a service still runs the old release after the switch.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnStale {
    /// Roll back.
    #[default]
    Rollback,
    /// Restart it, and say what that cost.
    Restart,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(start: &str, role: Role) -> Service {
        Service {
            start: Some(start.to_owned()),
            role,
            ..Service::default()
        }
    }

    fn unit(name: &str) -> Service {
        Service {
            unit: Some(name.to_owned()),
            ..Service::default()
        }
    }

    /// Where each of the first is among the others.
    fn places(all: &[Service], others: &[Service]) -> Vec<Option<usize>> {
        let place = |place| Service::counterpart(all, place, others);
        (0..all.len()).map(place).collect()
    }

    #[test]
    fn a_service_is_found_wherever_it_stands() {
        let (web, mail) = (process("web", Role::Web), process("mail", Role::Worker));
        let (unit, other) = (unit("a.service"), unit("b.service"));
        let then = [web.clone(), mail.clone(), unit.clone()];
        let now = [unit, mail, other, web];
        assert_eq!(places(&then, &now), [Some(3), Some(1), Some(0)]);
        assert_eq!(places(&now, &then), [Some(2), Some(1), None, Some(0)]);
    }

    #[test]
    fn processes_go_by_their_line_then_by_their_order() {
        let worker = |line| process(line, Role::Worker);
        let then = [worker("mail"), worker("jobs"), worker("jobs")];
        let swapped = [worker("jobs"), worker("jobs"), worker("mail")];
        assert_eq!(places(&then, &swapped), [Some(2), Some(0), Some(1)]);
        let another_line = [process("web", Role::Web), worker("mail"), worker("jobs 2")];
        assert_eq!(places(&then, &another_line), [Some(1), Some(2), None]);
        assert_eq!(places(&[process("jobs", Role::Web)], &then), [None]);
    }
}
