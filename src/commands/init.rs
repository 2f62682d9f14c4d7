//! `zdd init STACK`: writes what a site of that kind needs into a project: `zdd.toml`, `hooks/`,
//! and in `deploy/` a template unit, an nginx snippet, a sudoers file and the unit that recovers
//! the site at boot. The texts are in `init/` and in the `hooks/` folder of this repository; only
//! names and paths are filled in.

use std::io::{ErrorKind, Write};

use camino::{Utf8Path, Utf8PathBuf};
use clap::ValueEnum;
use fs_err::OpenOptions;
use fs_err::os::unix::fs::OpenOptionsExt;

use crate::config::schema::Service;
use crate::error::{Context, Error, Result};
use crate::service::systemctl::{Systemctl, Verb};
use crate::service::timer::Timer;

/// A kind of project that zdd has files for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stack {
    /// A WSGI app behind gunicorn.
    Python,
    /// A Django project behind gunicorn.
    Django,
    /// A node server.
    Node,
    /// A Rails app on puma.
    Rails,
    /// Pages that nginx serves as files.
    Static,
}

/// One file of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// Whether it was written; else there was a file before, which was left alone.
    pub wrote: bool,
}

/// Writes the files of a stack into the project at `into`, for a site of that name with its
/// releases below `root`. What is already there is left as it is.
///
/// # Errors
/// When the name or the root cannot stand in a unit file, and when a file cannot be written.
pub fn run(stack: Stack, name: &str, root: &Utf8Path, into: &Utf8Path) -> Result<Vec<Written>> {
    refuse_unsafe_words(name, root)?;
    let app = stack.app(name);
    let (instances, timer) = sudoers_lines(name, root);
    let filled = |text: &str| {
        let text = text.replace("@INSTANCES@", &instances);
        let text = text.replace("@TIMER@", &timer);
        let text = text.replace("@FILE@", &name.replace('.', "_"));
        let text = text.replace("@APP@", &app);
        filled(&text, name, root, USER, PROGRAM.into())
    };
    let mut written = Vec::new();
    for (path, text) in stack.settings() {
        let path = into.join(filled(path));
        written.push(write_new(path, &filled(text), 0o644)?);
    }
    for (point, text) in stack.hooks().iter().chain(NOTIFY) {
        let path = into.join("hooks").join(point);
        written.push(write_new(path, text, 0o755)?);
    }
    Ok(written)
}

/// The unit that recovers a site at boot.
pub fn recover_unit(name: &str, root: &Utf8Path, user: &str, program: &Utf8Path) -> String {
    filled(RECOVER_UNIT.1, name, root, user, program)
}

fn filled(text: &str, name: &str, root: &Utf8Path, user: &str, program: &Utf8Path) -> String {
    [
        ("@NAME@", name),
        ("@ROOT@", root.as_str()),
        ("@USER@", user),
        ("@ZDD@", program.as_str()),
    ]
    .iter()
    .fold(text.to_owned(), |text, (mark, word)| {
        text.replace(mark, word)
    })
}

/// What sudo is to allow: all verbs on the instances, and the timer of a standby.
fn sudoers_lines(name: &str, root: &Utf8Path) -> (String, String) {
    let services = [Service {
        unit: Some(format!("{name}@.service")),
        sudo: true,
        ..Service::default()
    }];
    let line = Systemctl::sudoers_line_of_instances(USER, &Verb::OF_INSTANCE, name, ".service");
    let timer = Timer::of(&services).sudoers_line(USER, root, PROGRAM.into());
    (line, timer.unwrap_or_default())
}

/// The user that the site belongs to.
const USER: &str = "deploy";

/// Where the README installs zdd.
const PROGRAM: &str = "/usr/local/bin/zdd";

/// A path, in which placeholders are filled in too, and the text of a file.
type File = (&'static str, &'static str);

/// The text of one of the hooks that zdd ships.
macro_rules! hook {
    ($path:literal) => {
        include_str!(concat!("../../hooks/", $path))
    };
}

/// The hooks that every stack gets; they do nothing without NOTIFY_URL.
const NOTIFY: &[File] = &[
    ("finish", hook!("notify/finish")),
    ("failed", hook!("notify/failed")),
];

