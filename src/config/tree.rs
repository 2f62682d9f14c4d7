//! The parsed text with the place of every key and value. A place is written with dots, list items
//! by number: `service.0.unit`; the top of the file is the empty place.

use std::collections::BTreeSet;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer, Error};

use super::schema::Config;

/// A file whose entries all have the right names and types.
pub(super) struct Tree<'a> {
    root: Spanned<DeTable<'a>>,
    /// The tables that something wrong was taken out of.
    dented: BTreeSet<String>,
}

impl<'a> Tree<'a> {
    /// `dented` names the tables that something wrong was taken out of.
    pub fn new(root: Spanned<DeTable<'a>>, dented: BTreeSet<String>) -> Self {
        Tree { root, dented }
    }

    /// The settings as typed values. An error would be a shape that the walk let pass.
    pub fn config(&self) -> Result<Config, Error> {
        Config::deserialize(Deserializer::from(self.root.clone()))
    }

    /// Whether something is written there.
    pub fn has(&self, place: &str) -> bool {
        self.entry(place).is_some()
    }

    /// Whether the table has all that was written in it, so that what is missing was not written.
    pub fn is_whole(&self, table: &str) -> bool {
        !self.dented.contains(table)
    }

    /// Where the name of the entry stands; for a list item, where the item does.
    pub fn key_span(&self, place: &str) -> Range<usize> {
        self.entry(place).map_or(0..0, |(key, _)| key)
    }

    /// Where the value stands.
    pub fn value_span(&self, place: &str) -> Range<usize> {
        self.entry(place).map_or(0..0, |(_, value)| value)
    }

    fn entry(&self, place: &str) -> Option<(Range<usize>, Range<usize>)> {
        let (first, rest) = place.split_once('.').unwrap_or((place, ""));
        let (key, mut value) = self.root.get_ref().get_key_value(first)?;
        let mut key_span = key.span();
        for part in rest.split('.').filter(|part| !part.is_empty()) {
            match value.get_ref() {
                DeValue::Table(table) => {
                    let (key, inner) = table.get_key_value(part)?;
                    (key_span, value) = (key.span(), inner);
                }
                DeValue::Array(items) => {
                    value = items.get(part.parse::<usize>().ok()?)?;
                    key_span = value.span();
                }
                _ => return None,
            }
        }
        Some((key_span, value.span()))
    }
}
