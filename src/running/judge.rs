//! The decision, a pure function: from what was seen of a service's processes to its running
//! release. The rules are those of `docs/concepts.md`, "The running release"; the tests state each
//! of them in a few lines.

use crate::host::ticks::Ticks;

use super::answer::{Known, Leaving, Observation, Verdict};
use super::evidence::Seen;
use super::kinship::Kinship;
use super::outcome::{Outcome, Runs, places};

/// What is known besides the processes.
#[derive(Debug, Clone, Default)]
pub(super) struct Case<'a> {
    pub wanted: &'a str,
    pub flipped_at: Option<Ticks>,
    pub main: Option<u32>,
    pub before: Option<&'a Observation>,
    /// Where it stands that the server loads the code before it forks its workers.
    pub preload: Option<&'a str>,
    /// Whether the code is looked up through `current` whatever the working directory is:
    /// `uvicorn --app-dir`.
    pub code_is_through_current: bool,
    /// Whether the server was started by a script whose first line names the interpreter of one
    /// release: whatever it loads from a virtualenv, it loads from that one.
    pub interpreter_is_pinned: bool,
    /// The release the main process was exec'ed in, where its own paths tell.
    pub main_release: Option<String>,
}

impl Case<'_> {
    pub fn known_before(&self) -> &[Known] {
        self.before.map_or(&[], |before| &before.known)
    }

    /// The same process as it was before the flip.
    pub fn as_known_before(&self, process: &Seen) -> Option<&Known> {
        let same = |known: &&Known| (known.pid, known.started) == (process.pid, process.started);
        self.known_before().iter().find(same)
    }

    /// Whether every process from before the flip would be known again.
    pub fn knows_all_images(&self) -> bool {
        let known = self.known_before();
        !known.is_empty() && known.iter().all(|known| known.image != 0)
    }

    /// With a preloading server: the release whose code the main process holds, when that can be
    /// told. `None` without preloading, or when nothing is known and nothing was flipped.
    pub fn preloaded_release(&self) -> Option<Option<&str>> {
        self.preload?;
        let before = self
            .before
            .filter(|before| before.verdict != Verdict::Mixed);
        let release = before.and_then(|before| before.release.as_deref());
        match release.or(self.main_release.as_deref()) {
            None if self.flipped_at.is_none() => None,
            release => Some(release),
        }
    }

    pub fn was_proved(&self) -> bool {
        self.before
            .is_some_and(|before| before.verdict == Verdict::Proved)
    }
}

/// Decides which release a service runs.
pub(super) fn judge(case: &Case<'_>, seen: &[Seen]) -> Observation {
    let main = seen.iter().find(|process| Some(process.pid) == case.main);
    let main_release = main.and_then(strong_release);
    let case = &Case {
        main_release,
        ..case.clone()
    };
    let kinship = Kinship::of(case, seen);
    let judged = judged(case, &kinship, seen);
    let outcomes = judged
        .iter()
        .map(|process| Outcome::of(case, &kinship, process))
        .collect();
    let (leaving, staying) = part(case, outcomes);
    let mut observation = conclude(case, &staying);
    observation.leaving = leaving;
    observation.leaving.extend(
        seen.iter()
            .filter_map(|process| finishing(case, &judged, process)),
    );
    observation
        .leaving
        .sort_unstable_by_key(|leaving| leaving.pid);
    observation.known = seen.iter().map(|process| known(process, &judged)).collect();
    if let Some(main) = main.filter(|main| !judged.contains(main)) {
        observation.notes.extend(note_on_main(case, main));
    }
    observation.notes.extend(notes_on_cwd(case, &staying));
    observation
}

