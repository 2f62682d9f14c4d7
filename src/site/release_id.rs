//! The name of a release: 14 digits, the UTC second in which it was begun. Names of other tools
//! (a trailing `Z`, plain numbers) are understood so that their releases can be adopted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use time::format_description::FormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime};

/// `YYYYMMDDHHMMSS`, as Capistrano names its releases.
const FORMAT: &[FormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]");

/// A valid release name. It is safe to join to a path and to print.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ReleaseId(String);

impl ReleaseId {
    /// The name for a release begun at `now`. A taken second moves on by whole seconds, as time,
    /// so that the name stays a valid time.
    pub fn next(now: OffsetDateTime, is_taken: impl Fn(&ReleaseId) -> bool) -> ReleaseId {
        let mut second = now;
        loop {
            let name = second.format(FORMAT).unwrap_or_default();
            let id = ReleaseId(name);
            if !is_taken(&id) {
                return id;
            }
            second += Duration::seconds(1);
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a plain number (Deployer, Mina) and no timestamp.
    pub fn is_number(&self) -> bool {
        self.0.len() < 14
    }

    /// What adopted releases are ordered by: plain numbers (Deployer, Mina) by value before
    /// timestamps by name.
    pub fn adoption_order(&self) -> (usize, &str) {
        (self.0.trim_end_matches('Z').len(), &self.0)
    }
}

impl FromStr for ReleaseId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_suffix('Z').unwrap_or(text);
        let is_timestamp = digits.len() == 14;
        let is_number = (1..=9).contains(&digits.len()) && digits.len() == text.len();
        if (is_timestamp || is_number) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(ReleaseId(text.to_owned()));
        }
        let shown: String = text
            .chars()
            .take(40)
            .flat_map(char::escape_default)
            .collect();
        Err(format!(
            "`{shown}` is not the name of a release: it has 14 digits, as `zdd list` shows"
        ))
    }
}

impl TryFrom<String> for ReleaseId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<ReleaseId> for String {
    fn from(id: ReleaseId) -> String {
        id.0
    }
}

impl fmt::Display for ReleaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_taken_second_becomes_the_next_valid_time() {
        let taken = ["20261231235959", "20270101000000"];
        let id = ReleaseId::next(datetime!(2026-12-31 23:59:59 UTC), |id| {
            taken.contains(&id.as_str())
        });
        assert_eq!(id.as_str(), "20270101000001");
    }

    #[test]
    fn names_of_peers_are_understood_and_everything_else_is_refused() {
        for name in ["20261122014228", "20261122014228Z", "1", "123456789"] {
            assert_eq!(name.parse::<ReleaseId>().unwrap().as_str(), name);
        }
        for name in [
            "",
            "current",
            "../x",
            "-rf",
            "1Z",
            "1234567890",
            "2026112201422",
            "20261122014228\n",
        ] {
            assert!(name.parse::<ReleaseId>().is_err(), "{name:?} was taken");
        }
    }

    #[test]
    fn plain_numbers_are_ordered_by_value() {
        let mut ids: Vec<ReleaseId> = ["20260101000000", "10", "9", "2"]
            .iter()
            .map(|id| id.parse().unwrap())
            .collect();
        ids.sort_by(|a, b| a.adoption_order().cmp(&b.adoption_order()));
        let names: Vec<&str> = ids.iter().map(ReleaseId::as_str).collect();
        assert_eq!(names, ["2", "9", "10", "20260101000000"]);
    }
}
