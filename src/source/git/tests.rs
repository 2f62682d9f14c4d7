//! Real repositories on this host.

use std::cell::RefCell;
use std::fs;
use std::process::Command;
use std::sync::Mutex;

use tempfile::TempDir;

use super::*;
use crate::error::ErrorKind;
use crate::report::Event;

mod asking;
mod exporting;
mod mending;
mod submodules;

/// A work tree in which commits are made, the bare repository that they are pushed to, and a site.
struct Place {
    directory: TempDir,
    site: Site,
    settings: RefCell<schema::Source>,
    heard: Heard,
}

/// What was warned of.
#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Report for Heard {
    fn event(&self, event: Event<'_>) {
        if let Event::Warning(text) = event {
            self.0.lock().unwrap().push(text.to_owned());
        }
    }
}

impl Place {
    /// With one commit of a file `version` on `main`.
    fn new() -> Place {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path()).unwrap();
        let place = Place {
            site: Site::new(path.join("site")),
            settings: RefCell::default(),
            heard: Heard::default(),
            directory,
        };
        place.make("origin", "sha1");
        place.commit("work", "version", "v1");
        place
    }

    /// A bare repository, and `work` beside it that pushes there.
    fn make(&self, name: &str, format: &str) {
        let format = format!("--object-format={format}");
        self.git(".", &["init", "-q", "--bare", "-b", "main", &format, name]);
        let work = self.work_of(name);
        self.git(".", &["init", "-q", "-b", "main", &format, &work]);
        let origin = self.path(name);
        self.git(&work, &["remote", "add", "origin", origin.as_str()]);
        self.settings.borrow_mut().git = Some(self.path("origin").into_string());
    }

    fn work_of(&self, name: &str) -> String {
        match name {
            "origin" => "work".to_owned(),
            name => format!("work-{name}"),
        }
    }

    fn path(&self, name: &str) -> Utf8PathBuf {
        let path = Utf8Path::from_path(self.directory.path()).unwrap();
        path.join(name)
    }

    #[track_caller]
    fn git(&self, directory: &str, args: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(self.path(directory))
            .args(["-c", "protocol.file.allow=always"])
            .args(args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "a")
            .env("GIT_AUTHOR_EMAIL", "a@b")
            .env("GIT_COMMITTER_NAME", "a")
            .env("GIT_COMMITTER_EMAIL", "a@b")
            .env("GIT_AUTHOR_DATE", "1700000000 +0000")
            .env("GIT_COMMITTER_DATE", "1700000000 +0000")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Commits a file on the branch that is checked out, and pushes it. The number of the commit.
    fn commit(&self, work: &str, file: &str, text: &str) -> String {
        let path = self.path(work).join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self.push(work)
    }

    /// Commits all there is, and pushes it.
    fn push(&self, work: &str) -> String {
        self.git(work, &["add", "-A"]);
        self.git(work, &["commit", "-q", "--allow-empty", "-m", "x"]);
        self.git(work, &["push", "-q", "--force", "origin", "HEAD"]);
        self.git(work, &["rev-parse", "HEAD"])
    }

    fn ask(&self, reference: Option<&str>) -> Result<Wanted> {
        let settings = self.settings.borrow().clone();
        let repository = Repository::of(&self.site, &settings, reference).unwrap();
        repository.ask(&Patience::fresh())
    }

    fn fetch_wanted(&self, wanted: &Wanted) -> Result<Fetched> {
        let settings = self.settings.borrow().clone();
        let repository = Repository::of(&self.site, &settings, None).unwrap();
        repository.fetch(wanted, &self.heard, &Patience::fresh())
    }

    fn fetch(&self, reference: Option<&str>) -> Result<Fetched> {
        self.fetch_wanted(&self.ask(reference)?)
    }

    /// The number of the commit that is fetched for a name.
    #[track_caller]
    fn id_of(&self, reference: &str) -> String {
        self.fetch(Some(reference)).unwrap().commit.id
    }

    /// Exports a commit, and returns the directory.
    fn exported(&self, commit: &Commit, exclude: &[&str]) -> Result<(Utf8PathBuf, Exported)> {
        let to = self.path("release");
        let _ = fs::remove_dir_all(&to);
        fs::create_dir(&to).unwrap();
        let exclude: Vec<String> = exclude.iter().map(|line| (*line).to_owned()).collect();
        let exported = export(&self.site, commit, &exclude, &to, &Patience::fresh())?;
        Ok((to, exported))
    }

    /// What is there after fetching `HEAD` and exporting it: paths, sorted.
    #[track_caller]
    fn files(&self, exclude: &[&str]) -> Vec<String> {
        let commit = self.fetch(None).unwrap().commit;
        let (to, _) = self.exported(&commit, exclude).unwrap();
        let walk = walkdir::WalkDir::new(&to).sort_by_file_name().into_iter();
        let files = walk.flatten().filter(|entry| !entry.file_type().is_dir());
        files
            .map(|entry| {
                let path = entry.path().strip_prefix(&to).unwrap();
                path.to_string_lossy().into_owned()
            })
            .collect()
    }

    fn warnings(&self) -> String {
        self.heard.0.lock().unwrap().join("\n")
    }
}
