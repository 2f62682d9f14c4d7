//! The named points of a release at which a hook can run.

use std::fmt;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::config::schema::{Hook, Hooks};

/// When a hook runs. Also the name of its file and of its key in `zdd.toml`.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ValueEnum,
)]
#[serde(rename_all = "lowercase")]
pub enum Point {
    /// Install and compile.
    Build,
    /// Run the tests, look at the configuration.
    Check,
    /// Migrate the database.
    Migrate,
    /// Warm the new code up, before the switch.
    Warm,
    /// The last veto, after the switch.
    Verify,
    /// After the commit.
    Finish,
    /// In a release that is left, when its `migrate` had started.
    Revert,
    /// Last, after every failed release.
    Failed,
}

impl Point {
    /// Every point, in the order of a release.
    pub const ALL: [Point; 8] = [
        Point::Build,
        Point::Check,
        Point::Migrate,
        Point::Warm,
        Point::Verify,
        Point::Finish,
        Point::Revert,
        Point::Failed,
    ];

    /// The word in file names, keys and messages.
    pub fn name(self) -> &'static str {
        match self {
            Point::Build => "build",
            Point::Check => "check",
            Point::Migrate => "migrate",
            Point::Warm => "warm",
            Point::Verify => "verify",
            Point::Finish => "finish",
            Point::Revert => "revert",
            Point::Failed => "failed",
        }
    }

    /// Whether a failing hook is a warning and changes nothing of the outcome.
    pub fn only_warns(self) -> bool {
        matches!(self, Point::Finish | Point::Revert | Point::Failed)
    }

    /// What `zdd.toml` says about the hook at this point.
    pub fn setting(self, hooks: &Hooks) -> Option<&Hook> {
        match self {
            Point::Build => hooks.build.as_ref(),
            Point::Check => hooks.check.as_ref(),
            Point::Migrate => hooks.migrate.as_ref(),
            Point::Warm => hooks.warm.as_ref(),
            Point::Verify => hooks.verify.as_ref(),
            Point::Finish => hooks.finish.as_ref(),
            Point::Revert => hooks.revert.as_ref(),
            Point::Failed => hooks.failed.as_ref(),
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_has_one_name_in_json_and_in_zdd_toml() {
        for point in Point::ALL {
            let json = serde_json::to_value(point).unwrap();
            assert_eq!(json, point.name());
            let hooks: Hooks = toml::from_str(&format!("{point} = 'true'")).unwrap();
            assert_eq!(point.setting(&hooks), Some(&Hook::Line("true".into())));
            let set = Point::ALL.iter().filter(|p| p.setting(&hooks).is_some());
            assert_eq!(set.count(), 1);
        }
    }
}
