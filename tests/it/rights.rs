//! Modes and owners: nobody else can change a site, anybody may look.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};

use crate::sandbox::{Program, Site};

fn mode(site: &Site, path: &str) -> u32 {
    fs::symlink_metadata(site.root.join(path))
        .unwrap()
        .permissions()
        .mode()
        & 0o7777
}

#[test]
fn modes_do_not_depend_on_the_umask() {
    for umask in ["000", "022", "077"] {
        let site = Site::new("[shared]\ndirs = [\"log\"]\n");
        fs::remove_file(site.root.join("zdd.toml")).unwrap();
        fs::remove_dir(&site.root).unwrap();
        site.hook("build", "echo hello; mkdir made");
        let line = format!(
            "umask {umask}; exec '{}' --root '{}' release '{}'",
            env!("CARGO_BIN_EXE_zdd"),
            site.root.display(),
            site.source.display()
        );
        let release = || Program::new("/bin/sh").arg("-c").arg(&line).run().exits(0);
        release();
        release();
        let id = site.current().unwrap();
        for path in ["", "releases", ".zdd", ".zdd/releases"] {
            assert_eq!(mode(&site, path), 0o755, "umask {umask}: {path}");
        }
        assert_eq!(
            mode(&site, &format!("releases/{id}")),
            0o755,
            "umask {umask}"
        );
        assert_eq!(
            mode(&site, &format!(".zdd/releases/{id}.json")),
            0o644,
            "umask {umask}"
        );
        assert_eq!(mode(&site, "revisions.log"), 0o644, "umask {umask}");
        assert_eq!(mode(&site, ".zdd/lock"), 0o600, "umask {umask}");
        assert_eq!(mode(&site, ".zdd/logs"), 0o700, "umask {umask}");
        let log = format!(".zdd/logs/{id}/hook_build.log");
        assert_eq!(mode(&site, &log), 0o600, "umask {umask}");
    }
}

#[test]
fn nothing_of_a_release_is_left_that_others_could_write() {
    let site = Site::new("");
    for (name, wanted) in [
        ("version", 0o666),
        ("app/page.txt", 0o4755),
        ("app", 0o2777),
    ] {
        let path = site.source.join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(wanted)).unwrap();
    }
    site.release("v1");
    for name in ["current/version", "current/app/page.txt", "current/app"] {
        assert_eq!(mode(&site, name) & 0o7002, 0, "{name}");
    }
}

/// Whether this test can play another user.
fn is_root() -> bool {
    nix::unistd::Uid::effective().is_root()
}

const NOBODY: u32 = 65534;

#[test]
fn a_site_of_another_user_is_refused_with_the_line_that_would_work() {
    if !is_root() {
        skipped("only root can give a site away");
        return;
    }
    let site = Site::new("");
    site.release("v1");
    for entry in walkdir::WalkDir::new(&site.root) {
        std::os::unix::fs::lchown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    site.releasing("v2")
        .run()
        .exits(1)
        .says("sudo -u nobody zdd");
    site.zdd("prune").run().exits(1).says("sudo -u nobody zdd");
    site.does("list");
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn anybody_may_look_at_a_site() {
    if !is_root() {
        skipped("only root can become somebody else");
        return;
    }
    let site = Site::new("");
    fs::set_permissions(site.scratch(), fs::Permissions::from_mode(0o755)).unwrap();
    site.release("v1");
    let program = site.scratch().join("zdd");
    fs::copy(env!("CARGO_BIN_EXE_zdd"), &program).unwrap();
    let as_nobody = |words: &str| {
        let run = Program::new("setpriv").words("--reuid 65534 --regid 65534 --clear-groups");
        run.arg(&program)
            .arg("--root")
            .arg(&site.root)
            .words(words)
            .dir("/")
            .run()
    };
    as_nobody("list").exits(0).says("live");
    as_nobody("show").exits(0);
    as_nobody("status").exits(0);
    as_nobody("rollback").exits(1).says("sudo -u root zdd");
    let journal = site.root.join(".zdd/journal.jsonl");
    fs::write(&journal, "").unwrap();
    fs::set_permissions(&journal, fs::Permissions::from_mode(0o600)).unwrap();
    as_nobody("list").exits(0).says("live");
}

#[test]
fn a_whole_site_works_for_a_plain_user() {
    if !is_root() {
        return;
    }
    let site = Site::new("");
    chown(site.scratch(), Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in walkdir::WalkDir::new(site.scratch()) {
        chown(entry.unwrap().path(), Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let program = site.scratch().join("zdd");
    fs::copy(env!("CARGO_BIN_EXE_zdd"), &program).unwrap();
    let as_nobody = |words: &str| {
        let run = Program::new("setpriv").words("--reuid 65534 --regid 65534 --clear-groups");
        let run = run.arg(&program).arg("--root").arg(&site.root).words(words);
        run.dir(site.scratch()).run().exits(0)
    };
    let source = site.source.to_str().unwrap();
    as_nobody(&format!("release {source}"));
    site.code("v2");
    as_nobody(&format!("release {source}"));
    as_nobody("rollback");
    assert_eq!(site.version().as_deref(), Some("v1"));
    assert_eq!(
        fs::symlink_metadata(site.root.join("current"))
            .unwrap()
            .uid(),
        NOBODY
    );
}

#[test]
fn a_lock_that_is_a_link_is_not_followed() {
    let site = Site::new("");
    let victim = site.scratch().join("victim");
    fs::write(&victim, "precious").unwrap();
    fs::create_dir_all(site.root.join(".zdd")).unwrap();
    std::os::unix::fs::symlink(&victim, site.root.join(".zdd/lock")).unwrap();
    site.releasing("v1").run().exits(1).says("lock");
    assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
}

/// Says that a test could not do its work here.
fn skipped(why: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}
