//! The last lines of a command: what failed, why, what the site serves, and what to do next; or
//! that a release is live. They go out through [`Report::closing`](super::Report::closing).

use std::fmt::Write as _;

use anstream::adapter::strip_str;
use anstyle::Style;

use super::style::{BAD, DIM, GOOD, NOTE, STRONG, paint};
use super::text::{harmless, harmless_but_coloured, last_state, one_line};
use crate::error::{Error, Finding};

/// How much of what a hook or a unit printed is shown; the rest is in its log.
const TAIL_LINES: usize = 20;

/// Labels end in this column, the colon included.
const LABEL_COLUMNS: usize = 6;

/// The end of a command that failed. `state` says what the site serves now; an empty one is left
/// out, for commands that fail before there is a site.
///
/// First come all findings, then `error:`, `cause:` with the tail indented below, the change that
/// helps, `state:`, `hint:`. What the error does not know has no line.
pub fn failure(error: &Error, state: &str) -> String {
    let mut text = String::new();
    for finding in findings(error) {
        text += &shown(finding);
    }
    if !speaks_for_itself(error) {
        text += &labelled(BAD, "error", &error.what);
    }
    if let Some(cause) = &error.cause {
        text += &labelled(STRONG, "cause", cause);
    } else if !error.tail.is_empty() {
        text += &labelled(STRONG, "cause", "the last lines it printed were");
    }
    let skipped = error.tail.len().saturating_sub(TAIL_LINES);
    for line in &error.tail[skipped..] {
        let line = format!("    | {}", last_state(line));
        let _ = writeln!(text, "{}", paint(DIM, line.trim_end()));
    }
    if let Some(change) = &error.change {
        // Without any mark before the lines, so that they can be copied.
        let _ = write!(text, "\n{}\n\n", harmless(change.trim_end()));
    }
    if !state.is_empty() {
        text += &labelled(STRONG, "state", state);
    }
    // An excerpt has it under the line that it is about.
    let is_shown = |finding: &Finding| finding.excerpt.is_some() && finding.hint == error.hint;
    let hint = error.hint.as_ref();
    if let Some(hint) = hint.filter(|_| !error.findings.iter().any(is_shown)) {
        text += &labelled(NOTE, "hint", hint);
    }
    text
}

/// The end of a command that did what was asked: `live 20261122014228 …`, its first word, the
/// outcome, in colour.
pub fn success(outcome: &str, rest: &str) -> String {
    format!("{} {}\n", paint(GOOD, one_line(outcome)), harmless(rest))
}

/// One finding: the excerpt where there is one, else where it is, what is wrong and what to do.
fn shown(finding: &Finding) -> String {
    if let Some(excerpt) = &finding.excerpt {
        return harmless_but_coloured(excerpt).trim_end().to_owned() + "\n\n";
    }
    let mut text = paint(BAD, "  - ");
    if let Some(file) = &finding.file {
        text += &one_line(file);
        for number in [finding.line, finding.column].into_iter().flatten() {
            let _ = write!(text, ":{number}");
        }
        text += ": ";
    }
    text += &indented(&finding.message, 4);
    if let Some(hint) = &finding.hint {
        let _ = write!(
            text,
            "\n    {} {}",
            paint(NOTE, "hint:"),
            indented(hint, 10)
        );
    }
    text + "\n"
}

/// The findings that the closing lines do not already say. A single one without an excerpt is the
/// error itself.
fn findings(error: &Error) -> &[Finding] {
    match error.findings.as_slice() {
        [only] if only.excerpt.is_none() => &[],
        all => all,
    }
}

/// Whether the error is a single finding whose excerpt begins with the same words.
fn speaks_for_itself(error: &Error) -> bool {
    match error.findings.as_slice() {
        [only] => only.excerpt.as_ref().is_some_and(|excerpt| {
            let excerpt = strip_str(excerpt).to_string();
            excerpt.starts_with("error") && excerpt.contains(&error.what)
        }),
        _ => false,
    }
}

