//! What the probe's requests say about a cutover: pure arithmetic over samples.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::release_of::Names;

/// One request of the probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it began, in milliseconds after the switch (before it: negative), rounded down.
    pub at_ms: i64,
    /// How long it took, in milliseconds, rounded up.
    pub took_ms: u64,
    /// Whether there was an answer below 500.
    pub ok: bool,
    /// Which release the answer named, where the target says how.
    pub release: Option<String>,
}

/// The figures of a cutover, as they stand in the record and in the JSON (`cutover`). Times are
/// whole milliseconds; `None` is what could not be known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Figures {
    /// All requests, from the start of the probe to the end.
    pub requests: u64,
    /// Those of them without an answer, or with one of 500 and above.
    pub failed: u64,
    /// The median time of the good answers that came after the switch.
    pub p50_ms: Option<u64>,
    /// The 99th percentile of the same.
    pub p99_ms: Option<u64>,
    /// The 99th percentile of the good answers that came before the switch.
    pub before_p99_ms: Option<u64>,
    /// When the first answer of the new release came, after the switch.
    pub first_new_ms: Option<u64>,
    /// When the last answer of another release came, after the switch.
    pub last_old_ms: Option<u64>,
}

impl Figures {
    /// Counts. A request belongs to the time in which it ended: one that was in flight at the
    /// switch was hit by it.
    pub fn of(samples: &[Sample], new: &Names) -> Self {
        let (during, before): (Vec<_>, Vec<_>) = samples
            .iter()
            .partition(|sample| sample.came_ms().is_some());
        let came = |is_new: bool| {
            let named = during.iter().filter(move |sample| {
                let name = sample.release.as_deref();
                name.is_some_and(|name| new.include(name) == is_new)
            });
            named.filter_map(|sample| sample.came_ms())
        };
        Figures {
            requests: count(samples.len()),
            failed: failures(samples),
            p50_ms: percentile(&during, 50),
            p99_ms: percentile(&during, 99),
            before_p99_ms: percentile(&before, 99),
            first_new_ms: came(true).min(),
            last_old_ms: came(false).max(),
        }
    }
}

/// How many requests failed before the switch: no fault of the new release.
pub fn failed_before(samples: &[Sample]) -> u64 {
    let before = samples.iter().filter(|sample| sample.came_ms().is_none());
    count(before.filter(|sample| !sample.ok).count())
}

impl Sample {
    /// When it ended, in milliseconds after the switch (before it: negative).
    pub fn ended_ms(&self) -> i64 {
        let took = i64::try_from(self.took_ms).unwrap_or(i64::MAX);
        self.at_ms.saturating_add(took)
    }

    /// When it ended, in milliseconds after the switch; `None` before it.
    fn came_ms(&self) -> Option<u64> {
        match u64::try_from(self.ended_ms()) {
            Ok(0) | Err(_) => None,
            Ok(after) => Some(after),
        }
    }
}

impl fmt::Display for Figures {
    /// For instance "cutover: 412 requests, 0 failed, p99 9 ms (8 ms before)".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.requests == 1 { "" } else { "s" };
        write!(
            f,
            "cutover: {} request{plural}, {} failed",
            self.requests, self.failed
        )?;
        match (self.p99_ms, self.before_p99_ms) {
            (Some(during), Some(before)) => write!(f, ", p99 {during} ms ({before} ms before)"),
            (Some(during), None) => write!(f, ", p99 {during} ms"),
            (None, Some(before)) => write!(f, ", p99 {before} ms before"),
            (None, None) => Ok(()),
        }
    }
}

/// A percentile of the times, in milliseconds, by nearest rank: the smallest time that so many percent of the good answers kept.
pub fn percentile(samples: &[&Sample], percent: usize) -> Option<u64> {
    let good = samples.iter().filter(|sample| sample.ok);
    let mut times: Vec<u64> = good.map(|sample| sample.took_ms).collect();
    times.sort_unstable();
    let rank = (times.len() * percent).div_ceil(100);
    times.get(rank.checked_sub(1)?).copied()
}

fn failures(samples: &[Sample]) -> u64 {
    count(samples.iter().filter(|sample| !sample.ok).count())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ms: i64, took_ms: u64, ok: bool, release: &str) -> Sample {
        Sample {
            at_ms,
            took_ms,
            ok,
            release: (!release.is_empty()).then(|| release.to_owned()),
        }
    }

    fn new() -> Names {
        Names {
            id: "new".into(),
            revision: Some("0123456789abcdef\n".into()),
        }
    }

    #[test]
    fn figures_agree_with_a_count_by_hand() {
        let samples = [
            sample(-300, 8, true, "old"),
            sample(-200, 5, true, "old"),
            sample(-100, 4, false, ""),
            sample(-5, 30, true, "old"), // in flight at the switch: came at 25
            sample(100, 7, true, "new"), // came at 107
            sample(200, 9, true, "old"), // came at 209
            sample(300, 5000, false, ""),
            sample(5300, 11, true, "0123456"),
        ];
        let figures = Figures::of(&samples, &new());
        // Good answers after the switch: 7 9 11 30.
        let by_hand = Figures {
            requests: 8,
            failed: 2,
            p50_ms: Some(9),
            p99_ms: Some(30),
            before_p99_ms: Some(8),
            first_new_ms: Some(107),
            last_old_ms: Some(209),
        };
        assert_eq!(figures, by_hand);
        assert_eq!(failed_before(&samples), 1);
        assert_eq!(
            figures.to_string(),
            "cutover: 8 requests, 2 failed, p99 30 ms (8 ms before)"
        );
    }

    #[test]
    fn the_99th_percentile_leaves_out_one_of_a_hundred_but_not_of_ninety_nine() {
        let mut samples: Vec<_> = (1..=99).map(|n| sample(n, 3, true, "")).collect();
        samples.push(sample(100, 900, true, ""));
        assert_eq!(Figures::of(&samples, &new()).p99_ms, Some(3));
        samples.remove(0);
        assert_eq!(Figures::of(&samples, &new()).p99_ms, Some(900));
    }

    #[test]
    fn what_is_not_known_is_none() {
        let before = [sample(-50, 2, true, "")];
        let figures = Figures::of(&before, &new());
        assert_eq!((figures.p50_ms, figures.first_new_ms), (None, None));
        assert_eq!(
            figures.to_string(),
            "cutover: 1 request, 0 failed, p99 2 ms before"
        );
        assert_eq!(Figures::of(&[], &new()), Figures::default());
    }

    #[test]
    fn the_json_is_stable() {
        let json = serde_json::to_string(&Figures::default()).unwrap();
        assert_eq!(
            json,
            r#"{"requests":0,"failed":0,"p50_ms":null,"p99_ms":null,"before_p99_ms":null,"first_new_ms":null,"last_old_ms":null}"#
        );
        assert_eq!(
            serde_json::from_str::<Figures>(&json).unwrap(),
            Figures::default()
        );
    }
}
