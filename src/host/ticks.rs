//! The clock in which Linux tells when a process started: hundredths of a second since boot, time
//! asleep included (`proc_pid_stat(5)`, field 22). It never jumps, unlike the wall clock.

use std::thread;
use std::time::{Duration, SystemTime};

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};

/// USER_HZ, part of the kernel's interface: 100 on every architecture that systemd runs on but
/// the long gone Alpha.
const PER_SECOND: u64 = 100;

/// A moment since boot, in hundredths of a second.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Ticks(pub u64);

impl Ticks {
    /// The tick that is running now.
    pub fn now() -> Self {
        let since_boot = clock_gettime(ClockId::CLOCK_BOOTTIME).map(Duration::from);
        Ticks::since_boot(since_boot.unwrap_or_default())
    }

    /// A line drawn in time: returns the running tick once it is over, at most 10 ms later, so
    /// that whatever starts afterwards has a later one, and nothing that started before.
    pub fn fence() -> Self {
        let fence = Ticks::now();
        while Ticks::now() == fence {
            thread::sleep(Duration::from_millis(1));
        }
        fence
    }

    /// The tick of a moment of the wall clock, as far as that clock was not set in between.
    /// A moment before boot is tick 0.
    pub fn of(moment: SystemTime) -> Self {
        let ago = SystemTime::now().duration_since(moment).unwrap_or_default();
        Ticks(Ticks::now().0.saturating_sub(Ticks::since_boot(ago).0))
    }

    /// How long ago it was.
    pub fn elapsed(self) -> Duration {
        Duration::from_millis(Ticks::now().0.saturating_sub(self.0) * 1000 / PER_SECOND)
    }

    fn since_boot(time: Duration) -> Self {
        Ticks(time.as_secs() * PER_SECOND + u64::from(time.subsec_millis()) * PER_SECOND / 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process;

    #[test]
    fn a_child_started_after_a_fence_has_a_later_tick_and_this_process_an_earlier_one() {
        let fence = Ticks::fence();
        let mut child = std::process::Command::new("sleep")
            .arg("5")
            .spawn()
            .unwrap();
        let started = process::stat(child.id()).seen().unwrap().started;
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(started > fence && started <= Ticks::now());
        assert!(
            process::stat(std::process::id()).seen().unwrap().started <= fence,
            "this process is older than the fence"
        );
    }

    #[test]
    fn a_moment_of_the_wall_clock_is_found_on_the_clock_of_processes() {
        let second_ago = Ticks::of(SystemTime::now() - Duration::from_secs(1));
        let distance = Ticks::now().0 - second_ago.0;
        assert!((100..150).contains(&distance), "{distance}");
        assert_eq!(Ticks::of(SystemTime::UNIX_EPOCH), Ticks(0));
    }
}
