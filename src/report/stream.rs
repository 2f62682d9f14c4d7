//! The way of progress to standard error, and nowhere else. A reader that is gone, a full disk or
//! a terminal that stands still never stops a release: what cannot be written is dropped.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::write;

/// How long a terminal may stand still (Ctrl-S, a lost connection, a full pipe) before zdd goes on
/// without it. Afterwards it is only looked at, never waited for, until it moves again.
const PATIENCE: Duration = Duration::from_secs(1);

/// At most so much is written at once: after `poll` a pipe takes this much without blocking
/// (`PIPE_BUF`).
const PIECE_BYTES: usize = 4096;

/// A descriptor that is written to without ever failing or waiting for long.
#[derive(Debug)]
pub struct Stream {
    /// `None` when not even a copy of the descriptor could be had.
    fd: Option<OwnedFd>,
    stands_still: Mutex<bool>,
}

impl Stream {
    /// Standard error.
    pub fn stderr() -> Self {
        Stream::new(io::stderr().as_fd().try_clone_to_owned().ok())
    }

    /// Any descriptor; nothing is written without one.
    pub fn new(fd: Option<OwnedFd>) -> Self {
        Stream {
            fd,
            stands_still: Mutex::new(false),
        }
    }

    /// Writes the text, or as much of it as can be written.
    pub fn write(&self, text: &str) {
        let Some(fd) = &self.fd else { return };
        let mut stands_still = self
            .stands_still
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let patience = if *stands_still {
            Duration::ZERO
        } else {
            PATIENCE
        };
        let mut deadline = Instant::now() + patience;
        let mut rest = text.as_bytes();
        while !rest.is_empty() {
            *stands_still = !is_writable(fd, deadline);
            if *stands_still {
                return;
            }
            match write(fd, &rest[..rest.len().min(PIECE_BYTES)]) {
                Ok(written) => {
                    rest = &rest[written..];
                    deadline = Instant::now() + patience;
                }
                Err(Errno::EINTR) => {}
                // EPIPE, EIO, ENOSPC, EAGAIN: this text is lost, the next may not be.
                Err(_) => return,
            }
        }
    }

    /// The width of the terminal in columns; `None` when it is none or does not tell.
    pub fn columns(&self) -> Option<usize> {
        let (width, _) = terminal_size::terminal_size_of(self.fd.as_ref()?)?;
        Some(usize::from(width.0))
    }
}

/// Waits until something can be written, an error included, at most until the deadline.
fn is_writable(fd: &OwnedFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::ZERO);
        match poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLOUT)], timeout) {
            Err(Errno::EINTR) => {}
            outcome => return outcome.is_ok_and(|ready| ready > 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::OpenOptions;
    use std::io::Read;

    use nix::pty::openpty;

    use super::*;

    #[test]
    fn what_is_written_arrives() {
        let (mut reader, writer) = io::pipe().unwrap();
        Stream::new(Some(writer.into())).write("one\ntwo\n");
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "one\ntwo\n");
    }

    #[test]
    fn a_closed_pipe_a_full_disk_and_a_dead_terminal_are_no_reason_to_stop() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        let terminal = openpty(None, None).unwrap();
        drop(terminal.master);
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        for fd in [writer.into(), terminal.slave, full.into()] {
            let stream = Stream::new(Some(fd));
            for _ in 0..3 {
                stream.write("still here\n");
            }
        }
        Stream::new(None).write("nowhere\n");
    }

    #[test]
    fn a_reader_that_stands_still_is_waited_for_once_and_served_again_when_it_moves() {
        let (mut reader, writer) = io::pipe().unwrap();
        let stream = Stream::new(Some(writer.into()));
        let begin = Instant::now();
        stream.write(&"x".repeat(1 << 20));
        assert!(begin.elapsed() > PATIENCE / 2, "gave up too early");

        let begin = Instant::now();
        stream.write("lost\n");
        assert!(begin.elapsed() < PATIENCE / 2, "waited a second time");

        let mut taken = vec![0; 1 << 16];
        reader.read_exact(&mut taken).unwrap();
        stream.write("back\n");
        drop(stream);
        let mut rest = String::new();
        reader.read_to_string(&mut rest).unwrap();
        assert!(rest.ends_with("back\n") && !rest.contains("lost"));
    }
}
