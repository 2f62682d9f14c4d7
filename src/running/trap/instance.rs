//! What will go wrong with a template unit, of which each release runs an instance of its own:
//! told from its settings as systemd has them for the release that comes next.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::{Level, Trap, View};
use crate::config::units::Span;
use crate::running::facts::{Paths, UnitFacts};
use crate::running::preload;
use crate::running::server::{Server, option};

mod own_release;

/// The limit that gunicorn gives its workers to finish, unless it is told another one.
const GUNICORN_GRACE: Duration = Duration::from_secs(30);

/// What a stop may take beyond the server's own limit, so that the server ends by itself.
const MARGIN: Duration = Duration::from_secs(5);

/// Numbers of signals: SIGINT, SIGQUIT, SIGTERM.
const INT: i32 = 2;
const QUIT: i32 = 3;
const TERM: i32 = 15;

/// The settings of an instance that decide how it starts, stops and comes back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InstanceFacts {
    /// The unit; it has the name of the template.
    pub unit: UnitFacts,
    /// The release whose instance it is, which systemd has put in place of `%i`.
    pub release: String,
    /// Where it listens, where a socket is named.
    pub socket: Option<Utf8PathBuf>,
    /// How long zdd waits before it stops it.
    pub drain: Duration,
    /// `control-group`, `mixed`, `process`, `none`.
    pub kill_mode: String,
    /// The number of the signal that asks it to end.
    pub kill_signal: Option<i32>,
    /// After how long a stop kills it; none where that is not known.
    pub stop_limit: Option<Duration>,
    /// Whether its files say so; else it is systemd's default.
    pub has_own_stop_limit: bool,
    /// `no`, `on-failure`, `always`…
    pub restart: String,
    /// Whether it has an `[Install]` section.
    pub can_be_enabled: bool,
    /// Whether it has a `/tmp` of its own.
    pub has_private_tmp: bool,
    /// The directories that systemd makes for it, whole paths.
    pub runtime_directories: Vec<Utf8PathBuf>,
    /// Whether they outlive a stop.
    pub keeps_runtime_directories: bool,
    /// The command lines that run before its start.
    pub start_before: Vec<String>,
    /// Its group, where it runs as the user of zdd but in another main group.
    pub foreign_group: Option<String>,
}

/// Everything that the settings of a template tell beforehand.
pub fn predict(facts: &InstanceFacts, paths: &Paths) -> Vec<Trap> {
    let unit = &facts.unit;
    let view = View { facts: unit, paths };
    let template = Template { facts, paths, view };
    let mut traps = Vec::new();
    traps.extend(template.view.unread_files());
    traps.extend(template.wrong_release());
    traps.extend(template.lost_socket());
    traps.extend(template.leftover_socket());
    traps.extend(template.survivors());
    traps.extend(template.stop_limit());
    traps.extend(template.stop_signal());
    traps.extend(template.no_restart());
    traps.extend(template.no_install());
    traps.extend(template.hidden());
    traps.extend(template.single_worker());
    traps
}

struct Template<'a> {
    facts: &'a InstanceFacts,
    paths: &'a Paths,
    view: View<'a>,
}

