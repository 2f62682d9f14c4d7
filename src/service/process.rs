//! Services without systemd: a process of their own for each release, in its own session, so that
//! it survives the end of the command and of the terminal (not of a reboot).

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use crate::error::{Context, Error, Result};
use crate::host::pidfd::Hold;
use crate::host::process;
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;
use crate::site::instance::Instance;

/// How often a stopping process is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

/// How long a killed group may take to be gone from the process table.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// Everything needed to start a process.
#[derive(Debug)]
pub struct Launch<'a> {
    /// The command, in shell words, without a shell.
    pub line: &'a str,
    /// The release; relative programs are looked up here.
    pub directory: &'a Utf8Path,
    /// Its whole environment.
    pub environment: Vec<(String, OsString)>,
    /// Where its output goes.
    pub log: &'a Utf8Path,
    /// Where the process writes its pid before it becomes the program.
    pub pid_file: &'a Utf8Path,
}

/// Starts the process in a new session, with empty standard input.
///
/// # Errors
/// When the program cannot be started; no process is then left.
pub fn start(launch: &Launch<'_>) -> Result<Instance> {
    let what = || format!("cannot start `{}`", launch.line);
    let words = shlex::split(launch.line).filter(|words| !words.is_empty());
    let words = words.ok_or_else(|| Error::failed(what()).cause("a quote is not closed"))?;
    let log = open(launch.log, true).context(what())?;
    let pid_file = open(launch.pid_file, false).context(what())?;

    let mut command = std::process::Command::new(program_in(launch.directory, &words[0]));
    command
        .args(&words[1..])
        .current_dir(launch.directory)
        .env_clear();
    command.envs(launch.environment.iter().map(|(key, value)| (key, value)));
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone().context(what())?)
        .stderr(log);
    let announce = move || {
        nix::unistd::setsid()?;
        let mut line = [b'\n'; 12];
        write!(&mut line[..], "{}", nix::unistd::getpid())?;
        (&pid_file).write_all(&line)
    };
    // SAFETY: between fork and exec this makes system calls and formats a number into a buffer on
    // the stack; nothing allocates or locks.
    unsafe { command.pre_exec(announce) };
    match command.spawn() {
        Ok(child) => {
            let start_time = process::stat(child.id()).seen().map(|stat| stat.started.0);
            Ok(Instance {
                pid: child.id(),
                start_time,
            })
        }
        Err(error) => {
            let _ = fs::remove_file(launch.pid_file);
            Err(Error::failed(what()).cause(error))
        }
    }
}

/// Whether the process is still the one that was started, and runs. `directory` tells it from a
/// stranger with the same pid where its start time is not known.
pub fn is_running(instance: Instance, directory: &Utf8Path) -> bool {
    match instance.start_time {
        Some(ticks) => process::is_alive(instance.pid, Ticks(ticks)),
        None => process::is_inside(instance.pid, directory),
    }
}

/// Stops the process: TERM, at most `stop_timeout` for it and its whole group to be gone, then KILL
/// for the group. A pid that belongs to somebody else by now is left alone. Returns whether it had
/// to be killed.
///
/// # Errors
/// When it does not even end after KILL.
pub fn stop(
    instance: Instance,
    directory: &Utf8Path,
    stop_timeout: Duration,
    patience: &Patience,
) -> Result<bool> {
    // Held before it is looked at: no stranger can get between.
    let hold = Hold::of(instance.pid);
    if !is_running(instance, directory) {
        return Ok(false);
    }
    let leader = Pid::from_raw(instance.pid.cast_signed());
    let _ = hold.send(Signal::SIGTERM);
    if is_group_gone(leader, stop_timeout, patience) {
        return Ok(false);
    }
    let _ = killpg(leader, Signal::SIGKILL);
    if is_group_gone(leader, KILL_GRACE, &Patience::endless()) {
        return Ok(true);
    }
    Err(Error::failed(format!(
        "process {} does not end, not even when killed",
        instance.pid
    )))
}

/// Waits until no process of the group is left. What the leader leaves behind is told to end, too.
fn is_group_gone(leader: Pid, limit: Duration, patience: &Patience) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        // Where this very command started it, it is our child and stays until it is reaped.
        let _ = waitpid(leader, Some(WaitPidFlag::WNOHANG));
        let pid = leader.as_raw().cast_unsigned();
        if !process::is_group_alive(pid) {
            return true;
        }
        let leads = process::stat(pid).seen().filter(|stat| !stat.is_zombie);
        if leads.is_none() {
            let _ = killpg(leader, Signal::SIGTERM);
        }
        if Instant::now() >= deadline || !patience.sleep(LOOK_INTERVAL) {
            return false;
        }
    }
}

/// A program with a slash lies in the directory, any other one on the PATH.
pub fn program_in(directory: &Utf8Path, program: &str) -> Utf8PathBuf {
    if program.contains('/') {
        directory.join(program.trim_start_matches("./"))
    } else {
        program.into()
    }
}

/// Adds a line to the log of a process; one that cannot be written is none.
pub fn note(log: &Utf8Path, line: &str) {
    let _ = open(log, true).and_then(|mut log| writeln!(log, "{line}"));
}

