//! The look of every line that zdd says: one colour a meaning, cargo's right-aligned verbs. The
//! lines carry colours always; whoever prints them takes the colours away where none are wanted.

use std::fmt::Display;
use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::text::{harmless, last_state, one_line};
use super::{Event, time};

/// Verbs end in this column, as cargo's do.
const VERB_COLUMNS: usize = 12;

/// Work that goes on or ended well, and what is live.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();

/// Failures.
pub const BAD: Style = AnsiColor::Red.on_default().bold();

/// Warnings.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();

/// Notes and hints.
pub const NOTE: Style = AnsiColor::Cyan.on_default().bold();

/// What others said, and what matters less.
pub const DIM: Style = Style::new().dimmed();

/// What is new, beside [`DIM`] for what it replaces.
pub const FRESH: Style = AnsiColor::Green.on_default();

/// What is not known.
pub const UNKNOWN: Style = AnsiColor::Yellow.on_default();

/// Headings and labels.
pub const STRONG: Style = Style::new().bold();

/// The text between the sequences that switch the style on and off.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// A right-aligned verb and its object: `       Built hooks/build`.
pub fn deed(style: Style, verb: &str, what: &str) -> String {
    let verb = format!("{:>VERB_COLUMNS$}", one_line(verb));
    format!("{} {}", paint(style, verb), one_line(what))
}

/// A deed that is done: `       Built hooks/build in 12.3 s`.
fn finished(verb: &str, what: &str, elapsed: Option<Duration>) -> String {
    let deed = deed(GOOD, verb, what);
    match elapsed {
        Some(elapsed) => {
            let elapsed = format!("in {}", time::duration(elapsed));
            format!("{deed} {}", paint(DIM, elapsed))
        }
        None => deed,
    }
}

/// The line of an event that stays on the screen, or nothing for one that is only for `-v` and for
/// those that each way of reporting shows in its own manner.
pub fn line_of(event: Event<'_>, is_verbose: bool) -> Option<String> {
    match event {
        Event::Finished {
            verb,
            what,
            elapsed,
        } => Some(finished(verb, what, elapsed)),
        Event::Failed { verb, what } => Some(deed(BAD, verb, what)),
        Event::Note(text) => Some(remark(NOTE, "note", text)),
        Event::Warning(text) => Some(remark(WARNING, "warning", text)),
        Event::Detail(text) => is_verbose.then(|| paint(DIM, harmless(text))),
        Event::Closing(text) => Some(text.to_owned()),
        Event::Started { .. } | Event::Output(_) | Event::Progress(_) => None,
    }
}

/// A line that a hook printed, told from zdd's own by a bar.
pub fn output(line: &str) -> String {
    paint(DIM, format!("    | {}", last_state(line)))
}

/// Something to know or to look at: `warning: …`. More lines follow as they are.
fn remark(style: Style, label: &str, text: &str) -> String {
    format!("{} {}", paint(style, format!("{label}:")), harmless(text))
}
