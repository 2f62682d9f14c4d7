//! Holds the parsed text against the shapes of the schema: unknown keys, wrong types, values out
//! of range. What is wrong is taken out, so that the rest can still be looked at as a whole.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeInteger, DeString, DeTable, DeValue};

use super::mistake::{Mistake, quoted};
use super::planned;
use super::shape::{Shape, kind_of, one_of};
use super::units::{Size, Span};

mod advice;

/// What a walk through the text found.
#[derive(Default)]
pub(super) struct Walk {
    /// In no particular order.
    pub mistakes: Vec<Mistake>,
    /// The places of the tables that something was taken out of.
    pub dented: BTreeSet<String>,
}

impl Walk {
    /// Walks through a whole file and leaves in it what is right.
    pub fn through(root: &mut DeTable<'_>) -> Walk {
        let mut walk = Walk::default();
        if let Shape::Table(properties) = Shape::of_file() {
            walk.table("", properties, root);
        }
        walk
    }

    fn table(
        &mut self,
        place: &str,
        properties: &'static Map<String, Value>,
        table: &mut DeTable<'_>,
    ) {
        let written = table.len();
        self.take_out_second_names(properties, table);
        let fits = |(key, value): &mut (Spanned<DeString<'_>>, Spanned<DeValue<'_>>)| {
            let name = key.get_ref().as_ref();
            match properties.get(name) {
                Some(node) => {
                    self.value(&below(place, name), &quoted(name), &Shape::of(node), value)
                }
                None => self.unknown_key(place, properties, key),
            }
        };
        let mut entries: Vec<_> = std::mem::take(table).into_iter().collect();
        entries.retain_mut(fits);
        table.extend(entries);
        if table.len() < written {
            self.dented.insert(place.to_owned());
        }
    }

