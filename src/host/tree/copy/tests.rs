use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, SystemTime};

use camino::Utf8PathBuf;

use super::hands::STRETCH_BYTES;
use super::*;
use crate::host::tree::scratch::{Mount, Scratch, as_plain_user};

fn listed(root: &Utf8Path) -> Listing {
    Listing::of(root, &|_, _| true).unwrap()
}

/// Copies `from` of a scratch directory to its `to`.
fn copied(scratch: &Scratch) -> (Utf8PathBuf, Result<Copied>) {
    let (from, to) = (scratch.path().join("from"), scratch.folder("to"));
    let result = copy(&listed(&from), &to, &Patience::fresh());
    (to, result)
}

fn set_mode(path: &Utf8Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Utf8Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn a_copy_is_the_same_as_cp_a_makes() {
    let scratch = Scratch::new();
    scratch.file("from/README", "hello\n");
    scratch.file("from/.hidden/empty", "");
    scratch.file("from/bin/run", "#!/bin/sh\n");
    scratch.file("from/naïve/日本語 \n name", "unicode");
    scratch.file("from/big", &"0123456789abcdef".repeat(40_000));
    set_mode(&scratch.path().join("from/bin/run"), 0o755);
    set_mode(&scratch.path().join("from/README"), 0o600);
    scratch.folder("from/empty folder");
    symlink("../README", scratch.path().join("from/bin/readme")).unwrap();
    symlink("no such file", scratch.path().join("from/dangling")).unwrap();
    let raw = OsString::from_vec(b"latin-\xe9\xff".to_vec());
    fs::write(scratch.path().as_std_path().join("from").join(&raw), "raw").unwrap();
    for (index, name) in ["README", "bin", "bin/run", "big"].iter().enumerate() {
        let time =
            SystemTime::UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789 + index as u32);
        let file = fs::File::open(scratch.path().join("from").join(name)).unwrap();
        file.set_modified(time).unwrap();
    }
    let (to, result) = copied(&scratch);
    assert_eq!(
        result.unwrap(),
        Copied {
            files: 6,
            links: 2,
            folders: 4,
            bytes: 640_026
        }
    );
    let expected = scratch.path().join("expected");
    let from = scratch.path().join("from");
    assert!(
        Command::new("cp")
            .arg("-a")
            .args([&from, &expected])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(description(&to), description(&expected));
}

/// Type, mode, time of change to the nanosecond, size, target and name of everything below.
fn description(root: &Utf8Path) -> Vec<String> {
    let format = "%y %m %T@ %s %l %P\\0";
    let output = Command::new("find")
        .arg(root)
        .args([
            "-mindepth",
            "1",
            "-type",
            "d",
            "-printf",
            "%y %m %T@ %P\\0",
            "-o",
        ])
        .args(["-mindepth", "1", "-printf", format])
        .output()
        .unwrap();
    let compared = Command::new("sh")
        .args([
            "-c",
            "cd \"$1\" && find . -type f -print0 | sort -z | xargs -0 cksum",
            "sh",
        ])
        .arg(root)
        .output()
        .unwrap();
    let mut lines: Vec<String> = output
        .stdout
        .split(|byte| *byte == 0)
        .chain(compared.stdout.split(|byte| *byte == b'\n'))
        .map(|line| line.escape_ascii().to_string())
        .collect();
    lines.sort();
    lines
}

#[test]
fn nothing_in_a_copy_can_be_written_by_others_or_is_setuid() {
    let scratch = Scratch::new();
    for (name, given) in [
        ("open", 0o666),
        ("suid", 0o6755),
        ("private", 0o640),
        ("ro", 0o444),
    ] {
        set_mode(&scratch.file(&format!("from/{name}"), "x"), given);
    }
    set_mode(&scratch.folder("from/sticky"), 0o1777);
    set_mode(&scratch.folder("from/shut"), 0o500);
    scratch.give_away();
    let to = scratch.folder("to");
    set_mode(&to, 0o777);
    as_plain_user(|| {
        let from = scratch.path().join("from");
        copy(&listed(&from), &to, &Patience::fresh()).unwrap();
    });
    let modes =
        ["open", "suid", "private", "ro", "sticky", "shut"].map(|name| mode(&to.join(name)));
    assert_eq!(modes, [0o644, 0o755, 0o640, 0o444, 0o755, 0o500]);
    assert_eq!(mode(&to), 0o777, "the folder that was given keeps its mode");
}

#[test]
fn the_umask_takes_nothing_away() {
    let scratch = Scratch::new();
    set_mode(&scratch.file("from/sub/tool", "x"), 0o755);
    scratch.give_away();
    as_plain_user(|| {
        // SAFETY: gives this thread a umask of its own; touches no memory.
        assert_eq!(unsafe { nix::libc::unshare(nix::libc::CLONE_FS) }, 0);
        nix::sys::stat::umask(Mode::from_bits_truncate(0o077));
        let (to, result) = copied(&scratch);
        result.unwrap();
        assert_eq!(mode(&to.join("sub/tool")), 0o755);
        assert_eq!(mode(&to.join("sub")), 0o755);
    });
}

#[test]
fn a_read_only_folder_with_files_in_it_can_be_copied() {
    let scratch = Scratch::new();
    scratch.file("from/shut/inner/file", "x");
    scratch.folder("to");
    scratch.give_away();
    as_plain_user(|| {
        set_mode(&scratch.path().join("from/shut/inner"), 0o555);
        set_mode(&scratch.path().join("from/shut"), 0o555);
        let (to, result) = copied(&scratch);
        result.unwrap();
        assert_eq!(mode(&to.join("shut/inner")), 0o555);
        assert_eq!(fs::read_to_string(to.join("shut/inner/file")).unwrap(), "x");
        for root in ["from", "to"] {
            set_mode(&scratch.path().join(root).join("shut"), 0o755);
            set_mode(&scratch.path().join(root).join("shut/inner"), 0o755);
        }
    });
}

#[test]
fn an_unreadable_file_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let secret = scratch.file("from/secret", "x");
    scratch.folder("to");
    scratch.give_away();
    as_plain_user(|| {
        set_mode(&secret, 0o000);
        let error = copied(&scratch).1.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("cannot copy `{secret}`: Permission denied (os error 13)")
        );
    });
}

