//! Holds the order of the code: who may import whom, how long a file may be, where path names of a
//! site are joined, and that nothing prints by itself.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first. A module may use those of lower layers only, never its siblings.
const LAYERS: [&[&str]; 9] = [
    &["exit_code"],
    &["error"],
    &["host", "report", "config"],
    &["site", "saga"],
    &["source", "hook", "service", "proxy", "running", "health"],
    &["step"],
    &["plan"],
    &["commands"],
    &["cli", "main", "lib"],
];

/// The names of a site's own files and directories.
const PLACES: [&str; 12] = [
    "current",
    "releases",
    "shared",
    "cache",
    ".zdd",
    "lock",
    "logs",
    "journal.jsonl",
    "revisions.log",
    "REVISION",
    "REVISION_TIME",
    "instances",
];

/// The longest a file may be, tests included.
const LINE_LIMIT: usize = 400;

#[test]
fn modules_use_lower_layers_only() {
    let mut findings = Vec::new();
    for (path, text) in sources(&["src"]) {
        let own = module_of(&path);
        let own_layer = layer_of(&own);
        for used in used_modules(&text) {
            if used != own && layer_of(&used) >= own_layer {
                findings.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    findings.dedup();
    assert!(
        findings.is_empty(),
        "upward or sideways:\n{}",
        findings.join("\n")
    );
}

#[test]
fn the_layers_know_every_module() {
    for (path, _) in sources(&["src"]) {
        layer_of(&module_of(&path));
    }
    assert_eq!(
        used_modules("use crate::{site::Site, host::{a, b::c}, error};"),
        ["site", "host", "error"]
    );
    assert_eq!(
        used_modules("let x = crate::plan::Plan; // crate::step in words"),
        ["plan"]
    );
}

#[test]
fn no_file_is_longer_than_the_limit() {
    let all = sources(&["src", "tests", "benches", "examples"]);
    let lines = all.iter().map(|(path, text)| (text.lines().count(), path));
    let long: Vec<_> = lines.filter(|(lines, _)| *lines > LINE_LIMIT).collect();
    assert!(long.is_empty(), "longer than {LINE_LIMIT} lines: {long:?}");
}

#[test]
fn path_names_of_a_site_are_joined_in_site_only() {
    let mut findings = Vec::new();
    for (path, text) in sources(&["src"]) {
        if module_of(&path) == "site" || path.ends_with("tests.rs") || is_below_tests(&path) {
            continue;
        }
        for line in without_tests(&text).lines() {
            let joins = |name: &&str| {
                line.contains(&format!(".join(\"{name}\")"))
                    || line.contains(&format!(".join(\"{name}/"))
                    || line.contains(&format!(".push(\"{name}\")"))
                    || line.contains(&format!("{{root}}/{name}"))
            };
            if PLACES.iter().any(joins) {
                findings.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(
        findings.is_empty(),
        "joined outside `site`:\n{}",
        findings.join("\n")
    );
}

#[test]
fn nothing_prints_or_panics_by_itself() {
    let words = [
        "println!(",
        "eprintln!(",
        "print!(",
        "eprint!(",
        "dbg!(",
        "todo!(",
    ];
    let mut findings = Vec::new();
    for (path, text) in sources(&["src"]) {
        for line in text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
        {
            let is_own = |at: usize| {
                let before = line[..at].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            };
            if words.iter().any(|word| line.find(word).is_some_and(is_own)) {
                findings.push(format!("{}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(
        findings.is_empty(),
        "prints by itself:\n{}",
        findings.join("\n")
    );
}

#[test]
fn no_module_is_called_by_an_empty_word() {
    let empty = [
        "utils", "util", "helpers", "helper", "common", "manager", "handler", "misc",
    ];
    for (path, _) in sources(&["src"]) {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        assert!(!empty.contains(&stem), "{}", path.display());
    }
}

/// All Rust files below these directories with their text; paths begin at the repository.
fn sources(directories: &[&str]) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for directory in directories {
        let walk = walkdir::WalkDir::new(root.join(directory)).sort_by_file_name();
        for entry in walk.into_iter().flatten() {
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "rs")
            {
                let text = fs::read_to_string(entry.path()).unwrap();
                found.push((entry.path().strip_prefix(root).unwrap().to_owned(), text));
            }
        }
    }
    assert!(!found.is_empty());
    found
}

/// The top module a file belongs to: `src/site/link.rs` to `site`.
fn module_of(path: &Path) -> String {
    let name = path
        .components()
        .nth(1)
        .unwrap()
        .as_os_str()
        .to_str()
        .unwrap();
    name.trim_end_matches(".rs").to_owned()
}

#[track_caller]
fn layer_of(module: &str) -> usize {
    let layer = LAYERS.iter().position(|layer| layer.contains(&module));
    layer.unwrap_or_else(|| panic!("`{module}` is in no layer"))
}

/// The top modules that a text uses by `crate::`, comments left out.
fn used_modules(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .map(|line| line.split("//").next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("\n");
    let mut used = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => used.extend(first_words(group)),
            None => used.extend(word(rest)),
        }
    }
    used
}

/// The first word of each item of a group in braces, up to its end.
fn first_words(group: &str) -> Vec<String> {
    let (mut words, mut depth, mut is_start) = (Vec::new(), 0_i32, true);
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => is_start = true,
            letter if is_start && letter.is_alphabetic() => {
                words.extend(word(&group[at..]));
                is_start = false;
            }
            _ => {}
        }
    }
    words
}

fn word(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !c.is_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    let first = text[..end].to_owned();
    // A macro or a type at the root of the crate is no module.
    first
        .starts_with(|c: char| c.is_lowercase())
        .then_some(first)
}

/// A file without its test module at the end.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(text)
}

fn is_below_tests(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "tests")
}
