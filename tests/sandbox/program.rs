//! A program run to its end within a limit, and what it said.

use std::ffi::OsStr;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Nothing in these tests takes longer, unless it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// A program about to be run.
pub struct Program {
    command: Command,
}

impl Program {
    /// The program with an environment that nothing of the caller's leaks into, but for the PATH.
    pub fn new(program: impl AsRef<OsStr>) -> Program {
        let mut command = Command::new(program);
        command.env_clear().env("LANG", "C.UTF-8");
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.stdin(Stdio::null());
        Program { command }
    }

    pub fn arg(mut self, word: impl AsRef<OsStr>) -> Program {
        self.command.arg(word);
        self
    }

    /// More arguments, split at spaces.
    pub fn words(mut self, words: &str) -> Program {
        self.command.args(words.split_whitespace());
        self
    }

    pub fn env(mut self, key: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(key, value);
        self
    }

    pub fn dir(mut self, path: impl AsRef<Path>) -> Program {
        self.command.current_dir(path);
        self
    }

    /// The command below, for what is not foreseen here.
    pub fn with(mut self, change: impl FnOnce(&mut Command)) -> Program {
        change(&mut self.command);
        self
    }

    /// The command, for another program that runs it.
    pub fn into_command(self) -> Command {
        self.command
    }

    /// Starts it and lets it run.
    pub fn spawn(mut self) -> Running {
        let stdout = tempfile::tempfile().unwrap();
        let stderr = tempfile::tempfile().unwrap();
        let same = |file: &File| Stdio::from(file.try_clone().unwrap());
        self.command.stdout(same(&stdout)).stderr(same(&stderr));
        self.start(stdout, stderr)
    }

    /// Starts it with standard output and error as they were set by [`Program::with`].
    pub fn spawn_as_set(self) -> Running {
        let (stdout, stderr) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        self.start(stdout, stderr)
    }

    pub fn run(self) -> Output {
        self.spawn().wait()
    }

    fn start(mut self, stdout: File, stderr: File) -> Running {
        let words: Vec<_> = self
            .command
            .get_args()
            .map(OsStr::to_string_lossy)
            .collect();
        let line = words.join(" ");
        Running {
            line,
            started: Instant::now(),
            child: self.command.spawn().unwrap(),
            stdout,
            stderr,
        }
    }
}

/// A program that runs.
pub struct Running {
    line: String,
    started: Instant,
    child: Child,
    stdout: File,
    stderr: File,
}

impl Running {
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until it said this on standard error.
    pub fn wait_until_it_says(&mut self, text: &str) {
        self.wait_until(&format!("it says `{text}`"), |said| said.contains(text));
    }

    /// Waits until something holds; given is what it said so far.
    pub fn wait_until(&mut self, what: &str, holds: impl Fn(&str) -> bool) {
        loop {
            let said = text(&mut self.stderr);
            if holds(&said) {
                return;
            }
            assert!(
                self.is_running(),
                "`{}` ended before {what}:\n{said}",
                self.line
            );
            assert!(self.started.elapsed() < LIMIT, "never {what}:\n{said}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn wait(mut self) -> Output {
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.started.elapsed() > LIMIT {
                let _ = self.child.kill();
                let said = text(&mut self.stderr);
                panic!("`{}` did not end within {LIMIT:?}:\n{said}", self.line);
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        Output {
            line: self.line,
            took: self.started.elapsed(),
            code: status.code().unwrap_or(-1),
            signal: status.signal(),
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
        }
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let mut file = file.try_clone().unwrap();
    file.rewind().unwrap();
    file.read_to_end(&mut bytes).unwrap();
    // The position is shared with the program that still writes.
    file.seek(std::io::SeekFrom::End(0)).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a program said, and how it ended.
#[derive(Clone)]
pub struct Output {
    pub line: String,
    pub took: Duration,
    /// The exit code; -1 when a signal ended it.
    pub code: i32,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Output {
    #[track_caller]
    pub fn exits(self, code: i32) -> Output {
        assert!(self.code == code, "this had to exit {code}:\n{self}");
        self
    }

    #[track_caller]
    pub fn says(self, text: &str) -> Output {
        let is_said = self.stderr.contains(text) || self.stdout.contains(text);
        assert!(is_said, "this had to say `{text}`:\n{self}");
        self
    }

    #[track_caller]
    pub fn does_not_say(self, text: &str) -> Output {
        let is_said = self.stderr.contains(text) || self.stdout.contains(text);
        assert!(!is_said, "this must not say `{text}`:\n{self}");
        self
    }

    /// The object on standard output.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}:\n{self}"))
    }

    /// A field of the object, by its pointer, must be this.
    #[track_caller]
    pub fn field(self, pointer: &str, wanted: impl Into<Value>) -> Output {
        let (wanted, object) = (wanted.into(), self.json());
        let found = object.pointer(pointer);
        assert!(
            found == Some(&wanted),
            "`{pointer}` had to be {wanted}, not {found:?}:\n{self}"
        );
        self
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ … {}", self.line)?;
        write!(f, "{}{}", self.stdout, self.stderr)?;
        writeln!(
            f,
            "[exit {}, signal {:?}, {:?}]",
            self.code, self.signal, self.took
        )
    }
}