#[test]
fn a_file_that_vanishes_during_the_copy_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let file = scratch.file("from/sub/there", "x");
    let listing = listed(&scratch.path().join("from"));
    fs::remove_file(&file).unwrap();
    let error = copy(&listing, &scratch.folder("to"), &Patience::fresh()).unwrap_err();
    assert!(
        error
            .to_string()
            .contains(&format!("`{file}`: No such file")),
        "{error}"
    );
}

#[test]
fn a_file_that_became_a_pipe_or_a_link_is_an_error_and_blocks_nothing() {
    let scratch = Scratch::new();
    let file = scratch.file("from/there", "x");
    let listing = listed(&scratch.path().join("from"));
    fs::remove_file(&file).unwrap();
    nix::unistd::mkfifo(file.as_std_path(), Mode::S_IRWXU).unwrap();
    let error = copy(&listing, &scratch.folder("to"), &Patience::fresh()).unwrap_err();
    assert!(
        error.to_string().ends_with("it changed while being copied"),
        "{error}"
    );
    fs::remove_file(&file).unwrap();
    symlink("/etc/passwd", &file).unwrap();
    let error = copy(&listing, &scratch.folder("to-2"), &Patience::fresh()).unwrap_err();
    assert!(error.to_string().contains(file.as_str()), "{error}");
}

