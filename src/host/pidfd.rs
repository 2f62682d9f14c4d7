//! Signals to exactly one process: never to a later one that was given the same number. By a pidfd
//! (Linux 5.3); on older kernels by the number alone.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

use super::process;
use super::ticks::Ticks;

/// A process that is about to be signalled. Whether it is the right one is to be looked at once it
/// is held.
#[derive(Debug)]
pub struct Hold {
    pid: u32,
    fd: Option<OwnedFd>,
}

impl Hold {
    /// Takes hold of the process that has this number now.
    pub fn of(pid: u32) -> Hold {
        let process = rustix::process::Pid::from_raw(pid.cast_signed());
        let fd = process.and_then(|process| pidfd_open(process, PidfdFlags::empty()).ok());
        Hold { pid, fd }
    }

    /// Sends it a signal. Returns whether it was still there.
    ///
    /// # Errors
    /// When the process belongs to somebody else.
    pub fn send(&self, signal: Signal) -> Result<bool, Errno> {
        let by_number = || kill(Pid::from_raw(self.pid.cast_signed()), signal);
        let named = rustix::process::Signal::from_named_raw(signal as i32);
        let sent = match (&self.fd, named) {
            (Some(fd), Some(named)) => {
                pidfd_send_signal(fd, named).map_err(|error| Errno::from_raw(error.raw_os_error()))
            }
            _ => by_number(),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// Sends a signal to the process that started then. Returns whether it was still there.
///
/// # Errors
/// When the process belongs to somebody else.
pub fn signal(pid: u32, started: Ticks, signal: Signal) -> Result<bool, Errno> {
    let held = Hold::of(pid);
    // What is held before this look is the process that is looked at.
    match process::is_alive(pid, started) {
        true => held.send(signal),
        false => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_held_process_is_reached_and_nobody_after_it() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let hold = Hold::of(child.id());
        assert!(hold.fd.is_some(), "this kernel has pidfds");
        assert_eq!(hold.send(Signal::SIGTERM), Ok(true));
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        assert_eq!(hold.send(Signal::SIGTERM), Ok(false), "it was reaped");
    }

    #[test]
    fn only_the_process_that_started_then_is_signalled() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let started = process::stat(child.id()).seen().unwrap().started;
        let other = Ticks(started.0 + 1);
        assert_eq!(signal(child.id(), other, Signal::SIGKILL), Ok(false));
        assert!(child.try_wait().unwrap().is_none());
        assert_eq!(signal(child.id(), started, Signal::SIGKILL), Ok(true));
        child.wait().unwrap();
        assert_eq!(signal(child.id(), started, Signal::SIGKILL), Ok(false));
    }
}
