//! Mistakes in `zdd.toml`, and life without one.

use std::fs;

use crate::sandbox::Site;
use crate::sandbox::site::zdd;

#[test]
fn every_mistake_is_shown_at_once_with_its_place() {
    let site = Site::new(
        "keeep = 5\nkeep_failed = \"two\"\n[[health]]\nurl = \"http://a/\"\nwithin = \"5 parsecs\"\n",
    );
    let output = site.releasing("v1").run().exits(2);
    for text in [
        "zdd.toml:1:1",
        "did you mean `keep`",
        "zdd.toml:2:15",
        "zdd.toml:5:10",
        "^^^",
    ] {
        assert!(output.stderr.contains(text), "{text} is not in {output}");
    }
    assert_eq!(site.directories(), Vec::<String>::new());
    for words in ["list", "status", "rollback", "prune", "check", "show"] {
        site.zdd(words).run().exits(2);
    }
}

#[test]
fn the_json_of_a_mistake_names_file_line_and_column() {
    let site = Site::new("keep = 3\nkeeep = 5\n");
    let output = site.releasing("v1").run().exits(2);
    let error = output.json()["errors"][0].take();
    assert!(
        error["file"].as_str().unwrap().ends_with("zdd.toml"),
        "{output}"
    );
    assert_eq!(
        (&error["line"], &error["column"]),
        (&2.into(), &1.into()),
        "{output}"
    );
    assert!(
        error["message"].as_str().unwrap().contains("keeep"),
        "{output}"
    );
}

#[test]
fn what_is_no_toml_is_a_mistake_and_not_a_panic() {
    for text in [
        "keep = ",
        "[",
        "keep = 1\nkeep = 2\n",
        "\u{0}",
        "= = =",
        "[[service]]\n[service]",
    ] {
        let site = Site::new(text);
        site.zdd("list").run().exits(2);
    }
    let site = Site::new("");
    fs::write(site.root.join("zdd.toml"), [0xff, 0xfe, 0x00]).unwrap();
    site.zdd("list").run().exits(2);
}

#[test]
fn a_site_needs_no_settings() {
    let site = Site::new("");
    fs::remove_file(site.root.join("zdd.toml")).unwrap();
    fs::remove_dir(&site.root).unwrap();
    site.release("v1");
    site.release("v2");
    assert_eq!(site.version().as_deref(), Some("v2"));
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("v1"));
    assert_eq!(site.list().len(), 2);
}

#[test]
fn the_settings_are_found_in_the_current_directory_or_named() {
    let site = Site::new("keep = 7\n");
    site.release("v1");
    zdd()
        .words("list")
        .dir(&site.root)
        .run()
        .exits(0)
        .says("live");
    let file = site.root.join("zdd.toml");
    zdd()
        .arg("-c")
        .arg(&file)
        .words("list")
        .dir("/")
        .run()
        .exits(0)
        .says("live");
    zdd()
        .words("list")
        .env("ZDD_CONFIG", &file)
        .dir("/")
        .run()
        .exits(0)
        .says("live");
    zdd().words("list").dir("/").run().exits(2);
    zdd()
        .words("-c not-there.toml list")
        .dir(site.scratch())
        .run()
        .exits(2)
        .says("not-there.toml");
}

#[test]
fn settings_that_travel_in_the_code_name_their_root() {
    let site = Site::new("");
    fs::remove_file(site.root.join("zdd.toml")).unwrap();
    site.file("zdd.toml", &format!("root = \"{}\"\n", site.root.display()));
    zdd()
        .arg("release")
        .arg(&site.source)
        .dir(site.scratch())
        .run()
        .exits(0);
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn the_whole_root_can_be_moved() {
    let site = Site::new("[shared]\ndirs = [\"log\"]\n");
    site.release("v1");
    site.release("v2");
    let moved = site.scratch().join("moved");
    fs::rename(&site.root, &moved).unwrap();
    assert!(moved.join("current/log").is_dir());
    zdd()
        .arg("--root")
        .arg(&moved)
        .arg("rollback")
        .run()
        .exits(0);
    assert_eq!(
        fs::read_to_string(moved.join("current/version")).unwrap(),
        "v1\n"
    );
}