/// `error: what`, further lines of the text under its first.
fn labelled(style: Style, label: &str, text: &str) -> String {
    let label = format!("{:<LABEL_COLUMNS$}", format!("{label}:"));
    let text = indented(text, LABEL_COLUMNS + 1);
    format!("{} {text}\n", paint(style, label))
}

/// The text with every line but the first moved to the right.
fn indented(text: &str, columns: usize) -> String {
    harmless(text.trim_end()).replace('\n', &format!("\n{:columns$}", ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn plain(text: &str) -> String {
        strip_str(text).to_string()
    }

    #[test]
    fn a_failure_ends_with_error_cause_state_and_hint() {
        let error = Error::failed("`hooks/build` failed")
            .cause("exit code 1")
            .tail(vec![
                "\x1b[31mERROR\x1b[0m no such package".into(),
                "10%\r99%".into(),
            ])
            .hint("zdd logs 20261122014228 hook_build");
        assert_eq!(
            plain(&failure(&error, "serving 20261121090000, as before")),
            "error: `hooks/build` failed
cause: exit code 1
    | ERROR no such package
    | 99%
state: serving 20261121090000, as before
hint:  zdd logs 20261122014228 hook_build
"
        );
    }

    #[test]
    fn of_a_long_tail_the_last_twenty_lines_are_shown() {
        let tail = (1..=50).map(|number| format!("line {number}")).collect();
        let text = plain(&failure(
            &Error::failed("it failed").cause("x").tail(tail),
            "",
        ));
        assert!(!text.contains("| line 30\n") && text.contains("| line 31\n"));
        assert!(text.contains("| line 50\n"));
    }

    #[test]
    fn findings_come_all_at_once_before_the_error() {
        let findings = vec![
            Finding {
                file: Some("zdd.toml".into()),
                line: Some(3),
                column: Some(1),
                excerpt: Some("error: unknown key `keeep`\n --> zdd.toml:3:1\n".into()),
                ..Finding::new("unknown key `keeep`")
            },
            Finding::new("`shared/.env` does not exist").hint("create it:\ntouch shared/.env"),
        ];
        let error = Error::from_findings(ErrorKind::Failed, findings);
        assert_eq!(
            plain(&failure(&error, "nothing is served yet")),
            "error: unknown key `keeep`
 --> zdd.toml:3:1

  - `shared/.env` does not exist
    hint: create it:
          touch shared/.env
error: 2 things are wrong
state: nothing is served yet
"
        );
    }

    #[test]
    fn a_single_finding_is_not_said_twice() {
        let finding = Finding::new("`unit` is empty").hint("name a unit");
        let error = Error::from_findings(ErrorKind::Usage, vec![finding.clone()]);
        assert_eq!(
            plain(&failure(&error, "")),
            "error: `unit` is empty\nhint:  name a unit\n"
        );

        let finding = Finding {
            excerpt: Some("\x1b[1m\x1b[91merror\x1b[0m: `unit` is empty\n".into()),
            ..finding
        };
        let error = Error::from_findings(ErrorKind::Usage, vec![finding]);
        assert!(error.hint.is_some());
        assert_eq!(plain(&failure(&error, "")), "error: `unit` is empty\n\n");
    }

    #[test]
    fn foreign_text_cannot_pass_for_a_line_of_ours_or_move_the_cursor() {
        let error = Error::failed("cannot read `a\nstate: fine`").cause("\x1b[2Jboo\x07");
        let text = plain(&failure(&error, "serving\x1b[31m r1"));
        assert_eq!(
            text,
            "error: cannot read `a\n       state: fine`\ncause: boo\nstate: serving r1\n"
        );
    }

    #[test]
    fn a_success_names_what_is_live() {
        let text = success("live", "20261122014228 in 12.3 s");
        assert_eq!(plain(&text), "live 20261122014228 in 12.3 s\n");
        assert!(text.starts_with("\x1b[1m\x1b[32mlive\x1b[0m"));
    }
}
