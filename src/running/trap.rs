//! What will go wrong with a unit, told before any release: `zdd check`. Everything here is read
//! from settings; what really runs is for [`observe`](super::observe).

use camino::{Utf8Path, Utf8PathBuf};
use serde::Serialize;

use super::change::change;
use super::facts::{Paths, UnitFacts};
use super::preload::{self, Settings};
use super::server::{Server, base_name, is_interpreter, option};

pub mod assets;
pub mod front;
pub mod instance;
pub mod living;
pub mod node;
pub mod target;
pub mod workers;

/// How bad it is, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A release would fail, or be rolled back.
    Error,
    /// A release may lose requests, or not do what was meant.
    Warning,
    /// Nothing goes wrong, but something could be better.
    Note,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// One thing to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trap {
    /// How bad it is.
    pub level: Level,
    /// What will happen, and why.
    pub what: String,
    /// The file or the setting it is about.
    #[serde(rename = "where")]
    pub place: String,
    /// What to change, whole.
    pub change: String,
}

/// Everything that the settings of a unit tell beforehand. `live_words` is the command line of
/// the main process that runs now.
pub fn predict(facts: &UnitFacts, paths: &Paths, live_words: Option<&[String]>) -> Vec<Trap> {
    let view = View { facts, paths };
    let mut traps = Vec::new();
    traps.extend(view.unread_files());
    traps.extend(live_words.and_then(|words| view.other_command_line(words)));
    traps.extend(view.pinned_release());
    traps.extend(view.in_place());
    traps.extend(view.single_worker());
    if facts.is_reloaded {
        traps.extend(view.no_reload());
        traps.extend(view.server_trap());
    } else if !facts.has_socket_unit && !facts.is_worker {
        traps.push(view.trap(
            Level::Warning,
            "a restart refuses requests until the new process listens".to_owned(),
            "let a `.socket` unit hold the listening socket: systemd then queues requests meanwhile"
                .to_owned(),
        ));
    }
    traps
}

struct View<'a> {
    facts: &'a UnitFacts,
    paths: &'a Paths,
}

