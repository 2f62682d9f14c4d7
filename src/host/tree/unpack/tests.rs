use std::fs;

use tar::{Builder, Header};

use super::*;
use crate::host::tree::scratch::{Mount, Scratch};

/// A stream of entries: kind, path, contents or what a link names.
fn stream(entries: &[(EntryType, &[u8], &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, path, text) in entries {
        let mut header = Header::new_ustar();
        header.set_entry_type(*kind);
        header.set_mode(0o7775);
        header.set_mtime(1_700_000_000);
        // The names that nobody should write are what is tested.
        header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path);
        let data: &[u8] = if kind.is_file() { text } else { b"" };
        if !kind.is_file() {
            header.set_link_name_literal(text).unwrap();
        }
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data).unwrap();
    }
    builder.into_inner().unwrap()
}

fn unpacked(to: &Utf8Path, entries: &[(EntryType, &[u8], &[u8])]) -> (Unpacking, Result<End>) {
    let mut unpacking = Unpacking::into(to, b"version").unwrap();
    let all = |path: &Path, _| Some(path.to_owned());
    let end = unpacking.unpack(&stream(entries)[..], &all);
    (unpacking, end)
}

const FILE: EntryType = EntryType::Regular;
const LINK: EntryType = EntryType::Symlink;
const FOLDER: EntryType = EntryType::Directory;

#[test]
fn files_links_and_folders_are_there_with_plain_modes_and_the_time() {
    let scratch = Scratch::new();
    let to = scratch.folder("to");
    let (unpacking, end) = unpacked(
        &to,
        &[
            (FOLDER, b"app/", b""),
            (FILE, b"app/run", b"hello"),
            (FILE, b"deep/er/x", b""),
            (LINK, b"app/link", b"../run"),
            (FILE, b"odd-\xff", b"mark it"),
        ],
    );
    assert!(matches!(end.unwrap(), End::Whole));
    let run = fs::metadata(to.join("app/run")).unwrap();
    assert_eq!(run.permissions().mode() & 0o7777, 0o755);
    let changed = run
        .modified()
        .unwrap()
        .duration_since(std::time::UNIX_EPOCH);
    assert_eq!(changed.unwrap().as_secs(), 1_700_000_000);
    let folder = fs::metadata(to.join("deep")).unwrap();
    assert_eq!(folder.permissions().mode() & 0o7777, 0o755);
    assert!(
        to.as_std_path()
            .join(OsStr::from_bytes(b"odd-\xff"))
            .exists()
    );
    assert_eq!(unpacking.files, 3);
    assert_eq!(unpacking.links, [("app/link".into(), "../run".into())]);
    assert!(unpacking.has_folder(Path::new("deep/er")));
}

#[test]
fn nothing_is_written_outside_through_a_link_or_over_another_entry() {
    let scratch = Scratch::new();
    let outside = scratch.folder("outside");
    for entries in [
        &[(FILE, &b"../outside/x"[..], &b"x"[..])][..],
        &[(FILE, b"/tmp/../outside/x", b"x")],
        &[(FOLDER, b"..", b"")],
        &[(FILE, b".", b"")],
        &[(LINK, b"a", b"../outside"), (FILE, b"a/x", b"x")],
        &[(LINK, b"a", b"../outside"), (FOLDER, b"a", b"")],
        &[(LINK, b"a", b"../outside/x"), (FILE, b"a", b"x")],
        &[(FILE, b"a", b"x"), (FILE, b"a", b"y")],
        &[(EntryType::Link, b"a", b"/etc/passwd")],
        &[(EntryType::Char, b"a", b"")],
        &[(EntryType::Fifo, b"a", b"")],
    ] {
        let to = scratch.folder("to");
        let (_, end) = unpacked(&to, entries);
        assert!(end.is_err(), "{entries:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{entries:?}");
        fs::remove_dir_all(&to).unwrap();
    }
}

#[test]
fn a_stream_that_breaks_off_is_no_whole_one() {
    let scratch = Scratch::new();
    let bytes = stream(&[(FILE, b"a", &[7; 5000]), (FILE, b"b", b"x")]);
    for end in [100, 600, 3000] {
        let to = scratch.folder(&end.to_string());
        let mut unpacking = Unpacking::into(&to, b"version").unwrap();
        let ended = unpacking.unpack(&bytes[..end], &|path, _| Some(path.to_owned()));
        assert!(matches!(ended.unwrap(), End::Broken(_)), "{end}");
    }
}

#[test]
fn the_padding_behind_the_last_entry_is_read_too() {
    let scratch = Scratch::new();
    let to = scratch.folder("to");
    let mut bytes = stream(&[(FILE, b"a", b"x")]);
    bytes.extend([0; 20_000]);
    let mut rest = &bytes[..];
    let mut unpacking = Unpacking::into(&to, b"version").unwrap();
    let ended = unpacking.unpack(&mut rest, &|path, _| Some(path.to_owned()));
    assert!(matches!(ended.unwrap(), End::Whole));
    assert!(rest.is_empty());
}

#[test]
fn what_is_left_out_is_skipped_and_what_is_marked_is_told() {
    let scratch = Scratch::new();
    let to = scratch.folder("to");
    let mut unpacking = Unpacking::into(&to, b"version").unwrap();
    let bytes = stream(&[
        (FILE, b"app/a", b"version 1"),
        (FILE, b"other/b", b"version 2"),
        (FILE, b"app/c", b"v"),
    ]);
    let below = |path: &Path, _: bool| path.strip_prefix("app").map(Path::to_owned).ok();
    unpacking.unpack(&bytes[..], &below).unwrap();
    assert_eq!(unpacking.marked, [PathBuf::from("a")]);
    assert!(to.join("c").exists() && !to.join("other").exists());
    assert!(Unpacking::into(&to, b"version").is_err(), "it is not empty");
}

#[test]
fn a_full_disk_is_said_with_what_is_left() {
    let scratch = Scratch::new();
    let to = scratch.folder("small");
    let args = ["-t", "tmpfs", "-o", "size=64k", "none"];
    let Some(_mount) = Mount::new(&args, &to) else {
        return;
    };
    let (_, end) = unpacked(&to, &[(FILE, b"large", &[7; 200_000])]);
    let error = end.unwrap_err();
    assert!(error.what.contains("`large`"), "{error}");
    assert!(error.hint.unwrap().contains("left"));
}
