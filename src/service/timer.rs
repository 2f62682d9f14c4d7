//! The transient timer that ends what is kept for a rollback when its time is over. It calls zdd,
//! which takes the lock and looks at what is live then: a bare `systemctl stop` could meet an
//! instance that a rollback has just gone back to.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};
use time::OffsetDateTime;

use crate::config::schema::{Kind, Scope, Service};
use crate::error::{Context, Error, Result};
use crate::host::command::Command;
use crate::host::signal::Patience;
use crate::host::user::Owner;

/// How long systemd may take to make the timer.
const SYSTEMD_TIMEOUT: Duration = Duration::from_secs(10);

/// Where Debian, Fedora and Arch have it. Sudoers must name a path.
const PATH: &str = "/usr/bin/systemd-run";

/// Later than the moment itself by this much, so that it finds the time over.
const MARGIN: Duration = Duration::from_secs(1);

/// How such a timer can be made for the services of a site.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timer {
    /// The systemd that runs it.
    scope: Scope,
    /// Whether it is asked through `sudo -n`.
    through_sudo: bool,
    /// Whether there is a systemd that runs any of the services.
    has_systemd: bool,
}

impl Timer {
    /// The timer of these services: asked for in the way in which their instances are.
    pub fn of(services: &[Service]) -> Timer {
        let mut instances = services.iter();
        let is_of_system = |kind| matches!(kind, Kind::Instance | Kind::Program);
        let instance = instances.find(|service| is_of_system(service.kind()));
        Timer {
            scope: instance.map_or(Scope::User, |service| service.scope),
            through_sudo: instance.is_some_and(|service| service.sudo),
            has_systemd: Utf8Path::new("/run/systemd/system").exists(),
        }
    }

    /// Lets `zdd recover --standby` be run for the site at `root` once the time is over.
    ///
    /// # Errors
    /// When systemd refuses.
    pub fn arm(&self, root: &Utf8Path, after: Duration) -> Result<()> {
        if !self.has_systemd {
            return Err(Error::failed("systemd does not run here"));
        }
        let user = Owner::of_process().name;
        let seconds = seconds(after);
        let number = number(std::process::id(), OffsetDateTime::now_utc());
        let mut words: Vec<&str> = match self.through_sudo {
            true => vec!["sudo", "-n", PATH],
            false => vec![PATH],
        };
        words.extend((self.scope == Scope::User).then_some("--user"));
        let seconds = seconds.to_string();
        let own = self.words(&user, root, (&number, &seconds), &this_program()?);
        let command = Command::new(words[0])
            .args(&words[1..])
            .args(&own)
            .timeout(SYSTEMD_TIMEOUT);
        let finished = command
            .capture(&Patience::fresh())
            .context("cannot run `systemd-run`")?;
        match finished.ending.is_success() {
            true => Ok(()),
            false => Err(Error::failed("systemd refuses the timer").cause(finished.tail.join(" "))),
        }
    }

    /// The line that lets `user` make the timers of the site at `root` by `sudo -n`, which call
    /// zdd at this path; none where sudo is not used.
    pub fn sudoers_line(&self, user: &str, root: &Utf8Path, program: &Utf8Path) -> Option<String> {
        if !self.through_sudo {
            return None;
        }
        let any = ("[0-9]{14}", "[0-9]+");
        let words = self.words(user, root, any, program).join(" ");
        let words = words.replace('.', "\\.");
        Some(format!("{user} ALL=(root) NOPASSWD: {PATH} ^{words}$"))
    }

    /// Whether `sudo -n` lets `user` make them without a password.
    ///
    /// # Errors
    /// When the path of this program cannot be told.
    pub fn is_allowed(&self, user: &str, root: &Utf8Path) -> Result<bool> {
        let example = ("20260101000000", "600");
        let words = self.words(user, root, example, &this_program()?);
        let asked = Command::new("sudo")
            .args(["-n", "-l", PATH])
            .args(&words)
            .capture(&Patience::fresh());
        Ok(asked.is_ok_and(|finished| finished.ending.is_success()))
    }

    /// The words after the program's name; always in this form, so that one line allows them.
    fn words(
        &self,
        user: &str,
        root: &Utf8Path,
        (number, seconds): (&str, &str),
        program: &Utf8Path,
    ) -> Vec<String> {
        let mut words = vec![
            "--no-ask-password".to_owned(),
            "--quiet".to_owned(),
            "--collect".to_owned(),
            format!("--unit=zdd-standby-{number}"),
            format!("--on-active={seconds}s"),
            "--timer-property=AccuracySec=1s".to_owned(),
        ];
        if self.scope == Scope::System {
            words.push(format!("--uid={user}"));
        }
        words.extend(["--".to_owned(), program.to_string()]);
        let site = [
            "--root",
            root.as_str(),
            "recover",
            "--standby",
            "--wait=10m",
        ];
        words.extend(site.map(str::to_owned));
        words
    }
}

/// After how many whole seconds it goes off: never before the time and the margin.
fn seconds(after: Duration) -> u128 {
    (after + MARGIN).as_millis().div_ceil(1000)
}

/// The number in a timer's name, always of 14 digits. Several sites may be released by several
/// processes in the same second.
fn number(pid: u32, now: OffsetDateTime) -> String {
    const DIGITS: i64 = 10_000_000;
    let (pid, second) = (
        i64::from(pid) % DIGITS,
        now.unix_timestamp().rem_euclid(DIGITS),
    );
    format!("{pid:07}{second:07}")
}

/// Where this program lies.
///
/// # Errors
/// When that cannot be told.
pub fn this_program() -> Result<Utf8PathBuf> {
    let path = std::env::current_exe().context("cannot tell where zdd lies")?;
    Utf8PathBuf::from_path_buf(path).map_err(|_| Error::failed("the path of zdd is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timer_goes_off_after_its_time_and_never_within_the_margin() {
        for (millis, whole) in [(1_000, 2), (1_500, 3), (1_001, 3), (600_000, 601)] {
            assert_eq!(seconds(Duration::from_millis(millis)), whole, "{millis} ms");
        }
    }

    #[test]
    fn timers_of_two_sites_in_one_second_have_two_names() {
        let now = time::macros::datetime!(2026-01-01 00:00:03 UTC);
        assert_eq!(number(1, now), "00000017225603");
        assert_eq!(number(4_194_304, now), "41943047225603");
        let next = now + Duration::from_secs(1);
        assert_eq!(number(1, next), "00000017225604");
    }
}