impl View<'_> {
    fn unread_files(&self) -> Option<Trap> {
        let facts = self.facts;
        let scope = if facts.is_user_scope { " --user" } else { "" };
        facts.needs_daemon_reload.then(|| {
            self.trap(
                Level::Warning,
                "its files changed since systemd read them (`NeedDaemonReload=yes`)".to_owned(),
                format!("systemctl{scope} daemon-reload"),
            )
        })
    }

    /// A changed `ExecStart` needs a restart: a reload goes on with the old command line.
    fn other_command_line(&self, live: &[String]) -> Option<Trap> {
        let words = &self.facts.start_words;
        let has_variables = words.iter().any(|word| word.contains('$'));
        let is_title = live.len() < 2;
        let (_, arguments) = words.split_first()?;
        let is_same = live.ends_with(arguments);
        if has_variables || is_title || is_same {
            return None;
        }
        Some(self.trap(
            Level::Warning,
            format!(
                "it runs `{}`, which is not what its unit says now",
                live.join(" ")
            ),
            self.restart(),
        ))
    }

    fn pinned_release(&self) -> Option<Trap> {
        let words = self
            .facts
            .start_words
            .iter()
            .map(|word| Utf8Path::new(word.as_str()));
        let directory = self.facts.working_directory.as_deref();
        let mut pinned = words
            .chain(directory)
            .filter(|path| self.paths.names_one_release(path));
        let path = pinned.next()?;
        Some(self.trap(
            Level::Error,
            format!("`{path}` names one release, so it never runs another"),
            self.change_or(&format!(
                "write `{}` instead",
                self.paths.through_current(path)
            )),
        ))
    }

    /// A deploy in place, as `git pull` is one: nothing of it follows the link.
    fn in_place(&self) -> Option<Trap> {
        let words = &self.facts.start_words;
        let directory = self.facts.working_directory.as_deref()?;
        let program = base_name(words.first()?);
        let runs_code = Server::of(words).is_some() || is_interpreter(program);
        let root = self.paths.current_path.parent()?;
        let names_site = |word: &String| word.contains(root.as_str());
        let mut all = words.iter().chain(&self.facts.environment);
        let is_ours = directory.starts_with(root)
            || all.any(names_site)
            || self.settings_text().contains(root.as_str());
        (runs_code && !is_ours).then(|| {
            let current = &self.paths.current_path;
            self.trap(
                Level::Error,
                format!("it runs the code in `{directory}`: no release changes what it answers"),
                format!("let WorkingDirectory and ExecStart go through `{current}`"),
            )
        })
    }

    fn single_worker(&self) -> Option<Trap> {
        self.single_worker_in(self.facts.working_directory.as_deref())
    }

    /// The same, where it finds its files of settings in another directory.
    fn single_worker_in(&self, directory: Option<&Utf8Path>) -> Option<Trap> {
        let (what, change) = workers::single(&workers::Start {
            words: &self.facts.start_words,
            environment: &self.facts.environment,
            environment_files: &self.facts.environment_files,
            directory,
        })?;
        Some(self.trap(Level::Note, what, change))
    }

    /// The texts of the server's own files of settings.
    fn settings_text(&self) -> String {
        let files = preload::settings_files(&self.settings()).into_iter();
        files.flat_map(fs_err::read_to_string).collect()
    }

    fn no_reload(&self) -> Option<Trap> {
        let server = Server::of(&self.facts.start_words);
        let signal = server.map_or("HUP", Server::reload_signal);
        (!self.facts.can_reload).then(|| {
            self.trap(
                Level::Error,
                "it cannot be reloaded: its unit has no `ExecReload`".to_owned(),
                format!(
                    "add `ExecReload=/bin/kill -{signal} $MAINPID` to the unit, or set `switch = \"restart\"` in zdd.toml"
                ),
            )
        })
    }

    /// The one trap of the server that strikes first.
    fn server_trap(&self) -> Option<Trap> {
        let server = Server::of(&self.facts.start_words)?;
        let what = self.preloaded(server).or_else(|| match server {
            Server::Gunicorn => self.gunicorn(),
            Server::Uvicorn => self.uvicorn(),
            Server::Puma => self.without("--dir", "directory", server),
            Server::Uwsgi => self.without("--chdir", "chdir", server),
            Server::Pm2 => self.without("--cwd", "cwd", server),
        })?;
        Some(self.trap(Level::Error, what, self.change_or("")))
    }

    fn preloaded(&self, server: Server) -> Option<String> {
        let place = preload::place(&self.settings())?;
        Some(format!(
            "{} loads the code once ({place}) and forks its workers from it: after a reload it answers with the old code (stale)",
            server.name()
        ))
    }

    fn gunicorn(&self) -> Option<String> {
        if !self.follows("--chdir", "chdir") && !self.pwd_is_current() {
            return Some(
                "gunicorn goes back to the directory it was started in: after a reload it answers with the old code (stale)"
                    .to_owned(),
            );
        }
        self.pinned_interpreter()
    }

    fn uvicorn(&self) -> Option<String> {
        if option(&self.facts.start_words, &["--workers"]).is_none() {
            return Some(
                "uvicorn without `--workers` ends on SIGHUP: a reload kills it".to_owned(),
            );
        }
        if !self.follows("--app-dir", "") {
            return Some(
                "uvicorn stays in the directory it was started in: after a reload it answers with the old code (stale)"
                    .to_owned(),
            );
        }
        self.pinned_interpreter()
    }

    fn without(&self, flag: &str, key: &str, server: Server) -> Option<String> {
        (!self.follows(flag, key)).then(|| {
            format!(
                "{} keeps the resolved directory it was started in: after a reload it answers with the old code (stale)",
                server.name()
            )
        })
    }

    /// A script in `bin/` of a virtualenv names its interpreter by release.
    fn pinned_interpreter(&self) -> Option<String> {
        let program = Utf8Path::new(self.facts.start_words.first()?);
        let is_script = !is_interpreter(base_name(program.as_str()));
        (is_script && self.paths.is_inside(program)).then(|| {
            format!(
                "`{program}` is a script whose first line names the virtualenv of one release: after a reload the new code runs on the old libraries (mixed)"
            )
        })
    }

    /// Whether the server is told to go through the link: by a flag, or in its file of settings.
    fn follows(&self, flag: &str, key: &str) -> bool {
        let through = |path: &str| self.paths.is_through_current(Utf8Path::new(path));
        let words = &self.facts.start_words;
        option(words, &[flag]).is_some_and(through)
            || (!key.is_empty() && self.settings_file_says(key))
    }

    fn settings_file_says(&self, key: &str) -> bool {
        let current = self.paths.current_path.as_str();
        let says = |text: String| {
            let lines = text.lines().map(str::trim);
            let mut lines = lines.filter(|line| line.starts_with(key) && line.contains(current));
            lines.next().is_some()
        };
        let files = preload::settings_files(&self.settings());
        files.into_iter().flat_map(fs_err::read_to_string).any(says)
    }

    /// gunicorn prefers `$PWD` where it names the directory it works in.
    fn pwd_is_current(&self) -> bool {
        let pwd = self.facts.variable("PWD").map(Utf8Path::new);
        pwd.is_some_and(|pwd| self.paths.is_through_current(pwd))
    }

    fn settings(&self) -> Settings<'_> {
        Settings {
            words: &self.facts.start_words,
            gunicorn_args: self.facts.variable("GUNICORN_CMD_ARGS"),
            cwd: self.facts.working_directory.as_deref(),
        }
    }

    fn restart(&self) -> String {
        let scope = if self.facts.is_user_scope {
            " --user"
        } else {
            ""
        };
        format!("systemctl{scope} restart {}", self.facts.name)
    }

    fn change_or(&self, fallback: &str) -> String {
        let change = change(self.facts, self.paths).map(|change| change.to_string());
        change.unwrap_or_else(|| fallback.to_owned())
    }

    fn trap(&self, level: Level, what: String, change: String) -> Trap {
        let name = Utf8PathBuf::from(&self.facts.name);
        Trap {
            level,
            what: format!("`{name}`: {what}"),
            place: self.facts.unit_file.clone().unwrap_or(name).into_string(),
            change,
        }
    }
}

#[cfg(test)]
mod tests;
