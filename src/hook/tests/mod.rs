//! Real hooks in real directories: what they see, how they end, what is shown of them.

mod environment;
mod finding;
mod processes;
mod secrets;

use std::os::unix::fs::PermissionsExt;
use std::sync::Mutex;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::Pid;

use super::env_file::EnvFile;
use super::*;
use crate::config::schema::Hooks;
use crate::host::signal::Patience;
use crate::report::{Event, Report};

/// A site with one release and nothing in it.
struct Site {
    root: tempfile::TempDir,
    hooks: Hooks,
    env_file: EnvFile,
    facts: Facts,
    heard: Heard,
}

/// What was reported.
#[derive(Default)]
struct Heard {
    output: Mutex<Vec<String>>,
    warnings: Mutex<Vec<String>>,
    /// Counts the lines instead of keeping them.
    only_counts: bool,
    lines: Mutex<usize>,
}

impl Report for Heard {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Output(_) if self.only_counts => *self.lines.lock().unwrap() += 1,
            Event::Output(line) => self.output.lock().unwrap().push(line.into()),
            Event::Warning(text) => self.warnings.lock().unwrap().push(text.into()),
            _ => {}
        }
    }
}

impl Site {
    fn new() -> Site {
        let root = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(root.path()).unwrap().to_owned();
        let release = "20261122014228";
        let release_path = path.join("releases").join(release);
        fs_err::create_dir_all(&release_path).unwrap();
        let facts = Facts {
            root: path.clone(),
            release: release.into(),
            release_path,
            previous: None,
            previous_path: None,
            current_path: path.join("current"),
            shared_path: path.join("shared"),
            revision: None,
            command: Verb::Release,
            address: None,
        };
        Site {
            root,
            hooks: Hooks::default(),
            env_file: EnvFile::default(),
            facts,
            heard: Heard::default(),
        }
    }

    fn with_env(text: &str) -> Site {
        let env_file = EnvFile::parse(text, "app.env".into()).unwrap();
        Site {
            env_file,
            ..Site::new()
        }
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.root.path()).unwrap()
    }

    fn log_path(&self) -> Utf8PathBuf {
        self.path().join("logs").join("hook.log")
    }

    fn log(&self) -> String {
        fs_err::read_to_string(self.log_path()).unwrap()
    }

    fn output(&self) -> Vec<String> {
        self.heard.output.lock().unwrap().clone()
    }

    fn warnings(&self) -> Vec<String> {
        self.heard.warnings.lock().unwrap().clone()
    }

    /// Writes an executable `hooks/<point>`.
    fn write_hook(&self, point: Point, script: &str) -> Utf8PathBuf {
        let directory = self.facts.release_path.join("hooks");
        fs_err::create_dir_all(&directory).unwrap();
        let path = directory.join(point.name());
        fs_err::write(&path, script).unwrap();
        set_mode(&path, 0o755);
        path
    }

    fn find(&self, point: Point) -> crate::error::Result<Option<Hook>> {
        Hook::find(point, &self.hooks, &self.facts.release_path)
    }

    fn run(&self, point: Point) -> Ended {
        let hook = self.find(point).unwrap().unwrap();
        self.run_hook(&hook, |_| {})
    }

    fn run_hook(&self, hook: &Hook, on_start: impl FnOnce(Pid)) -> Ended {
        let stage = Stage {
            environment: &Environment::new(&self.hooks, &self.env_file),
            facts: &self.facts,
            mask: &Mask::new(self.env_file.variables(), &self.hooks).unwrap(),
            report: &self.heard,
            patience: &Patience::fresh(),
        };
        hook.run(&stage, &self.log_path(), on_start)
    }

    /// Runs a shell script as the hook `build`.
    fn run_script(&self, script: &str) -> Ended {
        self.write_hook(Point::Build, &format!("#!/bin/sh\n{script}\n"));
        self.run(Point::Build)
    }
}

fn set_mode(path: &Utf8Path, mode: u32) {
    fs_err::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// The processes of a group that are more than an entry in the table.
fn group_members(group: Pid) -> Vec<String> {
    let processes = fs_err::read_dir("/proc").unwrap().filter_map(Result::ok);
    let stats = processes.filter_map(|entry| {
        let path = Utf8PathBuf::try_from(entry.path()).ok()?;
        fs_err::read_to_string(path.join("stat")).ok()
    });
    let is_member = |stat: &String| {
        let rest = stat.rsplit(") ").next().unwrap_or_default();
        let fields: Vec<&str> = rest.split(' ').collect();
        fields.first() != Some(&"Z") && fields.get(2) == Some(&group.to_string().as_str())
    };
    stats.filter(is_member).collect()
}
