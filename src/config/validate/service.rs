//! `[[service]]`: one kind each, and a unit name that systemd takes.

use std::collections::BTreeSet;

use super::Judge;
use crate::config::mistake::quoted;
use crate::config::schema::{Kind, Role, Scope, Service};

/// The unit types of systemd.unit(5).
const UNIT_SUFFIXES: [&str; 11] = [
    "service",
    "socket",
    "device",
    "mount",
    "automount",
    "swap",
    "target",
    "path",
    "timer",
    "slice",
    "scope",
];

/// UNIT_NAME_MAX of systemd, less its final null byte.
const LONGEST_UNIT: usize = 255;

impl Judge<'_, '_> {
    /// All `[[service]]` tables.
    pub(super) fn services(&mut self, services: &[Service]) {
        let (mut named, mut programs) = (BTreeSet::new(), BTreeSet::new());
        let mut names = BTreeSet::new();
        for (number, service) in services.iter().enumerate() {
            let place = format!("service.{number}");
            self.service(&place, service);
            if let Some(name) = &service.name {
                self.service_name(&format!("{place}.name"), name, !names.insert(name));
            }
            if let Some(unit) = &service.unit
                && !named.insert((unit, service.scope == Scope::User))
            {
                self.value(
                    &format!("{place}.unit"),
                    format!("{} is named by an earlier service", quoted(unit)),
                );
            }
            if let Some(program) = &service.program
                && !programs.insert(program)
            {
                self.value(
                    &format!("{place}.program"),
                    format!("{} is named by an earlier service", quoted(program)),
                );
            }
        }
    }

    /// A name that can stand in a template.
    fn service_name(&mut self, place: &str, name: &str, is_taken: bool) {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
        if !begins_well || !name.chars().all(plain) {
            self.value(place, format!("{} is no name of a service", quoted(name)))
                .hint("letters, digits, `-` and `_`, a letter first");
        } else if is_taken {
            let what = format!("{} is the name of an earlier service", quoted(name));
            self.value(place, what);
        }
    }

    fn service(&mut self, place: &str, service: &Service) {
        if self.exactly_one_of(place, "service", &["unit", "program", "start", "reload"]) {
            self.keys_of_kind(place, service);
            self.service_health(place, service);
        }
        self.not_zero(place, &[("switch_timeout", service.switch_timeout)]);
        self.not_empty(
            place,
            &[
                ("start", &service.start),
                ("reload", &service.reload),
                ("stop", &service.stop),
                ("try", &service.dry_boot),
                ("quiet", &service.quiet),
                ("queue", &service.queue),
                ("contains", &service.contains),
            ],
        );
        if let Some(unit) = &service.unit {
            self.unit(&format!("{place}.unit"), unit);
        }
        if let Some(program) = &service.program {
            self.program(place, program, service);
        }
        self.service_address(place, service);
        for (key, path) in [("pid_file", &service.pid_file), ("cwd", &service.cwd)] {
            if let Some(path) = path {
                self.inside(&format!("{place}.{key}"), path, "the release");
            }
        }
        if service.sudo && service.scope == Scope::User {
            self.key(
                &format!("{place}.sudo"),
                "`sudo` and `scope = \"user\"` exclude each other",
            )
            .hint("the units of a user need no root");
        }
    }

    /// Keys that mean nothing to a service of this kind.
    fn keys_of_kind(&mut self, place: &str, service: &Service) {
        let of_units = ["switch", "scope", "try", "on_stale"];
        self.belong_to(place, "service", &of_units, &["unit"]);
        self.belong_to(place, "service", &["sudo"], &["unit", "program"]);
        let of_programs = ["template", "values", "conf_dir", "supervisorctl"];
        self.belong_to(place, "service", &of_programs, &["program"]);
        self.belong_to(place, "service", &["socket"], &["start", "unit", "program"]);
        let of_processes = ["stop_timeout", "stop", "pid_file", "cwd"];
        self.belong_to(place, "service", &of_processes, &["start"]);
        match service.kind() {
            Kind::Instance => {
                let hint = "each release runs an instance of its own: none is told or tried";
                self.excluded(
                    place,
                    &["switch", "try", "on_stale"],
                    "a template unit",
                    hint,
                );
            }
            Kind::Unit | Kind::Command => {
                let hint = "name a template, as in `unit = \"myapp@.service\"`, or use `program` \
                            or `start`";
                let keys = ["standby", "port_file"];
                self.excluded(place, &keys, "a service without instances", hint);
            }
            Kind::Program | Kind::Process => {}
        }
        if service.role == Role::Web {
            let hint = "add `role = \"worker\"`";
            self.excluded(place, &["quiet", "queue"], "a web service", hint);
        } else {
            let hint = "of a worker one copy runs at a time";
            self.excluded(place, &["standby"], "a worker", hint);
        }
    }

