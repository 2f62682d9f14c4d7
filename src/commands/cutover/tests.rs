use anstream::adapter::strip_str;
use serde_json::json;

use super::*;
use crate::site::{Samples, State};

const OLD: &str = "20261121090000";
const NEW: &str = "20261122014228";

fn sample(at_ms: i64, took_ms: u64, ok: bool, release: Option<&str>) -> Sample {
    Sample {
        at_ms,
        took_ms,
        ok,
        release: release.map(str::to_owned),
    }
}

/// A request every 100 ms, of which `who` says whether it is good and who answers it.
fn steady(from: i64, to: i64, who: impl Fn(i64) -> (bool, Option<&'static str>)) -> Vec<Sample> {
    (from / 100..to / 100)
        .map(|tenth| {
            let (ok, release) = who(tenth * 100);
            sample(tenth * 100 + 30, 5, ok, release)
        })
        .collect()
}

fn record(samples: &[Sample], taken_back_ms: Option<u64>) -> Record {
    let names = Names {
        id: NEW.into(),
        revision: None,
    };
    let mut record = Record::new(NEW.parse().unwrap(), 2, State::Live);
    record.cutover = serde_json::to_value(Figures::of(samples, &names)).ok();
    record.samples = Samples::of(samples).unwrap();
    record.taken_back_ms = taken_back_ms;
    record
}

#[track_caller]
fn shows(record: &Record, width: usize, wanted: &str) {
    let text = strip_str(&text(record, Some(width))).to_string();
    assert_eq!(text, wanted, "\n{text}");
}

#[test]
fn a_good_release_is_seen_to_take_over() {
    let samples = steady(-1_000, 1_000, |at| {
        (true, Some(if at < 100 { OLD } else { NEW }))
    });
    shows(
        &record(&samples, None),
        80,
        "cutover    20 requests of the probe, 0 failed
  old      ▇▇▇▇▇▇▇▇▇▇│▇
  new                │ ▇▇▇▇▇▇▇▇▇
  failed             │
           -1 s      switch
           one column is 100 ms
  answers  old (20261121090000) until 35 ms after the switch, new from 135 ms on
  times    before the switch p50 5 ms, p99 5 ms; after it p50 5 ms, p99 5 ms
",
    );
}

#[test]
fn a_release_that_is_taken_back_shows_what_failed_and_whose_it_was() {
    let samples = steady(-500, 1_500, |at| match at {
        ..0 | 1_000.. => (true, Some(OLD)),
        0..300 => (true, Some(NEW)),
        300..700 => (false, Some(NEW)),
        _ => (false, None),
    });
    shows(
        &record(&samples, Some(980)),
        60,
        "cutover    20 requests of the probe, 7 failed
  old      ▇▇▇▇▇│          │▇▇▇▇▇
  new           │▇▇▇       │
  failed        │   xxxxxxx│
                switch     taken back
           one column is 100 ms
  failed   7, from 335 ms to 935 ms after the switch: 4 by
           the new release, 3 that name none
  answers  new from 35 ms to 235 ms, taken back after 980
           ms, old (20261121090000) again from 1 s on
  times    before the switch p50 5 ms, p99 5 ms; after it
           p50 5 ms, p99 5 ms
",
    );
}

#[test]
fn answers_without_a_name_share_a_lane_and_say_how_to_tell_them_apart() {
    let samples = steady(-300, 400, |at| (at != 200, None));
    shows(
        &record(&samples, None),
        80,
        "cutover    7 requests of the probe, 1 failed
  answered ▇▇▇│▇▇ ▇
  failed      │  x
              switch
           one column is 100 ms
  failed   1, 235 ms after the switch
  answers  they name no release; a health check with `release =
           \"header:X-Release\"` tells
  times    before the switch p50 5 ms, p99 5 ms; after it p50 5 ms, p99 5 ms
",
    );
}

#[test]
fn without_a_switch_only_failures_have_a_time() {
    let samples = steady(-9_000, -100, |at| (at != -5_000, Some(OLD)));
    shows(
        &record(&samples, None),
        80,
        "cutover    89 requests, 1 failed, p99 5 ms before
  failed   1, 4.9 s before the end, by the old release
",
    );
}

#[test]
fn where_the_requests_are_not_kept_the_figures_are_told() {
    let mut record = record(&steady(-300, 300, |_| (true, None)), None);
    record.samples = Samples::default();
    let figures = "cutover    6 requests, 0 failed, p99 5 ms (5 ms before)\n";
    shows(&record, 80, figures);
    record.samples = serde_json::from_value(json!([{"at_ms": "x"}])).unwrap();
    shows(&record, 80, figures);
    record.cutover = None;
    shows(&record, 80, "");
}

#[test]
fn a_thinned_record_says_how_much_is_drawn() {
    let samples = steady(-300, 300, |_| (true, None));
    let mut record = record(&samples, None);
    record.cutover.as_mut().unwrap()["requests"] = 5_000.into();
    let text = text(&record, None);
    assert!(text.contains("6 of them are drawn"), "{text}");
}

#[test]
fn names_of_a_broken_record_steer_no_terminal() {
    let samples = steady(-300, 300, |_| (true, Some("\x1b[2Jold\n")));
    let text = text(&record(&samples, None), None);
    assert!(
        !text.contains("\x1b[2J") && !text.contains("old\n)"),
        "{text:?}"
    );
}