fn open(path: &Utf8Path, is_appended: bool) -> io::Result<std::fs::File> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut options = fs::OpenOptions::new();
    options
        .create(true)
        .write(true)
        .append(is_appended)
        .truncate(!is_appended);
    options.options_mut().mode(0o600);
    Ok(options.open(path)?.into_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn started(line: &str) -> (tempfile::TempDir, Utf8PathBuf, Instance) {
        let guard = tempfile::tempdir().unwrap();
        let directory = Utf8PathBuf::from_path_buf(guard.path().canonicalize().unwrap()).unwrap();
        let instance = start(&Launch {
            line,
            directory: &directory,
            environment: vec![("PATH".to_owned(), "/usr/bin:/bin".into())],
            log: &directory.join("log"),
            pid_file: &directory.join("pid"),
        });
        (guard, directory, instance.unwrap())
    }

    #[test]
    fn a_process_leads_its_group_writes_its_pid_and_ends_with_term() {
        let (_guard, directory, instance) = started("sleep 60");
        let written = fs::read_to_string(directory.join("pid")).unwrap();
        assert_eq!(Instance::parse(&written).unwrap().pid, instance.pid);
        let pid = Pid::from_raw(instance.pid.cast_signed());
        assert_eq!(nix::unistd::getpgid(Some(pid)), Ok(pid));
        assert!(is_running(instance, &directory));
        let limit = Duration::from_secs(5);
        assert!(!stop(instance, &directory, limit, &Patience::endless()).unwrap());
        assert!(!is_running(instance, &directory));
    }

    #[test]
    fn what_the_leader_leaves_behind_in_its_group_is_killed() {
        let (_guard, directory, instance) =
            started("sh -c \"env --ignore-signal=TERM sleep 61 & echo $! >child; wait\"");
        let child = loop {
            let text = fs::read_to_string(directory.join("child")).unwrap_or_default();
            match text.trim().parse::<u32>() {
                Ok(child) => break child,
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let limit = Duration::from_millis(300);
        assert!(stop(instance, &directory, limit, &Patience::endless()).unwrap());
        let left = process::stat(child).seen();
        assert!(left.is_none_or(|stat| stat.is_zombie));
    }

    #[test]
    fn a_process_that_nobody_reaps_has_ended_all_the_same() {
        let script = "setsid sleep 60 & echo $!; exec sleep 60";
        let mut parent = std::process::Command::new("sh")
            .args(["-c", script])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let said = parent.stdout.take().unwrap();
        std::io::BufRead::read_line(&mut io::BufReader::new(said), &mut line).unwrap();
        let pid: u32 = line.trim().parse().unwrap();
        let leader = Pid::from_raw(pid.cast_signed());
        let comm = format!("/proc/{}/comm", parent.id());
        while nix::unistd::getpgid(Some(leader)) != Ok(leader)
            || fs::read_to_string(&comm).unwrap() != "sleep\n"
        {
            std::thread::sleep(LOOK_INTERVAL);
        }
        let start_time = process::stat(pid).seen().map(|stat| stat.started.0);
        let limit = Duration::from_secs(30);
        let stopped = stop(
            Instance { pid, start_time },
            Utf8Path::new("/"),
            limit,
            &Patience::endless(),
        );
        let is_zombie = process::stat(pid).seen().is_some_and(|stat| stat.is_zombie);
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(!stopped.unwrap(), "it was killed");
        assert!(is_zombie, "the test has lost its subject");
    }

    #[test]
    fn a_stranger_with_the_same_pid_is_left_alone() {
        let (_guard, directory, instance) = started("sleep 62");
        let stranger = Instance {
            start_time: instance.start_time.map(|ticks| ticks + 1),
            ..instance
        };
        let limit = Duration::from_secs(5);
        assert!(!stop(stranger, &directory, limit, &Patience::endless()).unwrap());
        assert!(is_running(instance, &directory));
        stop(instance, &directory, limit, &Patience::endless()).unwrap();
    }

    /// zdd may be killed before it could write down when a process started.
    #[test]
    fn one_without_a_start_time_is_known_by_its_directory_whatever_path_leads_there() {
        let (_guard, directory, instance) = started("sleep 65");
        let unknown = Instance {
            start_time: None,
            ..instance
        };
        let link = directory.join("link");
        fs::os::unix::fs::symlink(&directory, &link).unwrap();
        assert!(is_running(unknown, &link));
        assert!(!is_running(unknown, Utf8Path::new("/")));
        let limit = Duration::from_secs(5);
        assert!(!stop(unknown, &link, limit, &Patience::endless()).unwrap());
        assert!(!is_running(instance, &directory));
    }

    #[test]
    fn an_ended_process_that_nobody_reaps_is_not_waited_for() {
        // Started through a shell that does not wait, so that this test is not its parent.
        let guard = tempfile::tempdir().unwrap();
        let directory = Utf8PathBuf::from_path_buf(guard.path().canonicalize().unwrap()).unwrap();
        let mut parent = std::process::Command::new("sh")
            .args(["-c", "setsid sleep 63 & echo $! >child; exec sleep 64"])
            .current_dir(&directory)
            .spawn()
            .unwrap();
        let pid = loop {
            let text = fs::read_to_string(directory.join("child")).unwrap_or_default();
            match text.trim().parse::<u32>() {
                Ok(pid)
                    if process::stat(pid)
                        .seen()
                        .is_some_and(|stat| stat.group == pid) =>
                {
                    break pid;
                }
                _ => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let start_time = process::stat(pid).seen().map(|stat| stat.started.0);
        let instance = Instance { pid, start_time };
        let began = Instant::now();
        let limit = Duration::from_secs(20);
        let was_killed = stop(instance, &directory, limit, &Patience::endless());
        parent.kill().unwrap();
        parent.wait().unwrap();
        assert!(!was_killed.unwrap());
        assert!(began.elapsed() < limit / 2);
    }
}
