//! A git repository that a site is released from.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Program, Site};

/// A bare repository beside a site, and a work tree whose commits are pushed to it.
pub struct Repository {
    /// The bare repository.
    pub bare: PathBuf,
    /// The work tree.
    pub work: PathBuf,
}

impl Repository {
    /// Makes both, with the version `v1` on `main`.
    pub fn beside(site: &Site) -> Repository {
        Repository::named(site.scratch(), "origin.git")
    }

    pub fn named(directory: &Path, name: &str) -> Repository {
        let bare = directory.join(name);
        let work = directory.join(format!("{name}-work"));
        let repository = Repository { bare, work };
        fs::create_dir(&repository.work).unwrap();
        repository.git("init -q -b main");
        git(directory)
            .words("init -q --bare -b main")
            .arg(name)
            .run()
            .exits(0);
        let add = git(&repository.work).words("remote add origin");
        add.arg(&repository.bare).run().exits(0);
        repository.commit("v1");
        repository
    }

    /// The line of `zdd.toml` that names it.
    pub fn setting(&self) -> String {
        format!("[source]\ngit = \"{}\"\n", self.bare.display())
    }

    /// Runs git in the work tree; its output.
    #[track_caller]
    pub fn git(&self, words: &str) -> String {
        let output = git(&self.work).words(words).run().exits(0);
        output.stdout.trim().to_owned()
    }

    pub fn file(&self, path: &str, text: &str) {
        let path = self.work.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Commits and pushes a version; the number of the commit.
    #[track_caller]
    pub fn commit(&self, version: &str) -> String {
        for (path, text) in super::site::files_of(version) {
            self.file(&path, &text);
        }
        self.push()
    }

    /// Commits and pushes all there is; the number of the commit.
    #[track_caller]
    pub fn push(&self) -> String {
        self.git("add -A");
        self.git("commit -q --allow-empty -m x");
        self.git("push -q --force origin HEAD");
        self.git("rev-parse HEAD")
    }
}

/// The disk space that everything below a directory takes.
pub fn kibibytes(directory: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt;
    let files = walkdir::WalkDir::new(directory).into_iter().flatten();
    let blocks: u64 = files.map(|entry| entry.metadata().unwrap().blocks()).sum();
    blocks / 2
}

/// git in a directory, as nobody in particular.
pub fn git(directory: &Path) -> Program {
    let mut git = Program::new("git").dir(directory);
    for (key, value) in [
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_AUTHOR_NAME", "a"),
        ("GIT_AUTHOR_EMAIL", "a@b"),
        ("GIT_COMMITTER_NAME", "a"),
        ("GIT_COMMITTER_EMAIL", "a@b"),
    ] {
        git = git.env(key, value);
    }
    git.words("-c protocol.file.allow=always")
}
