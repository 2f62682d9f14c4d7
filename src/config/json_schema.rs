//! The JSON Schema of `zdd.toml`, generated from the types of [`schema`](super::schema). Editors
//! complete and check with it (`docs/zdd.schema.json`), and [`walk`](super::walk) holds a file
//! against it.

use std::sync::OnceLock;

use schemars::schema_for;
use serde_json::{Map, Value, json};

use super::schema::Config;

/// The schema as it is shipped: indented, with a final line break.
pub fn json_schema() -> String {
    format!("{:#}\n", schema())
}

/// The schema as a value, made once.
pub(super) fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut schema = schema_for!(Config).to_value();
        polish(&mut schema);
        schema["title"] = json!("zdd.toml");
        schema["description"] = json!("The settings of a site that zdd releases to.");
        schema
    })
}

/// The names of all keys, of all tables.
#[cfg(test)]
pub(super) fn keys() -> std::collections::BTreeSet<String> {
    let mut names = std::collections::BTreeSet::new();
    tests::each_key(schema(), &mut |name, _| {
        names.insert(name.to_owned());
    });
    names
}

/// Turns what schemars says about Rust types into what holds for a TOML file: no `null`, number
/// types as plain bounds, and both names of a key that has two.
fn polish(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.values_mut().for_each(polish);
            drop_null(object);
            drop_needless_default(object);
            bound_number(object);
            join_lines(object);
            if let Some(Value::Object(properties)) = object.get_mut("properties") {
                add_aliases(properties);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(polish),
        _ => {}
    }
}

/// An optional value may be left out in TOML, but never be null.
fn drop_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            object["type"] = only.clone();
        }
    }
    if let Some(Value::Array(choices)) = object.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
        if let [Value::Object(only)] = choices.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            object.extend(only);
        }
    }
}

/// The default of a table is that of its keys; editors would write it out in full.
fn drop_needless_default(object: &mut Map<String, Value>) {
    if let Some(Value::Null | Value::Object(_)) = object.get("default") {
        object.remove("default");
    }
}

fn bound_number(object: &mut Map<String, Value>) {
    let most = match object.get("format").and_then(Value::as_str) {
        Some("uint16") => u64::from(u16::MAX),
        Some("uint32") => u64::from(u32::MAX),
        _ => return,
    };
    object.remove("format");
    object.entry("minimum").or_insert(json!(0));
    object.entry("maximum").or_insert(json!(most));
}

/// Line breaks of doc comments are those of the source, not of the text.
fn join_lines(object: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = object.get_mut("description") {
        *text = text.replace('\n', " ");
    }
}

fn add_aliases(properties: &mut Map<String, Value>) {
    let aliases: Vec<(String, Value)> = properties
        .iter()
        .filter_map(|(name, property)| {
            let alias = property.get("x-alias")?.as_str()?.to_owned();
            let mut copy = property.clone();
            copy["description"] = json!(format!("Another name of `{name}`."));
            copy["x-alias"] = json!(name);
            Some((alias, copy))
        })
        .collect();
    properties.extend(aliases);
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    #[test]
    fn the_shipped_schema_is_the_one_of_the_types() {
        let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/zdd.schema.json");
        if std::env::var_os("ZDD_BLESS").is_some() {
            fs_err::write(&path, json_schema()).unwrap();
        }
        assert!(
            fs_err::read_to_string(&path).unwrap_or_default() == json_schema(),
            "docs/zdd.schema.json is out of date; write it anew: \
             ZDD_BLESS=1 cargo test --lib shipped_schema"
        );
    }

    #[test]
    fn nothing_in_it_is_null_and_every_key_is_described() {
        assert!(!json_schema().contains("null"));
        each_key(schema(), &mut |name, property| {
            assert!(property["description"].is_string(), "`{name}`: {property}");
        });
    }

    #[test]
    fn the_configuration_reference_has_a_row_for_every_key_with_its_default() {
        let path = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
        let reference = fs_err::read_to_string(path).unwrap();
        let mut top = schema()["properties"].as_object().unwrap().clone();
        for (heading, table, keys_in) in [
            ("`[source]`", "source", vec!["Source"]),
            ("`[shared]`", "shared", vec!["Shared"]),
            ("`[require]`", "require", vec!["Require"]),
            ("`[hooks]`", "hooks", vec!["Hooks", "HookTable"]),
            ("`[[service]]`", "service", vec!["Service"]),
            ("`[proxy]`", "proxy", vec!["Proxy"]),
            ("`[[health]]`", "health", vec!["HealthCheck"]),
            ("`[probe]`", "probe", vec!["Probe"]),
        ] {
            assert!(top.remove(table).is_some(), "{table}");
            for definition in keys_in {
                let keys = &schema()["$defs"][definition]["properties"];
                has_rows(&reference, heading, keys.as_object().unwrap());
            }
        }
        has_rows(&reference, "Top of the file", &top);
    }

    /// Each key has a row of its own below the heading, and its default is in the third column.
    fn has_rows(reference: &str, heading: &str, keys: &Map<String, Value>) {
        let mut sections = reference.split("\n## ");
        let section = sections
            .find(|section| section.starts_with(heading))
            .unwrap_or_else(|| panic!("no section {heading}"));
        for (key, property) in keys {
            let begin = format!("| `{key}` |");
            let row = section.lines().find(|line| line.starts_with(&begin));
            let row = row.unwrap_or_else(|| panic!("no row for `{key}` below {heading}"));
            let default = row.split(" | ").nth(2).unwrap_or_default();
            if let Some(value @ (Value::String(_) | Value::Number(_) | Value::Bool(_))) =
                property.get("default")
            {
                let text = value.as_str().map_or(value.to_string(), str::to_owned);
                assert_eq!(
                    default,
                    format!("`{text}`"),
                    "default of `{key}` below {heading}"
                );
            }
        }
    }

    #[test]
    fn every_key_that_serde_takes_under_two_names_is_there_twice() {
        let properties = &schema()["$defs"]["Shared"]["properties"];
        for (name, alias) in [("files", "linked_files"), ("dirs", "linked_dirs")] {
            assert_eq!(properties[name]["x-alias"], alias);
            assert_eq!(properties[alias]["x-alias"], name);
        }
    }

    pub(in crate::config) fn each_key(value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
        if let Value::Object(object) = value {
            if let Some(Value::Object(properties)) = object.get("properties") {
                properties
                    .iter()
                    .for_each(|(name, property)| visit(name, property));
            }
            object.values().for_each(|inner| each_key(inner, visit));
        }
    }
}
