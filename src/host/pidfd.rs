//! Signals to exactly one process: never to a later one that was given the same number.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process;
use super::ticks::Ticks;

/// Sends a signal to the process that started then. Returns whether it was still there.
///
/// # Errors
/// When the process belongs to somebody else.
pub fn signal(pid: u32, started: Ticks, signal: Signal) -> Result<bool, Errno> {
    let held = hold(pid);
    // What was opened before this look is the process that is looked at.
    if !process::is_alive(pid, started) {
        return Ok(false);
    }
    let sent = match held {
        Ok(held) => send(&held, signal),
        Err(Errno::ESRCH) => return Ok(false),
        // Kernels before 5.3.
        Err(_) => kill(Pid::from_raw(pid.cast_signed()), signal),
    };
    match sent {
        Ok(()) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

/// A descriptor that goes on naming this process when its number is given away.
fn hold(pid: u32) -> Result<OwnedFd, Errno> {
    // SAFETY: two plain numbers; the kernel answers with a new descriptor or an error.
    let opened = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), 0) };
    let opened = Errno::result(opened)?;
    // SAFETY: the descriptor is new and nobody else's; the kernel's descriptors fit the type.
    #[allow(clippy::cast_possible_truncation)]
    Ok(unsafe { OwnedFd::from_raw_fd(opened as i32) })
}

fn send(held: &OwnedFd, signal: Signal) -> Result<(), Errno> {
    let (descriptor, number) = (held.as_raw_fd(), signal as i32);
    let info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: an open descriptor, numbers, and no information beyond what `kill` gives.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, descriptor, number, info, 0) };
    Errno::result(sent).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

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
