//! What may stand behind a key: a node of the JSON Schema, read into the few forms that the types
//! of `zdd.toml` have.

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::json_schema::schema;

/// What may stand at one place of the file.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    /// Any string.
    Text,
    /// One of a few words.
    Word(Vec<&'static str>),
    /// A string that [`Span`](super::units::Span) reads.
    Duration,
    /// A string that [`Size`](super::units::Size) reads.
    Size,
    /// An integer within bounds, both included.
    Integer(i128, i128),
    /// `true` or `false`.
    Boolean,
    /// Any number of the same.
    List(&'static Value),
    /// A table with any keys, and strings behind them.
    Texts,
    /// A table with these keys.
    Table(&'static Map<String, Value>),
    /// One of several forms, told apart by their TOML type.
    Any(Vec<Shape>),
}

impl Shape {
    /// The shape of the whole file.
    pub fn of_file() -> Shape {
        Shape::of(schema())
    }

    /// Reads a node of the schema.
    pub fn of(node: &'static Value) -> Shape {
        if let Some(target) = node["$ref"].as_str() {
            return match target.trim_start_matches("#/$defs/") {
                "Duration" => Shape::Duration,
                "Size" => Shape::Size,
                name => Shape::of(&schema()["$defs"][name]),
            };
        }
        if let Some(choices) = node["anyOf"].as_array() {
            return Shape::Any(choices.iter().map(Shape::of).collect());
        }
        if let Some(choices) = node["oneOf"].as_array() {
            let words = choices.iter().filter_map(|choice| choice["const"].as_str());
            return Shape::Word(words.collect());
        }
        match node["type"].as_str() {
            Some("integer") => Shape::Integer(
                node["minimum"].as_i64().map_or(i128::MIN, i128::from),
                node["maximum"].as_i64().map_or(i128::MAX, i128::from),
            ),
            Some("boolean") => Shape::Boolean,
            Some("array") => Shape::List(&node["items"]),
            Some("object") => node["properties"]
                .as_object()
                .map_or(Shape::Texts, Shape::Table),
            _ => Shape::Text,
        }
    }

    /// Itself, or the one of several that takes a value of this TOML type.
    pub fn taking(&self, value: &DeValue<'_>) -> Option<&Shape> {
        let fits = match self {
            Shape::Any(shapes) => return shapes.iter().find_map(|shape| shape.taking(value)),
            Shape::Text | Shape::Word(_) | Shape::Duration | Shape::Size => value.is_str(),
            Shape::Integer(..) => value.is_integer(),
            Shape::Boolean => value.is_bool(),
            Shape::List(_) => value.is_array(),
            Shape::Texts | Shape::Table(_) => value.is_table(),
        };
        fits.then_some(self)
    }

    /// Whether it is a list of tables, which TOML writes as `[[name]]`.
    pub fn is_list_of_tables(&self) -> bool {
        matches!(self, Shape::List(item) if matches!(Shape::of(item), Shape::Table(_)))
    }

    /// The shape in words, for "must be …".
    pub fn in_words(&self) -> String {
        match self {
            Shape::Text => "a string".into(),
            Shape::Word(words) => one_of(words),
            Shape::Duration => "a duration".into(),
            Shape::Size => "a size".into(),
            Shape::Integer(..) => "an integer".into(),
            Shape::Boolean => "`true` or `false`".into(),
            Shape::List(_) if self.is_list_of_tables() => "a list of tables".into(),
            Shape::List(_) => "a list".into(),
            Shape::Texts | Shape::Table(_) => "a table".into(),
            Shape::Any(shapes) => {
                let mut words: Vec<String> = Vec::new();
                for shape in shapes {
                    let word = shape.in_words();
                    if !words.contains(&word) {
                        words.push(word);
                    }
                }
                words.join(" or ")
            }
        }
    }
}

/// What a value is, for "…, not a string".
pub(super) fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// `a`, `b` or `c`.
pub(super) fn one_of(words: &[&str]) -> String {
    joined(words, "or")
}

/// `a`, `b` and `c`.
pub(super) fn all_of(words: &[&str]) -> String {
    joined(words, "and")
}

fn joined(words: &[&str], by: &str) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {by} {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
