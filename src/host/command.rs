//! Other programs: run with a timeout, in their own process group, with a bounded memory of what
//! they print. The whole group ends with the timeout or the interrupt.

mod bare_text;
mod reading;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Gid, Pid, Uid};

use super::descriptors;
use super::lines::{Piece, Tail, no_lines, pieces_of, read_bounded};
use super::signal::Patience;

/// How long a group may take to end after SIGTERM before it is killed.
const TERM_GRACE: Duration = Duration::from_secs(2);

/// How long a killed group may take to be gone from the process table.
const KILL_GRACE: Duration = Duration::from_secs(1);

/// How long output is still awaited after the leader ended: a daemon it left may hold the pipe.
const AFTERGLOW: Duration = Duration::from_millis(200);

/// How long output is taken at most after the leader ended: that daemon may print for ever.
const LONGEST_AFTERGLOW: Duration = Duration::from_secs(2);

/// Who a command runs as, when not as the caller.
#[derive(Debug, Clone)]
pub struct Identity {
    /// User id.
    pub uid: Uid,
    /// Primary group id.
    pub gid: Gid,
    /// All groups, the primary one included.
    pub groups: Vec<Gid>,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With this exit code.
    Exited(i32),
    /// Ended by this signal.
    Signalled(i32),
    /// Killed with its group after this time.
    TimedOut(Duration),
    /// Killed with its group because the patience was over.
    Interrupted,
}

impl Ending {
    /// Whether it exited with 0.
    pub fn is_success(self) -> bool {
        self == Ending::Exited(0)
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Exited(code) => write!(f, "exit code {code}"),
            Ending::Signalled(signal) => match Signal::try_from(*signal) {
                Ok(name) => write!(f, "killed by {name}"),
                Err(_) => write!(f, "killed by signal {signal}"),
            },
            Ending::TimedOut(limit) => {
                write!(
                    f,
                    "still running after {} s, killed with its group",
                    limit.as_secs_f32()
                )
            }
            Ending::Interrupted => f.write_str("interrupted"),
        }
    }
}

/// What is left of a command that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// Standard output, when it was captured; at most 1 MiB.
    pub stdout: String,
    /// The last lines of standard error, or of both streams when streamed; oldest first.
    pub tail: Vec<String>,
}

/// A program with its arguments and surroundings. No shell is involved.
#[derive(Debug)]
pub struct Command {
    program: OsString,
    args: Vec<OsString>,
    env: Option<Vec<(OsString, OsString)>>,
    cwd: Option<Utf8PathBuf>,
    timeout: Duration,
    identity: Option<Identity>,
    ends_with_caller: bool,
}

