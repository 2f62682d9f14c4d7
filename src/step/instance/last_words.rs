//! What supervisor says of the end of a program and then forgets: kept as the log of its release.

use fs_err as fs;

use super::Instance;
use crate::service::process::note;
use crate::service::supervisor::LastWords;

/// How a line about a process begins, and what stands behind its number.
const ENDED: [&str; 2] = ["[zdd: pid ", " ended: "];

/// The line where supervisor keeps no output, or this user may not read it.
const UNREAD: &str = "[zdd: what it printed cannot be read]";

/// Writes it down. What was kept of an earlier run gives way.
pub(super) fn keep(instance: &Instance, words: &LastWords) {
    let log = instance.log_path();
    let _ = fs::remove_file(&log);
    for line in words.output.iter().flatten() {
        note(&log, line);
    }
    if words.output.is_none() {
        note(&log, UNREAD);
    }
    let [head, verb] = ENDED;
    for (pid, end) in &words.ends {
        note(&log, &format!("{head}{pid}{verb}{end}]"));
    }
}

/// Whether the end of a process is told by what was kept: supervisor says it of those that it
/// started, and these of their children.
pub fn is_told(lines: &[String], pid: u32) -> bool {
    let [head, verb] = ENDED;
    let ends = lines.iter();
    let ends = ends.filter_map(|line| line.strip_prefix(head)?.split_once(verb));
    let ends: Vec<(&str, &str)> = ends.collect();
    let is_own = ends.iter().any(|(of, _)| *of == pid.to_string());
    let is_cut = ends.iter().any(|(_, end)| end.contains("SIGKILL"));
    let is_read = !lines.iter().any(|line| line == UNREAD);
    is_own || !ends.is_empty() && !is_cut && is_read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_told_of_by_a_parent_that_had_time_and_a_log() {
        let told = |lines: &[&str]| {
            let lines: Vec<String> = lines.iter().map(|line| (*line).to_owned()).collect();
            (is_told(&lines, 12), is_told(&lines, 13))
        };
        let well = "[zdd: pid 12 ended: exit status 0]";
        assert_eq!(told(&["Worker exiting", well]), (true, true));
        assert_eq!(told(&[UNREAD, well]), (true, false));
        let killed = "[zdd: pid 12 ended: terminated by SIGKILL]";
        assert_eq!(told(&["Worker exiting", killed]), (true, false));
        assert_eq!(told(&["Worker exiting"]), (false, false));
    }
}
