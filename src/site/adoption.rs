//! Releases that another tool made (Capistrano, Deployer, Mina, Ansistrano), or whose record was
//! lost: what they are is told from their name, the link and `revisions.log`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Record, ReleaseId, State};

/// Makes records for directories that have none. When `current` names one of them that is later than
/// every known release, another tool has released since: those later ones are placed above all known
/// releases. Else they are placed below. What lies after the one that `current` names was given up by
/// whoever set the link, and so was what is `marked`.
pub fn adopt(
    mut foreign: Vec<ReleaseId>,
    current: Option<&ReleaseId>,
    marked: &BTreeSet<ReleaseId>,
    records: &mut BTreeMap<ReleaseId, Record>,
) {
    foreign.sort_by(|a, b| a.adoption_order().cmp(&b.adoption_order()));
    let seqs = || records.values().map(|record| record.seq);
    let (lowest, highest) = (seqs().min().unwrap_or(1), seqs().max().unwrap_or(0));
    let is_latest = |id: &ReleaseId| {
        let mut alike = records
            .keys()
            .filter(|known| known.is_number() == id.is_number());
        alike.all(|known| known.adoption_order() < id.adoption_order())
    };
    let is_of_known_kind = |id: &ReleaseId| {
        let mut known = records.keys();
        known.any(|known| known.is_number() == id.is_number())
    };
    let live_place = foreign.iter().position(|id| Some(id) == current);
    let is_after_live = |place: usize, id: &ReleaseId| match live_place {
        Some(live) => place > live,
        None => {
            let is_known = current.is_some_and(|id| records.contains_key(id));
            is_known && is_of_known_kind(id) && is_latest(id)
        }
    };
    let state = |place: usize, id: &ReleaseId| {
        if Some(id) == current {
            State::Live
        } else if is_after_live(place, id) || marked.contains(id) {
            State::Bad
        } else {
            State::Retired
        }
    };
    let with_states = foreign.iter().enumerate();
    let with_states = with_states.map(|(place, id)| (id.clone(), state(place, id)));
    let was_released = live_place.is_some_and(|live| is_latest(&foreign[live]));
    let (above, below): (Vec<_>, Vec<_>) =
        with_states.partition(|(id, _)| was_released && !records.is_empty() && is_latest(id));
    let first = lowest - i64::try_from(below.len()).unwrap_or(i64::MAX);
    let placed = below.into_iter().zip(first..);
    let placed: Vec<_> = placed.chain(above.into_iter().zip(highest + 1..)).collect();
    for ((id, state), seq) in placed {
        let record = Record {
            adopted: true,
            ..Record::new(id.clone(), seq, state)
        };
        records.insert(id, record);
    }
}

