//! How the processes of a program ended, by supervisor's own log, and what they printed last. Both
//! are asked before supervisor forgets the program.

use super::control::Supervisorctl;
use super::status::ProgramState;

/// What is known of a program that was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWords {
    /// The processes that supervisor started, each with its end: `exit status 0`, `terminated by
    /// SIGKILL`. Those that its log does not tell of are left out.
    pub ends: Vec<(u32, String)>,
    /// The last lines that they printed; none where these cannot be read.
    pub output: Option<Vec<String>>,
}

impl LastWords {
    /// Of the processes that ran before the stop.
    pub(super) fn of(control: &Supervisorctl, before: &ProgramState) -> LastWords {
        let log = control.main_tail().unwrap_or_default();
        let mut ends = Vec::new();
        let mut output: Option<Vec<String>> = None;
        for (full_name, pid) in before.running() {
            let name = full_name.rsplit(':').next().unwrap_or(full_name);
            ends.extend(end_of(&log, name, pid).map(|end| (pid, end)));
            for channel in ["stdout", "stderr"] {
                if let Ok(text) = control.tail(full_name, channel) {
                    let lines = text.trim_end().lines().map(str::to_owned);
                    output.get_or_insert_default().extend(lines);
                }
            }
        }
        LastWords { ends, output }
    }
}

/// `killing 'hc' (12) with SIGKILL`, `stopped: hc (exit status 0)`, `exited: hc (exit status 1; not
/// expected)`, after `spawned: 'hc' with pid 12` where the log reaches back so far.
fn end_of(log: &str, name: &str, pid: u32) -> Option<String> {
    let lines: Vec<&str> = log.lines().collect();
    let spawned = format!("spawned: '{name}' with pid {pid}");
    let begin = lines.iter().rposition(|line| line.ends_with(&spawned));
    let lines = &lines[begin.unwrap_or_default()..];
    let killing = format!("killing '{name}' ({pid}) with SIGKILL");
    if lines.iter().any(|line| line.ends_with(&killing)) {
        return Some("terminated by SIGKILL".to_owned());
    }
    let heads = [format!("stopped: {name} ("), format!("exited: {name} (")];
    let mut ends = lines.iter().filter_map(|line| {
        let rest = heads.iter().find_map(|head| line.split_once(head))?.1;
        Some(rest.trim_end_matches(')').to_owned())
    });
    ends.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: &str = "\
w with pid 1
2026-11-29 09:00:00,000 INFO spawned: 'hc' with pid 12
2026-11-29 09:00:01,000 WARN killing 'hc' (12) with SIGKILL
2026-11-29 09:00:01,100 WARN stopped: hc (terminated by SIGKILL)
2026-11-29 09:00:02,000 INFO spawned: 'hc' with pid 13
2026-11-29 09:00:03,000 INFO waiting for hc to stop
2026-11-29 09:00:04,000 INFO stopped: hc (exit status 0)
2026-11-29 09:00:05,000 INFO spawned: 'hc' with pid 12
2026-11-29 09:00:06,000 INFO exited: hc (exit status 1; not expected)
";

    #[test]
    fn the_log_of_supervisor_tells_how_a_process_ended() {
        let killed = LOG.split("INFO spawned: 'hc' with pid 13").next().unwrap();
        let end = end_of(killed, "hc", 12);
        assert_eq!(end.as_deref(), Some("terminated by SIGKILL"));
        let stopped = LOG
            .split("INFO spawned: 'hc' with pid 12\n")
            .collect::<Vec<_>>();
        let stopped = stopped[..2].concat();
        let end = end_of(&stopped, "hc", 13);
        assert_eq!(end.as_deref(), Some("exit status 0"));
        // The number was used again, and not killed this time.
        let end = end_of(LOG, "hc", 12);
        assert_eq!(end.as_deref(), Some("exit status 1; not expected"));
    }

    #[test]
    fn what_the_log_does_not_have_is_not_known() {
        assert_eq!(end_of("", "hc", 12), None);
        assert_eq!(end_of(LOG, "c", 12), None);
        let running = "INFO stopped: hc (exit status 0)\nINFO spawned: 'hc' with pid 12\n";
        assert_eq!(end_of(running, "hc", 12), None);
    }
}
