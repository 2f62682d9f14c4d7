//! Durations as systemd prints them: `1min 30s`, `500ms`, `infinity`.

use std::time::Duration;

/// Its units, in microseconds.
const UNITS: [(&str, f64); 9] = [
    ("us", 1.0),
    ("ms", 1e3),
    ("s", 1e6),
    ("min", 6e7),
    ("h", 3.6e9),
    ("d", 8.64e10),
    ("w", 6.048e11),
    ("month", 2.629_8e12),
    ("y", 3.155_76e13),
];

/// Reads one. `infinity` is the longest there is.
pub(super) fn parse(text: &str) -> Option<Duration> {
    if text.trim() == "infinity" {
        return Some(Duration::MAX);
    }
    let mut words = text.split_ascii_whitespace().peekable();
    words.peek()?;
    let micros = words.map(|word| {
        let end = word.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, unit) = word.split_at(end);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit)?;
        Some(number.parse::<f64>().ok()? * size)
    });
    let micros: f64 = micros.sum::<Option<f64>>()?;
    Duration::try_from_secs_f64(micros / 1e6).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_prints_is_understood_and_nothing_is_guessed() {
        for (text, millis) in [
            ("1min 30s", 90_000),
            ("35s", 35_000),
            ("500ms", 500),
            ("1h 5s", 3_605_000),
            ("1.500s", 1_500),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        assert_eq!(parse("infinity"), Some(Duration::MAX));
        for text in ["", "90", "1 min", "x", "5parsecs"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
