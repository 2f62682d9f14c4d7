//! The documentation against the program: every JSON field is named, every exit code is told, no
//! link leads nowhere.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use time::OffsetDateTime;
use zdd::commands::unfinished::Unfinished;
use zdd::exit_code::ExitCode;
use zdd::health::{Figures, Sample};
use zdd::running::{Evidence, EvidenceKind, User, Verdict};
use zdd::site::lock::Holder;
use zdd::step::outcome::Running;

#[test]
fn every_field_of_the_json_is_documented() {
    let text = read("docs/json.md");
    let missing: Vec<String> = fields_printed()
        .into_iter()
        .filter(|field| !text.contains(&format!("`{field}`")))
        .collect();
    assert!(missing.is_empty(), "not in docs/json.md: {missing:?}");
}

#[test]
fn the_readme_tells_every_exit_code() {
    let text = read("README.md");
    for code in ExitCode::ALL {
        let row = format!("| {} | {} |", code.number(), code.meaning());
        assert!(text.contains(&row), "not in README.md: {row}");
    }
}

#[test]
fn an_example_has_the_ready_made_hook_that_it_names() {
    let hook = |path: &str| fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap();
    assert!(
        hook("hooks/alembic/migrate") == hook("examples/playbook/hooks/migrate"),
        "cp hooks/alembic/migrate examples/playbook/hooks/migrate"
    );
}

#[test]
fn every_relative_link_leads_to_a_file() {
    let mut broken = Vec::new();
    for file in documents() {
        let text = fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap_or_default();
            let is_external = target.is_empty() || target.contains("://");
            if !is_external && !file.parent().unwrap().join(target).exists() {
                broken.push(format!("{}: {target}", file.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// From the commands themselves, and from samples of what a plain site never has.
fn fields_printed() -> BTreeSet<String> {
    let scratch = tempfile::tempdir().unwrap();
    let root = scratch.path().join("www");
    let source = scratch.path().join("site");
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(&source).unwrap();
    fs::write(source.join("index.html"), "hello").unwrap();
    let settings =
        "[hooks]\nbuild = 'echo built'\n[[health]]\ncommand = 'test -e good'\nwithin = '1s'\n";
    fs::write(root.join("zdd.toml"), settings).unwrap();
    fs::write(source.join("good"), "").unwrap();
    let into = scratch.path().join("project");
    let source = source.to_str().unwrap();
    let mut fields = BTreeSet::new();
    let mut run = |words: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_zdd"))
            .args(words)
            .arg("--json")
            .current_dir(&root)
            .env_remove("ZDD_CONFIG")
            .output()
            .unwrap();
        let object: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("zdd {words:?}: {error}: {output:?}"));
        assert_eq!(object["schema"], 1, "zdd {words:?}");
        collect(&object, &mut fields);
    };
    for words in [
        &["release", source][..],
        &["release", source],
        &["rollback"],
        &["release", "nowhere"],
        &["list"],
        &["status"],
        &["show"],
        &["logs"],
        &["prune", "--keep", "1"],
        &[
            "init",
            "--stack",
            "static",
            "--into",
            into.to_str().unwrap(),
        ],
    ] {
        run(words);
    }
    fs::write(
        root.join("zdd.toml"),
        "[[service]]\nunit = 'no-such.service'\nkep = 1",
    )
    .unwrap();
    run(&["release", source]);
    fs::write(root.join("zdd.toml"), "[shared]\nfiles = ['.env']").unwrap();
    run(&["check"]);
    for sample in samples() {
        collect(&sample, &mut fields);
    }
    fields
}

fn samples() -> [Value; 6] {
    let running = Running {
        service: String::new(),
        release: None,
        verdict: Verdict::Proved,
        evidence: vec![Evidence {
            pid: 1,
            kind: EvidenceKind::Exe,
            path: "/".into(),
        }],
        judged: 1,
    };
    let lock = Holder {
        pid: 1,
        user: String::new(),
        since: OffsetDateTime::UNIX_EPOCH,
        command: String::new(),
    };
    let unfinished = Unfinished {
        command: String::new(),
        release: "20261122014228".parse().unwrap(),
        step: None,
        will: String::new(),
    };
    let sample = Sample {
        at_ms: 0,
        took_ms: 0,
        ok: true,
        release: None,
    };
    let user = User {
        pid: 1,
        command: String::new(),
    };
    [
        serde_json::to_value(running).unwrap(),
        serde_json::to_value(lock).unwrap(),
        serde_json::to_value(unfinished).unwrap(),
        serde_json::to_value(user).unwrap(),
        serde_json::to_value(Figures::default()).unwrap(),
        serde_json::to_value(sample).unwrap(),
    ]
}

/// Every key in the value. Settings are documented elsewhere, and notes are the user's own.
fn collect(value: &Value, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                fields.insert(key.clone());
                if !matches!(key.as_str(), "config" | "notes") {
                    collect(value, fields);
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| collect(value, fields)),
        _ => {}
    }
}

fn documents() -> Vec<PathBuf> {
    let places = [
        ".",
        "docs",
        "examples",
        "examples/django-supervisor",
        "examples/gunicorn",
        "examples/gunicorn-reload",
        "examples/instance",
        "examples/node",
        "examples/playbook",
        "examples/twisted",
        "hooks",
        "tests/host",
    ];
    let files = places.iter().flat_map(|place| {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(place);
        fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().path())
    });
    files
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect()
}

fn read(file: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap()
}
