//! The open files of this process. Those that zdd opened are closed on exec by the standard
//! library; those that its own caller left open are made so here, since no program that zdd
//! starts may hold a lock, a socket or a secret that was not meant for it.

use std::os::fd::{BorrowedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

/// Keeps everything but the three standard streams from the programs started from here on.
pub fn keep_private() {
    let Ok(entries) = fs_err::read_dir("/proc/self/fd") else {
        return;
    };
    let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for number in numbers.filter(|number: &RawFd| *number > 2) {
        // SAFETY: the number is only used for fcntl, which refuses it when it is closed by now.
        let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}
