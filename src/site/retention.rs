//! Which releases go and which stay: a pure rule over plain facts.

use super::{ReleaseId, State};

/// What the rule looks at, for one release whose directory is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its name.
    pub id: ReleaseId,
    /// Where it stands.
    pub state: State,
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// Who still uses it, when someone does: "pid 4123 (gunicorn)".
    pub in_use: Option<String>,
    /// Whether it was made after the current release.
    pub is_newer_than_current: bool,
}

/// How many are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// Good releases, the current one included.
    pub good: usize,
    /// Failed and bad ones together.
    pub failed: usize,
}

/// The verdict on one release: `None` means that it goes, otherwise why it stays.
pub type Verdict = (ReleaseId, Option<String>);

/// Decides about every candidate. They are given newest first and come back in the same order.
///
/// The current and the previous release, pinned ones and those that a process still runs stay
/// whatever the quota says; they are no reason for others to go, but the current one counts as the
/// first of the good ones.
pub fn decide(
    candidates: &[Candidate],
    current: Option<&ReleaseId>,
    previous: Option<&ReleaseId>,
    quota: Quota,
) -> Vec<Verdict> {
    let is_current = |id: &ReleaseId| Some(id) == current;
    let mut good_left = quota.good.saturating_sub(usize::from(current.is_some()));
    let mut failed_left = quota.failed;
    let mut decide_one = |candidate: &Candidate| {
        let is_good = candidate.state.is_good();
        let left = if is_good {
            &mut good_left
        } else {
            &mut failed_left
        };
        let is_within_quota = !is_current(&candidate.id) && *left > 0;
        if is_within_quota {
            *left -= 1;
        }
        let why = if is_current(&candidate.id) {
            Some("current".to_owned())
        } else if Some(&candidate.id) == previous {
            Some("previous: `zdd rollback` goes there".to_owned())
        } else if candidate.is_pinned {
            Some("pinned".to_owned())
        } else if let Some(user) = &candidate.in_use {
            Some(format!("still run by {user}"))
        } else if is_within_quota && is_good {
            Some(format!("one of the {} good releases to keep", quota.good))
        } else if is_within_quota {
            Some(format!(
                "one of the {} failed releases to keep",
                quota.failed
            ))
        } else {
            None
        };
        (candidate.id.clone(), why)
    };
    // What was live before the current release is worth more than what was left for it. Of failed
    // ones the newest counts most: it is the one to look at.
    let mut order: Vec<(usize, &Candidate)> = candidates.iter().enumerate().collect();
    order.sort_by_key(|(_, c)| c.state.is_good() && c.is_newer_than_current);
    let mut verdicts: Vec<(usize, Verdict)> = order
        .into_iter()
        .map(|(place, candidate)| (place, decide_one(candidate)))
        .collect();
    verdicts.sort_by_key(|(place, _)| *place);
    verdicts.into_iter().map(|(_, verdict)| verdict).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: u32, state: State) -> Candidate {
        Candidate {
            id: id.to_string().parse().unwrap(),
            state,
            is_pinned: false,
            in_use: None,
            is_newer_than_current: false,
        }
    }

    fn removed(
        candidates: &[Candidate],
        current: &str,
        previous: &str,
        quota: Quota,
    ) -> Vec<String> {
        let current = current.parse().unwrap();
        let previous = previous.parse().unwrap();
        decide(candidates, Some(&current), Some(&previous), quota)
            .into_iter()
            .filter(|(_, why)| why.is_none())
            .map(|(id, _)| id.to_string())
            .collect()
    }

    #[test]
    fn good_and_failed_ones_have_their_own_quota() {
        let mut all = vec![
            candidate(10, State::Live),
            candidate(9, State::Failed),
            candidate(8, State::Bad),
            candidate(7, State::Retired),
            candidate(6, State::Failed),
            candidate(5, State::Retired),
            candidate(4, State::Retired),
            candidate(3, State::Failed),
            candidate(2, State::Retired),
            candidate(1, State::Retired),
        ];
        let quota = Quota { good: 2, failed: 1 };
        assert_eq!(
            removed(&all, "10", "7", quota),
            ["8", "6", "5", "4", "3", "2", "1"]
        );
        all[5].is_pinned = true;
        all[8].in_use = Some("pid 7 (sh)".into());
        assert_eq!(removed(&all, "10", "7", quota), ["8", "6", "4", "3", "1"]);
    }

    #[test]
    fn current_and_previous_stay_even_with_a_quota_of_one() {
        let all = [
            candidate(3, State::Live),
            candidate(2, State::Retired),
            candidate(1, State::Retired),
        ];
        assert_eq!(removed(&all, "3", "2", Quota { good: 1, failed: 0 }), ["1"]);
    }

    #[test]
    fn what_was_left_by_a_rollback_goes_before_what_lies_behind() {
        let mut newer = candidate(4, State::Retired);
        newer.is_newer_than_current = true;
        let all = [
            newer,
            candidate(3, State::Live),
            candidate(2, State::Retired),
            candidate(1, State::Retired),
        ];
        assert_eq!(removed(&all, "3", "2", Quota { good: 3, failed: 0 }), ["4"]);
    }

    #[test]
    fn the_release_that_just_failed_is_kept_and_an_older_failed_one_goes() {
        let mut just_failed = candidate(4, State::Failed);
        just_failed.is_newer_than_current = true;
        let all = [
            just_failed,
            candidate(3, State::Live),
            candidate(2, State::Failed),
            candidate(1, State::Retired),
        ];
        assert_eq!(removed(&all, "3", "1", Quota { good: 5, failed: 1 }), ["2"]);
    }
}
