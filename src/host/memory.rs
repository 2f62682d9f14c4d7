//! How much memory a new process can have.

use crate::error::{Error, Result};

/// Bytes that are available without swapping, by the kernel's own estimate (`MemAvailable`).
///
/// # Errors
/// When `/proc/meminfo` cannot be read.
pub fn available() -> Result<u64> {
    let table = fs_err::read_to_string("/proc/meminfo")?;
    parse(&table).ok_or_else(|| Error::failed("`/proc/meminfo` has no line `MemAvailable`"))
}

/// `MemAvailable:   12345 kB`
fn parse(table: &str) -> Option<u64> {
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
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
    fn this_machine_has_some_memory() {
        assert!(available().unwrap() > 1 << 20);
    }
}