    /// A key that can be spelled in two ways is still one key.
    fn take_out_second_names(&mut self, properties: &Map<String, Value>, table: &mut DeTable<'_>) {
        let second = |key: &Spanned<DeString<'_>>| {
            let first = properties.get(key.get_ref().as_ref())?["x-alias"].as_str()?;
            let (other, _) = table.get_key_value(first)?;
            let is_second = other.span().start < key.span().start;
            is_second.then(|| (key.span(), key.get_ref().to_string(), first.to_owned()))
        };
        let seconds: Vec<_> = table.keys().filter_map(second).collect();
        for (span, name, first) in seconds {
            table.remove(name.as_str());
            let message = format!("`{name}` is another name of `{first}`, which is given too");
            self.add(span, message)
                .hint(format!("put all of them under `{first}`"));
        }
    }

    fn unknown_key(
        &mut self,
        place: &str,
        properties: &Map<String, Value>,
        key: &Spanned<DeString<'_>>,
    ) -> bool {
        let (table, name) = (table_of(place), key.get_ref().as_ref());
        if planned::is_planned(&table, name) {
            self.add(key.span(), format!("`{name}` is not in this version"));
        } else {
            let hint = advice::for_unknown_key(&table, properties, name);
            self.add(key.span(), format!("unknown key {}", quoted(name)))
                .hint(hint);
        }
        false
    }

    /// Whether the value may stay. `name` is what a message calls it.
    fn value(
        &mut self,
        place: &str,
        name: &str,
        shape: &Shape,
        value: &mut Spanned<DeValue<'_>>,
    ) -> bool {
        let span = value.span();
        let Some(fitting) = shape.taking(value.get_ref()) else {
            self.wrong_type(span, place, name, shape, value.get_ref());
            self.look_into(place, name, shape, value);
            return false;
        };
        match (fitting, value.get_mut()) {
            (Shape::Table(properties), DeValue::Table(table)) => {
                self.table(place, properties, table);
                true
            }
            (Shape::Texts, DeValue::Table(texts)) => {
                let mut all_fit = true;
                for (key, text) in texts.iter_mut() {
                    let key = key.get_ref().as_ref();
                    all_fit &= self.value(&below(place, key), &quoted(key), &Shape::Text, text);
                }
                all_fit
            }
            (Shape::List(item), DeValue::Array(items)) => {
                let (shape, name) = (Shape::of(item), format!("an item of {name}"));
                let mut all_fit = true;
                for (number, item) in items.iter_mut().enumerate() {
                    all_fit &= self.value(&below(place, &number.to_string()), &name, &shape, item);
                }
                all_fit
            }
            (Shape::Integer(least, most), DeValue::Integer(number)) => {
                self.integer(span, name, (*least, *most), number)
            }
            (Shape::Word(words), DeValue::String(text)) => self.word(span, name, words, text),
            (Shape::Duration, DeValue::String(text)) => self.unit(span, text.parse::<Span>()),
            (Shape::Size, DeValue::String(text)) => self.unit(span, text.parse::<Size>()),
            _ => true,
        }
    }

    fn wrong_type(
        &mut self,
        span: Range<usize>,
        place: &str,
        name: &str,
        shape: &Shape,
        value: &DeValue<'_>,
    ) {
        let message = format!(
            "{name} must be {}, not {}",
            shape.in_words(),
            kind_of(value)
        );
        let hint = advice::for_wrong_type(place, shape, value);
        let mistake = self.add(span, message);
        mistake.hint = hint;
    }

    /// `[service]` for `[[service]]` and the reverse: the mistakes inside are told all the same.
    fn look_into(
        &mut self,
        place: &str,
        name: &str,
        shape: &Shape,
        value: &mut Spanned<DeValue<'_>>,
    ) {
        match (shape, value.get_mut()) {
            (Shape::List(item), DeValue::Table(table)) => {
                if let Shape::Table(properties) = Shape::of(item) {
                    self.table(place, properties, table);
                }
            }
            (Shape::Table(properties), DeValue::Array(items)) => {
                for item in items.iter_mut() {
                    if item.get_ref().is_table() {
                        self.value(place, name, &Shape::Table(properties), item);
                    }
                }
            }
            _ => {}
        }
    }

    fn integer(
        &mut self,
        span: Range<usize>,
        name: &str,
        (least, most): (i128, i128),
        number: &DeInteger<'_>,
    ) -> bool {
        let value = i128::from_str_radix(number.as_str(), number.radix());
        if value
            .as_ref()
            .is_ok_and(|value| (least..=most).contains(value))
        {
            return true;
        }
        let too_small = value.map_or(number.as_str().starts_with('-'), |value| value < least);
        let bound = match too_small {
            true => format!("at least {least}"),
            false => format!("at most {most}"),
        };
        self.add(span, format!("{name} must be {bound}, not {number}"));
        false
    }

    fn word(&mut self, span: Range<usize>, name: &str, words: &[&str], text: &str) -> bool {
        if words.contains(&text) {
            return true;
        }
        let message = format!("{name} must be {}, not {}", one_of(words), quoted(text));
        let hint = advice::nearest(text, words.iter().copied());
        let mistake = self.add(span, message);
        mistake.hint = hint.map(|word| format!("did you mean `{word}`?"));
        false
    }

    /// The text of a unit's error is "what is wrong: what to write".
    fn unit<T>(&mut self, span: Range<usize>, parsed: Result<T, String>) -> bool {
        let Err(message) = parsed else { return true };
        match message.rsplit_once(": ") {
            Some((what, advice)) => self.add(span, what).hint(advice),
            None => drop(self.add(span, message)),
        }
        false
    }

    fn add(&mut self, span: Range<usize>, message: impl Into<String>) -> &mut Mistake {
        self.mistakes.push(Mistake::new(span, message));
        let last = self.mistakes.len() - 1;
        &mut self.mistakes[last]
    }
}

fn below(place: &str, key: &str) -> String {
    match place {
        "" => key.to_owned(),
        _ => format!("{place}.{key}"),
    }
}

/// The place without the numbers of list items: `service.0` is in the table `service`.
fn table_of(place: &str) -> String {
    let is_name = |part: &&str| part.parse::<usize>().is_err();
    place
        .split('.')
        .filter(is_name)
        .collect::<Vec<_>>()
        .join(".")
}
