use std::fs;
use std::process::Command;

use tempfile::TempDir;

use super::*;

fn scratch() -> (TempDir, camino::Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8Path::from_path(directory.path()).unwrap().to_owned();
    (directory, path)
}

fn found(directory: &Utf8Path) -> Option<Revision> {
    Revision::of(directory, &Patience::fresh())
}

/// A repository with one commit of a known time; None where there is no git.
fn repository(path: &Utf8Path) -> Option<String> {
    let run = |args: &[&str]| {
        let output = Command::new("git")
            .args([
                "-C",
                path.as_str(),
                "-c",
                "user.name=a",
                "-c",
                "user.email=a@b",
            ])
            .args(args)
            .env("GIT_COMMITTER_DATE", "1700000000 +0200")
            .env_remove("GIT_DIR")
            .output()
            .ok()?;
        assert!(output.status.success(), "{output:?}");
        Some(String::from_utf8(output.stdout).unwrap().trim().to_owned())
    };
    run(&["init", "-q", "-b", "feature/x"])?;
    run(&["commit", "-q", "--allow-empty", "-m", "first"])?;
    run(&["rev-parse", "HEAD"])
}

#[test]
fn git_tells_commit_time_and_branch_also_below_the_top() {
    let (_directory, path) = scratch();
    let Some(head) = repository(&path) else {
        return;
    };
    let expected = Revision {
        id: head,
        time: Some(1_700_000_000),
        branch: Some("feature/x".to_owned()),
        is_dirty: false,
    };
    assert_eq!(found(&path).as_ref(), Some(&expected));
    fs::create_dir(path.join("app")).unwrap();
    assert_eq!(found(&path.join("app")).as_ref(), Some(&expected));
    let detached = Command::new("git")
        .args(["-C", path.as_str(), "checkout", "-q", "--detach"])
        .status();
    assert!(detached.unwrap().success());
    assert_eq!(found(&path).unwrap().branch, None);
}

#[test]
fn changes_that_are_not_committed_make_a_work_tree_dirty() {
    let (_directory, path) = scratch();
    if repository(&path).is_none() {
        return;
    }
    let is_dirty = || found(&path).unwrap().is_dirty;
    assert!(!is_dirty());
    fs::create_dir(path.join("app")).unwrap();
    fs::write(path.join("app/new"), "x").unwrap();
    assert!(is_dirty());
    fs::write(path.join(".git/info/exclude"), "/app/new\n").unwrap();
    assert!(!is_dirty(), "what git ignores is not looked at");
    fs::write(path.join("other"), "x").unwrap();
    assert!(is_dirty());
    let below = found(&path.join("app")).unwrap();
    assert!(!below.is_dirty, "nor what lies elsewhere");
}

#[test]
fn a_revision_file_wins_over_git() {
    let (_directory, path) = scratch();
    if repository(&path).is_none() {
        return;
    }
    fs::write(path.join("REVISION"), "v1.2.3\nmore\n").unwrap();
    let written = |time| Revision {
        id: "v1.2.3".to_owned(),
        time,
        branch: None,
        is_dirty: false,
    };
    assert_eq!(found(&path), Some(written(None)));
    fs::write(path.join("REVISION_TIME"), "1600000000\n").unwrap();
    assert_eq!(found(&path), Some(written(Some(1_600_000_000))));
    fs::write(path.join("REVISION_TIME"), "yesterday").unwrap();
    assert_eq!(found(&path), Some(written(None)));
}

#[test]
fn without_git_data_there_is_no_revision() {
    let (_directory, path) = scratch();
    assert_eq!(found(&path), None);
    fs::write(path.join("REVISION"), " \n").unwrap();
    assert_eq!(found(&path), None);
}

#[test]
fn a_revision_file_that_is_a_pipe_or_full_of_control_bytes_is_not_taken() {
    let (_directory, path) = scratch();
    fs::write(path.join("REVISION"), "\u{1b}[31mred").unwrap();
    assert_eq!(found(&path), None);
    fs::remove_file(path.join("REVISION")).unwrap();
    let mode = nix::sys::stat::Mode::S_IRWXU;
    nix::unistd::mkfifo(path.join("REVISION").as_std_path(), mode).unwrap();
    assert_eq!(found(&path), None);
}

#[test]
fn a_very_long_revision_is_cut() {
    let (_directory, path) = scratch();
    fs::write(path.join("REVISION"), "x".repeat(1 << 20)).unwrap();
    assert_eq!(found(&path).unwrap().id.len(), LONGEST_ID);
}
