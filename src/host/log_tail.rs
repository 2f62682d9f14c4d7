//! The last lines of what a server logged, for a message: those that tell what happened.

use std::io::{BufRead, BufReader};

use camino::Utf8Path;
use fs_err as fs;

use super::lines::{TAIL_LINES, Tail};

/// How many lines are looked through for the ones that are shown.
pub const READ_LINES: usize = 200;

/// The last lines of a log, as the program itself wrote them. Empty where it cannot be read.
pub fn of_file(log: &Utf8Path) -> Vec<String> {
    let mut last = Tail::of(READ_LINES);
    if let Ok(file) = fs::File::open(log) {
        let lines = BufReader::new(file).split(b'\n');
        for line in lines.map_while(std::result::Result::ok) {
            last.push(String::from_utf8_lossy(&line).into_owned());
        }
    }
    condensed(last.into())
}

/// The last lines. Where there are too many, the frames of stack traces, which are indented, give
/// way to what happened: a dying server repeats its trace for every worker.
pub fn condensed(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > TAIL_LINES {
        lines.retain(|line| !line.starts_with(char::is_whitespace));
    }
    lines.split_off(lines.len().saturating_sub(TAIL_LINES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_give_way_to_what_happened() {
        let worker = [
            "Traceback:",
            "  File a",
            "    b()",
            "ModuleNotFoundError: not_there",
        ];
        let mut lines: Vec<String> = worker.repeat(3).into_iter().map(str::to_owned).collect();
        assert_eq!(condensed(lines.clone()), lines);
        lines.extend(std::iter::repeat_n("  File c".to_owned(), 30));
        lines.push("HaltServer".to_owned());
        let short = condensed(lines);
        assert_eq!(short.len(), 7);
        assert!(short.contains(&"ModuleNotFoundError: not_there".to_owned()));
    }
}
