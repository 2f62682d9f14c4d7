//! What a load met: times, gaps, failures, and who answered when.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::clients::{SHORT, is_good};
use crate::load::Answer;
use crate::wrk::Counts;

/// One deploy command of a load.
pub struct Command {
    pub name: String,
    pub started: Instant,
    pub ended: Instant,
    /// The version that has to answer from its end on.
    pub leaves: String,
}

/// A load and the commands that were given under it, in their order.
pub struct Figures {
    pub answers: Vec<Answer>,
    pub wrk: Counts,
    pub commands: Vec<Command>,
}

/// Time after a command that still belongs to it.
const AFTER: Duration = Duration::from_secs(1);

impl Figures {
    /// All requests, whoever made them.
    pub fn requests(&self) -> usize {
        self.answers.len() + self.wrk.requests()
    }

    /// All requests without a good answer.
    pub fn failed(&self) -> usize {
        self.failures().count() + self.wrk.failed
    }

    fn failures(&self) -> impl Iterator<Item = &Answer> {
        self.answers.iter().filter(|answer| !is_good(answer))
    }

    /// Answers that these versions gave.
    pub fn answered_by(&self, versions: &[String]) -> usize {
        let own = self.answers.iter();
        let own = own.filter(|answer| versions.contains(&answer.version));
        let wrk = versions.iter().filter_map(|v| self.wrk.versions.get(v));
        own.count() + wrk.sum::<usize>()
    }

    /// Good answers from another version than the live one to requests sent when no command ran.
    pub fn stale(&self) -> usize {
        let next = self.commands.iter().skip(1).map(|next| Some(next.started));
        let spans = self.commands.iter().zip(next.chain([None]));
        let stale = |(command, end): (&Command, Option<Instant>)| {
            let answers = self.answers.iter().filter(|answer| is_good(answer));
            let sent = answers.filter(|answer| {
                command.ended < answer.started && end.is_none_or(|end| answer.started < end)
            });
            sent.filter(|answer| answer.version != command.leaves)
                .count()
        };
        spans.map(stale).sum()
    }

    fn short(&self) -> impl Iterator<Item = &Answer> {
        let answers = self.answers.iter();
        answers.filter(|answer| SHORT.contains(&answer.kind))
    }

    /// The 99th percentile of the short requests sent before the first command.
    pub fn p99_before(&self) -> Duration {
        let first = self.commands.first().map(|command| command.started);
        self.p99(|answer| first.is_none_or(|first| answer.started < first))
    }

    /// The same of those sent from a command's start to a second after its end.
    pub fn p99_during(&self) -> Duration {
        self.p99(|answer| {
            let mut commands = self.commands.iter();
            commands.any(|c| c.started <= answer.started && answer.started <= c.ended + AFTER)
        })
    }

    fn p99(&self, belongs: impl Fn(&Answer) -> bool) -> Duration {
        let answers = self.short().filter(|answer| belongs(answer));
        let mut times: Vec<Duration> = answers
            .map(|answer| answer.ended.duration_since(answer.started))
            .collect();
        times.sort_unstable();
        let at = (times.len() * 99).div_ceil(100).saturating_sub(1);
        times.get(at).copied().unwrap_or_default()
    }

    /// The longest time without a good answer to any short request.
    pub fn longest_gap(&self) -> Duration {
        let good = self.short().filter(|answer| is_good(answer));
        let mut ends: Vec<Instant> = good.map(|answer| answer.ended).collect();
        ends.sort_unstable();
        let gaps = ends.windows(2).map(|pair| pair[1] - pair[0]);
        gaps.max().unwrap_or_default()
    }

    /// The median time of a command.
    pub fn took(&self) -> Duration {
        let commands = self.commands.iter();
        let mut times: Vec<Duration> = commands.map(|c| c.ended - c.started).collect();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    }

    /// The failures in groups: whose, what, and under which command.
    pub fn explained(&self) -> Vec<String> {
        let mut groups: BTreeMap<String, (usize, Duration)> = BTreeMap::new();
        for answer in self.failures() {
            let what = match &answer.status {
                Ok(status) => format!("{status}"),
                Err(error) => error.clone(),
            };
            let mut commands = self.commands.iter();
            let last = commands.rfind(|command| command.started <= answer.ended);
            let (under, since) = last.map_or(("no command", Duration::ZERO), |command| {
                (&command.name, answer.ended - command.started)
            });
            let key = format!("{}: {what}, under {under}", answer.kind);
            groups.entry(key).or_insert((0, since)).0 += 1;
        }
        let line = |(key, (count, since)): (String, (usize, Duration))| {
            format!(
                "{count} x {key}, {:.2} s after its start",
                since.as_secs_f64()
            )
        };
        let wrk = (self.wrk.failed > 0).then(|| format!("{} x wrk", self.wrk.failed));
        groups.into_iter().map(line).chain(wrk).collect()
    }
}
