//! `[[service]]`: one kind each, and a unit name that systemd takes.

use std::collections::BTreeSet;

use super::Judge;
use crate::config::mistake::quoted;
use crate::config::schema::{Scope, Service};

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
        let mut named = BTreeSet::new();
        for (number, service) in services.iter().enumerate() {
            let place = format!("service.{number}");
            self.service(&place, service);
            if let Some(unit) = &service.unit
                && !named.insert((unit, service.scope == Scope::User))
            {
                self.value(
                    &format!("{place}.unit"),
                    format!("{} is named by an earlier service", quoted(unit)),
                );
            }
        }
    }

    fn service(&mut self, place: &str, service: &Service) {
        if let Some(template) = service.unit.as_deref().filter(|unit| is_template(unit)) {
            // The keys beside it belong to the kind that is missing.
            let message = format!(
                "the template unit {} is not in this version",
                quoted(template)
            );
            self.value(&format!("{place}.unit"), message)
                .hint("name a plain unit, for instance `myapp.service`");
            return;
        }
        if self.exactly_one_of(place, "service", ["unit", "start", "reload"]) {
            let of_units = ["switch", "scope", "sudo", "try", "on_stale"];
            self.belong_to(place, "service", &of_units, &["unit"]);
            self.belong_to(place, "service", &["socket", "stop_timeout"], &["start"]);
            self.service_health(place, service);
        }
        self.not_zero(place, &[("switch_timeout", service.switch_timeout)]);
        self.not_empty(
            place,
            &[
                ("start", &service.start),
                ("reload", &service.reload),
                ("try", &service.dry_boot),
            ],
        );
        if let Some(unit) = &service.unit {
            self.unit(&format!("{place}.unit"), unit);
        }
        if let Some(socket) = &service.socket {
            self.inside(&format!("{place}.socket"), socket, "the release");
        }
        if service.sudo && service.scope == Scope::User {
            self.key(
                &format!("{place}.sudo"),
                "`sudo` and `scope = \"user\"` exclude each other",
            )
            .hint("the units of a user need no root");
        }
    }

    /// Before the switch there must be something to ask.
    fn service_health(&mut self, place: &str, service: &Service) {
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
        self.belong_to(place, "service", &["health"], &["start", "try"]);
        for mistake in &mut self.mistakes[written..] {
            mistake.hint("it is asked before the switch; `[[health]]` is asked after it");
        }
    }

    /// The rules of `unit_name_is_valid` in systemd's src/basic/unit-name.c.
    fn unit(&mut self, place: &str, unit: &str) {
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

/// `myapp@.service`, of which each release would run its own instance.
fn is_template(unit: &str) -> bool {
    unit.rsplit_once('.')
        .is_some_and(|(name, _)| name.ends_with('@') && name.len() > 1)
}
