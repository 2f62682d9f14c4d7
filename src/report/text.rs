//! Text from outside (hook output, answers of servers, file names) made fit for a terminal: it can
//! neither move the cursor nor hide a part of itself, and it keeps to the width it is given.

use std::borrow::Cow;

use console::AnsiCodeIterator;

use super::printable::{escaped, printable};

/// The same text without escape sequences and with every other control character made visible.
/// Line breaks stay; a tab becomes four spaces.
pub fn harmless(text: &str) -> String {
    // Line by line: an escape sequence that never ends must not swallow what follows.
    let lines: Vec<String> = text.split('\n').map(harmless_line).collect();
    lines.join("\n")
}

/// [`harmless`] text on one line.
pub fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "\\u{a}")
}

/// What a terminal would show of one line of output: of a progress bar, drawn over and over after
/// a carriage return, only its last state.
pub fn last_state(line: &str) -> String {
    one_line(&printable(line))
}

/// [`harmless`] text that keeps its colours: for text that zdd itself has rendered around foreign
/// text.
pub fn harmless_but_coloured(text: &str) -> String {
    AnsiCodeIterator::new(text)
        .map(|(part, is_sequence)| {
            if is_sequence && part.starts_with("\x1b[") && part.ends_with('m') {
                Cow::Borrowed(part)
            } else {
                Cow::Owned(harmless(part))
            }
        })
        .collect()
}

/// The text broken at blanks into lines of at most so many columns, where its words allow it.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The text behind its label, within the width if there is one: further lines of it stand below
/// its first. Ends with a line break.
pub fn labelled(label: &str, text: &str, width: Option<usize>) -> String {
    let indent = columns(label) + 1;
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(indent));
    let lines = text.lines().flat_map(|line| wrapped(line, room));
    let mut shown = String::new();
    let mut before = label.to_owned();
    for line in lines {
        shown += format!("{before} {line}").trim_end();
        shown.push('\n');
        before = " ".repeat(indent - 1);
    }
    shown
}

/// The text cut to so many columns, its last one a `…` when something is missing.
pub fn cut(text: &str, columns: usize) -> Cow<'_, str> {
    match columns {
        0 => Cow::Borrowed(""),
        _ => console::truncate_str(text, columns, "…"),
    }
}

/// How many columns the text takes on a terminal, escape sequences not counted.
pub fn columns(text: &str) -> usize {
    console::measure_text_width(text)
}

fn harmless_line(line: &str) -> String {
    escaped(line).replace('\t', "    ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_gone_and_other_control_characters_are_made_visible() {
        for (text, shown) in [
            ("\x1b[32mok\x1b[0m done", "ok done"),
            ("\x1b]0;title\x07after", "after"),
            ("\x1b]0;without an end\nnext line", "\nnext line"),
            ("\x1b[2J\x1b[Hgone", "gone"),
            ("8-bit \u{9b}31m", r"8-bit \u{9b}31m"),
            ("bidi \u{202e}gnp.exe", r"bidi \u{202e}gnp.exe"),
            ("a\tb", "a    b"),
            ("Grüße 国", "Grüße 国"),
        ] {
            assert_eq!(harmless(text), shown, "{text:?}");
        }
        assert!(!one_line("bell\x07 back\x08 null\0 del\x7f").contains(char::is_control));
    }

    #[test]
    fn a_name_stays_on_one_line() {
        assert_eq!(one_line("two\nlines\r"), r"two\u{a}lines\u{d}");
    }

    #[test]
    fn of_a_progress_bar_only_the_last_state_is_left() {
        assert_eq!(last_state("10%\r50%\r100%\r"), "100%");
        assert_eq!(last_state("plain\r"), "plain");
    }

    #[test]
    fn colours_of_our_own_stay_and_cursor_moves_do_not() {
        assert_eq!(
            harmless_but_coloured("\x1b[31mred\x1b[0m\x1b[2J\x07"),
            "\x1b[31mred\x1b[0m"
        );
    }

    #[test]
    fn a_long_line_is_broken_between_its_words() {
        assert_eq!(wrapped("one two three", 8), ["one two", "three"]);
        assert_eq!(wrapped("one two three", 80), ["one two three"]);
        assert_eq!(wrapped("unbreakable a b", 5), ["unbreakable", "a b"]);
        assert_eq!(wrapped("国国 国国", 8), ["国国", "国国"]);
    }

    #[test]
    fn a_labelled_text_stays_beside_its_label() {
        let text = "one two three\n  next";
        assert_eq!(
            labelled("\x1b[1ma:\x1b[0m", text, Some(11)),
            "\x1b[1ma:\x1b[0m one two\n   three\n     next\n"
        );
        assert_eq!(labelled("a:", text, None), "a: one two three\n     next\n");
        assert_eq!(labelled("a:", "", None), "");
        let narrow = labelled("label:", "one two", Some(3));
        assert_eq!(narrow, "label: one\n       two\n");
    }

    #[test]
    fn wide_characters_count_twice() {
        assert_eq!(cut("国国国国", 5), "国国…");
        assert_eq!(cut("short", 5), "short");
        assert_eq!(cut("longer", 5), "long…");
        assert_eq!(cut("x", 0), "");
        assert_eq!(columns("\x1b[1m国\x1b[0m!"), 3);
    }
}
