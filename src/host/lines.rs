//! What a program prints, line by line and in bounded memory: a long line comes in pieces, and
//! only the last lines are remembered.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;

/// How many of the last lines are shown, and remembered unless more are asked for.
pub const TAIL_LINES: usize = 20;

/// A longer line is cut into pieces of this many bytes.
const LINE_BYTES: usize = 8 * 1024;

/// A line without its end, or a part of one that was too long. It is cut between two characters;
/// bytes that are not UTF-8 are replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The text.
    pub text: String,
    /// Whether the same line goes on in the next piece. It may still be the last piece, when the
    /// output ends without a newline.
    pub goes_on: bool,
}

/// The last lines of an output.
#[derive(Debug, Clone)]
pub struct Tail {
    lines: VecDeque<String>,
    most: usize,
}

impl Default for Tail {
    fn default() -> Tail {
        Tail::of(TAIL_LINES)
    }
}

impl Tail {
    /// Room for so many lines.
    pub fn of(most: usize) -> Tail {
        let lines = VecDeque::new();
        Tail { lines, most }
    }

    /// Remembers a line, and forgets one when there are too many.
    pub fn push(&mut self, line: String) {
        if self.lines.len() == self.most {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

impl From<Tail> for Vec<String> {
    fn from(tail: Tail) -> Vec<String> {
        tail.lines.into()
    }
}

/// Reads a pipe in a thread of its own. The channel ends with the pipe.
pub(super) fn pieces_of(pipe: impl Read + Send + 'static) -> Receiver<Piece> {
    let (sender, receiver) = mpsc::sync_channel(64);
    thread::spawn(move || send_pieces(BufReader::new(pipe), &sender));
    receiver
}

/// What a program says that has no pipe.
pub(super) fn no_lines() -> Receiver<Piece> {
    mpsc::sync_channel(0).1
}

/// The first MiB of a pipe; the rest is read and dropped.
pub(super) fn read_bounded(pipe: impl Read) -> String {
    const LIMIT: u64 = 1 << 20;
    let mut bytes = Vec::new();
    let mut pipe = pipe.take(LIMIT);
    let _ = pipe.read_to_end(&mut bytes);
    let _ = io::copy(pipe.get_mut(), &mut io::sink());
    String::from_utf8_lossy(&bytes).into_owned()
}

fn send_pieces(mut reader: impl BufRead, sender: &SyncSender<Piece>) {
    let mut bytes = Vec::new();
    while let Ok(read) = read_piece(&mut reader, &mut bytes)
        && (read > 0 || !bytes.is_empty())
    {
        let goes_on = bytes.last() != Some(&b'\n') && read > 0;
        let rest = if goes_on {
            bytes.split_off(whole_characters(&bytes))
        } else {
            Vec::new()
        };
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\n', '\r']).to_owned();
        if sender.send(Piece { text, goes_on }).is_err() {
            return;
        }
        bytes = rest;
    }
}

/// Reads up to the end of the line or the limit of a piece, and says how many bytes came.
fn read_piece(reader: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<usize> {
    let room = LINE_BYTES - bytes.len();
    reader.take(room as u64).read_until(b'\n', bytes)
}

/// How many bytes come before a character that is cut at the end.
fn whole_characters(bytes: &[u8]) -> usize {
    let Some(last) = bytes.utf8_chunks().last() else {
        return 0;
    };
    let cut = last.invalid();
    let is_cut = std::str::from_utf8(cut).is_err_and(|error| error.error_len().is_none());
    bytes.len() - if is_cut { cut.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(bytes: &[u8]) -> Vec<Piece> {
        pieces_of(io::Cursor::new(bytes.to_vec())).iter().collect()
    }

    fn line(text: &str) -> Piece {
        Piece {
            text: text.into(),
            goes_on: false,
        }
    }

    #[test]
    fn lines_come_without_their_ends_and_bad_bytes_replaced() {
        let seen = pieces(b"one\r\n\ntw\xffo\n");
        assert_eq!(seen, [line("one"), line(""), line("tw\u{fffd}o")]);
    }

    #[test]
    fn an_output_without_a_newline_at_its_end_is_not_lost() {
        let texts: String = pieces(b"one\ntwo").into_iter().map(|p| p.text).collect();
        assert_eq!(texts, "onetwo");
    }

    #[test]
    fn a_long_line_is_cut_between_two_characters() {
        let long = format!("a{}\nend\n", "é".repeat(LINE_BYTES));
        let seen = pieces(long.as_bytes());
        assert_eq!(seen[0].text.len(), LINE_BYTES - 1);
        assert!(seen[0].goes_on && !seen[0].text.contains('\u{fffd}'));
        let whole: String = seen.iter().map(|piece| piece.text.as_str()).collect();
        assert_eq!(whole, long.replace('\n', ""));
        assert_eq!(seen.last(), Some(&line("end")));
    }
}
