//! What one process runs, by its own evidence. Strong evidence is a program, a mapped file or an
//! interpreter in a release, or anything of a process exec'ed after the flip; a working directory
//! alone is weak. What was merely inherited is none.

use super::answer::{Evidence, EvidenceKind};
use super::evidence::{Place, Seen};
use super::judge::Case;
use super::kinship::Kinship;
use super::server::is_interpreter;

/// What one process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runs {
    /// The wanted release, by strong evidence.
    Wanted,
    /// It works in the wanted release; that is all there is.
    WantedMaybe,
    /// Nothing of it lies in a release.
    Nothing,
    /// It may not be looked at.
    Denied,
    /// Parts of the wanted release and parts of another.
    Mixed,
    /// Another release; which one is not always known.
    Other(Option<String>),
}

/// What one process runs, and the paths that show it, the deciding one first.
#[derive(Debug, Clone)]
pub(super) struct Outcome<'a> {
    pub seen: &'a Seen,
    pub runs: Runs,
    pub evidence: Vec<Evidence>,
    /// Whether it was exec'ed after the flip.
    pub is_fresh: bool,
}

impl<'a> Outcome<'a> {
    pub fn of(case: &Case<'_>, kinship: &Kinship<'_>, seen: &'a Seen) -> Self {
        let is_fresh = kinship.is_fresh(seen);
        let outcome = |runs, evidence| Outcome {
            seen,
            runs,
            evidence,
            is_fresh,
        };
        let cannot_know_inherited = kinship
            .forked_from(seen)
            .is_some_and(|parent| parent.is_denied && has_other_maps(case, seen));
        if seen.is_denied || cannot_know_inherited {
            return outcome(Runs::Denied, Vec::new());
        }
        let found = Found::of(case, kinship, seen);
        match case.preloaded_release() {
            Some(release) if !is_fresh && release != Some(case.wanted) => {
                let evidence = found.all();
                return outcome(Runs::Other(release.map(str::to_owned)), evidence);
            }
            Some(Some(_)) if !is_fresh && case.was_proved() => {
                return outcome(Runs::Wanted, found.all());
            }
            _ => {}
        }
        let runs = found.verdict();
        let evidence = match runs {
            Runs::Mixed => found.betraying_first(),
            _ => found.all(),
        };
        outcome(runs, evidence)
    }

    /// The release it runs besides, or instead of, the wanted one.
    pub fn other_release(&self, case: &Case<'_>) -> Option<String> {
        match &self.runs {
            Runs::Other(release) => release.clone(),
            _ => {
                let mut places = places(self.seen);
                let other = places.find(|(_, place)| place.release != case.wanted);
                other.map(|(_, place)| place.release.clone())
            }
        }
    }
}

/// Everything of a process that lies in a release.
pub(super) fn places(seen: &Seen) -> impl Iterator<Item = (EvidenceKind, &Place)> {
    let cwd = seen.cwd.iter().map(|place| (EvidenceKind::Cwd, place));
    let exe = seen.exe.iter().map(|place| (EvidenceKind::Exe, place));
    let maps = seen.maps.iter().map(|place| (EvidenceKind::Maps, place));
    let argv = seen.argv.iter().map(|place| (EvidenceKind::Argv, place));
    cwd.chain(exe).chain(argv).chain(maps)
}

/// The evidence of one process, sorted by what it speaks for.
struct Found {
    strong_wanted: Vec<Evidence>,
    weak_wanted: Vec<Evidence>,
    strong_other: Vec<(String, Evidence)>,
    weak_other: Vec<(String, Evidence)>,
}

impl Found {
    fn of(case: &Case<'_>, kinship: &Kinship<'_>, seen: &Seen) -> Self {
        let mut found = Found {
            strong_wanted: Vec::new(),
            weak_wanted: Vec::new(),
            strong_other: Vec::new(),
            weak_other: Vec::new(),
        };
        let is_fresh = kinship.is_fresh(seen);
        let is_neutral = |kind, place: &Place| match kind {
            EvidenceKind::Maps => {
                !case.interpreter_is_pinned && kinship.is_inherited(seen, &place.path)
            }
            EvidenceKind::Cwd => case.code_is_through_current && place.release != case.wanted,
            EvidenceKind::Exe | EvidenceKind::Argv => false,
        };
        for (kind, place) in places(seen).filter(|(kind, place)| !is_neutral(*kind, place)) {
            let evidence = evidence(seen, kind, place);
            let is_strong = is_fresh || kind != EvidenceKind::Cwd;
            match (place.release == case.wanted, is_strong) {
                (true, true) => found.strong_wanted.push(evidence),
                (true, false) => found.weak_wanted.push(evidence),
                (false, true) => found.strong_other.push((place.release.clone(), evidence)),
                (false, false) => found.weak_other.push((place.release.clone(), evidence)),
            }
        }
        if let (true, Some(path)) = (is_fresh, &seen.through_current) {
            found.strong_wanted.push(Evidence {
                pid: seen.pid,
                kind: EvidenceKind::Argv,
                path: path.clone(),
            });
        }
        found.forgive_inherited_interpreter(kinship, seen);
        found
    }

    /// A worker that loaded libraries of the wanted release by itself runs on an interpreter
    /// copied into the old virtualenv only because its master does.
    fn forgive_inherited_interpreter(&mut self, kinship: &Kinship<'_>, seen: &Seen) {
        let name = seen.program.file_name().unwrap_or_default();
        let loaded_wanted = self
            .strong_wanted
            .iter()
            .any(|evidence| evidence.kind == EvidenceKind::Maps);
        if is_interpreter(name) && loaded_wanted && kinship.forked_from(seen).is_some() {
            self.strong_other
                .retain(|(_, evidence)| evidence.kind != EvidenceKind::Exe);
        }
    }

    fn verdict(&self) -> Runs {
        let has_wanted = !self.strong_wanted.is_empty() || !self.weak_wanted.is_empty();
        let other = self.strong_other.iter().chain(&self.weak_other).next();
        match other {
            Some(_) if has_wanted => Runs::Mixed,
            Some((release, _)) => Runs::Other(Some(release.clone())),
            None if !self.strong_wanted.is_empty() => Runs::Wanted,
            None if has_wanted => Runs::WantedMaybe,
            None => Runs::Nothing,
        }
    }

    fn all(&self) -> Vec<Evidence> {
        let other = self.weak_other.iter().chain(&self.strong_other);
        let wanted = self.strong_wanted.iter().chain(&self.weak_wanted);
        one_a_kind(other.map(|(_, evidence)| evidence).chain(wanted))
    }

    fn betraying_first(&self) -> Vec<Evidence> {
        let other = self.strong_other.iter().chain(&self.weak_other);
        one_a_kind(other.map(|(_, evidence)| evidence))
    }
}

fn has_other_maps(case: &Case<'_>, seen: &Seen) -> bool {
    seen.maps.iter().any(|place| place.release != case.wanted)
}

fn evidence(seen: &Seen, kind: EvidenceKind, place: &Place) -> Evidence {
    Evidence {
        pid: seen.pid,
        kind,
        path: place.path.clone(),
    }
}

/// A process maps dozens of files; one of each kind is enough to show.
fn one_a_kind<'a>(evidence: impl Iterator<Item = &'a Evidence>) -> Vec<Evidence> {
    let mut chosen: Vec<Evidence> = Vec::new();
    for one in evidence {
        if chosen.iter().all(|other| other.kind != one.kind) {
            chosen.push(one.clone());
        }
    }
    chosen
}
