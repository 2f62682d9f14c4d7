//! What to write instead of a wrong key or a value of the wrong type.

use serde_json::{Map, Value};
use strsim::damerau_levenshtein;
use toml::de::DeValue;

use crate::config::mistake::quoted;
use crate::config::shape::{Shape, one_of};

/// Advice for a key that this table does not have: the table it belongs to, the key that was
/// meant, or else all keys there are.
pub(super) fn for_unknown_key(table: &str, here: &Map<String, Value>, key: &str) -> String {
    let known = || here.keys().map(String::as_str);
    match (tables_with(key).as_slice(), nearest(key, known())) {
        ([""], _) => format!("`{key}` stands at the top of the file, before the first `[table]`"),
        ([], Some(meant)) => format!("did you mean `{meant}`?"),
        ([], None) => format!("{} has {}", heading(table), list(known())),
        (tables, _) => {
            let headings: Vec<_> = tables.iter().map(|table| heading(table)).collect();
            format!("`{key}` is a key of {}", headings.join(" and of "))
        }
    }
}

/// Advice for a value whose TOML type does not fit, where the intention can be guessed.
pub(super) fn for_wrong_type(place: &str, shape: &Shape, value: &DeValue<'_>) -> Option<String> {
    let key = place
        .rsplit('.')
        .find(|part| part.parse::<usize>().is_err())
        .unwrap_or(place);
    let is_item = !place.ends_with(key);
    let write = |value: String| match is_item {
        true => format!("write `{value}`"),
        false => format!("write `{key} = {value}`"),
    };
    match (shape, value) {
        (Shape::Integer(..), DeValue::String(text)) => {
            let number: i64 = text.trim().parse().ok()?;
            Some(write(number.to_string()))
        }
        (Shape::Boolean, DeValue::String(text)) => match text.to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(write("true".into())),
            "false" | "no" | "off" | "0" => Some(write("false".into())),
            _ => None,
        },
        (Shape::Boolean, DeValue::Integer(number)) => match number.as_str() {
            "1" => Some(write("true".into())),
            "0" => Some(write("false".into())),
            _ => None,
        },
        (Shape::Duration, DeValue::Integer(number)) => Some(format!(
            "{}, or another unit",
            write(format!("\"{number}s\""))
        )),
        (Shape::Size, DeValue::Integer(_)) => Some(write("\"1GiB\"".into())),
        (Shape::Text, DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_)) => {
            Some("put it in quotes".into())
        }
        (Shape::List(_), DeValue::Table(_)) if shape.is_list_of_tables() => {
            Some(format!("write `[[{key}]]`"))
        }
        (Shape::List(_), DeValue::String(text)) if !shape.is_list_of_tables() => {
            let text = quoted(text);
            Some(write(format!("[\"{}\"]", text.trim_matches('`'))))
        }
        (Shape::Table(_), DeValue::Array(_)) => Some(format!("write `[{key}]`, once")),
        (Shape::Table(_) | Shape::List(_), _) if !is_item => Some(format!(
            "write {} and its keys below it",
            heading_of(key, shape)
        )),
        _ => None,
    }
}

/// The candidate that was probably meant: at most a third of its letters are different.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
) -> Option<&'a str> {
    // The distance takes the product of both lengths; nobody misspells a key with a page of text.
    const LONGEST: usize = 40;
    if word.len() > LONGEST {
        return None;
    }
    let word = word.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (damerau_levenshtein(&word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.len() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The tables (`""` is the top of the file) that do have this key.
fn tables_with(key: &str) -> Vec<&'static str> {
    let Shape::Table(top) = Shape::of_file() else {
        return Vec::new();
    };
    let mut tables = Vec::new();
    if top.contains_key(key) {
        tables.push("");
    }
    for (name, node) in top {
        let inner = match Shape::of(node) {
            Shape::List(item) => Shape::of(item),
            other => other,
        };
        if matches!(inner, Shape::Table(keys) if keys.contains_key(key)) {
            tables.push(name);
        }
    }
    tables
}

/// A table as it is written in the file.
fn heading(table: &str) -> String {
    let Shape::Table(top) = Shape::of_file() else {
        return String::new();
    };
    match (table, top.get(table)) {
        ("", _) => "the top of the file".to_owned(),
        (_, Some(node)) => heading_of(table, &Shape::of(node)),
        (_, None) => format!("`[{table}]`"),
    }
}

fn heading_of(table: &str, shape: &Shape) -> String {
    match shape.is_list_of_tables() {
        true => format!("`[[{table}]]`"),
        false => format!("`[{table}]`"),
    }
}

fn list<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    let keys: Vec<&str> = keys.collect();
    one_of(&keys).replace(" or ", " and ")
}
