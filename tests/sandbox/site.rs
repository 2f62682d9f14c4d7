//! A site in a scratch directory, and the code that is released to it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{Output, Program};

/// A site with its settings, and beside it a directory of code.
pub struct Site {
    scratch: TempDir,
    /// Where `current` and `releases` are.
    pub root: PathBuf,
    /// What `zdd release` takes.
    pub source: PathBuf,
}

impl Site {
    /// A site without releases, with these lines in its `zdd.toml`.
    pub fn new(settings: &str) -> Site {
        Site::below(&std::env::temp_dir(), settings)
    }

    /// The same below another directory.
    pub fn below(directory: &Path, settings: &str) -> Site {
        let scratch = TempDir::with_prefix_in("zdd-", directory).unwrap();
        let path = scratch.path().canonicalize().unwrap();
        let site = Site {
            scratch,
            root: path.join("site"),
            source: path.join("code"),
        };
        fs::create_dir(&site.root).unwrap();
        fs::create_dir(&site.source).unwrap();
        site.settings(settings);
        site.code("v1");
        site
    }

    /// The directory that holds the site and the code.
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    pub fn settings(&self, text: &str) {
        fs::write(self.root.join("zdd.toml"), text).unwrap();
    }

    /// Makes the code another version: each file tells which.
    pub fn code(&self, version: &str) {
        for (path, text) in files_of(version) {
            self.file(&path, &text);
        }
    }

    /// A file of the code.
    pub fn file(&self, path: &str, text: &str) {
        let path = self.source.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A hook of the code: a shell script.
    pub fn hook(&self, point: &str, script: &str) {
        let path = format!("hooks/{point}");
        self.file(&path, &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(self.source.join(path), fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// `zdd` on this site, with more words.
    pub fn zdd(&self, words: &str) -> Program {
        let root = self.root.to_str().unwrap();
        zdd()
            .arg("--root")
            .arg(root)
            .words(words)
            .dir(self.scratch())
    }

    /// Runs `zdd` on this site; it must end in 0.
    #[track_caller]
    pub fn does(&self, words: &str) -> Output {
        self.zdd(words).run().exits(0)
    }

    /// `zdd release` of a version of the code, not yet run.
    pub fn releasing(&self, version: &str) -> Program {
        self.code(version);
        self.zdd("--json release").arg(&self.source)
    }

    /// Releases a version, which must succeed; the id of the release.
    #[track_caller]
    pub fn release(&self, version: &str) -> String {
        let output = self.releasing(version).run().exits(0);
        output.json()["release"].as_str().unwrap().to_owned()
    }

    /// The version that `current` leads to.
    pub fn version(&self) -> Option<String> {
        let text = fs::read_to_string(self.root.join("current/version")).ok()?;
        Some(text.trim().to_owned())
    }

    /// The release that `current` names.
    pub fn current(&self) -> Option<String> {
        let target = fs::read_link(self.root.join("current")).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// The releases as `zdd list --all` has them.
    pub fn list(&self) -> Vec<Value> {
        let releases = self.does("--json list --all").json()["releases"].take();
        releases.as_array().unwrap().clone()
    }

    /// The state of each release, oldest first.
    pub fn states(&self) -> Vec<(String, String)> {
        let word = |row: &Value, key: &str| row[key].as_str().unwrap().to_owned();
        self.list()
            .iter()
            .map(|row| (word(row, "id"), word(row, "state")))
            .collect()
    }

    #[track_caller]
    pub fn state(&self, id: &str) -> String {
        let states = self.states();
        let found = states.iter().find(|(known, _)| known == id);
        found
            .unwrap_or_else(|| panic!("no {id} in {states:?}"))
            .1
            .clone()
    }

    /// The directories in `releases/`, sorted.
    pub fn directories(&self) -> Vec<String> {
        names_in(&self.root.join("releases"))
    }

    pub fn record_path(&self, id: &str) -> PathBuf {
        self.root.join(".zdd/releases").join(format!("{id}.json"))
    }

    pub fn record(&self, id: &str) -> Value {
        serde_json::from_slice(&fs::read(self.record_path(id)).unwrap()).unwrap()
    }

    /// A release as another tool would have made it.
    pub fn foreign_release(&self, id: &str, version: &str) {
        for (path, text) in files_of(version) {
            let path = self.root.join("releases").join(id).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }

    /// Sets `current`, as another tool or a person would.
    pub fn link_current(&self, target: impl AsRef<Path>) {
        let current = self.root.join("current");
        let _ = fs::remove_file(&current);
        symlink(target, current).unwrap();
    }

    /// Every path below the root, with what is there.
    pub fn tree(&self) -> BTreeMap<PathBuf, String> {
        let mut tree = BTreeMap::new();
        describe(&self.root, &mut tree);
        tree
    }
}

/// The program under test.
pub fn zdd() -> Program {
    Program::new(env!("CARGO_BIN_EXE_zdd"))
}

/// The files of a version of the code.
pub fn files_of(version: &str) -> Vec<(String, String)> {
    let mut files = vec![
        ("version".to_owned(), format!("{version}\n")),
        (
            "app/page.txt".to_owned(),
            format!("{version}\n").repeat(2000),
        ),
    ];
    files.extend((0..4).map(|n| {
        (
            format!("app/part{n}.txt"),
            format!("part {n} of {version}\n"),
        )
    }));
    files
}

/// The names in a directory, sorted; none when it is not there.
pub fn names_in(directory: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

impl Drop for Site {
    fn drop(&mut self) {
        super::processes::end_inside(self.scratch.path());
    }
}

fn describe(directory: &Path, tree: &mut BTreeMap<PathBuf, String>) {
    for name in names_in(directory) {
        let path = directory.join(name);
        let metadata = fs::symlink_metadata(&path).unwrap();
        let what = if metadata.is_symlink() {
            format!("link to {}", fs::read_link(&path).unwrap().display())
        } else if metadata.is_dir() {
            format!("directory {:o}", metadata.permissions().mode())
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
            format!("file {:o} {text}", metadata.permissions().mode())
        };
        tree.insert(path.clone(), what);
        if metadata.is_dir() {
            describe(&path, tree);
        }
    }
}
