//! Starting an nginx that does not run, as the original did: `nginx -c FILE`.

use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use fs_err as fs;

use super::{LOOK_INTERVAL, Master, Nginx, Pid, program};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::host::descriptors;
use crate::host::signal::Patience;

/// How long it may take to have workers. It tries for 2.5 s to have a port that is in use.
const START_TIMEOUT: Duration = Duration::from_secs(10);

/// How many lines of what it said explain a failure.
const LINES: usize = 20;

pub(super) fn start(nginx: &Nginx<'_>, said: &Utf8Path, patience: &Patience) -> Result<Master> {
    let what = || format!("nginx did not start with `{}`", nginx.settings);
    let mut options = fs::OpenOptions::new();
    options.create(true).write(true).truncate(true);
    options.options_mut().mode(0o600);
    let log = options.open(said).context(what())?.into_file();
    descriptors::keep_private();
    let mut command = std::process::Command::new(program());
    command.arg("-c").arg(nginx.settings);
    // It lives on, and would hold the directory in which somebody happened to stand.
    command.current_dir("/");
    command.stdin(Stdio::null());
    command.stdout(log.try_clone().context(what())?).stderr(log);
    // SAFETY: one system call between fork and exec. A signal from the terminal must not reach it.
    unsafe { command.pre_exec(|| Ok(nix::unistd::setsid().map(drop)?)) };
    let mut child = command.spawn().context(what())?;
    let failed = |cause: String| {
        let text = fs::read_to_string(said).unwrap_or_default();
        let lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let first = lines.len().saturating_sub(LINES);
        let error = Error::failed(what()).cause(cause);
        error.tail(lines[first..].to_vec())
    };
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        // The first process of a daemon ends with 0 when the daemon is on its way.
        if let Ok(Some(status)) = child.try_wait()
            && !status.success()
        {
            return Err(failed(status.to_string()));
        }
        if let Some(master) = nginx.master().filter(|master| !master.workers().is_empty()) {
            return Ok(master);
        }
        if Instant::now() >= deadline {
            let limit = START_TIMEOUT.as_secs();
            let cause = format!(
                "no nginx with workers by {} within {limit} s",
                match nginx.pid {
                    Pid::File(file) => format!("`{file}`"),
                    Pid::Known(_) => "its pid".to_owned(),
                }
            );
            let hint = "let the template begin with `pid`, and the path of that file";
            let _ = child.kill();
            let _ = child.wait();
            return Err(failed(cause).hint(hint));
        }
        if !patience.sleep(LOOK_INTERVAL) {
            let what = "interrupted while nginx started";
            let _ = nginx.master().map(|master| master.quit());
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    }
}
