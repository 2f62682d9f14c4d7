//! What a command says while it works. The [`Report`] trait takes plain text; whether it becomes a
//! live spinner, plain lines or nothing is the business of its implementations. Results (`list`,
//! `status`, `--json`) do not pass here: they go to stdout through [`stdout`].

pub mod closing;
mod plain;
mod printable;
mod quiet;
mod screen;
pub mod stdout;
mod stream;
pub mod style;
pub mod table;
mod terminal;
pub mod text;
pub mod time;
pub mod timeline;

use std::env;
use std::io::{self, IsTerminal};
use std::time::Duration;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

use plain::Plain;
pub use printable::printable;
use quiet::Quiet;
use stream::Stream;
use terminal::Terminal;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// `-q`: warnings and the closing lines.
    Quiet,
    /// Steps, notes and warnings.
    #[default]
    Normal,
    /// `-v`: details and every line of the hooks too.
    Verbose,
}

/// Whether text is coloured: the values of `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Color {
    /// As the terminal, `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE` and `TERM` say.
    #[default]
    Auto,
    /// Always, also into a file.
    Always,
    /// Never.
    Never,
}

/// How a command reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// How much.
    pub verbosity: Verbosity,
    /// With colours or without.
    pub color: Color,
}

/// The report of this process: live on a terminal, plain lines elsewhere and in CI. The choice of
/// colours holds for [`stdout`] from then on, too.
pub fn for_stderr(options: Options) -> Box<dyn Report> {
    options.color.apply_everywhere();
    let stderr = io::stderr();
    let is_coloured = AutoStream::choice(&stderr) != ColorChoice::Never;
    let is_verbose = options.verbosity == Verbosity::Verbose;
    let variable = |name| env::var(name).unwrap_or_default();
    let stream = Stream::stderr();
    if options.verbosity == Verbosity::Quiet {
        Box::new(Quiet::new(stream, is_coloured))
    } else if stderr.is_terminal() && can_redraw(&variable("TERM"), &variable("CI")) {
        let terminal = Terminal::new(stream, is_verbose, is_coloured);
        terminal.give_way_to_panics();
        Box::new(terminal)
    } else {
        Box::new(Plain::new(stream, is_verbose, is_coloured))
    }
}

/// Whether a line can be drawn over on a terminal. CI systems attach terminals that only record.
fn can_redraw(term: &str, ci: &str) -> bool {
    !matches!(term, "" | "dumb") && matches!(ci, "" | "0" | "false")
}

impl Color {
    fn apply_everywhere(self) {
        let choice = match self {
            Color::Auto => ColorChoice::Auto,
            Color::Always => ColorChoice::Always,
            Color::Never => ColorChoice::Never,
        };
        choice.write_global();
    }
}

/// One thing worth telling while a command works.
///
/// Verbs follow cargo: a capitalised present participle while the work goes on, a past participle
/// when it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event<'a> {
    /// A piece of work began.
    Started {
        /// For instance `Building`.
        verb: &'a str,
        /// For instance `hooks/build`.
        what: &'a str,
    },
    /// One line that the work in progress printed, already masked.
    Output(&'a str),
    /// The work in progress has something newer to show: "2 of 3 processes run the new release".
    Progress(&'a str),
    /// The work ended well.
    Finished {
        /// For instance `Built`.
        verb: &'a str,
        /// For instance `hooks/build`.
        what: &'a str,
        /// How long it took; `None` where that means nothing.
        elapsed: Option<Duration>,
    },
    /// The work ended badly; the closing lines say why.
    Failed {
        /// For instance `Failed`.
        verb: &'a str,
        /// For instance `hooks/build`.
        what: &'a str,
    },
    /// Something to know that changes nothing.
    Note(&'a str),
    /// Something that should be looked at, though the command goes on.
    Warning(&'a str),
    /// Shown only with `-v`.
    Detail(&'a str),
    /// The last lines of the command, as [`closing`] has made them. Shown with `-q` too.
    Closing(&'a str),
}

/// Takes the events of a running command. Never fails and never panics: a closed terminal, a full
/// disk behind stderr or a broken pipe must not stop a release.
pub trait Report: Send + Sync {
    /// Takes one event.
    fn event(&self, event: Event<'_>);

    /// Says that a piece of work began.
    fn started(&self, verb: &str, what: &str) {
        self.event(Event::Started { verb, what });
    }

    /// Says that a piece of work ended well.
    fn finished(&self, verb: &str, what: &str, elapsed: Option<Duration>) {
        self.event(Event::Finished {
            verb,
            what,
            elapsed,
        });
    }

    /// Says something to know.
    fn note(&self, text: &str) {
        self.event(Event::Note(text));
    }

    /// Says something to look at.
    fn warning(&self, text: &str) {
        self.event(Event::Warning(text));
    }

    /// Says something that only `-v` shows.
    fn detail(&self, text: &str) {
        self.event(Event::Detail(text));
    }

    /// Says the last lines of the command.
    fn closing(&self, text: &str) {
        self.event(Event::Closing(text));
    }
}

/// Takes everything and says nothing.
pub struct Silent;

impl Report for Silent {
    fn event(&self, _event: Event<'_>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_drawn_over_only_where_someone_watches() {
        assert!(can_redraw("xterm-256color", ""));
        assert!(!can_redraw("dumb", ""));
        assert!(!can_redraw("", ""));
        assert!(!can_redraw("xterm", "true"));
        assert!(can_redraw("xterm", "false"));
    }
}