#[test]
fn sockets_and_pipes_are_left_out() {
    let scratch = Scratch::new();
    scratch.file("from/file", "x");
    let _socket = std::os::unix::net::UnixListener::bind(scratch.path().join("from/s")).unwrap();
    nix::unistd::mkfifo(scratch.path().join("from/p").as_std_path(), Mode::S_IRWXU).unwrap();
    let (to, result) = copied(&scratch);
    assert_eq!(result.unwrap().files, 1);
    assert_eq!(fs::read_dir(to).unwrap().count(), 1);
}

#[test]
fn a_device_is_refused_by_name() {
    let null = |path: &Path, is_folder: bool| !is_folder && path == Path::new("null");
    let listing = Listing::of(Utf8Path::new("/dev"), &null).unwrap();
    let scratch = Scratch::new();
    let error = copy(&listing, &scratch.folder("to"), &Patience::fresh()).unwrap_err();
    assert!(
        error.to_string().starts_with("`/dev/null` is a device"),
        "{error}"
    );
}

#[test]
fn a_file_larger_than_one_stretch_is_copied_to_its_end() {
    let scratch = Scratch::new();
    scratch.folder("from");
    let large = fs::File::create(scratch.path().join("from/large")).unwrap();
    large.write_all_at(b"end", STRETCH_BYTES + 70_000).unwrap();
    let (to, result) = copied(&scratch);
    assert_eq!(result.unwrap().bytes, STRETCH_BYTES + 70_003);
    let copy = fs::read(to.join("large")).unwrap();
    assert_eq!(copy.len() as u64, STRETCH_BYTES + 70_003);
    assert!(copy.ends_with(b"\0end"));
}

#[test]
fn hard_links_become_files_of_their_own() {
    let scratch = Scratch::new();
    let first = scratch.file("from/a", "same");
    fs::hard_link(&first, scratch.path().join("from/b")).unwrap();
    let (to, result) = copied(&scratch);
    assert_eq!(result.unwrap().files, 2);
    assert_eq!(fs::metadata(to.join("a")).unwrap().nlink(), 1);
}

#[test]
fn a_destination_that_is_not_empty_is_refused() {
    let scratch = Scratch::new();
    scratch.file("from/a", "new");
    let old = scratch.file("to/a", "old");
    assert!(
        copied(&scratch)
            .1
            .unwrap_err()
            .to_string()
            .contains("is not empty")
    );
    assert_eq!(fs::read_to_string(old).unwrap(), "old");
}

#[test]
fn an_interrupt_ends_the_copy_of_many_files_and_of_a_large_one() {
    let scratch = Scratch::new();
    scratch.file("from/a", "x");
    let listing = listed(&scratch.path().join("from"));
    let error = copy(&listing, &scratch.folder("to"), &Patience::over()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Interrupted);
    assert!(!scratch.path().join("to/a").exists());
    let large = fs::File::create(scratch.path().join("large")).unwrap();
    large.set_len(1 << 40).unwrap();
    let large = fs::File::open(scratch.path().join("large")).unwrap();
    let copy = fs::File::create(scratch.path().join("copy")).unwrap();
    let whole = Hands::new().copy_bytes(&large, &copy, 1 << 40, &Patience::over());
    assert!(!whole.unwrap());
}

#[test]
fn a_full_disk_is_an_error_that_names_the_file_its_size_and_what_is_left() {
    let scratch = Scratch::new();
    for number in 0..40 {
        scratch.file(&format!("from/{number}"), &"x".repeat(20_000));
    }
    let to = scratch.folder("to");
    let Some(_mount) = Mount::new(&["-t", "tmpfs", "-o", "size=256k", "tmpfs"], &to) else {
        return;
    };
    let error = copied(&scratch).1.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with(&format!("cannot copy `{}/from/", scratch.path())),
        "{text}"
    );
    assert!(
        text.contains("(20000 bytes): No space left on device"),
        "{text}"
    );
    let hint = error.hint.unwrap();
    assert!(
        hint.starts_with(&format!("`{to}` has ")) && hint.contains("inodes left"),
        "{hint}"
    );
}