    /// Keys that are written beside something that has no use for them.
    fn excluded(&mut self, place: &str, keys: &[&str], thing: &str, hint: &str) {
        for key in keys {
            let of_key = format!("{place}.{key}");
            if self.tree.has(&of_key) {
                self.key(&of_key, format!("`{key}` means nothing to {thing}"))
                    .hint(hint);
            }
        }
    }

    /// Where it listens: in the release, or at an absolute path of its own for each release.
    fn service_address(&mut self, place: &str, service: &Service) {
        if let Some(file) = &service.port_file {
            self.inside(&format!("{place}.port_file"), file, "the release");
            if service.socket.is_some() {
                self.key(
                    &format!("{place}.port_file"),
                    "`socket` and `port_file` exclude each other",
                );
            }
        }
        let Some(socket) = &service.socket else {
            return;
        };
        let place = format!("{place}.socket");
        let names_release = socket.as_str().contains("%i");
        if !socket.is_absolute() && service.kind() != Kind::Unit {
            self.inside(&place, socket, "the release");
        } else if !socket.is_absolute() {
            self.value(
                &place,
                "the socket of a unit that all releases share must be absolute",
            );
        } else if service.has_instances() && !names_release {
            self.value(
                &place,
                "the instances of two releases would share this socket",
            )
            .hint("put `%i` into it, for instance `/run/myapp/%i/app.sock`");
        } else if service.kind() == Kind::Unit && names_release {
            self.value(
                &place,
                "`%i` has no meaning for a unit that all releases share",
            );
        }
    }

    /// Before the switch there must be something to ask.
    fn service_health(&mut self, place: &str, service: &Service) {
        self.belong_to(place, "service", &["contains"], &["health"]);
        let Some(health) = &service.health else {
            return;
        };
        let place_of_health = format!("{place}.health");
        if !health.starts_with('/') || health.contains(char::is_whitespace) {
            let hint = match health.starts_with("http") {
                true => "it is asked on the new copy itself; a whole URL goes into `[[health]]`",
                false => "write it as `/health`",
            };
            self.value(
                &place_of_health,
                format!("{} is not the path of a URL", quoted(health)),
            )
            .hint(hint);
        }
        let written = self.mistakes.len();
        if !matches!(service.kind(), Kind::Instance | Kind::Program) {
            self.belong_to(place, "service", &["health"], &["start", "try", "socket"]);
        }
        for mistake in &mut self.mistakes[written..] {
            mistake.hint("it is asked before the switch; `[[health]]` is asked after it");
        }
    }

    /// The rules of `unit_name_is_valid` in systemd's src/basic/unit-name.c.
    pub(super) fn unit(&mut self, place: &str, unit: &str) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.\\@".contains(c);
        let (name, suffix) = unit.rsplit_once('.').unwrap_or((unit, ""));
        if let Some(odd) = unit.chars().find(|c| !allowed(*c)) {
            let odd = match odd {
                ' ' => "space".to_owned(),
                other => quoted(&other.to_string()),
            };
            self.value(
                place,
                format!("{} is no unit name: systemd takes no {odd}", quoted(unit)),
            );
        } else if !UNIT_SUFFIXES.contains(&suffix) {
            self.value(
                place,
                format!("{} does not say what kind of unit it is", quoted(unit)),
            )
            .hint(format!("write {}", quoted(&format!("{unit}.service"))));
        } else if name.is_empty() || name.starts_with(['-', '@']) || unit.len() > LONGEST_UNIT {
            self.value(place, format!("{} is no unit name", quoted(unit)));
        }
    }
}
