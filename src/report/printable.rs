//! Text of other programs, made safe to print: nothing in it can move the cursor, change the
//! title of a terminal or hide what stands beside it.

use std::fmt::Write;

use anstream::adapter::strip_str;

/// The line as a terminal would end up showing it, without colours. Of a progress display that
/// goes back to the start of the line, the last state is kept; other control characters and
/// those that turn the direction of writing are written as `\u{9b}`. Tabs stay.
pub fn printable(line: &str) -> String {
    if line.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~')) {
        return line.to_owned();
    }
    let mut states = line.rsplit('\r');
    escaped(states.find(|state| !state.is_empty()).unwrap_or_default())
}

/// The text without escape sequences, whatever else a terminal would obey written as `\u{9b}`.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in strip_str(text).flat_map(str::chars) {
        if is_harmless(character) {
            safe.push(character);
        } else {
            let _ = write!(safe, "{}", character.escape_unicode());
        }
    }
    safe
}

fn is_harmless(character: char) -> bool {
    let turns_the_direction = matches!(character, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    character == '\t' || !(character.is_control() || turns_the_direction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_and_titles_are_taken_out() {
        assert_eq!(printable("\u{1b}[1;31mred\u{1b}[0m\tend"), "red\tend");
        assert_eq!(printable("\u{1b}]0;title\u{7}text"), "text");
    }

    #[test]
    fn of_a_progress_display_the_last_state_is_kept() {
        assert_eq!(printable("10 %\r50 %\r100 %\r"), "100 %");
    }

    #[test]
    fn what_is_left_of_control_characters_is_made_visible() {
        assert_eq!(printable("a\u{9b}2J\u{202e}b"), "a\\u{9b}2J\\u{202e}b");
        let every_control: String = (0..0xa0).filter_map(char::from_u32).collect();
        assert!(
            !printable(&every_control)
                .chars()
                .any(|c| c.is_control() && c != '\t')
        );
    }
}
