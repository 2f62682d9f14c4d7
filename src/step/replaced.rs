//! What became of the processes that ran before the switch: kept, ended by themselves, or killed
//! with what they worked on.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::Stage;
use super::instance::{Instance, Runner, is_told};
use crate::config::schema::{Kind, Service};
use crate::host::process;
use crate::running::answer::Known;
use crate::service::Entry;

/// How it went for a process of the old release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// It goes on: the main process of a server that only exchanged its workers, or one that is
    /// kept for a rollback.
    Kept,
    /// It finishes what it began.
    Leaving,
    /// It ended by itself when it was told to.
    Ended,
    /// It did not in time, and was killed.
    Killed,
    /// It is gone; how it ended cannot be told.
    Unknown,
}

/// One process that was there before the switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// How messages name its service.
    pub service: String,
    /// The process.
    pub pid: u32,
    /// What became of it.
    pub end: End,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            End::Kept => "goes on",
            End::Leaving => "still finishes what it began",
            End::Ended => "ended by itself",
            End::Killed => "was killed",
            End::Unknown => "is gone",
        })
    }
}

/// Looks what became of them, once the old release was ended, and says which were killed.
pub fn take(stage: &mut Stage<'_>) {
    let (Some(from), Some(switched)) = (&stage.mission.from, stage.switched_at) else {
        return;
    };
    let since = OffsetDateTime::now_utc() - switched.elapsed();
    let config = &stage.mission.config;
    let mut found = Vec::new();
    for (place, before) in stage.mission.services_before.iter().enumerate() {
        let then = Service::counterpart(&config.service, place, &stage.mission.leaving);
        let (Some(at), Some(seen)) = (then, &before.observation) else {
            continue;
        };
        let old = Instance::new(stage.site, from, at, &stage.mission.leaving[at]);
        let words = LastWords::of(&old, since);
        let main = seen.known.first().map(|main| main.pid);
        let counts = |known: &&Known| known.is_judged || Some(known.pid) == main;
        found.extend(seen.known.iter().filter(counts).map(|known| Replaced {
            service: before.name.clone(),
            pid: known.pid,
            end: match process::is_alive(known.pid, known.started) {
                true => still_there(&old, Some(known.pid) == main),
                false => words.end_of(known.pid, Some(known.pid) == main),
            },
        }));
    }
    for killed in found.iter().filter(|it| it.end == End::Killed) {
        stage.report.warning(&format!(
            "{}: pid {} of the old release did not end when told to, and was killed: what it \
             worked on was cut",
            killed.service, killed.pid
        ));
    }
    let values = found.iter().filter_map(|it| serde_json::to_value(it).ok());
    stage.record.replaced = values.collect();
    stage.replaced = found;
}

fn still_there(old: &Instance, is_main: bool) -> End {
    let is_shared = old.service.kind() == Kind::Unit;
    match is_main || !is_shared {
        true => End::Kept,
        false => End::Leaving,
    }
}

/// What was said of the end of a service's processes.
enum LastWords {
    /// systemd's journal, what the program wrote itself included.
    Journal(Vec<Entry>),
    /// The log of a process that zdd itself ended.
    Log(Vec<String>),
    /// What was kept of a program of supervisor.
    Program(Vec<String>),
    /// Nobody tells.
    None,
}

impl LastWords {
    fn of(old: &Instance, since: OffsetDateTime) -> LastWords {
        match old.runner() {
            Runner::Unit(unit) => match unit.entries(since, OffsetDateTime::now_utc()) {
                Ok(entries) => LastWords::Journal(entries),
                Err(_) => LastWords::None,
            },
            Runner::Process if old.service.has_instances() => LastWords::Log(old.log_tail()),
            Runner::Program(_) => LastWords::Program(old.log_tail()),
            Runner::Process => LastWords::None,
        }
    }

    fn end_of(&self, pid: u32, is_main: bool) -> End {
        let is_killed = match self {
            LastWords::Journal(entries) => {
                let tells = |entry: &Entry| tells_kill(&entry.message, pid, is_main);
                entries.iter().any(tells)
            }
            LastWords::Log(lines) => lines.iter().any(|line| tells_kill(line, pid, is_main)),
            LastWords::Program(lines) => {
                let is_killed = lines.iter().any(|line| tells_kill(line, pid, false));
                if !is_killed && !is_told(lines, pid) {
                    return End::Unknown;
                }
                is_killed
            }
            LastWords::None => return End::Unknown,
        };
        match is_killed {
            true => End::Killed,
            false => End::Ended,
        }
    }
}

/// `Killing process 12 (python3) with signal SIGKILL.`, `Worker (pid:12) was sent SIGKILL!`,
/// `Main process exited, code=killed, status=9/KILL`
fn tells_kill(line: &str, pid: u32, is_main: bool) -> bool {
    let mut numbers = line.split(|letter: char| !letter.is_ascii_digit());
    let names_it = numbers.any(|number| number == pid.to_string());
    let is_of_main = line.contains("Main process exited, code=killed, status=9/KILL");
    line.contains("SIGKILL") && names_it || is_main && is_of_main
}

/// In a line for each service: `gunicorn.service: pid 7 goes on; 8, 9 ended by itself`.
pub fn lines(replaced: &[Replaced]) -> Vec<String> {
    let mut lines = Vec::new();
    for of_service in replaced.chunk_by(|a, b| a.service == b.service) {
        let mut parts = Vec::new();
        for alike in [
            End::Kept,
            End::Ended,
            End::Leaving,
            End::Killed,
            End::Unknown,
        ] {
            let pids = of_service.iter().filter(|it| it.end == alike);
            let pids: Vec<String> = pids.map(|it| it.pid.to_string()).collect();
            if !pids.is_empty() {
                parts.push(format!("pid {} {alike}", pids.join(", ")));
            }
        }
        lines.push(format!("{}: {}", of_service[0].service, parts.join("; ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kill_is_told_of_the_process_that_it_names() {
        for line in [
            "app.service: Killing process 12 (python3) with signal SIGKILL.",
            "[2026-11-25 13:40:02 +0000] [3] [ERROR] Worker (pid:12) was sent SIGKILL! Perhaps out \
             of memory?",
            "[zdd: pid 12 did not end within 10s and was sent SIGKILL]",
        ] {
            assert!(tells_kill(line, 12, false), "{line}");
            assert!(
                !tells_kill(line, 1, false) && !tells_kill(line, 2, true),
                "{line}"
            );
        }
        let main = "app.service: Main process exited, code=killed, status=9/KILL";
        assert!(tells_kill(main, 12, true) && !tells_kill(main, 12, false));
        assert!(!tells_kill("Worker (pid:12) was sent SIGTERM!", 12, true));
    }

    #[test]
    fn each_service_has_a_line() {
        let one = |service: &str, pid, end| Replaced {
            service: service.to_owned(),
            pid,
            end,
        };
        let replaced = [
            one("a", 7, End::Kept),
            one("a", 8, End::Ended),
            one("a", 9, End::Killed),
            one("a", 10, End::Ended),
            one("b", 11, End::Unknown),
        ];
        assert_eq!(
            lines(&replaced),
            [
                "a: pid 7 goes on; pid 8, 10 ended by itself; pid 9 was killed",
                "b: pid 11 is gone"
            ]
        );
    }
}
