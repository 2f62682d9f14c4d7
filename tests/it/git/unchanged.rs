//! `--if-changed`: nothing is done when the live release has the revision already.

use super::*;

#[test]
fn the_same_commit_is_not_released_twice() {
    let (site, repository) = site_of("");
    let first = site
        .does("--json release --if-changed")
        .field("/outcome", "live")
        .json();
    let live = first["release"].as_str().unwrap();
    let same = |words: &str| {
        site.does(&format!("--json release --if-changed {words}"))
            .field("/outcome", "unchanged")
            .field("/serving", live)
            .field("/from", live)
            .field("/release", serde_json::Value::Null)
            .field("/error", serde_json::Value::Null)
            .field("/steps/0/name", "preconditions")
    };
    same("");
    same("--dry-run");
    let id = repository.git("rev-parse HEAD");
    same(&format!("--ref {id}"));
    same(&format!("--ref {}", &id[..8]));
    let output = site
        .does("release --if-changed")
        .says("unchanged")
        .says(&id);
    assert_eq!(output.stdout, "");
    assert_eq!(site.directories().len(), 1);
    site.does("--json release").field("/outcome", "live");
    repository.commit("v2");
    site.does("--json release --if-changed")
        .field("/outcome", "live");
    assert_eq!(site.version().as_deref(), Some("v2"));
    // What is live counts, not what was released last.
    site.does("rollback");
    site.does("--json release --if-changed")
        .field("/outcome", "live");
    assert_eq!(site.version().as_deref(), Some("v2"));
}

#[test]
fn other_files_of_the_same_commit_are_a_change() {
    let (site, repository) = site_of("");
    site.does("release");
    let lines = [
        "subdir = \"app\"\n",
        "exclude = [\"*.txt\"]\n",
        "submodules = true\n",
    ];
    for lines in lines {
        site.settings(&format!("{}{lines}", repository.setting()));
        site.does("--json release --if-changed")
            .field("/outcome", "live");
        site.does("--json release --if-changed")
            .field("/outcome", "unchanged");
    }
    // A rollback keeps what the release was made with.
    site.does("rollback");
    site.does("--json release --if-changed")
        .field("/outcome", "live");
}

#[test]
fn a_checkout_with_changes_is_never_unchanged() {
    let (site, repository) = site_of("");
    let release = || {
        let zdd = site
            .zdd("--json release --if-changed")
            .arg(&repository.work);
        zdd.run().exits(0)
    };
    release().field("/outcome", "live");
    release().field("/outcome", "unchanged");
    site.does("--json show").field("/is_dirty", false);
    repository.file("new", "x");
    release().field("/outcome", "live");
    release().field("/outcome", "live");
    site.does("show")
        .says("with changes that are not committed");
    fs::remove_file(repository.work.join("new")).unwrap();
    // What is live was made with changes.
    release().field("/outcome", "live");
    release().field("/outcome", "unchanged");
    // The same commit straight from the repository.
    site.does("--json release --if-changed")
        .field("/outcome", "unchanged");
}

#[test]
fn a_directory_that_names_its_revision_can_be_unchanged_and_another_not() {
    let site = Site::new("");
    let release = || {
        let zdd = site.zdd("--json release --if-changed").arg(&site.source);
        zdd.run().exits(0)
    };
    release().field("/outcome", "live");
    release()
        .field("/outcome", "live")
        .says("names no revision");
    site.file("REVISION", "build-17\n");
    release().field("/outcome", "live");
    release().field("/outcome", "unchanged").says("build-17");
}
