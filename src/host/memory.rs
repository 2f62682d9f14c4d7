//! How much memory a new process can have.

use std::fs;

use super::process;
use crate::error::{Error, Result};

/// Where the kernel tells what a control group holds: version 2, and version 1.
const GROUPS: [(&str, &str); 2] = [
    ("/sys/fs/cgroup", "anon "),
    ("/sys/fs/cgroup/memory", "total_rss "),
];

/// Bytes that are available without swapping, by the kernel's own estimate (`MemAvailable`).
///
/// # Errors
/// When `/proc/meminfo` cannot be read.
pub fn available() -> Result<u64> {
    let table = fs_err::read_to_string("/proc/meminfo")?;
    parse(&table).ok_or_else(|| Error::failed("`/proc/meminfo` has no line `MemAvailable`"))
}

/// Bytes of swap that are free.
///
/// # Errors
/// When `/proc/meminfo` cannot be read.
pub fn free_swap() -> Result<u64> {
    let table = fs_err::read_to_string("/proc/meminfo")?;
    Ok(kibibytes(&table, "SwapFree:").unwrap_or_default())
}

/// Bytes that a second copy of these processes would need beside them: their own memory, without
/// files. `group` is their control group, in which what forked processes share counts once.
pub fn of_copy(group: &str, pids: &[u32]) -> u64 {
    let in_group = GROUPS.iter().find_map(|(mount, name)| {
        let text = fs::read_to_string(format!("{mount}{group}/memory.stat")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().parse().ok()
    });
    // What forked processes share counts in parts, where the kernel tells.
    let share = |pid: u32| {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
        kibibytes(&rollup, "Pss_Anon:")
    };
    let own = |pid: &u32| {
        share(*pid).or_else(|| {
            let status = process::status(*pid).seen()?;
            kibibytes(&status, "RssAnon:")
        })
    };
    in_group
        .filter(|_| !group.trim_matches('/').is_empty())
        .unwrap_or_else(|| pids.iter().filter_map(own).sum())
}

/// `MemAvailable:   12345 kB`
fn parse(table: &str) -> Option<u64> {
    kibibytes(table, "MemAvailable:")
}

/// The bytes of one line of a table in kB.
fn kibibytes(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_available_line_is_read_in_bytes() {
        let table = "MemTotal:  16 kB\nMemAvailable:    3 kB\nSwapFree: 9 kB\n";
        assert_eq!(parse(table), Some(3072));
        assert_eq!(parse("MemTotal: 16 kB\n"), None);
    }

    #[test]
    fn a_process_outside_of_groups_holds_some_memory() {
        let own = of_copy("", &[std::process::id()]);
        assert!(own > 1 << 16, "{own}");
        assert_eq!(of_copy("/no/such/group", &[]), 0);
    }

    #[test]
    fn this_machine_has_some_memory() {
        assert!(available().unwrap() > 1 << 20);
    }
}
