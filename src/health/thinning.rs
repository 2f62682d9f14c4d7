//! Which of the probe's requests are kept. A watch of an hour makes tens of thousands, and a record
//! has to stay small: what is near the switch stays, what is far from it is thinned out evenly. A
//! failure always stays.

use super::figures::Sample;

/// How many good answers are kept.
const GOOD_LIMIT: usize = 2_000;

/// How many failures are kept: far more than anybody looks at, and few enough for a record.
const FAILURE_LIMIT: usize = 10_000;

/// The samples that are worth keeping, in their order. Of the good ones those nearest to the switch
/// are half, an even choice of the others the rest.
pub fn thinned(samples: Vec<Sample>) -> Vec<Sample> {
    let (good, failed): (Vec<usize>, Vec<usize>) =
        (0..samples.len()).partition(|&place| samples[place].ok);
    let mut is_kept = vec![false; samples.len()];
    for place in evenly(&failed, FAILURE_LIMIT).chain(near_and_far(good, &samples)) {
        is_kept[place] = true;
    }
    let mut is_kept = is_kept.into_iter();
    let mut samples = samples;
    samples.retain(|_| is_kept.next() == Some(true));
    samples
}

fn near_and_far(mut good: Vec<usize>, samples: &[Sample]) -> impl Iterator<Item = usize> {
    good.sort_by_key(|&place| samples[place].at_ms.unsigned_abs());
    let mut far = good.split_off(good.len().min(GOOD_LIMIT / 2));
    far.sort_unstable();
    let far: Vec<usize> = evenly(&far, GOOD_LIMIT / 2).collect();
    good.into_iter().chain(far)
}

/// So many of the places, all when there are no more, the last one among them.
fn evenly(places: &[usize], limit: usize) -> impl Iterator<Item = usize> {
    let (count, wanted) = (places.len(), places.len().min(limit));
    let is_chosen = move |at: usize| at * wanted / count != (at + 1) * wanted / count;
    let chosen = places
        .iter()
        .enumerate()
        .filter(move |(at, _)| is_chosen(*at));
    chosen.map(|(_, &place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ms: i64, ok: bool) -> Sample {
        Sample {
            at_ms,
            took_ms: 2,
            ok,
            release: None,
        }
    }

    fn every_tenth_of_a_second(from: i64, to: i64) -> Vec<Sample> {
        (from..to).map(|at| sample(at * 100, true)).collect()
    }

    #[test]
    fn a_usual_release_keeps_everything() {
        let all = every_tenth_of_a_second(-1_000, 1_000);
        assert_eq!(thinned(all.clone()), all);
        assert_eq!(thinned(Vec::new()), []);
    }

    #[test]
    fn of_a_long_watch_the_stretch_around_the_switch_stays_whole() {
        let kept = thinned(every_tenth_of_a_second(-600, 36_000));
        assert_eq!(kept.len(), 2_000);
        assert!(kept.is_sorted_by_key(|sample| sample.at_ms));
        let near = kept.iter().filter(|sample| sample.at_ms.abs() < 49_900);
        assert_eq!(near.count(), 997, "all from -49.8 s to 49.8 s");
        // The rest of the hour in equal steps, to its very end.
        let far: Vec<i64> = kept.iter().map(|sample| sample.at_ms).collect();
        let far: Vec<i64> = far.into_iter().filter(|&at| at > 60_000).collect();
        assert!(
            far.windows(2)
                .all(|pair| (3_500..=3_700).contains(&(pair[1] - pair[0])))
        );
        assert_eq!(far.last(), Some(&3_599_900));
    }

    #[test]
    fn no_failure_is_dropped_and_a_flood_of_them_is_bounded() {
        let mut all = every_tenth_of_a_second(-600, 36_000);
        for sample in all.iter_mut().skip(7).step_by(9) {
            sample.ok = false;
        }
        let failures = |samples: &[Sample]| samples.iter().filter(|sample| !sample.ok).count();
        let kept = thinned(all.clone());
        assert_eq!(failures(&kept), failures(&all));
        assert_eq!(kept.len() - failures(&kept), 2_000);

        let flood = thinned((0..100_000).map(|at| sample(at, false)).collect());
        assert_eq!(flood.len(), 10_000);
        assert_eq!(flood.last().unwrap().at_ms, 99_999);
    }
}
