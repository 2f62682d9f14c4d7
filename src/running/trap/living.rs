//! What the live instance tells about the next switch: whether it ends gracefully.

use camino::Utf8Path;

use super::{Level, Trap};
use crate::running::server::{Server, base_name};

/// The first version of gunicorn with a control socket, which it puts at one place of its user.
const CONTROL_SOCKET_SINCE: (u32, u32) = (25, 1);

/// The live instance of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Living {
    /// Its unit.
    pub name: String,
    /// The file of its unit, or its template's name.
    pub place: String,
    /// The command line of its main process, or the title that it wrote over it.
    pub words: Vec<String>,
    /// The words that it was started with.
    pub start_words: Vec<String>,
    /// Whether that process does something about the signal that asks it to end; none where that
    /// cannot be seen.
    pub takes_stop_signal: Option<bool>,
    /// The version of gunicorn that is installed for it.
    pub gunicorn: Option<(u32, u32)>,
    /// Whether its settings say something about gunicorn's control socket.
    pub names_control_socket: bool,
}

/// What is to be said of it.
pub fn predict(living: &Living) -> Vec<Trap> {
    [living.sudden_end(), living.control_socket()]
        .into_iter()
        .flatten()
        .collect()
}

/// The version of the gunicorn in the virtualenv that these words start with.
pub fn installed_gunicorn(words: &[String]) -> Option<(u32, u32)> {
    let program = Utf8Path::new(words.first()?);
    let libraries = program.parent()?.parent()?.join("lib");
    let entries = |directory: &Utf8Path| directory.read_dir_utf8().into_iter().flatten().flatten();
    let mut packages = entries(&libraries).map(|entry| entry.path().join("site-packages"));
    packages.find_map(|directory| entries(&directory).find_map(|it| version_in(it.file_name())))
}

/// `gunicorn-25.1.0.dist-info`
fn version_in(name: &str) -> Option<(u32, u32)> {
    let version = name.strip_prefix("gunicorn-")?.strip_suffix(".dist-info")?;
    let mut numbers = version.split('.');
    let major = numbers.next()?.parse().ok()?;
    Some((
        major,
        numbers.next().and_then(|it| it.parse().ok()).unwrap_or(0),
    ))
}

impl Living {
    fn sudden_end(&self) -> Option<Trap> {
        let program = base_name(self.words.first()?);
        let is_node = program.starts_with("node");
        let who = match is_node {
            true => "nothing in its code is".to_owned(),
            false => format!("`{program}` does nothing"),
        };
        let what = format!("{who} about SIGTERM: a stop cuts the requests it works on");
        let change = match (is_node, program) {
            (true, _) => "in the code: process.on('SIGTERM', () => server.close())".to_owned(),
            (_, "sh" | "bash" | "dash" | "npm") => {
                format!("start the server itself, not through `{program}`, or with `exec`")
            }
            _ => "let it, on SIGTERM, finish what it began and then end".to_owned(),
        };
        let is_cut = self.takes_stop_signal == Some(false);
        is_cut.then(|| self.trap(Level::Warning, what, change))
    }

    fn control_socket(&self) -> Option<Trap> {
        let is_gunicorn = Server::of(&self.start_words) == Some(Server::Gunicorn);
        let has_one = self.gunicorn.is_some_and(|it| it >= CONTROL_SOCKET_SINCE);
        let is_told = self
            .words
            .iter()
            .any(|word| word.contains("control-socket"));
        let what = "two instances of gunicorn take the same control socket from each other";
        let change = "add to its command line: --no-control-socket".to_owned();
        (is_gunicorn && has_one && !is_told && !self.names_control_socket)
            .then(|| self.trap(Level::Note, what.to_owned(), change))
    }

    fn trap(&self, level: Level, what: String, change: String) -> Trap {
        Trap {
            level,
            what: format!("`{}`: {what}", self.name),
            place: self.place.clone(),
            change,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn living(line: &str) -> Living {
        Living {
            name: "app@1.service".to_owned(),
            words: line.split(' ').map(str::to_owned).collect(),
            start_words: line.split(' ').map(str::to_owned).collect(),
            takes_stop_signal: Some(true),
            ..Living::default()
        }
    }

    #[test]
    fn a_copy_that_fits_and_ends_by_itself_has_no_trap() {
        assert_eq!(predict(&living("/usr/bin/node server.js")), []);
        let mut unseen = living("/usr/bin/node server.js");
        unseen.takes_stop_signal = None;
        assert_eq!(predict(&unseen), []);
    }

    #[test]
    fn what_a_stop_cuts_is_said_with_the_line_for_it() {
        for (line, says) in [
            ("/usr/bin/node server.js", "process.on('SIGTERM'"),
            ("/bin/sh -c ./run", "`exec`"),
            ("/srv/app/server", "finish what it began"),
        ] {
            let mut cut = living(line);
            cut.takes_stop_signal = Some(false);
            let traps = predict(&cut);
            assert!(
                traps.len() == 1 && traps[0].change.contains(says),
                "{traps:?}"
            );
        }
    }

    #[test]
    fn the_version_is_read_beside_the_interpreter() {
        let directory = tempfile::tempdir().unwrap();
        let venv = Utf8Path::from_path(directory.path()).unwrap();
        let packages = venv.join("lib/python3.11/site-packages");
        fs_err::create_dir_all(packages.join("gunicorn-25.1.0.dist-info")).unwrap();
        fs_err::create_dir_all(packages.join("gunicorn")).unwrap();
        let words = [venv.join("bin/python").into_string()];
        assert_eq!(installed_gunicorn(&words), Some((25, 1)));
        assert_eq!(installed_gunicorn(&["/usr/bin/python3".to_owned()]), None);
        assert_eq!(version_in("gunicorn-26.dist-info"), Some((26, 0)));
    }

    #[test]
    fn gunicorn_with_a_control_socket_is_told_to_leave_it() {
        let line = "/srv/app/releases/1/.venv/bin/python -m gunicorn app:app";
        let mut new = living(line);
        new.gunicorn = Some((25, 1));
        assert_eq!(predict(&new)[0].level, Level::Note);
        let mut told = living(&format!("{line} --no-control-socket"));
        told.gunicorn = Some((26, 0));
        assert_eq!(predict(&told), []);
        let mut old = living(line);
        old.gunicorn = Some((25, 0));
        assert_eq!(predict(&old), []);
    }
}
