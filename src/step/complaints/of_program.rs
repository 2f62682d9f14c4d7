//! Lines of a program that tell of an error: by the level it gives them, or by the forms that
//! languages give an exception that nobody caught. A stack trace counts once, by its last line.

use std::collections::HashMap;

use crate::service::Entry;

/// The first priority of the journal that is no error.
const WARNING: u8 = 4;

/// The first process: what systemd says about a unit.
const SYSTEMD: u32 = 1;

/// How programs mark a line as an error.
const MARKS: [&str; 24] = [
    "[ERROR]",
    "[CRITICAL]",
    "[FATAL]",
    "[error]",
    "[crit]",
    "[alert]",
    "[emerg]",
    " ERROR ",
    "ERROR:",
    " CRITICAL ",
    "CRITICAL:",
    " FATAL ",
    "FATAL:",
    "level=error",
    "level=fatal",
    "\"level\":\"error\"",
    "\"level\": \"error\"",
    "\"severity\":\"ERROR\"",
    "\"severity\": \"ERROR\"",
    "Internal Server Error:",
    "Unhandled",
    "Uncaught ",
    "panicked at",
    "panic:",
];

/// A worker that was told to end, as gunicorn says it at each reload.
const HARMLESS: &str = "was sent SIGTERM";

/// How a stack trace of Python begins.
const TRACEBACK: &str = "Traceback (most recent call last):";

/// What stands between two stack traces of Python that belong together.
const CHAINS: [&str; 2] = [
    "During handling of the above exception",
    "The above exception was the direct cause",
];

/// Goes through a log line by line.
#[derive(Debug, Default)]
pub struct Reader {
    /// The complaints so far.
    pub found: Vec<String>,
    threads: HashMap<u32, Thread>,
}

/// What one process writes, one line after the other.
#[derive(Debug, Default)]
struct Thread {
    /// The complaint that a stack trace would belong to.
    last: Option<usize>,
    is_in_trace: bool,
}

impl Reader {
    /// Takes an entry of the journal.
    pub fn entry(&mut self, entry: &Entry) {
        let pid = entry.pid.unwrap_or_default();
        let is_of_systemd = pid == SYSTEMD && entry.priority <= WARNING;
        if entry.priority < WARNING || is_of_systemd {
            let first = entry.message.lines().next();
            self.found.extend(first.map(str::to_owned));
            return;
        }
        for line in entry.message.lines() {
            self.line(pid, line);
        }
    }

    /// Takes a line of a process.
    pub fn line(&mut self, pid: u32, line: &str) {
        let thread = self.threads.entry(pid).or_default();
        let is_chain = CHAINS.iter().any(|chain| line.starts_with(chain));
        let is_frame = line.starts_with(char::is_whitespace);
        if line.trim().is_empty() || is_chain || is_frame {
            return;
        }
        if line.ends_with(TRACEBACK) {
            thread.is_in_trace = true;
        } else if thread.is_in_trace {
            thread.is_in_trace = false;
            match thread.last.and_then(|last| self.found.get_mut(last)) {
                Some(complaint) => *complaint = format!("{complaint}: {line}"),
                None => {
                    thread.last = Some(self.found.len());
                    self.found.push(line.to_owned());
                }
            }
        } else if is_complaint(line) {
            thread.last = Some(self.found.len());
            self.found.push(line.to_owned());
        } else {
            thread.last = None;
        }
    }
}

fn is_complaint(line: &str) -> bool {
    let is_marked = MARKS.iter().any(|mark| line.contains(mark));
    let of_ruby = line.starts_with("E, [") || line.starts_with("F, [");
    (is_marked || of_ruby || is_exception(line)) && !line.contains(HARMLESS)
}

/// `TypeError: x is not a function`, `app.errors.PaymentException`
fn is_exception(line: &str) -> bool {
    let name = line.split([':', ' ']).next().unwrap_or_default();
    let is_name = name
        .bytes()
        .all(|it| it.is_ascii_alphanumeric() || b"._".contains(&it));
    let is_whole = line.len() == name.len() || line[name.len()..].starts_with(':');
    is_name && is_whole && (name.ends_with("Error") || name.ends_with("Exception"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(lines: &[(u32, &str)]) -> Vec<String> {
        let mut reader = Reader::default();
        for (pid, line) in lines {
            reader.line(*pid, line);
        }
        reader.found
    }

    #[test]
    fn a_stack_trace_counts_once_with_the_line_before_it() {
        let trace = [
            (7, "[2026-11-25] [7] [ERROR] Error handling request /pay"),
            (7, "Traceback (most recent call last):"),
            (8, "[2026-11-25] [8] [INFO] Booting worker"),
            (7, "  File \"app.py\", line 3, in pay"),
            (7, "    charge()"),
            (7, "KeyError: 'card'"),
            (7, ""),
            (
                7,
                "During handling of the above exception, another exception occurred:",
            ),
            (7, ""),
            (7, "Traceback (most recent call last):"),
            (7, "  File \"app.py\", line 9, in pay"),
            (7, "stripe.Declined: no money"),
            (7, "[2026-11-25] [7] [INFO] Worker exiting"),
        ];
        assert_eq!(
            found(&trace),
            [
                "[2026-11-25] [7] [ERROR] Error handling request /pay: KeyError: 'card': \
              stripe.Declined: no money"
            ]
        );
        assert_eq!(
            found(&[
                (0, "Traceback (most recent call last):"),
                (0, " f"),
                (0, "SystemExit: 3")
            ]),
            ["SystemExit: 3"]
        );
    }

    #[test]
    fn errors_of_many_languages_are_seen_and_calm_lines_are_not() {
        for line in [
            "TypeError: x is not a function",
            "ERROR:root:no connection",
            "E, [2026-11-25T13:40:02 #9] ERROR -- : oh",
            "thread 'main' panicked at src/main.rs:3:5:",
            "time=\"x\" level=error msg=\"no\"",
            "{\"level\":\"error\",\"msg\":\"no\"}",
            "Internal Server Error: /pay",
        ] {
            assert_eq!(found(&[(1, line)]).len(), 1, "{line}");
        }
        for line in [
            "GET /errors/Error 200",
            "[INFO] Handling signal: hup",
            "[7] [ERROR] Worker (pid:9) was sent SIGTERM!",
            "0 errors, all is well",
            "ErrorHandler installed",
            "    at Object.<anonymous> (/srv/Error: 3)",
        ] {
            assert_eq!(found(&[(1, line)]), [""; 0], "{line}");
        }
    }

    #[test]
    fn the_priority_of_an_entry_tells_and_so_does_systemd() {
        let mut reader = Reader::default();
        for (pid, priority, message) in [
            (9, 3, "disk on fire\nmore"),
            (9, 4, "a warning"),
            (1, 4, "app.service: Failed with result 'timeout'."),
            (1, 5, "Reloaded app.service"),
            (9, 6, "fine"),
        ] {
            reader.entry(&Entry {
                pid: Some(pid),
                priority,
                message: message.to_owned(),
            });
        }
        assert_eq!(
            reader.found,
            ["disk on fire", "app.service: Failed with result 'timeout'."]
        );
    }
}
