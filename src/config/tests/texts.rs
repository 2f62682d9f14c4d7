//! Texts of every sort: several mistakes at once, odd characters and line breaks, large and random
//! ones; and how a finding looks.

use super::{config, findings, pictures};
use crate::config::parse;

#[test]
fn all_mistakes_are_told_at_once_in_the_order_of_the_text() {
    let found = findings(
        "keep = '5'\nnaem = 'x'\n[hooks]\ntimeout = 'soon'\n[shared]\nfiles = ['../x']\n\
         [service]\nunit = 'a b'\nwarm = 'x'\nheath = 1\n[[health]]\ntcp = 'x'\n",
    );
    let lines: Vec<_> = found.iter().filter_map(|finding| finding.line).collect();
    assert_eq!(lines, [1, 2, 4, 6, 7, 9, 10, 12], "{}", pictures(&found));
}

#[test]
fn what_is_not_toml_hides_no_other_mistake_and_makes_none_up() {
    let found = findings("name = app\nkeep = 0\nheath = 3\n[hooks]\nbuild = make\n");
    let lines: Vec<_> = found.iter().filter_map(|finding| finding.line).collect();
    assert_eq!(lines, [1, 2, 3, 5], "{}", pictures(&found));
    let found = findings("[shared\nfiles = ['a']\n");
    assert_eq!(found.len(), 1, "{}", pictures(&found));
    let found = findings("[shared]\nfiles = ['a',\nkeep = 5\n[hooks]\nbuild = 'x'\n");
    assert!(
        found
            .iter()
            .all(|finding| !finding.message.contains("must be")),
        "{}",
        pictures(&found)
    );
}

#[test]
fn a_wrong_key_makes_no_second_mistake_of_what_is_then_missing() {
    for text in [
        "[[service]]\nunti = 'a.service'",
        "[[service]]\nunit = 5\nsudo = true",
    ] {
        assert_eq!(findings(text).len(), 1, "{}", pictures(&findings(text)));
    }
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let found =
        findings("\u{feff}[hooks]\r\ncheck = { run = \"größe 🚀\", uzer = 'x' }\r\nxyzzy = 1\r\n");
    let places: Vec<_> = found
        .iter()
        .map(|f| (f.line.unwrap(), f.column.unwrap()))
        .collect();
    assert_eq!(places, [(2, 28), (3, 1)], "{}", pictures(&found));
    assert!(!pictures(&found).contains('\r'));
    assert_eq!(
        config("name = \"größe\"\r\n").name.as_deref(),
        Some("größe")
    );
}

#[test]
fn a_finding_looks_like_a_compilers() {
    let text =
        "[[service]]\nunit = \"gunicorn.service\"\n\n\n\n\n\n\n\n\n\n  heath = \"/health\"\n";
    let expected = "\
error: unknown key `heath`
  --> zdd.toml:12:3
   |
12 |   heath = \"/health\"
   |   ^^^^^
   |
help: did you mean `health`?";
    assert_eq!(pictures(&findings(text)), expected);
}

#[test]
fn a_password_in_an_address_is_not_shown_beside_a_mistake() {
    let found = findings("[source]\ngit = 'https://u:s3cret@h/x'\npath = '.'\n");
    let picture = pictures(&found);
    assert!(picture.contains("https://********@h/x"), "{picture}");
    assert!(!picture.contains("s3cret"), "{picture}");
}

#[test]
fn the_place_in_the_picture_is_the_place_of_the_finding() {
    for text in [
        "\t[hooks]\n\tbuild = 3\n",
        "größe = 1\n\"größe\" = 1\n",
        "[hooks]\ncheck={run='é\u{301}🚀',x=1}",
        "x = \"\"\"a\nb\"\"\"\n",
    ] {
        for finding in findings(text) {
            let place = format!(
                "zdd.toml:{}:{}\n",
                finding.line.unwrap(),
                finding.column.unwrap()
            );
            let picture = finding.excerpt.unwrap();
            assert!(picture.contains(&place), "{place} in\n{picture}");
        }
    }
}

#[test]
fn a_long_line_is_cut_to_what_matters() {
    let text = format!(
        "name = \"{}\" \nxyzzy = [{}1]\n",
        "a".repeat(5_000),
        "1, ".repeat(2_000)
    );
    let found = findings(&text);
    assert!(
        pictures(&found)
            .lines()
            .all(|line| line.chars().count() < 200),
        "{}",
        pictures(&found)
    );
}

#[test]
fn a_large_file_is_read_and_its_many_mistakes_are_counted() {
    let comments = "# a comment that says nothing much\n".repeat(30_000);
    config(&comments);
    let many = "[[service]]\nunit = 'a b'\n".repeat(40_000);
    let found = findings(&many);
    assert_eq!(found.len(), 51);
    assert_eq!(found[50].message, "and 79949 more mistakes in this file");
    findings(&"x".repeat(1 << 20));
    findings(&format!("name = '{}", "x".repeat(1 << 20)));
    findings(&"[".repeat(1 << 20));
    findings(&format!("{}a = 1", "a.".repeat(1 << 19)));
}

#[test]
fn no_text_makes_it_panic() {
    // xorshift64: the same texts each time.
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % below as u64).unwrap()
    };
    let bits = [
        "[",
        "]",
        "[[",
        "]]",
        "=",
        "\"",
        "'",
        "\n",
        "\r\n",
        "\r",
        ".",
        ",",
        "{",
        "}",
        "#",
        " ",
        "\t",
        "service",
        "health",
        "hooks",
        "keep",
        "unit",
        "5",
        "-",
        "é",
        "🚀",
        "\0",
        "\u{202e}",
        "\u{1b}",
        "\"\"\"",
        "shared",
        "files",
        "linked_files",
        "true",
        "1979-05-27",
        "30s",
        "@.service",
        "\u{feff}",
    ];
    for _ in 0..4_000 {
        let text: String = (0..random(30)).map(|_| bits[random(bits.len())]).collect();
        if let Err(found) = parse("zdd.toml".into(), &text) {
            assert!(!found.is_empty(), "{text:?}");
        }
        let bytes: Vec<u8> = (0..random(60)).map(|_| random(256) as u8).collect();
        drop(parse("zdd.toml".into(), &String::from_utf8_lossy(&bytes)));
    }
}
