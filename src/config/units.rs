//! Durations (`500ms`, `30s`, `15m`, `1h`) and sizes (`256MiB`, `1GiB`) as they are written in
//! `zdd.toml` and on the command line.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Units of time and their length in milliseconds, smallest first.
const TIME_UNITS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

/// Units of size and their length in bytes, smallest first.
const SIZE_UNITS: [(&str, u64); 5] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

/// A length of time, exact to the millisecond. Written as one number and one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(Duration);

impl Span {
    /// So many milliseconds.
    pub const fn millis(millis: u64) -> Self {
        Span(Duration::from_millis(millis))
    }

    /// So many seconds.
    pub const fn secs(secs: u64) -> Self {
        Span(Duration::from_secs(secs))
    }

    /// The same as the standard library's type.
    pub const fn duration(self) -> Duration {
        self.0
    }

    /// Whether it is no time at all, which switches the thing it belongs to off.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &TIME_UNITS).map(Span::millis).ok_or_else(|| {
            format!("`{text}` is not a duration: write it as `500ms`, `30s`, `15m` or `1h`")
        })
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        f.write_str(&print(millis, &TIME_UNITS, "0s"))
    }
}

/// A number of bytes. Written as one number and one unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Size(u64);

impl Size {
    /// So many bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Size(bytes)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text, &SIZE_UNITS)
            .map(Size)
            .ok_or_else(|| format!("`{text}` is not a size: write it as `256MiB` or `1GiB`"))
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print(self.0, &SIZE_UNITS, "0B"))
    }
}

/// One whole number and one known unit, or nothing.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// The number in the largest unit that divides it.
fn print(amount: u64, units: &[(&str, u64)], zero: &str) -> String {
    let fits = |(_, factor): &&(&str, u64)| amount.is_multiple_of(*factor);
    match units.iter().rev().find(fits) {
        Some((unit, factor)) if amount > 0 => format!("{}{unit}", amount / factor),
        _ => zero.to_owned(),
    }
}

/// Lets serde and schemars treat a type that parses from text as that text.
macro_rules! written_as_text {
    ($type:ty, $name:literal, $pattern:literal, $example:literal) => {
        impl TryFrom<String> for $type {
            type Error = String;

            fn try_from(text: String) -> Result<Self, String> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern, "examples": [$example] })
            }
        }
    };
}

written_as_text!(Span, "Duration", "^[0-9]+(ms|s|m|h|d)$", "30s");
written_as_text!(Size, "Size", "^[0-9]+(B|KiB|MiB|GiB|TiB)$", "1GiB");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written_in_the_largest_exact_unit() {
        for (text, millis, shown) in [
            ("500ms", 500, "500ms"),
            ("1500ms", 1_500, "1500ms"),
            ("60s", 60_000, "1m"),
            ("15m", 900_000, "15m"),
            ("1h", 3_600_000, "1h"),
            ("0s", 0, "0s"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!(span, Span::millis(millis));
            assert_eq!(span.to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_text_and_examples() {
        for text in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "5sec",
            "1.5s",
            "99999999999999999999h",
        ] {
            let message = text.parse::<Span>().unwrap_err();
            assert!(message.contains(&format!("`{text}`")) && message.contains("15m"));
        }
    }

    #[test]
    fn sizes_are_binary() {
        assert_eq!("1GiB".parse::<Size>(), Ok(Size::from_bytes(1 << 30)));
        assert_eq!(Size::from_bytes(3 << 20).to_string(), "3MiB");
        assert!("1GB".parse::<Size>().is_err());
    }

    #[test]
    fn editors_are_told_the_same_units() {
        for (schema, units) in [
            (schemars::schema_for!(Span), TIME_UNITS),
            (schemars::schema_for!(Size), SIZE_UNITS),
        ] {
            let names = units.map(|(name, _)| name).join("|");
            let pattern = schema.get("pattern").and_then(|pattern| pattern.as_str());
            assert_eq!(pattern, Some(format!("^[0-9]+({names})$").as_str()));
        }
    }
}
