//! What no single type can say: keys that exclude or need each other, and texts that must mean
//! something to systemd, HTTP or the file system.

mod health;
mod hooks;
mod paths;
mod program;
mod proxy;
mod service;

use super::mistake::Mistake;
use super::schema::Config;
use super::tree::Tree;

/// Everything that contradicts itself in settings whose names and types are right.
pub(super) fn mistakes(config: &Config, tree: &Tree<'_>) -> Vec<Mistake> {
    let mut judge = Judge {
        tree,
        mistakes: Vec::new(),
    };
    judge.name(config);
    judge.paths(config);
    judge.require(config);
    judge.hooks(&config.hooks);
    judge.services(&config.service);
    judge.proxy(config);
    judge.health_checks(&config.health);
    judge.probe(&config.probe);
    judge.mistakes
}

/// Collects mistakes with their places in the text.
struct Judge<'t, 'a> {
    tree: &'t Tree<'a>,
    mistakes: Vec<Mistake>,
}

impl Judge<'_, '_> {
    /// Something is wrong with a value.
    fn value(&mut self, place: &str, message: impl Into<String>) -> &mut Mistake {
        let span = self.tree.value_span(place);
        self.add(Mistake::new(span, message))
    }

    /// Something is wrong with a key being there.
    fn key(&mut self, place: &str, message: impl Into<String>) -> &mut Mistake {
        let span = self.tree.key_span(place);
        self.add(Mistake::new(span, message))
    }

    fn add(&mut self, mistake: Mistake) -> &mut Mistake {
        self.mistakes.push(mistake);
        let last = self.mistakes.len() - 1;
        &mut self.mistakes[last]
    }

    /// Exactly one of these keys says what kind of thing the table is. Whether one is there.
    fn exactly_one_of(&mut self, table: &str, thing: &str, keys: &[&str]) -> bool {
        let list = super::shape::all_of(keys);
        let present = |key: &&&str| self.tree.has(&format!("{table}.{key}"));
        let present: Vec<_> = keys.iter().filter(present).collect();
        match present[..] {
            [] if self.tree.is_whole(table) => self
                .value(table, format!("this {thing} has none of {list}"))
                .hint(format!(
                    "exactly one of them says what kind of {thing} it is"
                )),
            [first, .., last] => self
                .key(
                    &format!("{table}.{last}"),
                    format!("`{last}` excludes `{first}`"),
                )
                .hint(format!("a {thing} has exactly one of {list}")),
            _ => {}
        }
        !present.is_empty()
    }

    /// Each of these keys, when it is written, needs one of `owners` beside it.
    fn belong_to(&mut self, table: &str, thing: &str, keys: &[&str], owners: &[&str]) {
        let has = |key: &&&str| self.tree.has(&format!("{table}.{key}"));
        if !self.tree.is_whole(table) || owners.iter().any(|owner| has(&owner)) {
            return;
        }
        let owners = super::shape::one_of(owners);
        for key in keys.iter().filter(has).collect::<Vec<_>>() {
            self.key(
                &format!("{table}.{key}"),
                format!("`{key}` belongs to a {thing} with {owners}"),
            );
        }
    }

    /// A text that has no effect when it is empty was not meant to be.
    fn not_empty(&mut self, table: &str, keys: &[(&str, &Option<String>)]) {
        for (key, text) in keys {
            if text.as_deref().is_some_and(|text| text.trim().is_empty()) {
                self.value(&format!("{table}.{key}"), format!("`{key}` is empty"))
                    .hint("write something, or leave it out");
            }
        }
    }

    /// A time limit of nothing can never be met.
    fn not_zero(&mut self, table: &str, keys: &[(&str, super::units::Span)]) {
        for (key, span) in keys {
            if span.is_zero() {
                self.value(
                    &format!("{table}.{key}"),
                    format!("`{key}` must be longer than 0s"),
                );
            }
        }
    }

    fn name(&mut self, config: &Config) {
        let Some(name) = &config.name else { return };
        if name.trim().is_empty() || name.contains(|c: char| c.is_control() || c == '/') {
            self.value(
                "name",
                "`name` must have a letter, and no `/` or control character",
            )
            .hint("write it as `myapp`");
        }
    }

    fn require(&mut self, config: &Config) {
        self.variables("require.env", &config.require.env);
        for (number, command) in config.require.commands.iter().enumerate() {
            if command.is_empty() || command.contains(char::is_whitespace) {
                self.value(
                    &format!("require.commands.{number}"),
                    format!(
                        "{} is not the name of a program",
                        super::mistake::quoted(command)
                    ),
                )
                .hint("name programs without their arguments");
            }
        }
    }
}
