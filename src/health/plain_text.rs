//! What came from outside, made fit for a terminal and a record.

/// The longest text shown of what a server answered, in characters.
const SHOWN_CHARS: usize = 120;

/// The text on one line, without control characters and the marks that turn the direction of
/// writing (both can make a terminal lie), cut to a length that fits a message.
pub fn plain(text: &str) -> String {
    let mut shown = String::new();
    for (count, c) in text.trim().chars().enumerate() {
        if count == SHOWN_CHARS {
            shown.push('…');
            break;
        }
        shown.push(match c {
            '\n' | '\r' | '\t' => ' ',
            c if c.is_control() || turns_the_writing(c) => '\u{fffd}',
            c => c,
        });
    }
    shown
}

fn turns_the_writing(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_passes() {
        assert_eq!(plain(" v1\x1b[2J\u{202e}\u{9b}\x07 ok\n"), "v1�[2J��� ok");
        assert_eq!(plain(&"é".repeat(500)).chars().count(), 121);
    }
}
