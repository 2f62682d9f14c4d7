use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn attributes_modes_links_and_odd_names_are_honoured() {
    let place = Place::new();
    let work = place.path("work");
    fs::write(
        work.join(".gitattributes"),
        "tests export-ignore\nrevision.txt export-subst\n*.bat text eol=crlf\n",
    )
    .unwrap();
    fs::create_dir(work.join("tests")).unwrap();
    fs::write(work.join("tests/x"), "x").unwrap();
    fs::write(work.join("revision.txt"), "$Format:%H$").unwrap();
    fs::write(work.join("run.bat"), "a\nb\n").unwrap();
    fs::write(work.join("run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(work.join("run"), fs::Permissions::from_mode(0o777)).unwrap();
    symlink("run", work.join("inside")).unwrap();
    symlink("../../etc/passwd", work.join("up")).unwrap();
    symlink("/etc/passwd", work.join("absolute")).unwrap();
    let odd = OsStr::from_bytes(b"odd \xff\"\n-name");
    fs::write(work.as_std_path().join(odd), "odd").unwrap();
    let long = format!("{}/{}", "long".repeat(40), "name".repeat(50));
    fs::create_dir(work.join("long".repeat(40))).unwrap();
    fs::write(work.join(&long), "long").unwrap();
    let id = place.push("work");

    let commit = place.fetch(None).unwrap().commit;
    let (to, exported) = place.exported(&commit, &[]).unwrap();
    let mode = |name: &str| fs::metadata(to.join(name)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("run"), mode("version")), (0o755, 0o644));
    assert_eq!(fs::read_to_string(to.join("revision.txt")).unwrap(), id);
    assert_eq!(fs::read(to.join("run.bat")).unwrap(), b"a\r\nb\r\n");
    assert_eq!(
        fs::read_link(to.join("inside")).unwrap().to_str(),
        Some("run")
    );
    assert_eq!(fs::read(to.as_std_path().join(odd)).unwrap(), b"odd");
    assert_eq!(fs::read_to_string(to.join(&long)).unwrap(), "long");
    assert!(!to.join("tests").exists() && !to.join(".git").exists());
    let mut outside = exported.outside_links;
    outside.sort();
    assert_eq!(outside, ["absolute", "up"].map(std::path::PathBuf::from));
    assert_eq!(exported.files, 7);
}

#[test]
fn exclude_means_the_same_as_for_a_directory() {
    let place = Place::new();
    for file in [
        "a.log",
        "sub/b.log",
        "sub/keep.txt",
        "docs/x.md",
        "docs/deep/y",
    ] {
        place.commit("work", file, "x");
    }
    assert_eq!(
        place.files(&["*.log", "!b.log", "/docs", "!/docs/x.md"]),
        ["sub/b.log", "sub/keep.txt", "version"]
    );
}

#[test]
fn of_a_subdirectory_only_its_files_are_there_at_the_top() {
    let place = Place::new();
    place.commit("work", ".gitattributes", "*.secret export-ignore\n");
    place.commit("work", "app/x.secret", "x");
    place.commit("work", "app/web/index.html", "hello");
    place.commit("work", "application/other", "x");
    symlink("../../version", place.path("work/app/web/out")).unwrap();
    symlink("index.html", place.path("work/app/web/in")).unwrap();
    place.push("work");
    place.settings.borrow_mut().subdir = Some("./app/.".into());
    assert_eq!(place.files(&["/web/in"]), ["web/index.html", "web/out"]);
    let commit = place.fetch(None).unwrap().commit;
    let (_, exported) = place.exported(&commit, &[]).unwrap();
    assert_eq!(
        exported.outside_links,
        [std::path::PathBuf::from("web/out")]
    );
    for missing in ["nowhere", "version", "app/web/in", ":(glob)*"] {
        place.settings.borrow_mut().subdir = Some(missing.into());
        let error = place.fetch(None).unwrap_err();
        assert!(
            error.what.contains(&format!("no directory `{missing}`")),
            "{error}"
        );
    }
}

#[test]
fn pointers_of_lfs_are_told_and_no_filter_of_the_caller_runs() {
    let place = Place::new();
    place.commit("work", ".gitattributes", "*.bin filter=lfs\n");
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n";
    place.commit("work", "data/big.bin", pointer);
    let commit = place.fetch(None).unwrap().commit;
    let (to, exported) = place.exported(&commit, &[]).unwrap();
    assert_eq!(
        exported.pointers,
        [std::path::PathBuf::from("data/big.bin")]
    );
    assert_eq!(
        fs::read_to_string(to.join("data/big.bin")).unwrap(),
        pointer
    );
}

#[test]
fn a_tree_that_would_write_through_its_own_link_is_not_exported() {
    let place = Place::new();
    let outside = place.path("outside");
    fs::create_dir(&outside).unwrap();
    let blob = place.git("work", &["rev-parse", "HEAD:version"]);
    let link = {
        fs::write(place.path("target"), outside.as_str()).unwrap();
        place.git("work", &["hash-object", "-w", "../target"])
    };
    let raw = |entries: &[(&str, &str, &str)]| {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend(format!("{mode} {name}\0").bytes());
            let digits = (0..id.len()).step_by(2).map(|at| &id[at..at + 2]);
            bytes.extend(digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()));
        }
        fs::write(place.path("tree"), bytes).unwrap();
        place.git(
            "work",
            &["hash-object", "--literally", "-w", "-t", "tree", "../tree"],
        )
    };
    let inner = raw(&[("100644", "x", &blob)]);
    for entries in [
        &[
            ("120000", "a", link.as_str()),
            ("40000", "a", inner.as_str()),
        ][..],
        &[("40000", "..", &inner)],
        &[("100644", "a", &blob), ("100644", "a", &blob)],
    ] {
        let tree = raw(entries);
        let commit = place.git("work", &["commit-tree", "-m", "x", &tree]);
        let push = format!("{commit}:refs/heads/main");
        place.git("work", &["push", "-qf", "origin", &push]);
        let fetched = place
            .fetch(Some("main"))
            .and_then(|it| place.exported(&it.commit, &[]));
        assert!(fetched.is_err(), "{entries:?}: {fetched:?}");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert!(!place.path("x").exists());
    }
}
