//! A hold on a process: as long as it is held, a signal reaches that very process or nobody, even
//! when its number is given to another one meanwhile. By a pidfd (Linux 5.3); on older kernels by
//! the number alone.

use std::os::fd::OwnedFd;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};

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

    /// Asks it to end. One that ended already needs no asking.
    pub fn terminate(&self) {
        match &self.fd {
            Some(fd) => drop(pidfd_send_signal(fd, rustix::process::Signal::TERM)),
            None => drop(kill(Pid::from_raw(self.pid.cast_signed()), Signal::SIGTERM)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    #[test]
    fn a_signal_reaches_the_process_that_is_held_and_nobody_after_it() {
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .unwrap();
        let hold = Hold::of(child.id());
        assert!(hold.fd.is_some(), "this kernel has pidfds");
        hold.terminate();
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        // Reaped: its number is free for others, whom this no longer reaches.
        hold.terminate();
    }
}
