//! `zdd init`: which stack, which name, and what is printed.

use std::fs;

use serde_json::json;

use crate::sandbox::program::Output;
use crate::sandbox::site::zdd;

/// A project with these files, in a directory of that name.
fn project(name: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join(name);
    fs::create_dir(&directory).unwrap();
    for (path, text) in files {
        fs::write(directory.join(path), text).unwrap();
    }
    scratch
}

fn init(scratch: &tempfile::TempDir, name: &str, words: &str) -> Output {
    let directory = scratch.path().join(name);
    zdd().words("init").words(words).dir(directory).run()
}

#[test]
fn the_files_of_a_project_show_its_stack() {
    let scratch = project("shop", &[("manage.py", ""), ("package.json", "")]);
    let output = init(&scratch, "shop", "")
        .exits(0)
        .says("Guessed stack django: there is manage.py");
    let steps = &output.stdout;
    assert!(
        steps.contains("\ninstall -m 644 deploy/shop@.service "),
        "{steps}"
    );
    assert!(steps.contains("/var/www/shop/shared"), "{steps}");
    let settings = fs::read_to_string(scratch.path().join("shop/zdd.toml")).unwrap();
    assert!(settings.contains("root = \"/var/www/shop\""), "{settings}");
    init(&scratch, "shop", "--stack php")
        .exits(0)
        .does_not_say("Guessed");
}

#[test]
fn without_a_sign_nothing_is_written_and_the_stacks_are_named() {
    let scratch = project("empty", &[("README.md", "")]);
    init(&scratch, "empty", "")
        .exits(2)
        .says("zdd init --stack NAME, one of: flask, django, node, rails, php, static, supervisor, zddeploy");
    init(&scratch, "empty", "--stack cobol")
        .exits(2)
        .says("possible values: flask");
    init(&scratch, "empty", "--stack flask --name a/b")
        .exits(2)
        .says("--name");
    let files = fs::read_dir(scratch.path().join("empty")).unwrap();
    assert_eq!(files.count(), 1);
    let scratch = project("old", &[("deploy.conf", ""), ("app.py", "")]);
    init(&scratch, "old", "")
        .exits(2)
        .says("zdd init --from /")
        .says("/old/deploy.conf");
    let scratch = project("empty", &[]);
    // The name it had once.
    init(&scratch, "empty", "--stack python").exits(0);
}

#[test]
fn name_and_root_are_those_of_the_settings_that_are_there() {
    let settings = "name = \"store\"\nroot = \"/srv/store\"\n";
    let scratch = project("shop", &[("zdd.toml", settings)]);
    let output = init(&scratch, "shop", "--stack static --json")
        .exits(0)
        .says("is not what would be written");
    let json = output.json();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["stack"], "static");
    assert_eq!(json["name"], "store");
    assert_eq!(json["root"], "/srv/store");
    let directory = scratch.path().join("shop");
    let directory = directory.to_str().unwrap();
    assert_eq!(
        json["files"].as_array().unwrap()[..2],
        [
            json!({"path": format!("{directory}/zdd.toml"), "state": "kept"}),
            json!({"path": format!("{directory}/deploy/store.nginx"), "state": "written"}),
        ]
    );
    let steps = json["steps"].as_str().unwrap();
    assert!(
        steps.contains("install -d -o deploy -g deploy /srv/store\n"),
        "{steps}"
    );
    let text = fs::read_to_string(scratch.path().join("shop/zdd.toml")).unwrap();
    assert_eq!(text, settings);

    fs::write(scratch.path().join("shop/zdd.toml"), "kepp = 3\n").unwrap();
    init(&scratch, "shop", "--stack static")
        .exits(2)
        .says("unknown key `kepp`");
}

#[test]
fn a_second_time_says_the_same_and_changes_nothing() {
    let scratch = project("app", &[]);
    let first = init(&scratch, "app", "--stack node").exits(0);
    let again = init(&scratch, "app", "--stack node")
        .exits(0)
        .says("Found")
        .does_not_say("Wrote")
        .does_not_say("not what would be written");
    assert_eq!(again.stdout, first.stdout);
}
