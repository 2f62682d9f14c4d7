//! The cutover of a release as `zdd show` draws it: who answered the probe when, what failed, and
//! the figures. Where the requests themselves are not kept any more, the figures alone.

use std::time::Duration;

use anstyle::Style;

use crate::health::figures::percentile;
use crate::health::{Figures, Names, Sample};
use crate::report::stdout::USUAL_COLUMNS;
use crate::report::style::{BAD, DIM, FRESH, STRONG, UNKNOWN, paint};
use crate::report::text::{labelled, one_line};
use crate::report::time::duration;
use crate::report::timeline::{LABEL_COLUMNS, Lane, Mark, Moment, Timeline};
use crate::site::Record;

/// No command takes longer; what a record says beyond is drawn there.
const ENDLESS_MS: i64 = 1 << 40;

/// Who answered a request, or that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Old,
    New,
    /// It named no release.
    Unnamed,
    Failed,
}

/// A request of the probe and who answered it.
#[derive(Debug)]
struct Asked {
    sample: Sample,
    answer: Answer,
}

/// What is known of a cutover.
struct Cutover {
    figures: Figures,
    asked: Vec<Asked>,
    names: Names,
    /// What other releases called themselves.
    old_names: Vec<String>,
    taken_back_ms: Option<u64>,
}

/// The lines about the cutover of a release, within the width of the terminal if there is one; none
/// when there is nothing to tell.
pub fn text(record: &Record, width: Option<usize>) -> String {
    Cutover::of(record).map_or_else(String::new, |cutover| cutover.text(width))
}

/// A text behind a label as wide as those of the picture.
fn told((style, label): (Style, &str), text: &str, width: Option<usize>) -> String {
    let label = paint(style, format!("{label:<LABEL_COLUMNS$}"));
    labelled(&label, text, width)
}

impl Cutover {
    fn of(record: &Record) -> Option<Cutover> {
        let figures = serde_json::from_value(record.cutover.clone()?).ok()?;
        let names = Names {
            id: record.id.to_string(),
            revision: record.revision.clone(),
        };
        let samples: Vec<Sample> = record.samples.read();
        let mut old_names: Vec<String> = Vec::new();
        for name in samples.iter().filter(|sample| sample.ok) {
            let Some(name) = &name.release else { continue };
            if !names.include(name) && !old_names.contains(name) {
                old_names.push(name.clone());
            }
        }
        let asked = samples.into_iter().map(|sample| Asked {
            answer: match sample.release.as_deref() {
                _ if !sample.ok => Answer::Failed,
                Some(name) if names.include(name) => Answer::New,
                Some(_) => Answer::Old,
                None => Answer::Unnamed,
            },
            sample,
        });
        Some(Cutover {
            figures,
            asked: asked.collect(),
            names,
            old_names,
            taken_back_ms: record.taken_back_ms,
        })
    }

    fn text(&self, width: Option<usize>) -> String {
        // Without an answer after it there was no switch, or nothing to see of it.
        let has_after = self.asked.iter().any(|it| it.sample.ended_ms() > 0);
        if !has_after {
            let figures = self.figures.to_string().replace("cutover: ", "");
            let figures = told((STRONG, "cutover"), &figures, width);
            return figures + &self.failures("the end", width);
        }
        let picture = self.timeline().draw(width.unwrap_or(USUAL_COLUMNS));
        told((STRONG, "cutover"), &self.counts(), width)
            + &picture.lines
            + &told((DIM, ""), &paint(DIM, picture.legend), width)
            + &self.failures("the switch", width)
            + &told((STRONG, "  answers"), &self.answers(), width)
            + &told((STRONG, "  times"), &self.times(), width)
    }

    fn counts(&self) -> String {
        let Figures {
            requests, failed, ..
        } = self.figures;
        let plural = if requests == 1 { "" } else { "s" };
        let style = if failed > 0 { BAD } else { Style::new() };
        let failed = paint(style, format!("{failed} failed"));
        let mut counts = format!("{requests} request{plural} of the probe, {failed}");
        let kept = self.asked.len() as u64;
        if kept < requests {
            counts += &format!("; {kept} of them are drawn");
        }
        counts
    }

    fn timeline(&self) -> Timeline {
        let has = |answer: Answer| self.asked.iter().any(|asked| asked.answer == answer);
        let is_named = has(Answer::Old) || has(Answer::New);
        let unnamed = if is_named { "unnamed" } else { "answered" };
        let unnamed_style = if is_named { UNKNOWN } else { Style::new() };
        let shown: Vec<(Answer, Lane)> = [
            (Answer::Old, "old", DIM),
            (Answer::New, "new", FRESH),
            (Answer::Unnamed, unnamed, unnamed_style),
            (Answer::Failed, "failed", BAD),
        ]
        .into_iter()
        // Whose lane stays empty is told as well: the new release never answered, nothing failed.
        .filter(|(answer, ..)| match answer {
            Answer::Old | Answer::New => is_named,
            Answer::Unnamed => has(Answer::Unnamed),
            Answer::Failed => true,
        })
        .map(|(answer, label, style)| {
            let is_failure = answer == Answer::Failed;
            (
                answer,
                Lane {
                    label,
                    style,
                    is_failure,
                },
            )
        })
        .collect();
        let place = |answer| shown.iter().position(|(lane, _)| *lane == answer);
        let moments = self.asked.iter().filter_map(|asked| {
            Some(Moment {
                began_ms: asked.sample.at_ms.clamp(-ENDLESS_MS, ENDLESS_MS),
                ended_ms: asked.sample.ended_ms().clamp(-ENDLESS_MS, ENDLESS_MS),
                lane: place(asked.answer)?,
            })
        });
        let back = self.taken_back_ms.map(|ms| Mark {
            at_ms: i64::try_from(ms).unwrap_or(ENDLESS_MS).min(ENDLESS_MS),
            label: "taken back",
        });
        let switch = Mark {
            at_ms: 0,
            label: "switch",
        };
        Timeline {
            moments: moments.collect(),
            lanes: shown.iter().map(|(_, lane)| lane.clone()).collect(),
            marks: std::iter::once(switch).chain(back).collect(),
        }
    }

