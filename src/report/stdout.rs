//! Results on standard output. A reader that has seen enough (`zdd list | head`) ends the printing
//! without a word; the command keeps its exit code.

use std::io::{self, ErrorKind, IsTerminal, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

use crate::error::{Context, Result};

/// What a picture is drawn for where there is no terminal.
pub const USUAL_COLUMNS: usize = 80;

/// Prints text, with its colours where they are wanted, and ends it with a line break.
///
/// # Errors
/// When it cannot be written (a full disk), except to a pipe that nobody reads. Commands whose work
/// is already done keep their own exit code then.
pub fn print(text: &str) -> Result<()> {
    let stdout = io::stdout();
    if AutoStream::choice(&stdout) == ColorChoice::Never {
        // As one piece: a thousand lines are otherwise a thousand writes.
        return write_to(stdout.lock(), &strip_str(text).to_string());
    }
    write_to(stdout.lock(), text)
}

/// Prints one JSON object: indented for people on a terminal, else on one line for logs and pipes.
///
/// # Errors
/// As [`print()`].
pub fn json(value: &impl Serialize) -> Result<()> {
    let text = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(value)
    } else {
        serde_json::to_string(value)
    };
    // serde_json escapes control characters, so no escape sequence can be taken out of it.
    write_to(io::stdout().lock(), &text.context("cannot write JSON")?)
}

/// The width of the terminal behind standard output; `None` when it is a pipe or a file, where
/// nothing is cut.
pub fn columns() -> Option<usize> {
    let (width, _) = terminal_size::terminal_size_of(io::stdout())?;
    Some(usize::from(width.0))
}

fn write_to(mut out: impl Write, text: &str) -> Result<()> {
    let end = if text.ends_with('\n') { "" } else { "\n" };
    let written = out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(end.as_bytes()))
        .and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.context("cannot write to standard output"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;

    use super::*;

    #[test]
    fn a_result_ends_with_one_line_break() {
        for text in ["one", "one\n"] {
            let (mut reader, writer) = io::pipe().unwrap();
            write_to(writer, text).unwrap();
            let mut read = String::new();
            reader.read_to_string(&mut read).unwrap();
            assert_eq!(read, "one\n");
        }
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert!(write_to(writer, &"line\n".repeat(100_000)).is_ok());
    }

    #[test]
    fn a_full_disk_is_an_error_with_its_cause() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let error = write_to(full, "text").unwrap_err();
        assert_eq!(error.what, "cannot write to standard output");
        assert!(error.cause.unwrap().contains("No space left"));
    }
}
