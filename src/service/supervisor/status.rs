//! What `supervisorctl status` says: a line for each process, `group:process STATE words`.

use crate::host::process;

/// The state of a process, in supervisor's own words, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It runs, for longer than `startsecs`.
    Running,
    /// It was started, less than `startsecs` ago.
    Starting,
    /// It is being stopped.
    Stopping,
    /// It was stopped, or never started.
    Stopped,
    /// It ended by itself.
    Exited,
    /// It ended too soon, and will be started again.
    Backoff,
    /// It ended too soon too often.
    Fatal,
    /// Supervisor itself does not know.
    Unknown,
}

impl Phase {
    fn parse(word: &str) -> Option<Phase> {
        Some(match word {
            "RUNNING" => Phase::Running,
            "STARTING" => Phase::Starting,
            "STOPPING" => Phase::Stopping,
            "STOPPED" => Phase::Stopped,
            "EXITED" => Phase::Exited,
            "BACKOFF" => Phase::Backoff,
            "FATAL" => Phase::Fatal,
            "UNKNOWN" => Phase::Unknown,
            _ => return None,
        })
    }

    /// As supervisor writes it.
    pub fn word(self) -> &'static str {
        match self {
            Phase::Running => "RUNNING",
            Phase::Starting => "STARTING",
            Phase::Stopping => "STOPPING",
            Phase::Stopped => "STOPPED",
            Phase::Exited => "EXITED",
            Phase::Backoff => "BACKOFF",
            Phase::Fatal => "FATAL",
            Phase::Unknown => "UNKNOWN",
        }
    }
}

/// One process of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// As `supervisorctl` takes it.
    pub full_name: String,
    /// Its state.
    pub phase: Phase,
    /// What supervisor adds: why it does not run, or for how long it does.
    pub words: String,
    /// Its process, while it runs.
    pub pid: Option<u32>,
}

/// Every process that supervisor knows.
#[derive(Debug, Default)]
pub(super) struct Status {
    members: Vec<Member>,
}

impl Status {
    pub fn parse(text: &str) -> Status {
        Status {
            members: text.lines().filter_map(member).collect(),
        }
    }

    /// The processes of one program.
    pub fn of(self, program: &str) -> ProgramState {
        let is_its = |member: &Member| group_of(&member.full_name) == program;
        ProgramState {
            members: self.members.into_iter().filter(is_its).collect(),
        }
    }

    /// The names of all programs.
    pub fn groups(self) -> impl Iterator<Item = String> {
        let members = self.members.into_iter();
        members.map(|member| group_of(&member.full_name).to_owned())
    }
}

/// A program at one moment. It has more than one process where its file says `numprocs`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProgramState {
    members: Vec<Member>,
}

impl ProgramState {
    /// Whether supervisor has it among its programs.
    pub fn is_known(&self) -> bool {
        !self.members.is_empty()
    }

    /// Whether all its processes run, or have just been started.
    pub fn is_up(&self) -> bool {
        let is_up = |phase| matches!(phase, Phase::Running | Phase::Starting);
        self.is_known() && self.members.iter().all(|member| is_up(member.phase))
    }

    /// Whether all its processes have run for `startsecs`.
    pub fn is_running(&self) -> bool {
        let mut members = self.members.iter();
        self.is_known() && members.all(|member| member.phase == Phase::Running)
    }

    /// Whether none of its processes runs or is about to be started again.
    pub fn is_ended(&self) -> bool {
        let is_ended = |phase| matches!(phase, Phase::Stopped | Phase::Exited | Phase::Fatal);
        self.members.iter().all(|member| is_ended(member.phase))
    }

    /// Its main processes.
    pub fn pids(&self) -> Vec<u32> {
        self.running().map(|(_, pid)| pid).collect()
    }

    /// Its main processes, each after the name that `supervisorctl` takes.
    pub fn running(&self) -> impl Iterator<Item = (&str, u32)> {
        let members = self.members.iter();
        members.filter_map(|member| Some((member.full_name.as_str(), member.pid?)))
    }

    /// Its main processes and all their children.
    pub fn processes(&self) -> Vec<u32> {
        self.pids().into_iter().flat_map(process::tree).collect()
    }

    /// The process that stands worst.
    pub fn worst(&self) -> Option<&Member> {
        self.members.iter().max_by_key(|member| member.phase)
    }

    /// How it stands, for a message.
    pub fn in_words(&self) -> String {
        match self.worst() {
            None => "supervisor does not know it".to_owned(),
            Some(member) if member.words.is_empty() => format!("it is {}", member.phase.word()),
            Some(member) => format!("it is {} ({})", member.phase.word(), member.words),
        }
    }
}

fn member(line: &str) -> Option<Member> {
    let mut words = line.split_whitespace();
    let full_name = words.next()?.to_owned();
    let phase = Phase::parse(words.next()?)?;
    let words: Vec<&str> = words.collect();
    let pid = match words[..] {
        ["pid", pid, ..] => pid.trim_end_matches(',').parse().ok(),
        _ => None,
    };
    Some(Member {
        full_name,
        phase,
        words: words.join(" "),
        pid,
    })
}

/// `group:process`, or one name for both.
fn group_of(full_name: &str) -> &str {
    full_name.split(':').next().unwrap_or(full_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
hc-20261122014228                RUNNING   pid 4711, uptime 0:00:03
jobs-20261122014228:jobs_00      RUNNING   pid 12, uptime 1 day, 0:00:03
jobs-20261122014228:jobs_01      BACKOFF   Exited too quickly (process log may have details)
other                            STOPPED   Not started
unix:///run/x no such file
";

    fn state(program: &str) -> ProgramState {
        Status::parse(TEXT).of(program)
    }

    #[test]
    fn a_program_is_as_well_as_its_worst_process() {
        let hc = state("hc-20261122014228");
        assert!(hc.is_up() && hc.is_running() && !hc.is_ended());
        assert_eq!(hc.pids(), [4711]);
        let jobs = state("jobs-20261122014228");
        assert!(jobs.is_known() && !jobs.is_up() && !jobs.is_ended());
        assert_eq!(
            jobs.in_words(),
            "it is BACKOFF (Exited too quickly (process log may have details))"
        );
        assert!(state("other").is_ended());
    }

    #[test]
    fn a_program_that_is_not_there_does_not_run() {
        let none = state("hc-20261122014229");
        assert!(!none.is_known() && !none.is_up() && !none.is_running());
        assert_eq!(none.in_words(), "supervisor does not know it");
        assert_eq!(Status::parse(TEXT).groups().count(), 4);
    }
}