    /// When something failed, before `event` and after it.
    fn failures(&self, event: &str, width: Option<usize>) -> String {
        let failed = self.asked.iter().filter(|it| it.answer == Answer::Failed);
        let (after, before): (Vec<_>, Vec<_>) = failed.partition(|it| it.sample.ended_ms() > 0);
        let lines = [(before, "before"), (after, "after")]
            .into_iter()
            .filter(|(failed, _)| !failed.is_empty())
            .map(|(failed, side)| {
                let distance = |it: Option<&&Asked>| it.map(|it| it.distance());
                let first = distance(failed.first()).unwrap_or_default();
                let last = distance(failed.last()).unwrap_or_default();
                let when = match first == last {
                    true => first,
                    false => format!("from {first} to {last}"),
                };
                let count = failed.len();
                format!("{count}, {when} {side} {event}{}", self.whose(&failed))
            });
        lines
            .map(|text| told((BAD, "  failed"), &text, width))
            .collect()
    }

    /// Whose the failures were, where an answer says it.
    fn whose(&self, failed: &[&Asked]) -> String {
        let (mut new, mut old) = (0, 0);
        for name in failed.iter().filter_map(|it| it.sample.release.as_ref()) {
            new += usize::from(self.names.include(name));
            old += usize::from(self.old_names.contains(name));
        }
        let silent = failed.len() - new - old;
        if silent == failed.len() {
            return String::new();
        }
        let parts = [
            (new, "by the new release"),
            (old, "by the old release"),
            (silent, "that name none"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<String> = parts
            .map(|(count, whose)| format!("{count} {whose}"))
            .collect();
        let all = if failed.len() > 1 { "all " } else { "" };
        match parts.as_slice() {
            [only] => format!(", {all}{}", only.split_once(' ').unwrap_or_default().1),
            _ => format!(": {}", parts.join(", ")),
        }
    }

    /// Which release answered from when to when.
    fn answers(&self) -> String {
        let of = |answer| self.asked.iter().filter(move |it| it.answer == answer);
        let after = |answer| of(answer).filter(|asked| asked.sample.ended_ms() > 0);
        if of(Answer::Old).chain(of(Answer::New)).next().is_none() {
            let back = self.taken_back_ms.map(milliseconds);
            let back = back.map(|after| format!("taken back after {after}; "));
            return back.unwrap_or_default()
                + "they name no release; a health check with `release = \"header:X-Release\"` tells";
        }
        let old = match self.old_names.len() {
            0 => "old".to_owned(),
            1..=3 => format!("old ({})", one_line(&self.old_names.join(", "))),
            many => format!("old ({many} names)"),
        };
        let first_new = after(Answer::New).next();
        let Some(back) = self.taken_back_ms else {
            let old_until = match after(Answer::Old).next_back() {
                Some(last) => format!("{} after the switch", last.distance()),
                None => "the switch".to_owned(),
            };
            let new = first_new.map(|first| format!("new from {} on", first.distance()));
            let new = new.unwrap_or_else(|| "new never".to_owned());
            return format!("{old} until {old_until}, {new}");
        };
        let new = match (first_new, after(Answer::New).next_back()) {
            (Some(first), Some(last)) => {
                format!("new from {} to {}", first.distance(), last.distance())
            }
            _ => "new never".to_owned(),
        };
        let is_again = |it: &&Asked| it.sample.ended_ms().unsigned_abs() > back;
        let again = after(Answer::Old).find(is_again);
        let again = again.map(|first| format!(", {old} again from {} on", first.distance()));
        let again = again.unwrap_or_else(|| format!(", {old} before"));
        format!("{new}, taken back after {}{again}", milliseconds(back))
    }

    fn times(&self) -> String {
        let before = self
            .asked
            .iter()
            .filter(|asked| asked.sample.ended_ms() <= 0);
        let before: Vec<&Sample> = before.map(|asked| &asked.sample).collect();
        let before_p50 = percentile(&before, 50);
        let told = |p50: Option<u64>, p99: Option<u64>| match (p50, p99) {
            (Some(p50), Some(p99)) => format!("p50 {p50} ms, p99 {p99} ms"),
            _ => "no good answer".to_owned(),
        };
        let before = told(before_p50, self.figures.before_p99_ms);
        let after = told(self.figures.p50_ms, self.figures.p99_ms);
        format!("before the switch {before}; after it {after}")
    }
}

impl Asked {
    /// How far from the switch it came.
    fn distance(&self) -> String {
        milliseconds(self.sample.ended_ms().unsigned_abs())
    }
}

fn milliseconds(ms: u64) -> String {
    duration(Duration::from_millis(ms))
}

#[cfg(test)]
mod tests;
