//! Releases that another tool made (Capistrano, Deployer, Mina, Ansistrano), or whose record was
//! lost: what they are is told from their name, the link and `revisions.log`.

use std::collections::{BTreeMap, BTreeSet};

use super::{Record, ReleaseId, State};

/// Makes records for directories that have none. They are placed below every known release; those
/// after the one that `current` names were given up by whoever set the link.
pub fn adopt(
    mut foreign: Vec<ReleaseId>,
    current: Option<&ReleaseId>,
    records: &mut BTreeMap<ReleaseId, Record>,
) {
    foreign.sort_by(|a, b| a.adoption_order().cmp(&b.adoption_order()));
    let lowest_seq = records.values().map(|record| record.seq).min().unwrap_or(1);
    let count = i64::try_from(foreign.len()).unwrap_or(i64::MAX);
    let live_place = foreign.iter().position(|id| Some(id) == current);
    for ((place, id), seq) in foreign.into_iter().enumerate().zip(lowest_seq - count..) {
        let state = if Some(&id) == current {
            State::Live
        } else if live_place.is_some_and(|live| place > live) {
            State::Bad
        } else {
            State::Retired
        };
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
        adopt(foreign, Some(&current), &mut records);
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
        adopt(ids(&["7", "8"]), None, &mut records);
        let seqs: Vec<_> = ["7", "8"].map(|id| records[&ids(&[id])[0]].seq).into();
        assert_eq!(seqs, [-1, 0]);
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
