//! The way of a hook's output: made printable, masked, then to the terminal, the log and the
//! tail that an error shows.

use super::log::Log;
use super::mask::{Mask, MaskedPieces};
use crate::host::lines::{Piece, Tail};
use crate::report::{Event, Report, printable};

/// Takes what a hook prints.
pub(super) struct Output<'a> {
    masked: MaskedPieces<'a>,
    report: &'a dyn Report,
    log: Log<'a>,
    tail: Tail,
}

impl<'a> Output<'a> {
    pub(super) fn new(mask: &'a Mask, report: &'a dyn Report, log: Log<'a>) -> Self {
        let (masked, tail) = (mask.pieces(), Tail::default());
        Output {
            masked,
            report,
            log,
            tail,
        }
    }

    /// Takes the next line or piece of one.
    pub(super) fn take(&mut self, piece: &Piece) {
        let text = self.masked.take(&printable(&piece.text), piece.goes_on);
        if !(piece.goes_on && text.is_empty()) {
            self.show(text);
        }
    }

    /// Shows what was held back, and returns the last lines.
    pub(super) fn end(mut self) -> Vec<String> {
        let held = self.masked.take("", false);
        if !held.is_empty() {
            self.show(held);
        }
        let tail: Vec<String> = self.tail.into();
        self.log.end(&tail);
        tail
    }

    fn show(&mut self, line: String) {
        self.report.event(Event::Output(&line));
        self.log.line(&line);
        self.tail.push(line);
    }
}
