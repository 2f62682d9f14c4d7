//! Hooks and names of environment variables.

use super::Judge;
use crate::config::mistake::quoted;
use crate::config::schema::{Hook, Hooks};

impl Judge<'_, '_> {
    /// The `[hooks]` table.
    pub(super) fn hooks(&mut self, hooks: &Hooks) {
        self.inside("hooks.dir", &hooks.dir, "the release");
        self.not_zero("hooks", &[("timeout", hooks.timeout)]);
        self.not_empty("hooks", &[("user", &hooks.user)]);
        for (key, names) in [
            ("pass_env", &hooks.pass_env),
            ("mask", &hooks.mask),
            ("no_mask", &hooks.no_mask),
        ] {
            self.variables(&format!("hooks.{key}"), names);
        }
        for (number, name) in hooks.no_mask.iter().enumerate() {
            if hooks.mask.contains(name) {
                self.value(
                    &format!("hooks.no_mask.{number}"),
                    format!("{} is in `mask` too", quoted(name)),
                );
            }
        }
        for (point, hook) in [
            ("build", &hooks.build),
            ("check", &hooks.check),
            ("migrate", &hooks.migrate),
            ("warm", &hooks.warm),
            ("verify", &hooks.verify),
            ("finish", &hooks.finish),
            ("revert", &hooks.revert),
            ("failed", &hooks.failed),
        ] {
            match hook {
                Some(Hook::Line(line)) if line.trim().is_empty() => {
                    self.value(&format!("hooks.{point}"), format!("`{point}` is empty"))
                        .hint("write `true` for a hook that does nothing, or leave it out");
                }
                Some(Hook::Table(table)) => {
                    let place = format!("hooks.{point}");
                    self.not_empty(&place, &[("run", &table.run), ("user", &table.user)]);
                    self.not_zero(
                        &place,
                        table.timeout.map(|span| ("timeout", span)).as_slice(),
                    );
                }
                _ => {}
            }
        }
    }

    /// A list of names of environment variables.
    pub(super) fn variables(&mut self, place: &str, names: &[String]) {
        for (number, name) in names.iter().enumerate() {
            if !is_variable(name) {
                self.value(
                    &format!("{place}.{number}"),
                    format!(
                        "{} is not the name of an environment variable",
                        quoted(name)
                    ),
                )
                .hint("letters, digits and `_`, not beginning with a digit");
            }
        }
    }
}

/// As POSIX defines the names that every shell takes.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
