use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;

/// A source `code` and a site `site` beside each other.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place {
            directory: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(place.path("code")).unwrap();
        place
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        Utf8Path::from_path(self.directory.path())
            .unwrap()
            .join(name)
    }

    fn file(&self, name: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }

    fn open(&self, source: &str, exclude: &[&str]) -> Result<Directory> {
        let exclude: Vec<String> = exclude.iter().map(|line| (*line).to_owned()).collect();
        let (root, releases) = (self.path("site"), self.path("site/releases"));
        Directory::open(&self.path(source), &exclude, &root, &releases)
    }

    /// What a release of `code` holds, without folders, sorted.
    fn released(&self, exclude: &[&str]) -> Vec<String> {
        let to = self.path("to");
        let _ = fs::remove_dir_all(&to);
        fs::create_dir(&to).unwrap();
        let source = self.open("code", exclude).unwrap();
        source.copy_into(&to, &Patience::fresh()).unwrap();
        let listing = Listing::of(&to, &|_, _| true).unwrap();
        let mut names: Vec<String> = listing
            .paths_of(EntryKind::File)
            .map(|path| path.into_os_string().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

#[test]
fn only_the_given_patterns_exclude_and_not_the_projects_own() {
    let place = Place::new();
    for name in [
        "a.py",
        "b.log",
        "sub/c.log",
        ".env.example",
        "build/out.js",
        "sub/build/x",
    ] {
        place.file(&format!("code/{name}"));
    }
    fs::write(place.path("code/.gitignore"), "build/\n*.py\n").unwrap();
    fs::write(place.path("code/.ignore"), "*\n").unwrap();
    fs::create_dir_all(place.path("code/.git/info")).unwrap();
    fs::write(place.path("code/.git/info/exclude"), "*\n").unwrap();
    assert_eq!(
        place.released(&["*.log", "/build"]),
        [
            ".env.example",
            ".gitignore",
            ".ignore",
            "a.py",
            "sub/build/x"
        ]
    );
    assert_eq!(
        place.released(&["*.log", "!c.log", "build/", ".*"]),
        ["a.py", "sub/c.log"]
    );
}

#[test]
fn the_data_of_version_control_stays_out_unless_it_is_asked_for() {
    let place = Place::new();
    for name in [
        "app",
        ".git/HEAD",
        "vendor/lib/.git",
        ".hg/x",
        ".svn/x",
        ".github/y",
    ] {
        place.file(&format!("code/{name}"));
    }
    assert_eq!(place.released(&[]), [".github/y", "app"]);
    assert_eq!(
        place.released(&["!/.git"]),
        [".git/HEAD", ".github/y", "app"]
    );
}

#[test]
fn a_pattern_that_cannot_be_understood_is_a_usage_error() {
    let error = Place::new().open("code", &["a{b"]).unwrap_err();
    assert_eq!(error.kind, crate::error::ErrorKind::Usage);
    assert!(error.to_string().contains("`a{b`"), "{error}");
}

#[test]
fn a_source_that_is_no_directory_is_refused() {
    let place = Place::new();
    place.file("file");
    let text = |source| place.open(source, &[]).unwrap_err().to_string();
    assert!(text("file").ends_with("/file` is not a directory"));
    assert!(text("missing").ends_with("/missing` does not exist"));
}

#[test]
fn a_source_that_holds_the_site_is_refused_also_through_links_and_before_it_exists() {
    let place = Place::new();
    let text = |source: &str| place.open(source, &[]).unwrap_err().to_string();
    assert!(text("").contains("holds the site"));
    fs::create_dir_all(place.path("site/releases/1")).unwrap();
    symlink(".", place.path("link")).unwrap();
    for source in ["", "site", "link", "code/.."] {
        assert!(text(source).contains("holds the site"), "{source}");
    }
    // Only the beginning of the name is the same.
    fs::create_dir(place.path("sit")).unwrap();
    place.open("sit", &[]).unwrap();
}

#[test]
fn a_source_in_the_releases_is_refused_also_through_current() {
    let place = Place::new();
    fs::create_dir_all(place.path("site/releases/1/app")).unwrap();
    fs::create_dir_all(place.path("site/checkout")).unwrap();
    symlink("releases/1", place.path("site/current")).unwrap();
    for source in ["site/releases", "site/releases/1/app", "site/current"] {
        let text = place.open(source, &[]).unwrap_err().to_string();
        assert!(text.contains("lies in"), "{text}");
    }
    place.open("site/checkout", &[]).unwrap();
}

#[test]
fn the_survey_tells_room_what_is_skipped_and_where_links_lead() {
    let place = Place::new();
    place.file("code/app/main.py");
    place.file("code/skipped.log");
    fs::write(place.path("code/large"), vec![0; 5_000]).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(place.path("code/app/dev.sock")).unwrap();
    symlink("main.py", place.path("code/app/inside")).unwrap();
    symlink("../../code/large", place.path("code/app/out-and-in")).unwrap();
    symlink("../large", place.path("code/app/up")).unwrap();
    symlink("/etc/passwd", place.path("code/absolute")).unwrap();
    let mut survey = place.open("code", &["*.log"]).unwrap().survey().unwrap();
    survey.outside_links.sort();
    assert_eq!(
        survey.outside_links,
        ["absolute", "app/out-and-in"].map(PathBuf::from)
    );
    assert_eq!(survey.skipped, [PathBuf::from("app/dev.sock")]);
    // Two folders, a file of one block and one of two, four links.
    assert_eq!(
        survey.room,
        Room {
            bytes: 5 * 4096,
            inodes: 8
        }
    );
}
