//! What a unit's settings are, as plain data, and the paths of the site they are compared with.

use camino::{Utf8Path, Utf8PathBuf};

/// The settings of a systemd unit that decide what a reload does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitFacts {
    /// Its full name, for instance `gunicorn.service`.
    pub name: String,
    /// Whether it belongs to the user's systemd.
    pub is_user_scope: bool,
    /// Its unit file, for messages.
    pub unit_file: Option<Utf8PathBuf>,
    /// The words of its `ExecStart`.
    pub start_words: Vec<String>,
    /// Its `WorkingDirectory`.
    pub working_directory: Option<Utf8PathBuf>,
    /// Its `Environment`, `KEY=value`.
    pub environment: Vec<String>,
    /// The files that more of its environment is read from.
    pub environment_files: Vec<Utf8PathBuf>,
    /// Whether it says how to reload.
    pub can_reload: bool,
    /// Whether its files changed since systemd read them.
    pub needs_daemon_reload: bool,
    /// Whether zdd reloads it after a flip; otherwise it is restarted.
    pub is_reloaded: bool,
    /// Whether nobody asks it anything.
    pub is_worker: bool,
    /// Whether a `.socket` unit holds its listening socket.
    pub has_socket_unit: bool,
}

impl UnitFacts {
    /// A variable of its environment.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        let value = |entry: &'_ str| -> Option<usize> {
            let (key, value) = entry.split_once('=')?;
            (key == name).then_some(entry.len() - value.len())
        };
        self.environment
            .iter()
            .rev()
            .find_map(|entry| Some(&entry[value(entry)?..]))
    }
}

/// The paths of a site, absolute, as configured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paths {
    /// The link to the live release.
    pub current_path: Utf8PathBuf,
    /// The directory of the releases.
    pub releases_dir: Utf8PathBuf,
}

impl Paths {
    /// Whether a path goes through the link.
    pub(super) fn is_through_current(&self, path: &Utf8Path) -> bool {
        path.starts_with(&self.current_path)
    }

    /// Whether a path names one release by its id.
    pub(super) fn names_one_release(&self, path: &Utf8Path) -> bool {
        path.strip_prefix(&self.releases_dir)
            .is_ok_and(|rest| rest.iter().next().is_some())
    }

    /// Whether a path lies in a release, by the link or by an id.
    pub(super) fn is_inside(&self, path: &Utf8Path) -> bool {
        self.is_through_current(path) || self.names_one_release(path)
    }

    /// The same path through the link, where it names one release.
    pub(super) fn through_current(&self, path: &Utf8Path) -> Utf8PathBuf {
        let rest = path.strip_prefix(&self.releases_dir).ok();
        match rest.map(|rest| rest.iter().skip(1).collect::<Utf8PathBuf>()) {
            Some(rest) if rest.as_str().is_empty() => self.current_path.clone(),
            Some(rest) => self.current_path.join(rest),
            None => path.to_owned(),
        }
    }

    /// A word of a command line with every path through the link.
    pub(super) fn word_through_current(&self, word: &str) -> String {
        match word.split_once('=') {
            Some((name, path)) if name.starts_with('-') => {
                format!("{name}={}", self.through_current(path.into()))
            }
            _ => self.through_current(word.into()).into_string(),
        }
    }

    /// The directory the code of a unit lies in.
    pub(super) fn code_dir(&self, facts: &UnitFacts) -> Utf8PathBuf {
        let directory = facts.working_directory.as_deref();
        match directory.filter(|directory| self.is_inside(directory)) {
            Some(directory) => self.through_current(directory),
            None => self.current_path.clone(),
        }
    }
}
