//! The keys that the design of zdd names but this version does not have. They are refused as
//! such: who writes one has read the right words in the wrong version.

/// Where such a key may stand, and which ones.
const PLANNED: [(&str, &[&str]); 3] = [
    ("", &["cache"]),
    ("source", &["artifact"]),
    ("service", &["warm"]),
];

/// Whether a later version will have this key in this table (`""` is the top of the file).
pub(super) fn is_planned(table: &str, key: &str) -> bool {
    PLANNED
        .iter()
        .any(|(place, keys)| *place == table && keys.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::shape::Shape;

    #[test]
    fn no_key_that_is_built_is_called_planned() {
        let Shape::Table(top) = Shape::of_file() else {
            panic!("the file is a table")
        };
        for (place, keys) in PLANNED {
            let table = match top.get(place).map(Shape::of) {
                None => top,
                Some(Shape::Table(table)) => table,
                Some(Shape::List(item)) => match Shape::of(item) {
                    Shape::Table(table) => table,
                    other => panic!("`{place}` holds {other:?}"),
                },
                Some(other) => panic!("`{place}` is {other:?}"),
            };
            for key in keys {
                assert!(!table.contains_key(*key), "`{key}` in `{place}` is built");
            }
        }
    }
}