impl Template<'_> {
    /// A socket that the proxy does not find, or that is deleted with another instance.
    fn lost_socket(&self) -> Option<Trap> {
        let facts = self.facts;
        let socket = facts.socket.as_ref()?;
        let is_temporary = ["/tmp", "/var/tmp"]
            .iter()
            .any(|dir| socket.starts_with(dir));
        let change = self.directory_of_its_own(socket);
        if is_temporary && facts.has_private_tmp {
            let what = format!(
                "its `/tmp` is its own (`PrivateTmp`): nobody else finds `{}`",
                self.with_percent_i(socket.as_str())
            );
            return Some(self.view.trap(Level::Error, what, change));
        }
        if is_temporary {
            let what = "a proxy with a `/tmp` of its own (Debian's Caddy) does not find its socket";
            return Some(self.view.trap(Level::Note, what.to_owned(), change));
        }
        let mut shared = facts.runtime_directories.iter().filter(|directory| {
            let is_own = directory.as_str().contains(&facts.release);
            socket.starts_with(directory) && !is_own
        });
        let directory = shared.next().filter(|_| !facts.keeps_runtime_directories)?;
        let what = format!(
            "`{directory}` belongs to all instances: systemd deletes it when the old one stops, \
             with the socket of the new one"
        );
        Some(self.view.trap(Level::Error, what, change))
    }

    /// gunicorn and puma remove a dead socket themselves.
    fn leftover_socket(&self) -> Option<Trap> {
        let facts = self.facts;
        let own = self.paths.releases_dir.join(&facts.release);
        let socket = facts.socket.as_ref()?;
        let server = Server::of(&facts.unit.start_words);
        let removes = |line: &String| line.contains(socket.as_str());
        let is_removed = matches!(server, Some(Server::Gunicorn | Server::Puma))
            || facts.start_before.iter().any(removes);
        if !socket.starts_with(&own) || is_removed {
            return None;
        }
        let what = "after a crash or a power cut its socket file is still there, and it cannot bind \
                    again when systemd starts it";
        let socket = self.with_percent_i(socket.as_str());
        let line = in_service(&format!("ExecStartPre=-/bin/rm -f {socket}"));
        Some(self.view.trap(Level::Warning, what.to_owned(), line))
    }

    fn survivors(&self) -> Option<Trap> {
        let what = match self.facts.kill_mode.as_str() {
            "process" => "a stop ends its main process only (`KillMode=process`): the others go on",
            "none" => "a stop ends none of its processes (`KillMode=none`)",
            _ => return None,
        };
        let what = format!("{what} and keep the old release running");
        Some(
            self.view
                .trap(Level::Warning, what, in_service("KillMode=mixed")),
        )
    }

    fn stop_limit(&self) -> Option<Trap> {
        let facts = self.facts;
        let (limit, grace) = (facts.stop_limit?, self.grace());
        let enough = facts
            .drain
            .max(grace.map_or(Duration::ZERO, |(_, grace)| grace))
            + MARGIN;
        let change = in_service(&format!("TimeoutStopSec={}", enough.as_secs()));
        let shown = |time: Duration| match time {
            Duration::MAX => "no limit".to_owned(),
            time => span(time).to_string(),
        };
        let shorter = |what: String| Some(self.view.trap(Level::Warning, what, change.clone()));
        if let Some((name, grace)) = grace.filter(|(_, grace)| limit < *grace) {
            return shorter(format!(
                "a stop kills it after {}, within the {} that {name} gives its requests to end",
                shown(limit),
                shown(grace)
            ));
        }
        if limit < facts.drain {
            return shorter(format!(
                "a stop kills it after {}: requests that take longer are cut, though `drain` is {}",
                shown(limit),
                shown(facts.drain)
            ));
        }
        let what = format!(
            "`TimeoutStopSec` is not set: a server that hangs holds each release up for {}",
            shown(limit)
        );
        (!facts.has_own_stop_limit).then(|| self.view.trap(Level::Note, what, change))
    }

    /// How long the server lets its requests go on after the signal.
    fn grace(&self) -> Option<(&'static str, Duration)> {
        let words = &self.facts.unit.start_words;
        let seconds = |text: &str| text.trim().parse().ok().map(Duration::from_secs);
        let server = Server::of(words)?;
        let grace = match server {
            Server::Gunicorn => {
                let arguments = self.facts.unit.variable("GUNICORN_CMD_ARGS");
                let more = arguments.into_iter().flat_map(str::split_whitespace);
                let all: Vec<String> = words
                    .iter()
                    .cloned()
                    .chain(more.map(str::to_owned))
                    .collect();
                let written = option(&all, &["--graceful-timeout"]).map(str::to_owned);
                let written = written.or_else(|| self.in_settings_file("graceful_timeout"));
                written.map_or(Some(GUNICORN_GRACE), |text| seconds(&text))?
            }
            Server::Uvicorn => seconds(option(words, &["--timeout-graceful-shutdown"])?)?,
            Server::Puma | Server::Uwsgi | Server::Pm2 => return None,
        };
        Some((server.name(), grace))
    }

    fn stop_signal(&self) -> Option<Trap> {
        let words = &self.facts.unit.start_words;
        match (Server::of(words)?, self.facts.kill_signal?) {
            (Server::Gunicorn, signal @ (INT | QUIT)) => {
                let name = if signal == INT { "SIGINT" } else { "SIGQUIT" };
                let what = format!("{name} makes gunicorn drop the requests it works on");
                let line = in_service("KillSignal=SIGTERM");
                Some(self.view.trap(Level::Warning, what, line))
            }
            (Server::Uwsgi, TERM)
                if !words.iter().any(|word| word == "--die-on-term")
                    && self.in_settings_file("die-on-term").is_none() =>
            {
                let what = "SIGTERM makes uWSGI reload, not end: each stop takes as long as it may";
                let change = "`die-on-term = true` in its settings, or `--die-on-term`";
                Some(
                    self.view
                        .trap(Level::Warning, what.to_owned(), change.to_owned()),
                )
            }
            _ => None,
        }
    }

    fn no_restart(&self) -> Option<Trap> {
        let what = "it stays down when it crashes: systemd does not start it again";
        let line = in_service("Restart=on-failure");
        (self.facts.restart == "no").then(|| self.view.trap(Level::Warning, what.to_owned(), line))
    }

    fn no_install(&self) -> Option<Trap> {
        let target = match self.facts.unit.is_user_scope {
            true => "default.target",
            false => "multi-user.target",
        };
        let what = "it does not come back after a reboot: it has no `[Install]` section";
        let lines = format!("[Install]\nWantedBy={target}");
        (!self.facts.can_be_enabled).then(|| self.view.trap(Level::Warning, what.to_owned(), lines))
    }

    /// The kernel shows a process only to those who have its user and its main group.
    fn hidden(&self) -> Option<Trap> {
        let group = self.facts.foreign_group.as_ref()?;
        let what = format!(
            "`Group={group}` hides its processes from zdd, which cannot prove what they run"
        );
        let line = "leave `Group=` out, and put the proxy's user into the group of `User=`";
        Some(self.view.trap(Level::Warning, what, line.to_owned()))
    }

    fn single_worker(&self) -> Option<Trap> {
        self.view.single_worker_in(self.live_directory().as_deref())
    }

    /// Where it works, as the live release has it: its own is not there yet.
    fn live_directory(&self) -> Option<Utf8PathBuf> {
        let own = self.paths.releases_dir.join(&self.facts.release);
        let directory = self.facts.unit.working_directory.as_deref();
        directory.map(|directory| match directory.strip_prefix(&own) {
            Ok(rest) => self.paths.current_path.join(rest),
            Err(_) => directory.to_owned(),
        })
    }

    /// The value of a key in the server's own file of settings, as the live release has it.
    fn in_settings_file(&self, key: &str) -> Option<String> {
        let unit = &self.facts.unit;
        let live = self.live_directory();
        let settings = preload::Settings {
            words: &unit.start_words,
            gunicorn_args: unit.variable("GUNICORN_CMD_ARGS"),
            cwd: live.as_deref(),
        };
        let files = preload::settings_files(&settings);
        files.into_iter().find_map(|file| {
            let text = fs_err::read_to_string(file).ok()?;
            let mut lines = text.lines().map(str::trim);
            lines.find_map(|line| {
                let value = line.strip_prefix(key)?.trim_start().strip_prefix('=')?;
                Some(value.trim().to_owned())
            })
        })
    }

    fn with_percent_i(&self, text: &str) -> String {
        text.replace(&self.facts.release, "%i")
    }

    fn directory_of_its_own(&self, socket: &Utf8Path) -> String {
        let name = self.facts.unit.name.split('@').next().unwrap_or_default();
        let is_fixed = |name: &&str| !name.contains(&self.facts.release);
        let file = socket.file_name().filter(is_fixed).unwrap_or("app.sock");
        format!(
            "{}\nand in zdd.toml: socket = \"/run/{name}/%i/{file}\"\nand the same path where the \
             server binds",
            in_service(&format!("RuntimeDirectory={name}/%i"))
        )
    }
}

/// Lines that belong into the section of the service.
pub(super) fn in_service(lines: &str) -> String {
    format!("[Service]\n{lines}")
}

fn span(time: Duration) -> Span {
    Span::millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
