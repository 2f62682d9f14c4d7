//! Making a running nginx read its settings again, and the proof that it did. A master handles one
//! signal after the other, and merges those that wait. So the workers of a reload that was under way
//! look as new as those of one's own, but have the settings of before: only what starts once the
//! master was at rest, with the settings in place, is proof.

use std::time::{Duration, Instant};

use super::log::Log;
use super::master::{Child, Master};
use super::{LOOK_INTERVAL, Nginx};
use crate::error::{Error, Result};

/// How long a master may work at a reload: names of hosts are looked up, certificates read.
const WORK_TIMEOUT: Duration = Duration::from_secs(120);

/// How long it may take, once the master is through, until the old workers say that they shut down.
const RENEWAL_TIMEOUT: Duration = Duration::from_secs(5);

pub(super) fn reload(
    nginx: &Nginx<'_>,
    master: &Master,
    tell: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let mut log = Log::of(master.pid);
    let what = || {
        let (pid, settings) = (master.pid, nginx.settings);
        format!("nginx (pid {pid}) does not use `{settings}`")
    };
    let before = children_at_rest(master);
    // One that is still at work is told all the same: it reads them when it gets to it.
    tell().map_err(|error| Error {
        what: what(),
        cause: Some(error.to_string()),
        ..error
    })?;
    let renewed = before.and_then(|before| renewed(master, &before));
    renewed.map_err(|cause| {
        let error = Error::failed(what()).cause(cause).tail(log.complaints());
        error.hint("see the last lines of its error log")
    })
}

/// What a master has started, once no reload is under way.
fn children_at_rest(master: &Master) -> Result<Vec<Child>, String> {
    let deadline = Instant::now() + WORK_TIMEOUT;
    loop {
        if master.is_at_rest() {
            return Ok(master.children());
        }
        if !master.is_running() {
            return Err("it ended".to_owned());
        }
        if Instant::now() >= deadline {
            let limit = WORK_TIMEOUT.as_secs();
            return Err(format!("it works on an earlier reload for over {limit} s"));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}

/// Waits until a master that was told has other workers than before.
fn renewed(master: &Master, before: &[Child]) -> Result<(), String> {
    let told = Instant::now();
    let mut at_work = told;
    loop {
        if !master.is_running() {
            return Err("it ended while it reloaded".to_owned());
        }
        if master.has_renewed(before) {
            return Ok(());
        }
        if !master.is_at_rest() {
            at_work = Instant::now();
        }
        if at_work.elapsed() >= RENEWAL_TIMEOUT {
            let limit = RENEWAL_TIMEOUT.as_secs();
            let cause = "it goes on with the workers it had";
            return Err(format!(
                "{cause}, {limit} s after it was through with the reload"
            ));
        }
        if told.elapsed() >= WORK_TIMEOUT {
            let limit = WORK_TIMEOUT.as_secs();
            return Err(format!("it is not through with the reload after {limit} s"));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
}
