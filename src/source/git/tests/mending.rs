use std::io::{Seek, SeekFrom, Write};

use super::*;

/// A site with a mirror of some commits.
fn mirrored() -> (Place, Utf8PathBuf) {
    let place = Place::new();
    for turn in 0..5 {
        let text = format!(
            "{turn} {}",
            "much text that is not all the same\n".repeat(turn * 100)
        );
        place.commit("work", &format!("file{turn}"), &text);
    }
    place.fetch(None).unwrap();
    let mirror = place.site.mirror_dir(None);
    (place, mirror)
}

/// A new commit is fetched and exported.
#[track_caller]
fn works(place: &Place, what: &str) {
    let id = place.commit("work", "version", what);
    let fetched = place.fetch(None);
    let fetched = fetched.unwrap_or_else(|error| panic!("{what}: {error} {:?}", error.hint));
    assert_eq!(fetched.commit.id, id, "{what}");
    let (to, _) = place.exported(&fetched.commit, &[]).unwrap();
    assert_eq!(fs::read_to_string(to.join("version")).unwrap(), what);
}

fn packs(mirror: &Utf8Path) -> Vec<std::path::PathBuf> {
    let walk = walkdir::WalkDir::new(mirror.join("objects"))
        .into_iter()
        .flatten();
    let files = walk.filter(|entry| entry.file_type().is_file());
    files.map(walkdir::DirEntry::into_path).collect()
}

fn writable(path: &std::path::Path) -> fs::File {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::OpenOptions::new().write(true).open(path).unwrap()
}

#[test]
fn a_mirror_that_is_half_made_or_damaged_is_made_anew() {
    type Damage = fn(&Utf8Path);
    let damages: [(&str, Damage); 10] = [
        ("a file in its place", |mirror| {
            fs::remove_dir_all(mirror).unwrap();
            fs::write(mirror, "x").unwrap();
        }),
        ("an empty directory", |mirror| {
            fs::remove_dir_all(mirror).unwrap();
            fs::create_dir(mirror).unwrap();
        }),
        ("no head", |mirror| {
            fs::remove_file(mirror.join("HEAD")).unwrap()
        }),
        ("an empty head", |mirror| {
            fs::write(mirror.join("HEAD"), "").unwrap()
        }),
        ("settings of zeros", |mirror| {
            fs::write(mirror.join("config"), [0; 66]).unwrap();
        }),
        ("no objects", |mirror| {
            fs::remove_dir_all(mirror.join("objects")).unwrap();
            fs::create_dir(mirror.join("objects")).unwrap();
        }),
        ("empty objects", |mirror| {
            packs(mirror)
                .iter()
                .for_each(|path| writable(path).set_len(0).unwrap());
        }),
        ("short objects", |mirror| {
            packs(mirror)
                .iter()
                .for_each(|path| writable(path).set_len(20).unwrap());
        }),
        ("a packed half", |mirror| {
            let git = |args: &[&str]| {
                let mut git = Command::new("git");
                let status = git.arg("--git-dir").arg(mirror).args(args).status();
                assert!(status.unwrap().success());
            };
            git(&["gc", "-q"]);
            for path in packs(mirror)
                .iter()
                .filter(|path| path.extension().is_some_and(|it| it == "pack"))
            {
                writable(path).set_len(200).unwrap();
            }
        }),
        ("a branch of zeros", |mirror| {
            fs::create_dir_all(mirror.join("refs/heads")).unwrap();
            fs::write(mirror.join("refs/heads/main"), [0; 41]).unwrap();
        }),
    ];
    for (what, damage) in damages {
        let (place, mirror) = mirrored();
        damage(&mirror);
        works(&place, what);
        works(&place, "and once more");
    }
}

#[test]
fn locks_and_packs_of_a_killed_git_stop_nothing_and_go() {
    let (place, mirror) = mirrored();
    fs::create_dir_all(mirror.join("objects/pack")).unwrap();
    fs::create_dir_all(mirror.join("refs/heads")).unwrap();
    fs::create_dir_all(mirror.join("objects/00")).unwrap();
    for left in [
        "HEAD.lock",
        "config.lock",
        "packed-refs.lock",
        "shallow.lock",
        "refs/heads/main.lock",
        "gc.pid",
        "objects/pack/tmp_pack_x1",
        "objects/00/tmp_obj_x1",
    ] {
        fs::write(mirror.join(left), "x").unwrap();
    }
    works(&place, "after a kill");
    assert!(!mirror.join("objects/pack/tmp_pack_x1").exists());
    assert!(!mirror.join("objects/00/tmp_obj_x1").exists());
    assert!(!mirror.join("refs/heads/main.lock").exists());
    assert_eq!(place.warnings(), "", "nothing had to be fetched anew");
}

#[test]
fn files_that_no_longer_can_be_read_fail_the_export_once() {
    let (place, mirror) = mirrored();
    place.git(mirror.as_str(), &["gc", "-q"]);
    let commit = place.fetch(None).unwrap().commit;
    let all = packs(&mirror);
    let pack = all
        .iter()
        .find(|path| path.extension().is_some_and(|it| it == "pack"));
    let mut file = writable(pack.unwrap());
    let size = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(20)).unwrap();
    let middle = usize::try_from(size).unwrap() - 60;
    file.write_all(&vec![0x55; middle]).unwrap();
    let error = place.exported(&commit, &[]).unwrap_err();
    assert!(error.hint.unwrap().contains("fetched anew"));
    assert!(!mirror.exists());
    works(&place, "once more");
}

#[test]
fn another_address_takes_the_mirror_over() {
    let (place, mirror) = mirrored();
    place.make("other", "sha1");
    let id = place.commit("work-other", "version", "of the other");
    place.settings.borrow_mut().git = Some(place.path("other").into_string());
    let commit = place.fetch(None).unwrap().commit;
    assert_eq!(commit.id, id);
    assert!(commit.url.ends_with("/other"));
    let branches = place.git(mirror.as_str(), &["for-each-ref", "--format=%(objectname)"]);
    assert_eq!(branches, id, "nothing of the first is left");
    let told = Command::new("grep")
        .args(["-r", "-l", "origin"])
        .arg(&mirror)
        .output();
    assert!(
        told.unwrap().stdout.is_empty(),
        "no address is written down"
    );
}

#[test]
fn what_is_there_is_not_fetched_again() {
    let (place, mirror) = mirrored();
    let marked = fs::metadata(mirror.join("refs"))
        .unwrap()
        .modified()
        .unwrap();
    let wanted = place.ask(None).unwrap();
    // Now only the mirror can give it.
    fs::rename(place.path("origin"), place.path("gone")).unwrap();
    place.fetch_wanted(&wanted).unwrap();
    let now = fs::metadata(mirror.join("refs"))
        .unwrap()
        .modified()
        .unwrap();
    assert_eq!(now, marked);
    let unknown = Wanted {
        id: Some("0".repeat(40)),
        ..wanted
    };
    let error = place.fetch_wanted(&unknown).unwrap_err();
    assert!(
        error
            .cause
            .unwrap()
            .contains("does not appear to be a git repository")
    );
}
