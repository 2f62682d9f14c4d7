//! What the migrations of releases did to data that outlives them: a rollback takes back code,
//! not the database.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{History, Record, ReleaseId};

/// The point of a release at which data is migrated.
const HOOK: &str = "migrate";

/// The note of a hook that names the migrations that it ran; empty when there was none to run.
const MIGRATED: &str = "migrated";

/// The note that [`Record::is_irreversible`] tells.
const IRREVERSIBLE: &str = "irreversible";

/// What one release did, or left out. Its fields are those of the JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The release.
    pub release: ReleaseId,
    /// Whether it was left out on demand: then it is not known what the database has.
    pub skipped: bool,
    /// Whether its hook said that it cannot be taken back.
    pub irreversible: bool,
    /// What its hook noted.
    pub notes: BTreeMap<String, String>,
}

impl Migration {
    /// That of a release; none where it had nothing to migrate.
    fn of(record: &Record) -> Option<Migration> {
        let notes = record.migration_notes.clone();
        let had_none = notes.get(MIGRATED).is_some_and(String::is_empty);
        let skipped = record.skipped_hooks.iter().any(|hook| hook == HOOK);
        let irreversible = record.is_irreversible();
        let migrates = record.is_migrated && !had_none;
        (migrates || skipped || irreversible).then(|| Migration {
            release: record.id.clone(),
            skipped,
            irreversible,
            notes,
        })
    }
}

impl fmt::Display for Migration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = self.notes.iter().filter(|(key, _)| *key != IRREVERSIBLE);
        let told = told.map(|(key, value)| match key.as_str() {
            MIGRATED => value.clone(),
            _ => format!("{key}={value}"),
        });
        let told: Vec<String> = told.collect();
        let what = match (self.skipped, told.is_empty()) {
            (true, _) => "was left out, as asked: it may have been run by hand".to_owned(),
            (false, true) => "its hook noted nothing".to_owned(),
            (false, false) => told.join(", "),
        };
        let mark = match self.irreversible {
            true => " (cannot be taken back)",
            false => "",
        };
        write!(f, "{}: {what}{mark}", self.release)
    }
}

impl History {
    /// What the releases after this one, up to the live one, did to the data; oldest first.
    pub fn migrations_since(&self, target: &Record) -> Vec<Migration> {
        let Some(live) = self.live() else {
            return Vec::new();
        };
        let since = |record: &&Record| record.seq > target.seq && record.seq <= live.seq;
        let between = self.releases().iter().filter(since);
        between.filter_map(Migration::of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::site::State;

    fn record(notes: &[(&str, &str)]) -> Record {
        let id = "20260101000000".parse().unwrap();
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        Record {
            is_migrated: true,
            migration_notes: notes.iter().map(owned).collect(),
            notes: notes.iter().map(owned).collect(),
            ..Record::new(id, 1, State::Live)
        }
    }

    fn told(record: &Record) -> Option<String> {
        Migration::of(record).map(|it| it.to_string())
    }

    #[test]
    fn what_a_release_migrated_is_told_in_a_line() {
        for (notes, line) in [
            (&[][..], "its hook noted nothing"),
            (
                &[("migrated", "shop.0007 shop.0008")],
                "shop.0007 shop.0008",
            ),
            (
                &[
                    ("irreversible", "true"),
                    ("migrated", "shop.0009"),
                    ("rows", "12"),
                ],
                "shop.0009, rows=12 (cannot be taken back)",
            ),
        ] {
            let line = format!("20260101000000: {line}");
            assert_eq!(told(&record(notes)), Some(line));
        }
    }

    #[test]
    fn a_release_without_migrations_is_not_told_and_one_that_left_them_out_is() {
        assert_eq!(told(&record(&[("migrated", "")])), None);
        let mut none = record(&[]);
        none.is_migrated = false;
        assert_eq!(told(&none), None);
        none.skipped_hooks = vec!["migrate".to_owned()];
        assert!(told(&none).unwrap().contains("was left out, as asked"));
    }
}
