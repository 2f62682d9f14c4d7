//! Progress on a terminal: what is done are lines that stay, what goes on is one line that is drawn
//! over, with a spinner, the elapsed time and the last that was heard. The cursor is never hidden
//! and the line is cleared at every end, so there is nothing to restore after a kill.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::plain::ready;
use super::screen::Screen;
use super::stream::Stream;
use super::text::{columns, cut, last_state, one_line};
use super::{Event, Report, style, time};

/// How often the spinner turns.
const TICK_INTERVAL: Duration = Duration::from_millis(100);

/// Work that ends before this time is never shown as going on: it would only flicker.
const FLICKER: Duration = Duration::from_millis(100);

/// The pictures of the spinner, one a tick.
const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/// Below this width the verb of the running line is not moved to the right.
const NARROW_COLUMNS: usize = 50;

/// Columns left free at the border: room for the `^C` of the terminal's echo, which must not wrap.
const FREE_COLUMNS: usize = 3;

/// Less of the last heard line than this says nothing.
const WORTHWHILE_COLUMNS: usize = 10;

/// A live report.
#[derive(Debug)]
pub struct Terminal {
    screen: Screen,
    running: Arc<Mutex<Option<Running>>>,
    is_verbose: bool,
    is_coloured: bool,
}

/// The piece of work that goes on, and its line.
#[derive(Debug)]
struct Running {
    bar: ProgressBar,
    /// The last line of output or progress, fit for the terminal.
    heard: Arc<Mutex<String>>,
}

impl Terminal {
    /// Draws on the stream, which should be a terminal.
    pub fn new(stream: Stream, is_verbose: bool, is_coloured: bool) -> Self {
        let running = Arc::default();
        turn_spinner(&running);
        Terminal {
            screen: Screen::new(stream),
            running,
            is_verbose,
            is_coloured,
        }
    }

    /// Makes the message of a panic begin on an empty line, for the whole process.
    pub fn give_way_to_panics(&self) {
        let screen = self.screen.clone();
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            screen.close();
            previous(panic);
        }));
    }

    fn start(&self, verb: &str, what: &str) -> Running {
        let heard = Arc::<Mutex<String>>::default();
        let line = RunningLine {
            screen: self.screen.clone(),
            verb: one_line(verb),
            what: one_line(what),
            heard: Arc::clone(&heard),
            is_coloured: self.is_coloured,
        };
        self.screen.stay_empty_for(FLICKER);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(self.screen.clone()), 20);
        let bar = ProgressBar::with_draw_target(None, target).with_style(line.into_style());
        Running { bar, heard }
    }

    /// Prints lines that stay, above the running one.
    fn print(&self, running: Option<&Running>, line: &str) {
        let print = || self.screen.print(&ready(line, self.is_coloured));
        match running {
            Some(running) => running.bar.suspend(print),
            None => print(),
        }
    }
}

impl Report for Terminal {
    fn event(&self, event: Event<'_>) {
        let mut running = lock(&self.running);
        match event {
            Event::Started { verb, what } => {
                end(running.take());
                *running = Some(self.start(verb, what));
            }
            Event::Output(heard) | Event::Progress(heard) => {
                if let Some(running) = running.as_ref() {
                    *lock(&running.heard) = last_state(heard);
                }
                if self.is_verbose {
                    self.print(running.as_ref(), &style::output(heard));
                }
            }
            Event::Finished { .. } | Event::Failed { .. } | Event::Closing(_) => {
                end(running.take());
            }
            Event::Note(_) | Event::Warning(_) | Event::Detail(_) => {}
        }
        if let Some(line) = style::line_of(event, self.is_verbose) {
            self.print(running.as_ref(), &line);
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        end(lock(&self.running).take());
        // indicatif draws nothing while a panic unwinds.
        self.screen.close();
    }
}

/// The text of the running line, made anew for each picture.
#[derive(Clone)]
struct RunningLine {
    screen: Screen,
    verb: String,
    what: String,
    heard: Arc<Mutex<String>>,
    is_coloured: bool,
}

impl RunningLine {
    fn into_style(self) -> ProgressStyle {
        let write = move |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let line = self.text(state.elapsed(), self.screen.columns());
            let line = ready(&line, self.is_coloured);
            let _ = out.write_str(line.trim_end_matches('\n'));
        };
        ProgressStyle::default_spinner()
            .template("{running}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner())
            .with_key("running", write)
    }

    /// The line within the width. The elapsed time is kept longest, then the verb, the object, and
    /// what was heard last.
    fn text(&self, elapsed: Duration, width: usize) -> String {
        let mut left = width.saturating_sub(FREE_COLUMNS);
        let spinner = SPINNER[elapsed.as_millis() as usize / 100 % SPINNER.len()];
        let verb = format!("{spinner} {}", self.verb);
        let verb = match width {
            0..NARROW_COLUMNS => verb,
            _ => format!("{verb:>12}"),
        };
        let since = match elapsed.as_secs() {
            0 => String::new(),
            seconds => format!(" {}", time::duration(Duration::from_secs(seconds))),
        };
        let mut line = String::new();
        let mut put = |style: anstyle::Style, text: &str, reserved: usize| {
            let text = cut(text, left.saturating_sub(reserved));
            left -= columns(&text);
            let _ = write!(line, "{style}{text}{style:#}");
            left
        };
        put(style::GOOD, &verb, columns(&since));
        put(
            anstyle::Style::new(),
            &format!(" {}", self.what),
            columns(&since),
        );
        if put(style::DIM, &since, 0) >= WORTHWHILE_COLUMNS {
            put(style::DIM, &format!("  {}", lock(&self.heard)), 0);
        }
        line
    }
}

/// Clears the line of work that is over.
fn end(running: Option<Running>) {
    if let Some(running) = running {
        running.bar.finish_and_clear();
    }
}

/// Redraws the running line from a thread of its own, as long as the report lives. Without a
/// thread (none may be left to this user) the line stands still; that is all.
fn turn_spinner(running: &Arc<Mutex<Option<Running>>>) {
    let running = Arc::downgrade(running);
    let turn = move || {
        while let Some(running) = running.upgrade() {
            if let Some(running) = lock(&running).as_ref() {
                running.bar.tick();
            }
            drop(running);
            thread::sleep(TICK_INTERVAL);
        }
    };
    let _ = thread::Builder::new().name("spinner".into()).spawn(turn);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
