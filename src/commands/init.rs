//! `zdd init --stack NAME`: writes what a site of that kind needs into a project: `zdd.toml`,
//! `hooks/`, and in `deploy/` what belongs elsewhere on the server; then prints the commands that
//! put it there. Which files, and their texts, is in `init/stack.rs`; only names and paths are
//! filled in here.

mod project;
mod stack;
pub mod zddeploy;

use std::io::{ErrorKind, Write};

use camino::{Utf8Path, Utf8PathBuf};
use clap::ValueEnum;
use fs_err::OpenOptions;
use fs_err::os::unix::fs::OpenOptionsExt;
use serde::Serialize;

use super::Surface;
use super::ending::SCHEMA;
use crate::config::deploy_conf;
use crate::config::schema::Service;
use crate::error::{Context, Error, Result};
use crate::exit_code::ExitCode;
use crate::report::stdout;
use crate::service::systemctl::{Systemctl, Verb};
use crate::service::timer::Timer;

pub use stack::Stack;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// What the project is made of; without it, its files tell.
    pub stack: Option<Stack>,
    /// The name of the site; without it, that in a `zdd.toml` which is there, else that of the
    /// directory.
    pub name: Option<String>,
    /// The root of the site; without it, that in a `zdd.toml` which is there, else one below
    /// `/var/www`.
    pub root: Option<Utf8PathBuf>,
    /// The project.
    pub into: Utf8PathBuf,
}

/// One file of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// What became of it.
    pub state: State,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is new.
    Written,
    /// It was there already, with this text.
    Same,
    /// There was another one, which was left alone.
    Kept,
}

impl State {
    fn verb(self) -> &'static str {
        match self {
            State::Written => "Wrote",
            State::Same => "Found",
            State::Kept => "Kept",
        }
    }
}

/// What was done and what is still to be done, as in the JSON.
#[derive(Debug, Serialize)]
struct Begun {
    schema: u32,
    stack: Stack,
    name: String,
    root: Utf8PathBuf,
    files: Vec<Written>,
    steps: String,
}

/// Writes the files of a stack into a project and prints what comes next. What is already there is
/// left as it is.
///
/// # Errors
/// When no stack is named and the files do not show one, when the name or the root cannot stand in
/// a unit file, and when a file cannot be read or written.
pub fn run(surface: Surface<'_>, request: &Request) -> Result<ExitCode> {
    let into = camino::absolute_utf8(&request.into)?;
    let (settled_name, settled_root) = project::settled(&into)?.unzip();
    let own_name = || into.file_name().unwrap_or("app").to_owned();
    let name = request.name.clone().or(settled_name);
    let name = name.unwrap_or_else(own_name);
    let root = request.root.clone().or(settled_root);
    let root = root.unwrap_or_else(|| format!("/var/www/{name}").into());
    refuse_unsafe_words(&name, &root)?;
    let stack = match request.stack {
        Some(stack) => stack,
        None => {
            let (stack, file) = guess(&into)?;
            let what = format!("stack {}: there is {file}", stack.word());
            surface.report.finished("Guessed", &what, None);
            stack
        }
    };
    let begun = write(stack, name, root, &into)?;
    for file in &begun.files {
        let verb = file.state.verb();
        surface.report.finished(verb, file.path.as_str(), None);
    }
    if begun.files.iter().any(|file| file.state == State::Kept) {
        let what = "what was kept is not what would be written: compare it with what `zdd init \
                    --into` another directory writes";
        surface.report.note(what);
    }
    match surface.json {
        true => stdout::json(&begun)?,
        false => stdout::print(&begun.steps)?,
    }
    Ok(ExitCode::Done)
}

fn write(stack: Stack, name: String, root: Utf8PathBuf, into: &Utf8Path) -> Result<Begun> {
    let app = stack.app(into, &name);
    let (instances, timer) = sudoers_lines(&name, &root);
    let filled = |text: &str| {
        let text = text.replace("@INSTANCES@", &instances);
        let text = text.replace("@TIMER@", &timer);
        let text = text.replace("@FILE@", &name.replace('.', "_"));
        let text = text.replace("@APP@", &app);
        let text = text.replace("@STACK@", &stack.word());
        filled(&text, &name, &root, stack.owner(), PROGRAM.into())
    };
    let steps = filled(&stack.steps(into));
    let mut files = Vec::new();
    for (path, text) in stack.settings(into) {
        let path = into.join(filled(path));
        files.push(write_new(path, &filled(text), 0o644)?);
    }
    for (point, text) in stack.hooks(into).iter().chain(stack::NOTIFY) {
        let path = into.join("hooks").join(point);
        files.push(write_new(path, text, 0o755)?);
    }
    Ok(Begun {
        schema: SCHEMA,
        stack,
        name,
        root,
        files,
        steps,
    })
}

/// The stack that the files show, and which file does.
fn guess(project: &Utf8Path) -> Result<(Stack, &'static str)> {
    let settings = project.join(deploy_conf::FILE_NAME);
    if settings.exists() {
        let what = format!("there is `{settings}` of zddeploy, which can become a `zdd.toml`");
        return Err(Error::usage(what).hint(format!("zdd init --from {settings}")));
    }
    project::guess(project).ok_or_else(unknown)
}

fn unknown() -> Error {
    let names: Vec<String> = Stack::value_variants().iter().map(|it| it.word()).collect();
    Error::usage("what the project is made of cannot be told from its files").hint(format!(
        "zdd init --stack NAME, one of: {}",
        names.join(", ")
    ))
}

/// The unit that recovers a site at boot.
pub fn recover_unit(name: &str, root: &Utf8Path, user: &str, program: &Utf8Path) -> String {
    filled(stack::RECOVER_UNIT.1, name, root, user, program)
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

/// Name and root stand in TOML, in unit files and in nginx's language, each with other special
/// characters, so only harmless ones are taken.
fn refuse_unsafe_words(name: &str, root: &Utf8Path) -> Result<()> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins_well || name.len() > 64 || !name.chars().all(is_word) {
        let error = Error::usage(format!("`{name}` cannot be the name of a site here"));
        return Err(
            error.hint("name it by `--name`: up to 64 letters, digits, `.`, `_` and `-`, a letter or digit first")
        );
    }
    if !root.is_absolute() || !root.as_str().chars().all(|c| is_word(c) || c == '/') {
        let error = Error::usage(format!("`{root}` cannot be the root of a site here"));
        return Err(error
            .hint("name it by `--root`: an absolute path of letters, digits, `.`, `_` and `-`"));
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
    let state = match file {
        Ok(mut file) => {
            file.write_all(text.as_bytes())
                .context(format!("cannot write `{path}`"))?;
            State::Written
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            let present = fs_err::read_to_string(&path);
            let is_same = present.is_ok_and(|present| present == text);
            if is_same { State::Same } else { State::Kept }
        }
        Err(error) => return Err(error.into()),
    };
    Ok(Written { path, state })
}

#[cfg(test)]
mod tests;