/// The processes that answer: those holding a listening socket of the service, or all of one that
/// has none. The main process counts too, unless others answer in its place.
fn judged<'a>(case: &Case<'_>, kinship: &Kinship<'_>, seen: &'a [Seen]) -> Vec<&'a Seen> {
    let is_main = |process: &Seen| Some(process.pid) == case.main;
    let main = seen.iter().find(|process| is_main(process));
    let has_listeners = seen.iter().any(|process| !process.sockets.is_empty());
    if !has_listeners {
        return workers_of_none(main, seen);
    }
    let others =
        |process: &&Seen| !is_main(process) && (!process.sockets.is_empty() || process.is_denied);
    let others: Vec<&Seen> = seen.iter().filter(others).collect();
    let Some(main) = main else {
        return others;
    };
    let is_shared = |socket: &u64| others.iter().any(|other| other.sockets.contains(socket));
    let has_own_sockets_only = !main.sockets.is_empty() && !main.sockets.iter().any(is_shared);
    if !has_own_sockets_only && others.iter().any(|other| !other.sockets.is_empty()) {
        return others;
    }
    if others.is_empty() && places(main).next().is_none() && !main.is_denied {
        // The cluster of node, and pm2: one process holds the socket and hands connections to
        // children of the same program.
        let is_worker = |process: &&Seen| {
            kinship.is_below(process, main.pid) && process.program == main.program
        };
        let workers: Vec<&Seen> = seen.iter().filter(is_worker).collect();
        if !workers.is_empty() {
            return workers;
        }
    }
    std::iter::once(main).chain(others).collect()
}

/// A service without a listening socket: all of it, but not a mere supervisor outside the
/// releases.
fn workers_of_none<'a>(main: Option<&'a Seen>, seen: &'a [Seen]) -> Vec<&'a Seen> {
    let is_empty = |process: &Seen| places(process).next().is_none() && !process.is_denied;
    let supervisor = main.filter(|main| {
        is_empty(main)
            && seen
                .iter()
                .any(|process| process.pid != main.pid && !is_empty(process))
    });
    let is_judged = |process: &&Seen| supervisor.is_none_or(|main| main.pid != process.pid);
    seen.iter().filter(is_judged).collect()
}

/// Parts the old processes that are about to go from the rest: enough new ones took over.
fn part<'a>(case: &Case<'_>, outcomes: Vec<Outcome<'a>>) -> (Vec<Leaving>, Vec<Outcome<'a>>) {
    let arrived = outcomes
        .iter()
        .filter(|outcome| has_arrived(outcome))
        .count();
    let ran_before = case.before.map_or(1, |before| before.judged).max(1);
    let may_leave = |outcome: &Outcome<'_>| {
        let is_older = case
            .flipped_at
            .is_some_and(|flip| outcome.seen.started <= flip);
        let is_other = matches!(outcome.runs, Runs::Mixed | Runs::Other(_));
        is_older && !outcome.is_fresh && is_other && arrived >= ran_before
    };
    let (leaving, staying): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(may_leave);
    let leaving = leaving.iter().map(|outcome| Leaving {
        pid: outcome.seen.pid,
        release: outcome.other_release(case).unwrap_or_default(),
        command: outcome.seen.command.clone(),
    });
    (leaving.collect(), staying)
}

/// A process that answered before the flip, closed its socket and still has something to finish.
fn finishing(case: &Case<'_>, judged: &[&Seen], process: &Seen) -> Option<Leaving> {
    let was_judged = case
        .as_known_before(process)
        .is_some_and(|known| known.is_judged);
    if !was_judged || Some(process.pid) == case.main || judged.contains(&process) {
        return None;
    }
    let (_, place) = places(process).find(|(_, place)| place.release != case.wanted)?;
    Some(Leaving {
        pid: process.pid,
        release: place.release.clone(),
        command: process.command.clone(),
    })
}

fn has_arrived(outcome: &Outcome<'_>) -> bool {
    matches!(outcome.runs, Runs::Wanted | Runs::WantedMaybe)
}

/// The verdict on a service is the worst of its processes'.
fn conclude(case: &Case<'_>, outcomes: &[Outcome<'_>]) -> Observation {
    let verdict_of = |outcome: &Outcome<'_>| match outcome.runs {
        Runs::Other(_) => Verdict::Stale,
        Runs::Mixed => Verdict::Mixed,
        Runs::Denied => Verdict::Unreadable,
        Runs::WantedMaybe => Verdict::Unproved,
        // A process that shows nothing answers only if it listens; one exec'ed after the flip
        // cannot hold old code.
        Runs::Nothing if !outcome.seen.sockets.is_empty() && !outcome.is_fresh => Verdict::Unproved,
        Runs::Nothing | Runs::Wanted => Verdict::Proved,
    };
    let has_proof = outcomes.iter().any(|outcome| outcome.runs == Runs::Wanted);
    let worst = outcomes.iter().map(verdict_of).max();
    let verdict = match worst {
        None => Verdict::Unproved,
        Some(Verdict::Proved) if !has_proof => Verdict::Unproved,
        Some(worst) => worst,
    };
    let decides = |outcome: &&Outcome<'_>| match verdict {
        Verdict::Unproved => matches!(outcome.runs, Runs::WantedMaybe | Runs::Nothing),
        verdict => verdict_of(outcome) == verdict,
    };
    let deciding: Vec<_> = outcomes.iter().filter(decides).collect();
    let arrived = outcomes
        .iter()
        .filter(|outcome| has_arrived(outcome))
        .count();
    Observation {
        release: release_of(case, verdict, &deciding, arrived),
        verdict,
        reason: reason(case, verdict, &deciding),
        evidence: deciding
            .iter()
            .flat_map(|outcome| outcome.evidence.clone())
            .collect(),
        leaving: Vec::new(),
        notes: Vec::new(),
        judged: outcomes.len(),
        arrived,
        known: Vec::new(),
    }
}

