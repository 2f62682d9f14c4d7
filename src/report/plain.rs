//! Progress as plain lines, for CI, files and terminals that cannot move their cursor. Work that
//! takes long, or says something itself, has a line for its start too: a log that ends early tells
//! what was going on. Quick work has one line, for its end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anstream::adapter::strip_str;

use super::stream::Stream;
use super::{Event, Report, style};

/// Work that takes longer than this has a line for its start.
const QUICK: Duration = Duration::from_secs(1);

/// One line an event. Output of hooks is always shown: a log is read when it is too late to ask.
#[derive(Debug)]
pub struct Plain {
    lines: Arc<Lines>,
    is_verbose: bool,
}

#[derive(Debug)]
struct Lines {
    stream: Stream,
    is_coloured: bool,
    beginning: Mutex<Beginning>,
}

/// The work in progress, as long as nothing was said of it.
#[derive(Debug, Default)]
struct Beginning {
    line: Option<String>,
    number: u64,
}

impl Plain {
    /// Writes to the stream, with colours only when they are wanted.
    pub fn new(stream: Stream, is_verbose: bool, is_coloured: bool) -> Self {
        let beginning = Mutex::default();
        let lines = Arc::new(Lines {
            stream,
            is_coloured,
            beginning,
        });
        Plain { lines, is_verbose }
    }

    /// Says that work began, once it turns out to take long.
    fn say_later(&self, line: String) {
        let mut beginning = self.lines.beginning();
        self.lines.write(beginning.line.replace(line));
        beginning.number += 1;
        let (number, lines) = (beginning.number, Arc::downgrade(&self.lines));
        thread::spawn(move || {
            thread::sleep(QUICK);
            if let Some(lines) = lines.upgrade() {
                lines.say_if_still(number);
            }
        });
    }
}

impl Report for Plain {
    fn event(&self, event: Event<'_>) {
        let Some(line) = line_of(event, self.is_verbose) else {
            return;
        };
        if matches!(event, Event::Started { .. }) {
            return self.say_later(line);
        }
        let is_end = matches!(event, Event::Finished { .. } | Event::Failed { .. });
        let begun = self.lines.beginning().line.take();
        self.lines.write(begun.filter(|_| !is_end));
        self.lines.write(Some(line));
    }
}

impl Lines {
    fn say_if_still(&self, number: u64) {
        let mut beginning = self.beginning();
        if beginning.number == number {
            self.write(beginning.line.take());
        }
    }

    fn beginning(&self) -> MutexGuard<'_, Beginning> {
        let beginning = self.beginning.lock();
        beginning.unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, line: Option<String>) {
        if let Some(line) = line {
            self.stream.write(&ready(&line, self.is_coloured));
        }
    }
}

/// The line for an event, or nothing where it is only for `-v`.
fn line_of(event: Event<'_>, is_verbose: bool) -> Option<String> {
    match event {
        Event::Started { verb, what } => Some(style::deed(style::GOOD, verb, what)),
        Event::Output(line) => Some(style::output(line)),
        Event::Progress(text) => is_verbose.then(|| style::output(text)),
        lasting => style::line_of(lasting, is_verbose),
    }
}

/// The line as it goes out: with or without colours, its end included.
pub fn ready(line: &str, is_coloured: bool) -> String {
    let end = if line.ends_with('\n') { "" } else { "\n" };
    if is_coloured {
        format!("{line}{end}")
    } else {
        format!("{}{end}", strip_str(line))
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::{self, Read};

    use super::*;

    /// What a reader of the pipe sees of a small release.
    fn said(is_verbose: bool, is_coloured: bool) -> String {
        let (mut reader, writer) = io::pipe().unwrap();
        let plain = Plain::new(Stream::new(Some(writer.into())), is_verbose, is_coloured);
        tell(&plain);
        drop(plain);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    }

    fn tell(report: &dyn Report) {
        report.started("Building", "hooks/build");
        report.event(Event::Output("\x1b[32mCollecting\x1b[0m flask"));
        report.event(Event::Output("10%\r100%"));
        report.event(Event::Progress("half of it"));
        report.detail("cwd is releases/20261122014228");
        report.finished("Built", "hooks/build", Some(Duration::from_millis(12_345)));
        report.finished("Linked", ".env", None);
        report.note("nothing to migrate");
        report.warning("`uploads` is empty");
        report.event(Event::Failed {
            verb: "Failed",
            what: "hooks/check",
        });
        report.closing("error: hooks/check failed");
    }

    #[test]
    fn every_event_is_a_line_without_escape_sequences() {
        assert_eq!(
            said(false, false),
            "    Building hooks/build
    | Collecting flask
    | 100%
       Built hooks/build in 12.3 s
      Linked .env
note: nothing to migrate
warning: `uploads` is empty
      Failed hooks/check
error: hooks/check failed
"
        );
    }

    #[test]
    fn quick_and_quiet_work_has_one_line_and_long_work_two() {
        let (mut reader, writer) = io::pipe().unwrap();
        let plain = Plain::new(Stream::new(Some(writer.into())), false, false);
        plain.started("Copying", "the source");
        plain.finished("Copied", "9 files", None);
        plain.started("Checking", "/health");
        thread::sleep(QUICK + Duration::from_millis(500));
        plain.event(Event::Failed {
            verb: "Failed",
            what: "/health",
        });
        drop(plain);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(
            text,
            "      Copied 9 files
    Checking /health
      Failed /health
"
        );
    }

    #[test]
    fn verbose_adds_progress_and_details() {
        let text = said(true, false);
        assert!(text.contains("    | half of it\n"));
        assert!(text.contains("cwd is releases/20261122014228\n"));
    }

    #[test]
    fn forced_colours_are_ours_and_never_those_of_a_hook() {
        let text = said(false, true);
        assert!(text.contains("\x1b[1m\x1b[32m       Built\x1b[0m hooks/build"));
        assert!(text.contains("    | Collecting flask\x1b[0m\n"));
        assert_eq!(strip_str(&text).to_string(), said(false, false));
    }

    #[test]
    fn a_full_disk_and_a_closed_pipe_do_not_end_it() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        for fd in [writer.into(), full.into()] {
            tell(&Plain::new(Stream::new(Some(fd)), true, true));
        }
    }
}
