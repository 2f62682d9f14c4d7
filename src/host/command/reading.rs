//! A program whose standard output is read while it comes: an archive, a long list.

use std::io;
use std::process::{ChildStdout, Stdio};
use std::thread;

use super::{Command, Finished};
use crate::host::lines::{Tail, no_lines, pieces_of};
use crate::host::signal::Patience;

impl Command {
    /// Runs it to the end, and meanwhile gives its standard output to `read` in another thread. A
    /// reader that lets go of it early ends the program by SIGPIPE.
    ///
    /// # Errors
    /// When it cannot be started. How it ended is in the result.
    pub fn read<T: Send>(
        &self,
        patience: &Patience,
        read: impl FnOnce(ChildStdout) -> T + Send,
    ) -> io::Result<(Finished, T)> {
        let mut command = self.prepared()?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let pieces = child.stderr.take().map_or_else(no_lines, pieces_of);
        let stdout = child.stdout.take();
        let stdout = stdout.ok_or_else(|| io::Error::other("it has no standard output"))?;
        let mut tail = Tail::default();
        thread::scope(|scope| {
            let reader = scope.spawn(move || read(stdout));
            let ending = self.follow(child, &pieces, patience, &mut |piece| tail.push(piece.text));
            let result = reader.join();
            let result = result.map_err(|_| io::Error::other("its output could not be read"))?;
            let finished = Finished {
                ending,
                stdout: String::new(),
                tail: tail.into(),
            };
            Ok((finished, result))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::time::Duration;

    use super::*;
    use crate::host::command::Ending;

    fn first_byte(mut output: ChildStdout) -> Option<u8> {
        let mut byte = [0];
        output.read_exact(&mut byte).ok().map(|()| byte[0])
    }

    #[test]
    fn more_than_a_pipe_holds_is_read_while_it_comes() {
        let command = Command::shell("head -c 3000000 /dev/zero; echo done >&2");
        let all = |mut output: ChildStdout| io::copy(&mut output, &mut io::sink());
        let (finished, count) = command.read(&Patience::fresh(), all).unwrap();
        assert_eq!(count.unwrap(), 3_000_000);
        assert!(finished.ending.is_success());
        assert_eq!(finished.tail, ["done"]);
    }

    #[test]
    fn who_reads_no_further_ends_the_program() {
        let command = Command::new("yes").timeout(Duration::from_secs(20));
        let (finished, byte) = command.read(&Patience::fresh(), first_byte).unwrap();
        assert_eq!(byte, Some(b'y'));
        assert_eq!(
            finished.ending,
            Ending::Signalled(nix::libc::SIGPIPE),
            "{finished:?}"
        );
    }

    #[test]
    fn a_silent_program_ends_with_its_time_and_the_reader_with_it() {
        let command = Command::new("sleep")
            .arg("60")
            .timeout(Duration::from_millis(50));
        let (finished, byte) = command.read(&Patience::fresh(), first_byte).unwrap();
        assert!(matches!(finished.ending, Ending::TimedOut(_)));
        assert_eq!(byte, None);
    }
}
