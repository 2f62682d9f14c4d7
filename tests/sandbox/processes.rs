//! The processes that work in a site.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Every process whose directory lies below `root`, with that directory.
pub fn inside(root: &Path) -> Vec<(u32, PathBuf)> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid: u32| {
        let cwd = fs::read_link(format!("/proc/{pid}/cwd")).ok()?;
        cwd.starts_with(root).then_some((pid, cwd))
    })
    .collect()
}

/// Ends every process whose directory lies below `root`, and waits until they are gone.
pub fn end_inside(root: &Path) {
    use nix::sys::signal::{Signal, kill};
    for (pid, _) in inside(root) {
        let _ = kill(
            nix::unistd::Pid::from_raw(pid.cast_signed()),
            Signal::SIGKILL,
        );
    }
    let deadline = Instant::now() + Duration::from_secs(10);
    while !inside(root).is_empty() && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(5));
    }
}
