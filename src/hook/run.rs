//! Runs a hook to its end: in its release, with a clean environment and an empty standard input,
//! its output masked, its whole process group ended with the timeout.

use std::io;

use camino::Utf8Path;
use nix::unistd::Pid;

use super::environment::{Environment, Facts};
use super::log::Log;
use super::mask::Mask;
use super::notes::{Notes, NotesFile};
use super::output::Output;
use super::program::{Hook, Program};
use crate::error::{Error, ErrorKind, Result};
use crate::host::command::Ending;
use crate::host::signal::Patience;
use crate::report::Report;

/// What surrounds the hooks of a command.
#[derive(Clone, Copy)]
pub struct Stage<'a> {
    /// What hooks see of the caller's environment and of `env_file`.
    pub environment: &'a Environment,
    /// What they are told of the release they run in.
    pub facts: &'a Facts,
    /// What of their output is not shown.
    pub mask: &'a Mask,
    /// Where the output is shown.
    pub report: &'a dyn Report,
    /// When to give up before the timeout.
    pub patience: &'a Patience,
}

/// What is left of a hook that was run.
#[must_use]
#[derive(Debug)]
pub struct Ended {
    /// What it wrote to ZDD_OUTPUT, also when it failed.
    pub notes: Notes,
    /// Whether it ended with 0; else why not, with the last lines it printed.
    pub result: Result<()>,
}

impl Hook {
    /// Runs the hook. Its output goes to the report and to the log at `log_path`, which is made
    /// with mode 0600; a log that cannot be written is a warning. `on_start` learns the pid of
    /// the leader of its process group before anything is read of it.
    pub fn run(&self, stage: &Stage<'_>, log_path: &Utf8Path, on_start: impl FnOnce(Pid)) -> Ended {
        let notes_file = match NotesFile::create(self.account.as_ref()) {
            Ok(file) => file,
            Err(error) => return self.not_started("cannot make a file for ZDD_OUTPUT", &error),
        };
        let log = Log::open(log_path, stage.report);
        let mut output = Output::new(stage.mask, stage.report, log);
        let streamed = self.prepared(stage, notes_file.path()).stream_pieces(
            stage.patience,
            on_start,
            &mut |piece| output.take(&piece),
        );
        let tail = output.end();
        match streamed {
            Ok(ending) => Ended {
                notes: notes_file.read(stage.mask, stage.report),
                result: self.result(ending, tail),
            },
            Err(error) => self.not_started("it cannot be started", &error),
        }
    }

    fn prepared(&self, stage: &Stage<'_>, output_path: &Utf8Path) -> crate::host::command::Command {
        let account = self.account.as_ref();
        let variables = stage
            .environment
            .of_hook(account, stage.facts, self.point, output_path);
        self.command()
            .cwd(&stage.facts.release_path)
            .env(variables)
            .identity(account.and_then(|account| account.identity.clone()))
            .timeout(self.timeout.duration())
    }

    fn result(&self, ending: Ending, tail: Vec<String>) -> Result<()> {
        let point = self.point;
        let failed = || Error::failed(format!("hook `{point}` failed"));
        let error = match ending {
            Ending::Exited(0) => return Ok(()),
            Ending::Interrupted => Error::new(
                ErrorKind::Interrupted,
                format!("hook `{point}` was interrupted"),
            ),
            Ending::TimedOut(_) => failed().cause(format!(
                "still running after {}, killed with its group",
                self.timeout
            )),
            Ending::Exited(_) | Ending::Signalled(_) => failed().cause(ending),
        };
        Err(error.tail(tail))
    }

    fn not_started(&self, what: &str, error: &io::Error) -> Ended {
        let failure = Error::failed(format!("hook `{}` failed", self.point));
        let failure = failure.cause(format!("{what}: {error}"));
        let result = match self.missing_interpreter(error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        };
        Ended {
            notes: Notes::default(),
            result: Err(result),
        }
    }

    /// What the kernel means when it finds no program in an existing file.
    fn missing_interpreter(&self, error: &io::Error) -> Option<String> {
        let Program::File(path) = &self.program else {
            return None;
        };
        if error.raw_os_error() == Some(nix::libc::ENOEXEC) {
            return Some(format!("let `{path}` begin with the line `#!/bin/sh`"));
        }
        let text = fs_err::read(path).ok()?;
        let first = text.split(|byte| *byte == b'\n').next()?;
        let interpreter = String::from_utf8_lossy(first.strip_prefix(b"#!")?);
        let shown = interpreter.trim_matches(' ').escape_debug();
        (error.kind() == io::ErrorKind::NotFound)
            .then(|| format!("is the program in the first line of `{path}` there: `{shown}`?"))
    }
}
