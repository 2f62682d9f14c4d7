use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::host::tree::scratch::{Scratch, as_plain_user};

fn all(_: &Path, _: bool) -> bool {
    true
}

#[test]
fn ten_thousand_files_in_one_folder_are_all_listed() {
    let scratch = Scratch::new();
    for number in 0..10_000 {
        scratch.file(&format!("flat/{number}"), "");
    }
    let listing = Listing::of(scratch.path(), &all).unwrap();
    assert_eq!(listing.paths_of(EntryKind::File).count(), 10_000);
    assert_eq!(listing.folders.len(), 2);
}

#[test]
fn parents_come_before_children_200_levels_deep() {
    let scratch = Scratch::new();
    let deep = vec!["d"; 200].join("/");
    scratch.file(&format!("{deep}/file"), "");
    let listing = Listing::of(scratch.path(), &all).unwrap();
    assert_eq!(listing.folders.len(), 201);
    for pair in listing.folders.windows(2) {
        assert_eq!(pair[1].path.parent(), Some(pair[0].path.as_path()));
    }
}

#[test]
fn what_lies_below_an_unwanted_folder_is_not_looked_at() {
    let scratch = Scratch::new();
    scratch.file("kept/a", "");
    scratch.file("unwanted/b", "");
    let is_wanted = |path: &Path, is_folder: bool| {
        assert!(!path.starts_with("unwanted") || path == Path::new("unwanted"));
        assert_eq!(
            is_folder,
            path.extension().is_none() && path != Path::new("kept/a")
        );
        path != Path::new("unwanted")
    };
    let listing = Listing::of(scratch.path(), &is_wanted).unwrap();
    let files: Vec<_> = listing.paths_of(EntryKind::File).collect();
    assert_eq!(files, [PathBuf::from("kept/a")]);
}

#[test]
fn a_name_that_is_not_utf8_stays_as_it_is() {
    let scratch = Scratch::new();
    let name = OsString::from_vec(b"caf\xe9.txt".to_vec());
    std::fs::write(scratch.path().as_std_path().join(&name), "").unwrap();
    let listing = Listing::of(scratch.path(), &all).unwrap();
    assert_eq!(listing.folders[0].entries[0].name, name);
}

#[test]
fn a_link_to_a_folder_is_a_link() {
    let scratch = Scratch::new();
    std::os::unix::fs::symlink("/", scratch.path().join("root")).unwrap();
    let listing = Listing::of(scratch.path(), &all).unwrap();
    assert_eq!(listing.folders[0].entries[0].kind, EntryKind::Link);
}

#[test]
fn sockets_pipes_and_devices_are_told_apart_from_files() {
    let scratch = Scratch::new();
    let _socket = std::os::unix::net::UnixListener::bind(scratch.path().join("s")).unwrap();
    nix::unistd::mkfifo(
        scratch.path().join("p").as_std_path(),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    let listing = Listing::of(scratch.path(), &all).unwrap();
    assert_eq!(listing.paths_of(EntryKind::Channel).count(), 2);
    let devices = Listing::of(Utf8Path::new("/dev"), &|path, is_folder| {
        !is_folder && path == Path::new("null")
    });
    assert_eq!(
        devices.unwrap().folders[0].entries[0].kind,
        EntryKind::Device
    );
}

#[test]
fn an_unreadable_folder_is_an_error_that_names_it() {
    let scratch = Scratch::new();
    let closed = scratch.folder("closed");
    scratch.give_away();
    as_plain_user(|| {
        set_mode(&closed, 0o000);
        let error = Listing::of(scratch.path(), &all).unwrap_err();
        assert!(error.to_string().contains(closed.as_str()), "{error}");
        assert!(error.to_string().contains("Permission denied"), "{error}");
        set_mode(&closed, 0o700);
    });
    let missing = Listing::of(Utf8Path::new("/no/such/tree"), &all).unwrap_err();
    assert!(missing.to_string().contains("/no/such/tree"), "{missing}");
}

fn set_mode(path: &Utf8Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}
