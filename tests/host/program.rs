//! A program run inside a host: as whom, where, with which environment, and within which time.

use std::fmt;
use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The PATH of a login on Debian.
pub const CLEAN_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What a program may take when nothing else is said.
const LIMIT: Duration = Duration::from_secs(120);

/// A program about to be run inside a host.
#[derive(Clone)]
pub struct Program {
    host_pid: i32,
    user: String,
    dir: String,
    arguments: Vec<String>,
    limit: Duration,
}

impl Program {
    /// The program, run as root in `/` with a clean environment.
    pub fn new<'a>(host_pid: i32, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Program {
            host_pid,
            user: "root".to_owned(),
            dir: "/".to_owned(),
            arguments: arguments.into_iter().map(str::to_owned).collect(),
            limit: LIMIT,
        }
    }

    /// The same program, run by this user, who has a group of the same name.
    pub fn user(mut self, user: &str) -> Self {
        self.user = user.to_owned();
        self
    }

    /// The same program, run in this directory.
    pub fn dir(mut self, dir: &str) -> Self {
        self.dir = dir.to_owned();
        self
    }

    /// The same program, which may take so long, from its start to the end of the wait.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same program with more arguments.
    pub fn args<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments
            .extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// Starts it and lets it run.
    pub fn spawn(&self) -> Running {
        let stdout = tempfile::tempfile().expect("a temporary file");
        let stderr = tempfile::tempfile().expect("a temporary file");
        let same = |file: &File| Stdio::from(file.try_clone().expect("a second handle"));
        let child = self
            .command()
            .stdin(Stdio::null())
            .stdout(same(&stdout))
            .stderr(same(&stderr))
            .spawn()
            .expect("`nsenter` is installed");
        Running {
            line: self.arguments.join(" "),
            started: Instant::now(),
            limit: self.limit,
            child,
            stdout,
            stderr,
        }
    }

    /// Runs it to its end.
    pub fn run(&self) -> Output {
        self.spawn().wait()
    }

    /// Runs it to its end, which must be a success.
    pub fn succeed(&self) -> Output {
        let output = self.run();
        assert!(output.status.success(), "this had to work:\n{output}");
        output
    }

    fn command(&self) -> Command {
        let home = match self.user.as_str() {
            "root" => "/root".to_owned(),
            user => format!("/home/{user}"),
        };
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--target={}", self.host_pid))
            .args(["--all", "env", "--ignore-environment"])
            .arg(format!("--chdir={}", self.dir))
            .args([format!("PATH={CLEAN_PATH}"), format!("HOME={home}")])
            .args([format!("USER={}", self.user), "LANG=C.UTF-8".to_owned()]);
        if self.user != "root" {
            command.args(["setpriv", "--init-groups"]).args([
                format!("--reuid={}", self.user),
                format!("--regid={}", self.user),
            ]);
        }
        command.args(&self.arguments);
        command
    }
}

/// A program that runs inside a host.
pub struct Running {
    line: String,
    started: Instant,
    limit: Duration,
    child: Child,
    stdout: File,
    stderr: File,
}

impl Running {
    /// Sends the program itself a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = self.pid().expect("the program has started and not ended");
        kill(Pid::from_raw(pid), signal).expect("the program still runs");
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it printed on stderr so far.
    pub fn stderr_so_far(&mut self) -> String {
        text(&mut self.stderr)
    }

    /// Waits for its end, within its limit.
    pub fn wait(mut self) -> Output {
        let status = loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                break status;
            }
            if self.started.elapsed() > self.limit {
                self.kill();
                let (stdout, stderr) = (text(&mut self.stdout), text(&mut self.stderr));
                panic!(
                    "`{}` did not end within {:?}:\n{stdout}{stderr}",
                    self.line, self.limit
                );
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        Output {
            took: self.started.elapsed(),
            line: self.line.clone(),
            stdout: text(&mut self.stdout),
            stderr: text(&mut self.stderr),
            status,
        }
    }

    /// The process id outside the host of the program, which `nsenter` has forked.
    fn pid(&self) -> Option<i32> {
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    fn kill(&mut self) {
        if let Some(pid) = self.pid() {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("a temporary file can be rewound");
    file.read_to_end(&mut bytes).expect("it can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What a program did inside a host.
#[derive(Clone)]
pub struct Output {
    /// The command line.
    pub line: String,
    /// How it ended.
    pub status: ExitStatus,
    /// What it printed.
    pub stdout: String,
    /// What it printed as progress or complaint.
    pub stderr: String,
    /// From start to end.
    pub took: Duration,
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("exit {code}"),
            (None, signal) => format!("killed by signal {}", signal.unwrap_or_default()),
        };
        write!(
            f,
            "$ {}\n-- {end} after {:.1?}\n-- stdout:\n{}\n-- stderr:\n{}",
            self.line, self.took, self.stdout, self.stderr
        )
    }
}
