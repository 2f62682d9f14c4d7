//! Looking at the processes of a service: from `/proc` to the plain data of the decision.

use std::collections::BTreeSet;

use camino::{Utf8Path, Utf8PathBuf};

use crate::host::process::{self, Look, Stat};
use crate::host::socket;

use super::evidence::Seen;
use super::judge::{Case, judge};
use super::preload::{self, Settings};
use super::releases::Releases;
use super::server::{base_name, is_interpreter, option};
use super::{Observation, Processes, Question};

/// Looks at a service again and again, and keeps what does not change between two looks.
pub(super) struct Observer<'a> {
    question: &'a Question,
    releases: Releases,
}

impl<'a> Observer<'a> {
    pub fn new(question: &'a Question) -> Self {
        let releases = Releases::new(
            &question.releases_dir,
            Some(&question.current_path),
            &question.neutral,
        );
        Observer { question, releases }
    }

    /// Which release the service runs now.
    pub fn look(&self, processes: &Processes) -> Observation {
        let seen = self.seen(processes);
        let question = self.question;
        let words = self.words(processes.main);
        let preload = processes.main.and_then(|main| self.preload(main, &words));
        let app_dir = option(&words, &["--app-dir"]).map(Utf8Path::new);
        let case = Case {
            wanted: &question.wanted,
            flipped_at: question.flipped_at,
            main: processes.main,
            before: question.before.as_ref(),
            preload: preload.as_deref(),
            code_is_through_current: app_dir
                .is_some_and(|path| self.releases.is_through_current(path)),
            interpreter_is_pinned: is_script_in_release(&words, &self.releases),
            main_release: None,
        };
        judge(&case, &seen)
    }

    /// Everything seen of the processes that are still there, the main one first.
    fn seen(&self, processes: &Processes) -> Vec<Seen> {
        let others = processes
            .all
            .iter()
            .filter(|pid| Some(**pid) != processes.main);
        let pids: Vec<u32> = processes.main.iter().chain(others).copied().collect();
        let listening = pids
            .first()
            .map(|pid| socket::listening_inodes(*pid))
            .unwrap_or_default();
        pids.iter()
            .filter_map(|pid| self.process(*pid, &listening))
            .collect()
    }

    fn process(&self, pid: u32, listening: &BTreeSet<u64>) -> Option<Seen> {
        let stat = match process::stat(pid) {
            Look::Seen(stat) if !stat.is_zombie => stat,
            Look::Denied => return Some(denied(pid)),
            Look::Seen(_) | Look::Gone => return None,
        };
        let mut seen = self.relations(&stat);
        let sockets = match process::socket_inodes(pid) {
            Look::Seen(sockets) => sockets,
            Look::Denied => {
                seen.is_denied = true;
                return Some(seen);
            }
            Look::Gone => return None,
        };
        seen.sockets = sockets
            .into_iter()
            .filter(|inode| listening.contains(inode))
            .collect();
        let cwd = process::cwd(pid).seen()?;
        let exe = process::exe(pid).seen()?;
        let maps = process::mapped_files(pid).seen()?;
        let namespace = process::mount_namespace(pid).seen()?;
        seen.cwd = self.releases.of_cwd(pid, &cwd, &namespace);
        seen.exe = self.releases.of_file(pid, &exe, &namespace);
        let place = |file: &Utf8PathBuf| self.releases.of_file(pid, file, &namespace);
        seen.maps = maps
            .iter()
            .filter(|file| **file != exe)
            .filter_map(place)
            .collect();
        seen.program = exe;
        let programs = programs(process::argv(pid).seen()?);
        seen.argv = programs.iter().find_map(|path| self.releases.of_path(path));
        seen.through_current = programs
            .into_iter()
            .find(|path| self.releases.is_through_current(path));
        Some(seen)
    }

    fn relations(&self, stat: &Stat) -> Seen {
        Seen {
            pid: stat.pid,
            parent: stat.parent,
            started: stat.started,
            image: stat.image,
            parent_image: process::stat(stat.parent)
                .seen()
                .map_or(0, |parent| parent.image),
            command: process::command(stat.pid).unwrap_or_default(),
            ..Seen::default()
        }
    }

    /// The words the main process was started with; its unit's where a title hides them.
    fn words(&self, main: Option<u32>) -> Vec<String> {
        let running = main
            .and_then(|main| process::argv(main).seen())
            .unwrap_or_default();
        match running.len() {
            0 | 1 if !self.question.start_words.is_empty() => self.question.start_words.clone(),
            _ => running,
        }
    }

    fn preload(&self, main: u32, words: &[String]) -> Option<String> {
        let gunicorn_args = process::variable(main, "GUNICORN_CMD_ARGS")
            .seen()
            .flatten();
        let cwd = process::cwd(main).seen();
        preload::place(&Settings {
            words,
            gunicorn_args: gunicorn_args.as_deref(),
            cwd: cwd.as_deref(),
        })
    }
}

/// The interpreter and, when the second word is no option, the script.
fn programs(argv: Vec<String>) -> Vec<Utf8PathBuf> {
    let is_path = |(index, word): &(usize, String)| *index == 0 || !word.starts_with('-');
    let words = argv.into_iter().take(2).enumerate().filter(is_path);
    words.map(|(_, word)| Utf8PathBuf::from(word)).collect()
}

/// Whether the program is a script in a release. The kernel shows the interpreter in its place, so
/// this is known only from the unit.
fn is_script_in_release(words: &[String], releases: &Releases) -> bool {
    let program = words.first().map(Utf8Path::new);
    program.is_some_and(|program| {
        !is_interpreter(base_name(program.as_str()))
            && (releases.is_through_current(program) || releases.of_path(program).is_some())
    })
}

fn denied(pid: u32) -> Seen {
    Seen {
        pid,
        is_denied: true,
        ..Seen::default()
    }
}
