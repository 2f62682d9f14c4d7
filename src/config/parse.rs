//! From the text of a `zdd.toml` to its settings, or to all that is wrong with it at once.

use std::ops::RangeInclusive;

use camino::Utf8Path;

use super::mistake::{Mistake, SourceText};
use super::schema::Config;
use super::tree::Tree;
use super::walk::Walk;
use super::{syntax, validate};
use crate::error::Finding;

/// So many findings are listed; after these a number says how many more there are.
const MOST_FINDINGS: usize = 50;

/// Reads the text of a configuration file. `file` is its name in the findings.
///
/// # Errors
/// Everything that is wrong: what is not TOML, unknown keys, wrong types, bad durations and sizes,
/// values out of range, what contradicts itself, in the order of the text.
pub fn parse(file: &Utf8Path, text: &str) -> Result<Config, Vec<Finding>> {
    // A byte order mark is no text; editors of other systems write it all the same.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let source = SourceText::new(file, text);
    look_through(text, &source).map_err(|mistakes| listed(&source, mistakes))
}

fn look_through(text: &str, source: &SourceText<'_>) -> Result<Config, Vec<Mistake>> {
    let (mut table, mut mistakes) = syntax::parse(text, source);
    if !mistakes.is_empty() {
        mistakes.extend(beside(&mistakes, Walk::through(table.get_mut()), source));
        return Err(mistakes);
    }
    let walk = Walk::through(table.get_mut());
    mistakes.extend(walk.mistakes);
    let tree = Tree::new(table, walk.dented);
    match tree.config() {
        Ok(config) => {
            mistakes.extend(validate::mistakes(&config, &tree));
            if mistakes.is_empty() {
                Ok(config)
            } else {
                Err(mistakes)
            }
        }
        Err(error) => {
            mistakes.push(Mistake::new(error.span().unwrap_or(0..0), error.message()));
            Err(mistakes)
        }
    }
}

/// What the walk found in a text that is not quite TOML, without the echoes: after a broken
/// heading nobody knows which table a key is in, and broken lines speak for themselves.
fn beside(syntax: &[Mistake], walk: Walk, source: &SourceText<'_>) -> Vec<Mistake> {
    let lines = |mistake: &Mistake| source.line(mistake.span.start)..=source.line(mistake.span.end);
    let broken: Vec<_> = syntax.iter().map(lines).collect();
    let is_heading = |line: &usize| source.line_text(*line).trim_start().starts_with('[');
    if broken.iter().map(|lines| lines.start()).any(is_heading) {
        return Vec::new();
    }
    let is_apart = |mistake: &Mistake| {
        let own = lines(mistake);
        let touches = |lines: &RangeInclusive<usize>| {
            lines.start() <= own.end() && own.start() <= lines.end()
        };
        !broken.iter().any(touches)
    };
    walk.mistakes.into_iter().filter(is_apart).collect()
}

/// In the order of the text, and no more than a human wants to read.
fn listed(source: &SourceText<'_>, mut mistakes: Vec<Mistake>) -> Vec<Finding> {
    mistakes.sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
    let more = mistakes.len().saturating_sub(MOST_FINDINGS);
    mistakes.truncate(MOST_FINDINGS);
    let mut findings: Vec<Finding> = mistakes
        .into_iter()
        .map(|mistake| source.finding(mistake))
        .collect();
    if more > 0 {
        findings.push(Finding::new(format!(
            "and {more} more mistakes in this file"
        )));
    }
    findings
}
