use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::thread;

use nix::sys::stat::mkdirat;
use nix::unistd::symlinkat;

use super::*;
use crate::host::tree::scratch::{Mount, Scratch, as_plain_user};

/// Deletes `own/releases/1` of a scratch directory whose site is `own`.
fn deleted(scratch: &Scratch) -> Result<Deleted> {
    let root = scratch.path().join("own");
    let releases = root.join("releases");
    delete(
        &root,
        &releases.join("1"),
        &releases.join(".trash-1"),
        &Patience::fresh(),
    )
}

fn names(path: &Utf8Path) -> Vec<String> {
    let entries = fs::read_dir(path).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn set_mode(path: &Utf8Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_tree_is_gone_and_its_neighbours_stay() {
    let scratch = Scratch::new();
    for number in 0..1_500 {
        scratch.file(&format!("own/releases/1/flat/{number}"), "x");
        scratch.file(&format!("own/releases/1/{}/{number}", number % 100), "x");
    }
    scratch.file("own/releases/2/kept", "x");
    let deleted = deleted(&scratch).unwrap();
    assert_eq!(deleted.failures, Vec::<String>::new());
    assert_eq!((deleted.entries, deleted.failed), (3_102, 0));
    assert!(!deleted.is_interrupted);
    assert_eq!(names(&scratch.path().join("own/releases")), ["2"]);
}

#[test]
fn the_bytes_are_those_of_the_disk_and_hard_links_elsewhere_free_none() {
    let scratch = Scratch::new();
    let shared = scratch.file("own/releases/1/shared", &"x".repeat(100_000));
    let twice = scratch.file("own/releases/1/twice", &"x".repeat(100_000));
    fs::hard_link(&shared, scratch.path().join("elsewhere")).unwrap();
    fs::hard_link(&twice, scratch.path().join("own/releases/1/again")).unwrap();
    let folder = fs::metadata(scratch.path().join("own/releases/1")).unwrap();
    let expected = (fs::metadata(&twice).unwrap().blocks() + folder.blocks()) * 512;
    assert_eq!(deleted(&scratch).unwrap().bytes, expected);
    assert_eq!(
        fs::read(scratch.path().join("elsewhere")).unwrap().len(),
        100_000
    );
}

#[test]
fn of_links_inside_only_the_links_go() {
    let scratch = Scratch::new();
    let precious = scratch.file("victim/precious", "x");
    scratch.folder("own/releases/1");
    symlink(
        scratch.path().join("victim"),
        scratch.path().join("own/releases/1/shared"),
    )
    .unwrap();
    symlink(&precious, scratch.path().join("own/releases/1/file")).unwrap();
    assert_eq!(deleted(&scratch).unwrap().entries, 3);
    assert_eq!(fs::read_to_string(precious).unwrap(), "x");
}

#[test]
fn a_release_that_is_a_link_loses_only_the_link() {
    let scratch = Scratch::new();
    let precious = scratch.file("victim/precious", "x");
    scratch.folder("own/releases");
    symlink(
        scratch.path().join("victim"),
        scratch.path().join("own/releases/1"),
    )
    .unwrap();
    assert_eq!(deleted(&scratch).unwrap().entries, 1);
    assert!(precious.exists());
}

#[test]
fn a_parent_that_was_swapped_for_a_link_is_refused() {
    let scratch = Scratch::new();
    let precious = scratch.file("victim/1/precious", "x");
    scratch.folder("own");
    symlink("../victim", scratch.path().join("own/releases")).unwrap();
    let error = deleted(&scratch).unwrap_err();
    assert!(
        error.to_string().contains("a link or a file is in the way"),
        "{error}"
    );
    assert!(precious.exists());
}

#[test]
fn nothing_outside_is_deleted_while_folders_are_swapped_for_links() {
    let scratch = Scratch::new();
    let precious = scratch.file("victim/deep/precious", "x");
    for number in 0..400 {
        scratch.file(&format!("own/releases/1/{number}/deep/precious"), "x");
    }
    let trash = scratch.path().join("own/releases/.trash-1");
    thread::scope(|scope| {
        let swapper = scope.spawn(|| {
            for number in (0..400).cycle().take(4_000) {
                let folder = trash.join(number.to_string());
                if fs::rename(&folder, scratch.path().join(format!("away-{number}"))).is_ok() {
                    let _ = symlink(scratch.path().join("victim"), &folder);
                }
            }
        });
        let _ = deleted(&scratch).unwrap();
        swapper.join().unwrap();
    });
    assert!(precious.exists());
}

#[test]
fn paths_that_leave_the_root_are_refused() {
    let scratch = Scratch::new();
    let root = scratch.folder("own");
    let precious = scratch.file("victim/precious", "x");
    for from in [
        "../victim",
        "",
        ".",
        precious.as_str(),
        "releases/../../victim",
    ] {
        let result = delete(&root, from.into(), "trash".into(), &Patience::fresh());
        assert!(result.is_err(), "{from}");
    }
    assert!(precious.exists());
}

#[test]
fn read_only_folders_of_ones_own_are_deleted() {
    let scratch = Scratch::new();
    let inner = scratch.file("own/releases/1/shut/closed/file", "x");
    scratch.give_away();
    as_plain_user(|| {
        set_mode(inner.parent().unwrap(), 0o000);
        set_mode(&scratch.path().join("own/releases/1/shut"), 0o555);
        set_mode(&scratch.path().join("own/releases/1"), 0o555);
        let deleted = deleted(&scratch).unwrap();
        assert_eq!((deleted.failures, deleted.entries), (Vec::new(), 4));
    });
    assert_eq!(
        names(&scratch.path().join("own/releases")),
        Vec::<String>::new()
    );
}

#[test]
fn what_belongs_to_others_stays_and_is_named_and_the_rest_goes() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let scratch = Scratch::new();
    for number in 0..8 {
        scratch.file(&format!("own/releases/1/{number}/file"), "x");
    }
    scratch.give_away();
    for number in 0..7 {
        let folder = scratch.path().join(format!("own/releases/1/{number}"));
        nix::unistd::chown(folder.as_std_path(), Some(0.into()), None).unwrap();
    }
    let deleted = as_plain_user(|| deleted(&scratch).unwrap());
    assert_eq!(
        (deleted.failed, deleted.failures.len(), deleted.entries),
        (7, 5, 2)
    );
    let first = &deleted.failures[0];
    assert!(first.contains("/file`: Permission denied"), "{first}");
    assert_eq!(names(&scratch.path().join("own/releases")), [".trash-1"]);
    assert_eq!(deleted_again(&scratch).failures, Vec::<String>::new());
    assert_eq!(
        names(&scratch.path().join("own/releases")),
        Vec::<String>::new()
    );
}

/// The same call once more, now by root: what the first one left goes.
fn deleted_again(scratch: &Scratch) -> Deleted {
    deleted(scratch).unwrap()
}

#[test]
fn an_interrupted_deletion_is_finished_by_the_same_call() {
    let scratch = Scratch::new();
    scratch.file("own/releases/1/sub/file", "x");
    let root = scratch.path().join("own");
    let (from, trash) = ("releases/1".into(), "releases/.trash-1".into());
    let first = delete(&root, from, trash, &Patience::over()).unwrap();
    assert!(first.is_interrupted);
    assert_eq!((first.entries, first.failed), (0, 0));
    assert_eq!(names(&root.join("releases")), [".trash-1"]);
    let second = delete(&root, from, trash, &Patience::fresh()).unwrap();
    assert_eq!((second.entries, second.is_interrupted), (3, false));
    let third = delete(&root, from, trash, &Patience::fresh()).unwrap();
    assert_eq!(third.entries, 0);
}

#[test]
fn a_tree_deeper_than_descriptors_and_paths_allow_is_deleted() {
    let scratch = Scratch::new();
    scratch.file("own/releases/1/file", "x");
    // The usual limit, whatever this machine's is.
    let mut limit = nix::libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls touch nothing but the struct.
    let results = unsafe {
        let got = nix::libc::getrlimit(nix::libc::RLIMIT_NOFILE, &raw mut limit);
        limit.rlim_cur = limit.rlim_cur.min(1024);
        [
            got,
            nix::libc::setrlimit(nix::libc::RLIMIT_NOFILE, &raw const limit),
        ]
    };
    assert_eq!(results, [0, 0]);
    let mut folder = anchor::open_root(&scratch.path().join("own/releases/1")).unwrap();
    for _ in 0..3_000 {
        mkdirat(&folder, "level", Mode::S_IRWXU).unwrap();
        folder = anchor::open_child(&folder, OsStr::new("level")).unwrap();
    }
    symlinkat("nowhere", &folder, "bottom").unwrap();
    drop(folder);
    let deleted = deleted(&scratch).unwrap();
    assert_eq!((deleted.failures, deleted.entries), (Vec::new(), 3_003));
    assert_eq!(
        names(&scratch.path().join("own/releases")),
        Vec::<String>::new()
    );
}

#[test]
fn a_mount_inside_is_refused_by_name_before_anything_goes() {
    let scratch = Scratch::new();
    scratch.file("own/releases/1/file", "x");
    let precious = scratch.file("data/precious", "x");
    let inside = scratch.folder("own/releases/1/up loads");
    let data = precious.parent().unwrap();
    let Some(_mount) = Mount::new(&["--bind", data.as_str()], &inside) else {
        return;
    };
    let error = deleted(&scratch).unwrap_err();
    assert!(
        error.to_string().contains("up loads` is a mount point"),
        "{error}"
    );
    assert_eq!(
        names(&scratch.path().join("own/releases/1")),
        ["file", "up loads"]
    );
    // The same while it is being emptied: a mount that came after the look at the table.
    let site = anchor::open_root(scratch.path()).unwrap();
    let (parent, name) = anchor::open_parent(&site, Path::new("own/releases/1/up loads")).unwrap();
    assert_eq!(
        anchor::open_child(&parent, &name).unwrap_err(),
        Errno::EXDEV
    );
    assert!(precious.exists());
}
