//! The one line of a terminal that is drawn over, as indicatif's drawing surface. It writes each
//! picture at once, knows what is visible, and stays right when the window changes its width.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::TermLike;

use super::stream::Stream;
use super::text::columns;

/// What is assumed of a terminal that does not tell its width.
const ASSUMED_COLUMNS: usize = 80;

/// The narrowest terminal that is believed; drawing on fewer columns has no use.
const LEAST_COLUMNS: usize = 4;

/// A line on the terminal. Clones draw on the same one.
#[derive(Debug, Clone)]
pub struct Screen {
    stream: Arc<Stream>,
    picture: Arc<Mutex<Picture>>,
}

#[derive(Debug)]
struct Picture {
    /// What waits to be written.
    pending: String,
    /// Columns of the line that is visible, or will be with what is pending.
    visible_columns: usize,
    /// Nothing is drawn before; `None` for never.
    empty_until: Option<Instant>,
}

impl Screen {
    /// A screen on which nothing is drawn yet.
    pub fn new(stream: Stream) -> Self {
        Screen {
            stream: Arc::new(stream),
            picture: Arc::new(Mutex::new(Picture {
                pending: String::new(),
                visible_columns: 0,
                empty_until: None,
            })),
        }
    }

    /// The width of the terminal now.
    pub fn columns(&self) -> usize {
        let columns = self.stream.columns().unwrap_or(ASSUMED_COLUMNS);
        columns.max(LEAST_COLUMNS)
    }

    /// Draws nothing for so long.
    pub fn stay_empty_for(&self, time: Duration) {
        self.picture().empty_until = Some(Instant::now() + time);
    }

    /// Writes lines that stay. The line that is drawn over has to be cleared before.
    pub fn print(&self, lines: &str) {
        self.stream.write(lines);
    }

    /// Clears the line, leaves the cursor at its begin and draws no more until
    /// [`stay_empty_for`](Self::stay_empty_for) is called again.
    pub fn close(&self) {
        let width = self.columns();
        // Whoever holds the lock is drawing; waiting could last for ever within a panic.
        let Ok(mut picture) = self.picture.try_lock() else {
            return;
        };
        picture.clear(width);
        picture.empty_until = None;
        self.stream.write(&std::mem::take(&mut picture.pending));
    }

    fn picture(&self) -> MutexGuard<'_, Picture> {
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Picture {
    /// Terminals wrap a line anew when they become narrower: then all its rows are cleared.
    fn clear(&mut self, width: usize) {
        if self.visible_columns == 0 {
            return;
        }
        let rows_above = (self.visible_columns - 1) / width;
        // Row by row: tmux takes an erased screen for something to keep in its history.
        self.pending += "\r\x1b[2K";
        self.pending += &"\x1b[1A\x1b[2K".repeat(rows_above);
        self.visible_columns = 0;
    }

    fn draw(&mut self, text: &str) {
        // indicatif fills the line with spaces up to the border; cleared lines need no filling.
        let is_open = self
            .empty_until
            .is_some_and(|until| Instant::now() >= until);
        if is_open && !text.trim_start().is_empty() {
            self.visible_columns += columns(text);
            self.pending += text;
        }
    }
}

/// Only one line is ever drawn, so the cursor has no rows to move by.
impl TermLike for Screen {
    fn width(&self) -> u16 {
        u16::try_from(self.columns()).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, _rows: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_down(&self, _rows: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_right(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn move_cursor_left(&self, _columns: usize) -> io::Result<()> {
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.picture().draw(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        let width = self.columns();
        self.picture().clear(width);
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut picture = self.picture();
        self.stream.write(&std::mem::take(&mut picture.pending));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_the_terminal_has_wrapped_is_cleared_whole_and_once() {
        for (width, cleared) in [
            (80, "\r\x1b[2K"),
            (77, "\r\x1b[2K"),
            (40, "\r\x1b[2K\x1b[1A\x1b[2K"),
            (20, "\r\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K\x1b[1A\x1b[2K"),
        ] {
            let mut picture = Picture {
                pending: String::new(),
                visible_columns: 77,
                empty_until: None,
            };
            picture.clear(width);
            picture.clear(width);
            assert_eq!(picture.pending, cleared, "{width}");
        }
    }
}
