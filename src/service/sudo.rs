//! The installed sudo: an old one knows no regular expressions.

use std::time::Duration;

use crate::host::command::Command;
use crate::host::signal::Patience;

/// The first version with regular expressions in its rules.
const EXPRESSIONS_SINCE: (u32, u32, u32) = (1, 9, 10);

/// How long `sudo -V` may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The version of the sudo here, when it is too old for regular expressions: `1.9.5p2`.
pub fn too_old() -> Option<String> {
    let command = Command::new("sudo").arg("-V").timeout(TIMEOUT);
    let finished = command.capture(&Patience::fresh()).ok()?;
    let version = finished.stdout.lines().find_map(version_in)?;
    let is_old = numbers(&version)? < EXPRESSIONS_SINCE;
    is_old.then_some(version)
}

/// `Sudo version 1.9.13p3`
fn version_in(line: &str) -> Option<String> {
    let version = line.strip_prefix("Sudo version ")?;
    Some(version.trim().to_owned())
}

fn numbers(version: &str) -> Option<(u32, u32, u32)> {
    let plain = version
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next()?;
    let mut numbers = plain.split('.').map(|number| number.parse().ok());
    Some((
        numbers.next()??,
        numbers.next()??,
        numbers.next().flatten().unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        for (line, is_old) in [
            ("Sudo version 1.9.13p3", false),
            ("Sudo version 1.9.10", false),
            ("Sudo version 1.9.9", true),
            ("Sudo version 1.8.31p2", true),
            ("Sudo version 1.10", false),
        ] {
            let version = version_in(line).unwrap();
            let found = numbers(&version).unwrap() < EXPRESSIONS_SINCE;
            assert_eq!(found, is_old, "{line}");
        }
        assert_eq!(version_in("sudo-rs 0.2.3"), None);
    }
}