impl Command {
    /// A program found on the PATH, with no arguments and the caller's environment. It may run
    /// for a minute.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        Command {
            program: program.as_ref().to_owned(),
            args: Vec::new(),
            env: None,
            cwd: None,
            timeout: Duration::from_secs(60),
            identity: None,
            ends_with_caller: false,
        }
    }

    /// `/bin/sh -c LINE`.
    pub fn shell(line: &str) -> Self {
        Command::new("/bin/sh").arg("-c").arg(line)
    }

    /// With one more argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// With more arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args
            .extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// With exactly this environment instead of the caller's.
    pub fn env<K: AsRef<OsStr>, V: AsRef<OsStr>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        let own = |(key, value): (K, V)| (key.as_ref().to_owned(), value.as_ref().to_owned());
        self.env = Some(variables.into_iter().map(own).collect());
        self
    }

    /// In this directory.
    pub fn cwd(mut self, directory: impl Into<Utf8PathBuf>) -> Self {
        self.cwd = Some(directory.into());
        self
    }

    /// For at most this long.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// As this user, with no way to gain privileges.
    pub fn identity(mut self, identity: Option<Identity>) -> Self {
        self.identity = identity;
        self
    }

    /// Ended by SIGTERM when the caller dies, however that happens: nothing of it works on behind
    /// the back of the next command.
    pub fn ends_with_caller(mut self) -> Self {
        self.ends_with_caller = true;
        self
    }

    /// The words as a person would type them.
    pub fn line(&self) -> String {
        let words = std::iter::once(&self.program).chain(&self.args);
        words
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    /// Runs it to the end and captures standard output.
    ///
    /// # Errors
    /// When it cannot be started. How it ended is in the result.
    pub fn capture(&self, patience: &Patience) -> io::Result<Finished> {
        let mut command = self.prepared()?;
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = child
            .stdout
            .take()
            .map(|pipe| thread::spawn(move || read_bounded(pipe)));
        let pieces = child.stderr.take().map_or_else(no_lines, pieces_of);
        let mut tail = Tail::default();
        let ending = self.follow(child, &pieces, patience, &mut |piece| tail.push(piece.text));
        let stdout = match stdout {
            Some(reader) if matches!(ending, Ending::Exited(_) | Ending::Signalled(_)) => {
                reader.join().unwrap_or_default()
            }
            _ => String::new(),
        };
        Ok(Finished {
            ending,
            stdout,
            tail: tail.into(),
        })
    }

    /// Runs it to the end with both streams as one, each line given to `on_line` as it comes.
    /// `on_start` learns the pid of the leader before the first line.
    ///
    /// # Errors
    /// When it cannot be started. How it ended is in the result.
    pub fn stream(
        &self,
        patience: &Patience,
        on_start: impl FnOnce(Pid),
        on_line: &mut dyn FnMut(&str),
    ) -> io::Result<Finished> {
        let mut tail = Tail::default();
        let ending = self.stream_pieces(patience, on_start, &mut |piece| {
            on_line(&piece.text);
            tail.push(piece.text);
        })?;
        Ok(Finished {
            ending,
            stdout: String::new(),
            tail: tail.into(),
        })
    }

    /// The same for who must know where a long line was cut. Nothing is remembered.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn stream_pieces(
        &self,
        patience: &Patience,
        on_start: impl FnOnce(Pid),
        on_piece: &mut dyn FnMut(Piece),
    ) -> io::Result<Ending> {
        let (reader, writer) = io::pipe()?;
        let mut command = self.prepared()?;
        command
            .stdout(OwnedFd::from(writer.try_clone()?))
            .stderr(OwnedFd::from(writer));
        let child = command.spawn()?;
        drop(command);
        on_start(pid_of(&child));
        Ok(self.follow(child, &pieces_of(reader), patience, on_piece))
    }

    /// The standard library's command: own process group, empty standard input, no other
    /// descriptors.
    fn prepared(&self) -> io::Result<std::process::Command> {
        descriptors::keep_private();
        bare_text::refuse(Path::new(&self.program))?;
        let mut command = std::process::Command::new(&self.program);
        command
            .args(&self.args)
            .stdin(Stdio::null())
            .process_group(0);
        if let Some(variables) = &self.env {
            command
                .env_clear()
                .envs(variables.iter().map(|(key, value)| (key, value)));
        }
        if let Some(directory) = &self.cwd {
            command.current_dir(directory);
        }
        // Whatever runs before exec makes the standard library fork. Its other way, posix_spawn,
        // resets the handlers before the child has left the group of the caller's terminal, and a
        // SIGHUP of that moment would end it.
        // SAFETY: it does nothing.
        unsafe { command.pre_exec(|| Ok(())) };
        if self.ends_with_caller {
            let tie = || Ok(nix::sys::prctl::set_pdeathsig(Signal::SIGTERM)?);
            // SAFETY: only a system call between fork and exec.
            unsafe { command.pre_exec(tie) };
        }
        if let Some(identity) = self.identity.clone() {
            let drop_privileges = move || {
                nix::unistd::setgroups(&identity.groups)?;
                nix::unistd::setgid(identity.gid)?;
                nix::unistd::setuid(identity.uid)?;
                nix::sys::prctl::set_no_new_privs()?;
                Ok(())
            };
            // SAFETY: only system calls between fork and exec; nothing allocates or locks.
            unsafe { command.pre_exec(drop_privileges) };
        }
        Ok(command)
    }

    /// Hands the pieces on until the leader has ended, or ends it with its group.
    fn follow(
        &self,
        mut child: Child,
        pieces: &Receiver<Piece>,
        patience: &Patience,
        on_piece: &mut dyn FnMut(Piece),
    ) -> Ending {
        let deadline = Instant::now() + self.timeout;
        let mut is_silent = false;
        let ending = loop {
            match next_piece(pieces, is_silent) {
                Ok(piece) => on_piece(piece),
                Err(RecvTimeoutError::Disconnected) => is_silent = true,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Ok(Some(status)) = child.try_wait() {
                break ending_of(status);
            }
            if patience.is_over() || Instant::now() >= deadline {
                end_group(&mut child);
                break if patience.is_over() {
                    Ending::Interrupted
                } else {
                    Ending::TimedOut(self.timeout)
                };
            }
        };
        let last_call = Instant::now() + LONGEST_AFTERGLOW;
        while let Ok(piece) = pieces.recv_timeout(AFTERGLOW) {
            on_piece(piece);
            if Instant::now() >= last_call {
                break;
            }
        }
        ending
    }
}

/// The next piece, or a short pause. A closed pipe mostly means that the leader is about to end.
fn next_piece(pieces: &Receiver<Piece>, is_silent: bool) -> Result<Piece, RecvTimeoutError> {
    if is_silent {
        thread::sleep(Duration::from_millis(2));
        return Err(RecvTimeoutError::Timeout);
    }
    pieces.recv_timeout(Duration::from_millis(20))
}

fn ending_of(status: ExitStatus) -> Ending {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exited(code),
        (None, signal) => Ending::Signalled(signal.unwrap_or(0)),
    }
}

/// The pid of a child; the kernel's pids fit the type.
fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Ends a process group: TERM, a grace period, KILL. Returns when the leader is reaped and the
/// group is gone.
fn end_group(child: &mut Child) {
    let group = pid_of(child);
    let _ = killpg(group, Signal::SIGTERM);
    if is_gone_within(child, TERM_GRACE) {
        return;
    }
    // What `sudo` runs may not be killed by this user; waiting for it would take as long as it does.
    if killpg(group, Signal::SIGKILL).is_ok() {
        let _ = child.wait();
        is_gone_within(child, KILL_GRACE);
    }
}

/// Waits until the leader is reaped and no other process of its group is left.
fn is_gone_within(child: &mut Child, grace: Duration) -> bool {
    let group = pid_of(child);
    let deadline = Instant::now() + grace;
    while Instant::now() < deadline {
        let leader_is_reaped = !matches!(child.try_wait(), Ok(None));
        if leader_is_reaped && killpg(group, None).is_err() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}
