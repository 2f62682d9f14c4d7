//! Each class of mistake, with its place and its hint: `mistakes.txt` lists them.

use super::{findings, pictures};

#[test]
fn each_mistake_is_told_with_its_place_and_its_hint() {
    let (_, sections) = include_str!("mistakes.txt").split_once("========").unwrap();
    let cases: Vec<&str> = sections
        .split("\n========")
        .flat_map(|section| section.split("\n--------\n").skip(1))
        .collect();
    assert!(cases.len() > 80, "{} cases", cases.len());
    for case in cases {
        let (text, expected) = case.split_once("\n=> ").unwrap();
        let found = findings(text);
        let [only] = &found[..] else {
            panic!("one mistake expected in:\n{text}\n\n{}", pictures(&found))
        };
        let (line, column) = (only.line.unwrap(), only.column.unwrap());
        let hint = only.hint.as_ref().map(|hint| format!("\n   {hint}"));
        let told = format!(
            "{line}:{column} {}{}",
            only.message,
            hint.unwrap_or_default()
        );
        assert_eq!(told, expected.trim_end(), "in:\n{text}\n");
        assert_eq!(only.file.as_deref(), Some("zdd.toml"));
    }
}

#[test]
fn keys_of_a_later_version_are_called_that() {
    for (table, key) in [
        ("", "[[cache]]"),
        ("[source]\n", "artifact = 'x'"),
        ("[[service]]\nstart = 'x'\n", "warm = 'x'"),
    ] {
        let name = key
            .split(" =")
            .next()
            .unwrap_or(key)
            .trim_matches(['[', ']']);
        let found = findings(&format!("{table}{key}"));
        assert_eq!(found[0].message, format!("`{name}` is not in this version"));
        assert_eq!(found.len(), 1, "{}", pictures(&found));
    }
}
