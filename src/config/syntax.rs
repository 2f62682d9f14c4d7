//! What is not TOML at all. The parser goes on after a mistake, so that one forgotten quote does
//! not hide the rest; its words are made clearer where a newcomer would stumble.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use super::mistake::{Mistake, SourceText, quoted};

/// The parsed text and what is wrong with it as TOML, the first mistake of each line only: what
/// follows in the same line is mostly its echo.
pub(super) fn parse<'a>(
    text: &'a str,
    source: &SourceText<'_>,
) -> (Spanned<DeTable<'a>>, Vec<Mistake>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let open_lists = open_lists(table.get_ref(), &errors);
    let is_inside = |span: &Range<usize>| {
        let holds = |(_, list): &(String, Range<usize>)| {
            list.contains(&span.start) || list.end == span.start
        };
        open_lists.iter().any(holds)
    };
    let mut lines = BTreeSet::new();
    let mut mistakes: Vec<Mistake> = errors
        .iter()
        .map(|error| mistake(text, source, error))
        .filter(|mistake| !is_inside(&mistake.span))
        .filter(|mistake| lines.insert(source.line(mistake.span.start)))
        .collect();
    mistakes.extend(open_lists.into_iter().map(|(key, list)| Mistake {
        hint: Some("add `]` behind its last item".into()),
        ..Mistake::new(list, format!("the list {} is not closed", quoted(&key)))
    }));
    (table, mistakes)
}

/// The lists that swallow what comes after them because their bracket is missing. All that the
/// parser says about the swallowed lines is wrong.
fn open_lists(table: &DeTable<'_>, errors: &[Error]) -> Vec<(String, Range<usize>)> {
    let is_open = |list: &Range<usize>| {
        errors.iter().any(|error| {
            let at = error.span().unwrap_or(0..0).start;
            error.message().starts_with("unclosed array") && list.contains(&at.saturating_sub(1))
        })
    };
    let mut open = Vec::new();
    for (key, value) in table {
        match value.get_ref() {
            DeValue::Array(_) if is_open(&value.span()) => {
                open.push((key.get_ref().to_string(), value.span()));
            }
            DeValue::Array(items) => {
                for item in items.iter().filter_map(|item| item.get_ref().as_table()) {
                    open.extend(open_lists(item, errors));
                }
            }
            DeValue::Table(inner) => open.extend(open_lists(inner, errors)),
            _ => {}
        }
    }
    open
}

fn mistake(text: &str, source: &SourceText<'_>, error: &Error) -> Mistake {
    let span = error.span().unwrap_or(0..0);
    let part = text.get(span.clone()).unwrap_or_default();
    let line = source.line_text(source.line(span.start)).trim();
    match error.message() {
        "duplicate key" if line.starts_with('[') => Mistake {
            hint: Some("put all its keys under one heading".into()),
            ..Mistake::new(span, format!("{} is given twice", quoted(part)))
        },
        "duplicate key" => Mistake {
            hint: Some("keep one of them".into()),
            ..Mistake::new(span, format!("{} is given twice", quoted(part)))
        },
        "unexpected leading zero, expected nothing" => {
            Mistake::new(span, "a number does not begin with 0")
        }
        message if message.starts_with("string values must") => unquoted(span, part),
        message if message.starts_with("invalid boolean") => unquoted(span, part),
        message if message.starts_with("invalid") && ends_at_quote(message) => {
            // A string without its end goes on to the end of the line, or of the file.
            let what = match text
                .get(span.end..)
                .is_some_and(|rest| rest.starts_with([',', '}', ']']))
            {
                true => "a value is missing",
                false => "the string is not closed",
            };
            Mistake::new(span, what)
        }
        message => Mistake::new(span, message),
    }
}

/// The parser takes every word that is no TOML value for a string without quotes.
fn unquoted(span: Range<usize>, part: &str) -> Mistake {
    let hint = match part.to_lowercase().as_str() {
        "" => return Mistake::new(span, "a value is missing"),
        "true" | "yes" | "on" => "write `true`".to_owned(),
        "false" | "no" | "off" => "write `false`".to_owned(),
        _ => format!("write `\"{}\"`", quoted(part).trim_matches('`')),
    };
    let what = match hint.contains('"') {
        true => "is not a value: a string needs quotes",
        false => "is not a value of TOML",
    };
    Mistake {
        hint: Some(hint),
        ..Mistake::new(span, format!("{} {what}", quoted(part)))
    }
}

/// Said both of a string without its end and of a place where nothing is.
fn ends_at_quote(message: &str) -> bool {
    message.ends_with("expected `\"`") || message.ends_with("expected `'`")
}
