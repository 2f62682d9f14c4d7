use anstream::adapter::strip_str;

use super::super::style::{BAD, FRESH};
use super::super::text::columns;
use super::*;

const OLD: usize = 0;
const NEW: usize = 1;
const FAILURES: usize = 2;

fn timeline(moments: impl IntoIterator<Item = (i64, i64, usize)>, marks: &[i64]) -> Timeline {
    let lane = |label, style, is_failure| Lane {
        label,
        style,
        is_failure,
    };
    let label = |at_ms: &i64| match at_ms {
        0 => "switch",
        _ => "taken back",
    };
    Timeline {
        lanes: vec![
            lane("old", DIM, false),
            lane("new", FRESH, false),
            lane("failed", BAD, true),
        ],
        moments: moments
            .into_iter()
            .map(|(began_ms, ended_ms, lane)| Moment {
                began_ms,
                ended_ms,
                lane,
            })
            .collect(),
        marks: marks
            .iter()
            .map(|at_ms| Mark {
                at_ms: *at_ms,
                label: label(at_ms),
            })
            .collect(),
    }
}

/// A quick answer every 100 ms.
fn steady(from: i64, to: i64, lane: impl Fn(i64) -> usize) -> Vec<(i64, i64, usize)> {
    (from / 100..to / 100)
        .map(|tenth| (tenth * 100 + 40, tenth * 100 + 43, lane(tenth * 100)))
        .collect()
}

#[track_caller]
fn shows(timeline: &Timeline, width: usize, picture: &str, legend: &str) {
    let drawn = timeline.draw(width);
    let lines = strip_str(&drawn.lines).to_string();
    assert_eq!(lines, picture, "\n{lines}");
    assert_eq!(drawn.legend, legend);
}

#[test]
fn a_column_is_a_tenth_of_a_second_where_it_fits() {
    let good = steady(-1_000, 1_500, |at| usize::from(at >= 0));
    shows(
        &timeline(good, &[0]),
        50,
        "  old      ▇▇▇▇▇▇▇▇▇▇│
  new                │▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
  failed             │
           -1 s      switch     +1 s
",
        "one column is 100 ms",
    );
}

#[test]
fn only_two_seconds_before_the_switch_are_drawn() {
    let good = steady(-60_000, 800, |at| usize::from(at >= 0));
    shows(
        &timeline(good, &[0]),
        80,
        "  old      ▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇│
  new                          │▇▇▇▇▇▇▇▇
  failed                       │
           -2 s                switch
",
        "one column is 100 ms",
    );
}

#[test]
fn what_is_taken_back_has_a_second_mark_and_nothing_stands_on_its_wrong_side() {
    // Taken back at 450: the failure at 443 is before it, the answers at 453 and
    // 543 are in the first column behind it.
    let lane = |at| match at {
        ..0 => OLD,
        0..200 => NEW,
        200..500 => FAILURES,
        _ => OLD,
    };
    let mut moments = steady(-500, 1_000, lane);
    moments.insert(10, (451, 453, OLD));
    shows(
        &timeline(moments, &[0, 450]),
        50,
        "  old      ▇▇▇▇▇│     │▇▇▇▇▇
  new           │▇▇   │
  failed        │  xxx│
                switch
                      taken back
",
        "one column is 100 ms",
    );
}

#[test]
fn a_narrow_terminal_gets_wider_columns_and_shares_of_them() {
    // 0.2 s a column: of the first after the switch one half each, of the sixth one third failed.
    let mut moments = steady(-1_000, 6_000, |at| usize::from(at >= 100));
    moments.insert(21, (1_050, 1_070, FAILURES));
    shows(
        &timeline(moments, &[0]),
        50,
        "  old      ▇▇▇▇▇│▃
  new           │▃▇▇▇▇▄▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇▇
  failed        │     x
                switch     +2 s      +4 s
",
        "one column is 200 ms; a bar's height is its share of the answers",
    );
}

#[test]
fn a_slow_answer_is_waited_for_in_its_lane() {
    let moments = [
        (-200, -195, OLD),
        (-100, -95, OLD),
        (-50, 1_150, NEW),
        (1_300, 1_302, NEW),
        (1_400, 1_990, FAILURES),
    ];
    shows(
        &timeline(moments, &[0]),
        80,
        "  old      ▇▇│
  new       ─│───────────▇ ▇
  failed     │              ─────x
             switch     +1 s
",
        "one column is 100 ms; ─ is waiting for an answer; blank where nothing was asked",
    );
}

#[test]
fn whatever_the_length_and_the_width_the_picture_fits() {
    for seconds in [0, 1, 7, 60, 600, 3_600, 86_400, 10_000_000] {
        let step = (seconds / 2_000).max(1) * 1_000;
        let moments =
            (-5..=seconds * 1_000 / step).map(|n| (n * step, n * step + 9, usize::from(n >= 0)));
        let moments: Vec<_> = moments.collect();
        for marks in [&[0][..], &[0, 300], &[0, 5_000_000]] {
            let timeline = timeline(moments.clone(), marks);
            for width in (27..220).step_by(3) {
                let lines = strip_str(&timeline.draw(width).lines).to_string();
                for line in lines.lines() {
                    assert!(columns(line) <= width, "{seconds} s at {width}:\n{lines}");
                }
                let bars = lines.matches(BARS[6]).count();
                assert!(bars > 0, "{seconds} s at {width}:\n{lines}");
                assert!(lines.contains('│'), "{seconds} s at {width}:\n{lines}");
            }
        }
    }
}

#[test]
fn a_failure_among_thousands_is_seen() {
    let mut moments = steady(-1_000, 600_000, |at| usize::from(at >= 0));
    moments.push((300_000, 300_010, FAILURES));
    let lines = timeline(moments, &[0]).draw(80).lines;
    assert!(
        lines.contains(&paint(BAD, format!("{:30}x", ""))),
        "{lines}"
    );
}

#[test]
fn extremes_draw_something() {
    let ages = 1 << 40;
    for moments in [vec![], vec![(0, 0, OLD)], vec![(-ages, ages, NEW)]] {
        for marks in [&[0][..], &[0, 0], &[0, ages]] {
            let drawn = timeline(moments.clone(), marks).draw(40).lines;
            assert!(drawn.lines().count() >= 4, "{drawn}");
        }
    }
}