fn release_of(
    case: &Case<'_>,
    verdict: Verdict,
    deciding: &[&Outcome<'_>],
    arrived: usize,
) -> Option<String> {
    let wanted = || Some(case.wanted.to_owned());
    match verdict {
        Verdict::Proved => wanted(),
        Verdict::Unproved => wanted().filter(|_| arrived > 0),
        Verdict::Unreadable => None,
        Verdict::Mixed => {
            let cwd = deciding
                .iter()
                .find_map(|outcome| outcome.seen.cwd.as_ref());
            cwd.map(|place| place.release.clone()).or_else(wanted)
        }
        Verdict::Stale => deciding
            .iter()
            .find_map(|outcome| outcome.other_release(case)),
    }
}

fn reason(case: &Case<'_>, verdict: Verdict, deciding: &[&Outcome<'_>]) -> String {
    let Some(first) = deciding.first() else {
        return "it has no process to judge".to_owned();
    };
    let pid = first.seen.pid;
    let other = first.other_release(case);
    let shown = first.evidence.first();
    let shown = shown
        .map(|evidence| format!(": {}", evidence.place()))
        .unwrap_or_default();
    match verdict {
        Verdict::Proved => String::new(),
        Verdict::Unproved if first.runs == Runs::Nothing => {
            format!("no path of pid {pid} lies in a release")
        }
        Verdict::Unproved => format!(
            "pid {pid} works in release `{}`, but was not executed anew and may hold older code",
            case.wanted
        ),
        Verdict::Unreadable => format!("this user may not look at pid {pid}"),
        Verdict::Mixed => format!(
            "pid {pid} runs parts of release `{}` and parts of `{}`{shown}",
            case.wanted,
            other.unwrap_or_default()
        ),
        Verdict::Stale => match (case.preload, other) {
            (Some(place), _) if !first.is_fresh => {
                format!("pid {pid} was forked from code that was loaded before the flip ({place})")
            }
            (_, Some(other)) => format!("pid {pid} still runs release `{other}`{shown}"),
            (_, None) => format!("pid {pid} still runs another release{shown}"),
        },
    }
}

fn note_on_main(case: &Case<'_>, main: &Seen) -> Option<String> {
    let other = places(main).find(|(_, place)| place.release != case.wanted)?;
    Some(format!(
        "the main process {} still holds server code of release `{}`; that changes with the next restart",
        main.pid, other.1.release
    ))
}

fn notes_on_cwd(case: &Case<'_>, outcomes: &[Outcome<'_>]) -> Option<String> {
    let is_elsewhere = |outcome: &&Outcome<'_>| {
        let cwd = outcome.seen.cwd.as_ref();
        has_arrived(outcome) && cwd.is_some_and(|place| place.release != case.wanted)
    };
    let first = outcomes.iter().find(is_elsewhere)?;
    let release = first.seen.cwd.as_ref().map(|place| &place.release)?;
    Some(format!(
        "pid {} still works in release `{release}`: relative paths are read there until the next restart",
        first.seen.pid
    ))
}

/// The release that the program, the command line or, failing these, the libraries name.
fn strong_release(main: &Seen) -> Option<String> {
    let places = main.exe.iter().chain(&main.argv).chain(&main.maps);
    places.map(|place| place.release.clone()).next()
}

fn known(seen: &Seen, judged: &[&Seen]) -> Known {
    Known {
        pid: seen.pid,
        started: seen.started,
        image: seen.image,
        is_judged: judged.contains(&seen),
    }
}

#[cfg(test)]
mod tests;