/// Makes records for releases of zdd's own whose record cannot be read any more. Each gets back
/// the place that its loss left empty. It counts as good only when it is `logged`, since nobody
/// else says that it was ever complete.
pub fn rebuild(
    mut lost: Vec<ReleaseId>,
    current: Option<&ReleaseId>,
    logged: &BTreeSet<ReleaseId>,
    records: &mut BTreeMap<ReleaseId, Record>,
) {
    lost.sort();
    for id in lost {
        let taken: BTreeSet<i64> = records.values().map(|record| record.seq).collect();
        let before = records.range(..&id).map(|(_, record)| record.seq).max();
        let first = before.map_or(1, |seq| seq + 1);
        let seq = (first..).find(|seq| !taken.contains(seq)).unwrap_or(first);
        let state = if Some(&id) == current {
            State::Live
        } else if logged.contains(&id) {
            State::Retired
        } else {
            State::Failed
        };
        records.insert(id.clone(), Record::new(id, seq, state));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(names: &[&str]) -> Vec<ReleaseId> {
        names.iter().map(|name| name.parse().unwrap()).collect()
    }

    fn known(names: &[&str], first: i64) -> BTreeMap<ReleaseId, Record> {
        let retired =
            |(id, seq): (ReleaseId, i64)| (id.clone(), Record::new(id, seq, State::Retired));
        ids(names).into_iter().zip(first..).map(retired).collect()
    }

    fn seen(records: &BTreeMap<ReleaseId, Record>) -> Vec<(&str, i64, State)> {
        records
            .iter()
            .map(|(id, record)| (id.as_str(), record.seq, record.state))
            .collect()
    }

    #[test]
    fn order_follows_the_name_and_what_lies_after_current_is_bad() {
        let current = ids(&["20260102000000"]).remove(0);
        let foreign = ids(&["20260103000000", "20260101000000", "20260102000000"]);
        let mut records = BTreeMap::new();
        adopt(foreign, Some(&current), &BTreeSet::new(), &mut records);
        assert_eq!(
            seen(&records),
            [
                ("20260101000000", -2, State::Retired),
                ("20260102000000", -1, State::Live),
                ("20260103000000", 0, State::Bad),
            ]
        );
        assert!(records.values().all(|record| record.adopted));
    }

    #[test]
    fn adopted_releases_come_before_all_known_ones() {
        let mut records = known(&["20260101000000"], 1);
        adopt(ids(&["7", "8"]), None, &BTreeSet::new(), &mut records);
        let seqs: Vec<_> = ["7", "8"].map(|id| records[&ids(&[id])[0]].seq).into();
        assert_eq!(seqs, [-1, 0]);
    }

    #[test]
    fn what_another_tool_made_live_since_is_the_newest() {
        let live = ids(&["20260301000000"]).remove(0);
        let mut records = known(&["20260101000000", "20260201000000"], 1);
        let foreign = ["20260401000000", "20260301000000", "20251201000000"];
        adopt(ids(&foreign), Some(&live), &BTreeSet::new(), &mut records);
        assert_eq!(
            seen(&records),
            [
                ("20251201000000", 0, State::Retired),
                ("20260101000000", 1, State::Retired),
                ("20260201000000", 2, State::Retired),
                ("20260301000000", 3, State::Live),
                ("20260401000000", 4, State::Bad),
            ]
        );
        // Set back to one of before: nothing was released since.
        let live = ids(&["20251201000000"]).remove(0);
        let mut records = known(&["20260101000000"], 1);
        adopt(
            ids(&["20251201000000"]),
            Some(&live),
            &BTreeSet::new(),
            &mut records,
        );
        assert_eq!(records[&live].seq, 0);
    }

    #[test]
    fn a_number_is_compared_with_numbers() {
        let live = ids(&["43"]).remove(0);
        let mut records = known(&["42", "20260201000000"], 0);
        adopt(ids(&["43"]), Some(&live), &BTreeSet::new(), &mut records);
        assert_eq!((records[&live].seq, records[&live].state), (2, State::Live));
    }

    #[test]
    fn what_another_tool_left_behind_the_live_release_is_bad() {
        let live = ids(&["20260201000000"]).remove(0);
        let mut records = known(&["20260201000000"], 1);
        let foreign = ids(&["20260101000000", "20260301000000", "7"]);
        adopt(foreign, Some(&live), &BTreeSet::new(), &mut records);
        assert_eq!(
            seen(&records),
            [
                ("20260101000000", -1, State::Retired),
                ("20260201000000", 1, State::Retired),
                ("20260301000000", 0, State::Bad),
                ("7", -2, State::Retired),
            ]
        );
    }

    #[test]
    fn what_is_marked_is_bad_unless_it_is_live() {
        let live = ids(&["3"]).remove(0);
        let marked = ids(&["2", "3"]).into_iter().collect();
        let mut records = BTreeMap::new();
        adopt(ids(&["1", "2", "3"]), Some(&live), &marked, &mut records);
        assert_eq!(
            seen(&records),
            [
                ("1", -2, State::Retired),
                ("2", -1, State::Bad),
                ("3", 0, State::Live)
            ]
        );
    }

    #[test]
    fn a_lost_record_gets_its_place_back_and_is_good_only_when_the_log_says_so() {
        let mut records = known(&["20260101000000", "20260104000000"], 1);
        records.values_mut().last().unwrap().seq = 4;
        let logged = ids(&["20260103000000"]).into_iter().collect();
        rebuild(
            ids(&["20260103000000", "20260102000000"]),
            None,
            &logged,
            &mut records,
        );
        assert_eq!(
            seen(&records),
            [
                ("20260101000000", 1, State::Retired),
                ("20260102000000", 2, State::Failed),
                ("20260103000000", 3, State::Retired),
                ("20260104000000", 4, State::Retired),
            ]
        );
    }
}
