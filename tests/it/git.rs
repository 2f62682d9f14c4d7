//! Releases from git repositories.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::sandbox::repository::git;
use crate::sandbox::site::names_in;
use crate::sandbox::{Program, Repository, Site};

mod broken_off;
mod trust;
mod unchanged;

/// A site that is released from a repository, with more lines below `[source]`.
fn site_of(lines: &str) -> (Site, Repository) {
    let site = Site::new("");
    let repository = Repository::beside(&site);
    site.settings(&format!("{}{lines}", repository.setting()));
    (site, repository)
}

/// What a command that was refused may not have left.
#[track_caller]
fn has_nothing(site: &Site) {
    assert_eq!(site.directories(), Vec::<String>::new());
    assert_eq!(
        names_in(&site.root.join(".zdd/releases")),
        Vec::<String>::new()
    );
    assert!(!site.root.join(".zdd/journal.jsonl").exists());
    assert!(!site.root.join("current").exists());
}

fn text(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_release_is_the_newest_commit_and_says_which() {
    let (site, repository) = site_of("");
    repository.file(
        "hooks/build",
        "#!/bin/sh\necho \"revision $ZDD_REVISION\" > built\n",
    );
    let hook = repository.work.join("hooks/build");
    fs::set_permissions(hook, fs::Permissions::from_mode(0o755)).unwrap();
    let id = repository.push();
    let output = site.does("--json release");
    assert!(
        output
            .stderr
            .contains(&format!("Fetched main ({}) from", &id[..7])),
        "{output}"
    );
    assert_eq!(site.version().as_deref(), Some("v1"));
    assert_eq!(text(site.root.join("current/REVISION")), format!("{id}\n"));
    assert_eq!(
        text(site.root.join("current/built")),
        format!("revision {id}\n")
    );
    let time = repository.git("log -1 --format=%ct");
    assert_eq!(
        text(site.root.join("current/REVISION_TIME")),
        format!("{time}\n")
    );
    let log = text(site.root.join("revisions.log"));
    assert!(
        log.starts_with(&format!("Branch main (at {id}) deployed as release ")),
        "{log}"
    );
    let bare = repository.bare.to_str().unwrap();
    site.does("--json show")
        .field("/revision", id.as_str())
        .field("/branch", "main")
        .field("/is_dirty", false)
        .field("/source", bare);
    site.does("--json list")
        .field("/releases/0/revision", id.as_str());
    assert!(!site.root.join("current/.git").exists());

    repository.commit("v2");
    site.does("release");
    assert_eq!(site.version().as_deref(), Some("v2"));
    site.does("rollback");
    assert_eq!(text(site.root.join("current/REVISION")), format!("{id}\n"));
}

#[test]
fn a_branch_a_tag_and_a_commit_can_be_named() {
    let (site, repository) = site_of("ref = \"stable\"\n");
    let first = repository.git("rev-parse HEAD");
    repository.git("tag -a -m x v1.0");
    repository.git("push -q origin v1.0");
    repository.git("checkout -q -b stable");
    repository.commit("stable");
    repository.git("checkout -q main");
    let newest = repository.commit("newest");
    let branch = |words: &str| {
        site.does(words);
        let log = text(site.root.join("revisions.log"));
        let last = log.lines().last().unwrap().split_whitespace();
        (
            site.version().unwrap(),
            last.skip(1).step_by(2).next().unwrap().to_owned(),
        )
    };
    let named = |version: &str, name: &str| (version.to_owned(), name.to_owned());
    assert_eq!(branch("release"), named("stable", "stable"));
    assert_eq!(branch("release --ref main"), named("newest", "main"));
    assert_eq!(branch("release --ref v1.0"), named("v1", "v1.0"));
    assert_eq!(
        branch(&format!("release --ref {newest}")),
        named("newest", &newest)
    );
    let short = &first[..9];
    assert_eq!(
        branch(&format!("release --ref {short}")),
        named("v1", short)
    );
    // SOURCE wins over the settings.
    site.release("from a directory");
    assert_eq!(site.version().as_deref(), Some("from a directory"));
}

#[test]
fn a_subdirectory_and_submodules_are_exported_and_attributes_honoured() {
    let (site, repository) = site_of("subdir = \"web\"\nsubmodules = true\nexclude = [\"*.md\"]\n");
    let lib = Repository::named(site.scratch(), "lib.git");
    repository.file(".gitattributes", "tests export-ignore\n");
    repository.file("web/version", "below\n");
    repository.file("web/tests/x", "x");
    repository.file("web/README.md", "x");
    repository.git("submodule add -q ../lib.git web/lib");
    repository.push();
    site.does("release");
    let live = names_in(&site.root.join("current"));
    assert_eq!(live, ["REVISION", "REVISION_TIME", "lib", "version"]);
    assert_eq!(text(site.root.join("current/lib/version")), "v1\n");
    assert!(!site.root.join("current/lib/.git").exists());
    fs::rename(&lib.bare, site.scratch().join("gone")).unwrap();
    fs::remove_dir_all(site.root.join("cache")).unwrap();
    let count = site.directories().len();
    site.zdd("release")
        .run()
        .exits(1)
        .says("the submodule `web/lib` cannot be fetched")
        .says("does not appear to be a git repository");
    assert_eq!(site.directories().len(), count);
}

#[test]
fn what_is_unknown_or_cannot_be_reached_ends_before_anything_begins() {
    let (site, repository) = site_of("");
    let said = |output: crate::sandbox::Output, words: &str| {
        let object = output.exits(1).field("/outcome", "refused").json();
        let cause = object["error"]["cause"].as_str().unwrap().to_owned();
        assert!(cause.contains(words), "{object}");
        let errors = object["errors"].as_array().unwrap().len();
        assert!(errors <= 1, "{object}");
        has_nothing(&site);
    };
    let release = |words: &str| site.zdd(&format!("--json release {words}")).run();
    said(release("--ref nope"), "couldn't find remote ref nope");
    said(
        release("--ref nope --dry-run"),
        "couldn't find remote ref nope",
    );
    said(release(&format!("--ref {}", "1".repeat(40))), "1111111");
    for (url, words) in [
        ("git://127.0.0.1:1/x", "Connection refused"),
        ("/no/such/path", "does not appear to be a git repository"),
        (
            "file:///no/such/path",
            "does not appear to be a git repository",
        ),
    ] {
        site.settings(&format!("[source]\ngit = \"{url}\"\n"));
        said(release(""), words);
    }
    site.settings(&format!("{}subdir = \"nowhere\"\n", repository.setting()));
    site.zdd("release")
        .run()
        .exits(1)
        .says("no directory `nowhere`");
    has_nothing(&site);
    let empty = site.scratch().join("empty.git");
    git(site.scratch())
        .words("init -q --bare")
        .arg(&empty)
        .run()
        .exits(0);
    site.settings(&format!("[source]\ngit = \"{}\"\n", empty.display()));
    site.zdd("release")
        .run()
        .exits(1)
        .says("nothing to release");
    has_nothing(&site);
    let cache = site.root.join("cache");
    fs::remove_dir_all(&cache).unwrap();
    fs::write(&cache, "").unwrap();
    site.settings(&repository.setting());
    site.zdd("release")
        .run()
        .exits(1)
        .says("cannot make the cache");
    has_nothing(&site);
}

#[test]
fn all_that_stands_against_a_release_is_said_with_an_unreachable_source() {
    let site = Site::new("[source]\ngit = \"/no/such\"\n[require]\nenv = [\"NOT_SET\"]\n");
    let output = site.zdd("--json release").run().exits(1);
    let object = output.json();
    assert_eq!(object["errors"].as_array().unwrap().len(), 2, "{output}");
    output
        .says("NOT_SET")
        .says("does not appear to be a git repository");
    site.zdd("check")
        .run()
        .exits(1)
        .says("does not appear to be a git repository");
}

#[test]
fn ref_makes_no_sense_for_a_directory() {
    let site = Site::new("[source]\npath = \"../code\"\n");
    for words in ["release --ref main", "release --ref main ../elsewhere"] {
        let output = site.zdd(&format!("--json {words}")).run().exits(2);
        output
            .says("`--ref` belongs to a git source")
            .says("is a directory");
    }
    let (git_site, _) = site_of("");
    git_site
        .zdd("release --ref main ../code")
        .run()
        .exits(2)
        .says("is a directory");
    for name in ["main~1", "-x", "a..b", ""] {
        let output = git_site
            .zdd("release")
            .arg(format!("--ref={name}"))
            .run()
            .exits(2);
        output.says("is not the name of a branch");
    }
    has_nothing(&git_site);
}

#[test]
fn a_dry_run_asks_the_repository_and_fetches_nothing() {
    let (site, repository) = site_of("");
    let id = repository.git("rev-parse HEAD");
    site.does("release --dry-run")
        .says(&id)
        .says("nothing was fetched");
    assert_eq!(
        site.tree().len(),
        1,
        "only zdd.toml: {:?}",
        site.tree().keys()
    );
    site.does("release");
    let second = repository.commit("v2");
    let before = site.tree();
    site.does("release --dry-run").says(&second);
    site.does(&format!("release --dry-run --ref {}", &id[..8]))
        .says(&id[..8]);
    site.does("--json release --dry-run").says(&second);
    site.does("check");
    assert_eq!(site.tree(), before);
}

#[test]
fn another_repository_takes_over_and_a_pushed_over_branch_is_followed() {
    let (site, repository) = site_of("");
    site.does("release");
    repository.git("checkout -q --orphan other");
    repository.commit("rewritten");
    repository.git("push -q --force origin other:main");
    site.does("release");
    assert_eq!(site.version().as_deref(), Some("rewritten"));
    let other = Repository::named(site.scratch(), "other.git");
    other.commit("other");
    site.settings(&other.setting());
    site.does("release");
    assert_eq!(site.version().as_deref(), Some("other"));
    site.settings(&format!("{}ref = \"gone\"\n", other.setting()));
    other.git("push -q origin main:gone");
    site.does("release");
    other.git("push -q --delete origin gone");
    let count = site.directories().len();
    site.zdd("release")
        .run()
        .exits(1)
        .says("couldn't find remote ref gone");
    assert_eq!(site.directories().len(), count);
}

#[test]
fn without_git_that_is_the_finding() {
    let (site, _) = site_of("");
    let nothing = site.scratch().join("bin");
    fs::create_dir(&nothing).unwrap();
    let without = |words: &str| site.zdd(words).env("PATH", &nothing).run().exits(1);
    without("release").says("`git` is not on the PATH");
    without("check").says("`git` is not on the PATH");
    has_nothing(&site);
    let program = Program::new(env!("CARGO_BIN_EXE_zdd"))
        .arg("--root")
        .arg(&site.root);
    let release = program
        .arg("release")
        .arg(&site.source)
        .env("PATH", &nothing);
    release.run().exits(0);
}

#[test]
fn in_a_hook_of_git_the_pushed_repository_is_not_mistaken_for_the_mirror() {
    let (site, repository) = site_of("");
    let zdd = env!("CARGO_BIN_EXE_zdd");
    let hook = repository.bare.join("hooks/post-receive");
    let line = format!("exec '{zdd}' --root '{}' release", site.root.display());
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\n{line}\n")).unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    repository.commit("pushed");
    assert_eq!(site.version().as_deref(), Some("pushed"));
    let strange = [
        ("GIT_DIR", "/no/such"),
        ("GIT_WORK_TREE", "/no/such"),
        ("GIT_INDEX_FILE", "/no/such"),
        ("GIT_OBJECT_DIRECTORY", "/no/such"),
        ("GIT_NAMESPACE", "x"),
        ("GIT_TRACE", "1"),
        ("GIT_CONFIG_PARAMETERS", "'core.bare=false'"),
    ];
    let release = strange
        .iter()
        .fold(site.zdd("release"), |zdd, (key, value)| zdd.env(key, value));
    release.run().exits(0);
}

/// A file of the site that holds a text, zdd.toml excepted.
fn holder_of(root: &Path, text: &str) -> Option<PathBuf> {
    let files = walkdir::WalkDir::new(root).into_iter().flatten();
    let files = files.filter(|entry| entry.file_type().is_file());
    let mut paths = files.map(walkdir::DirEntry::into_path);
    paths.find(|path| {
        let bytes = fs::read(path).unwrap_or_default();
        !path.ends_with("zdd.toml") && bytes.windows(text.len()).any(|it| it == text.as_bytes())
    })
}