const PROXY: File = ("deploy/@NAME@.nginx", include_str!("init/proxy.nginx"));
const GUNICORN: File = ("zdd.toml", include_str!("init/gunicorn.toml"));
const GUNICORN_UNIT: File = (
    "deploy/@NAME@@.service",
    include_str!("init/gunicorn@.service"),
);
const SUDOERS: File = ("deploy/@NAME@.sudoers", include_str!("init/sudoers"));
/// The whole name: the template of two sites would be one file.
const RECOVER_UNIT: File = (
    "deploy/zdd-recover@@NAME@.service",
    include_str!("init/recover.service"),
);

impl Stack {
    /// `zdd.toml`, and what belongs elsewhere on the server.
    fn settings(self) -> &'static [File] {
        match self {
            Stack::Python => &[GUNICORN, GUNICORN_UNIT, PROXY, SUDOERS, RECOVER_UNIT],
            Stack::Django => &[
                GUNICORN,
                GUNICORN_UNIT,
                ("deploy/@NAME@.nginx", include_str!("init/django.nginx")),
                SUDOERS,
                RECOVER_UNIT,
            ],
            Stack::Node => &[
                ("zdd.toml", include_str!("init/node.toml")),
                ("deploy/@NAME@@.service", include_str!("init/node@.service")),
                PROXY,
                SUDOERS,
                RECOVER_UNIT,
            ],
            Stack::Rails => &[
                ("zdd.toml", include_str!("init/rails.toml")),
                (
                    "deploy/@NAME@@.service",
                    include_str!("init/rails@.service"),
                ),
                ("deploy/@NAME@.nginx", include_str!("init/rails.nginx")),
                SUDOERS,
                RECOVER_UNIT,
            ],
            Stack::Static => &[
                ("zdd.toml", include_str!("init/static.toml")),
                ("deploy/@NAME@.nginx", include_str!("init/static.nginx")),
            ],
        }
    }

    /// Points and scripts.
    fn hooks(self) -> &'static [File] {
        match self {
            Stack::Python => &[
                ("build", hook!("python/build")),
                ("check", hook!("python/check")),
            ],
            Stack::Django => &[
                ("build", hook!("django/build")),
                ("check", hook!("django/check")),
                ("migrate", hook!("django/migrate")),
            ],
            Stack::Node => &[("build", hook!("node/build"))],
            Stack::Rails => &[
                ("build", hook!("rails/build")),
                ("migrate", hook!("rails/migrate")),
            ],
            Stack::Static => &[("build", hook!("static/build"))],
        }
    }

    /// What gunicorn is asked to serve: the module by the customs of the framework.
    fn app(self, name: &str) -> String {
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        match self {
            Stack::Django => format!(
                "{}.wsgi:application",
                name.chars().map(word).collect::<String>()
            ),
            _ => "app:app".to_owned(),
        }
    }
}

/// Name and root stand in TOML, in unit files and in nginx's language, each with other special
/// characters, so only harmless ones are taken.
fn refuse_unsafe_words(name: &str, root: &Utf8Path) -> Result<()> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins_well || name.len() > 64 || !name.chars().all(is_word) {
        let error = Error::usage(format!("`{name}` cannot be the name of a site here"));
        return Err(
            error.hint("use up to 64 letters, digits, `.`, `_` and `-`, a letter or digit first")
        );
    }
    if !root.is_absolute() || !root.as_str().chars().all(|c| is_word(c) || c == '/') {
        let error = Error::usage(format!("`{root}` cannot be the root of a site here"));
        return Err(error.hint("use an absolute path of letters, digits, `.`, `_` and `-`"));
    }
    Ok(())
}

/// Writes a file that is not there yet.
fn write_new(path: Utf8PathBuf, text: &str, mode: u32) -> Result<Written> {
    if let Some(directory) = path.parent() {
        fs_err::create_dir_all(directory)?;
    }
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&path);
    let wrote = match file {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .context(format!("cannot write `{path}`"))?;
            true
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => false,
        Err(error) => return Err(error.into()),
    };
    Ok(Written { path, wrote })
}

#[cfg(test)]
mod tests;
