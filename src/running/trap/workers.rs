//! A web server that does one thing at a time: one request that hangs or takes long holds up the
//! whole site, and its health check with it. Said only where it is certain, as far as command line,
//! environment and the server's own file of settings tell.

use camino::{Utf8Path, Utf8PathBuf};

use crate::running::preload::{Settings, settings_files};
use crate::running::server::{Server, option};

/// How a server is started.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The words of its command line.
    pub words: &'a [String],
    /// Its environment, `KEY=value`.
    pub environment: &'a [String],
    /// The files that more of it is read from.
    pub environment_files: &'a [Utf8PathBuf],
    /// The directory it starts in, with the files of settings it will have.
    pub directory: Option<&'a Utf8Path>,
}

/// What holds of a server that is known to have one worker, and the change.
pub fn single(start: &Start<'_>) -> Option<(String, String)> {
    let all = Known::of(start)?;
    let server = Server::of(start.words)?;
    let (is_alone, busy, change) = match server {
        Server::Gunicorn => (
            all.is_single_gunicorn(),
            "works on a request",
            "--workers 3",
        ),
        Server::Uvicorn => (all.has_one_worker(), "computes or blocks", "--workers 3"),
        Server::Puma => (all.is_single_puma(), "works on a request", "--threads 5:5"),
        Server::Uwsgi | Server::Pm2 => return None,
    };
    is_alone.then(|| {
        (
            format!(
                "it has one worker: while that {busy}, nobody else is answered, a health check \
                 neither"
            ),
            format!("add to its command line: {change}"),
        )
    })
}

/// All that is known of how a server is started.
struct Known {
    words: Vec<String>,
    environment: Vec<String>,
    /// The texts of its own files of settings.
    settings: String,
}

impl Known {
    /// None where something that counts cannot be read.
    fn of(start: &Start<'_>) -> Option<Known> {
        let mut environment = start.environment.to_vec();
        for file in start.environment_files.iter().filter(|file| file.exists()) {
            let text = fs_err::read_to_string(file).ok()?;
            environment.extend(text.lines().map(|line| line.trim().to_owned()));
        }
        let arguments = variable(&environment, "GUNICORN_CMD_ARGS");
        let settings = Settings {
            words: start.words,
            gunicorn_args: arguments,
            cwd: start.directory.filter(|directory| directory.is_dir()),
        };
        // What it will be started with is not there before the first release.
        if start.directory.is_some() && settings.cwd.is_none() {
            return None;
        }
        let files = settings_files(&settings).into_iter();
        let arguments = arguments.into_iter().flat_map(str::split_whitespace);
        let words = start.words.iter().cloned();
        Some(Known {
            words: words.chain(arguments.map(str::to_owned)).collect(),
            settings: files.flat_map(fs_err::read_to_string).collect(),
            environment,
        })
    }

    /// As many as these servers start when nothing tells them otherwise.
    fn has_one_worker(&self) -> bool {
        let told = option(&self.words, &["--workers", "-w"]);
        let told = told.or_else(|| variable(&self.environment, "WEB_CONCURRENCY"));
        match told {
            Some(count) => matches!(count, "0" | "1"),
            None => !self.settings.contains("workers"),
        }
    }

    fn is_single_gunicorn(&self) -> bool {
        let does_more = |names: &[&str], one: &str| {
            let told = option(&self.words, names);
            told.is_some_and(|told| told != one)
        };
        let in_file = ["threads", "worker_class"];
        self.has_one_worker()
            && !does_more(&["--threads"], "1")
            && !does_more(&["--worker-class", "-k"], "sync")
            && !in_file.iter().any(|key| self.settings.contains(key))
    }

    /// It has five threads unless it is told.
    fn is_single_puma(&self) -> bool {
        let threads = option(&self.words, &["--threads", "-t"]);
        let most = threads.and_then(|told| told.split(':').next_back());
        self.has_one_worker() && most == Some("1")
    }
}

fn variable<'a>(environment: &'a [String], name: &str) -> Option<&'a str> {
    let value = |entry: &'a String| entry.strip_prefix(name)?.strip_prefix('=');
    let value = environment.iter().rev().find_map(value)?;
    Some(value.trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a server is noted that is started by this line, with these files.
    fn is_noted(line: &str, variable: &str, files: &[(&str, &str)]) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let directory = Utf8Path::from_path(directory.path()).unwrap();
        for (name, text) in files {
            fs_err::write(directory.join(name), text).unwrap();
        }
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let found = single(&Start {
            words: &words,
            environment: &[variable.to_owned()],
            environment_files: &[directory.join("env")],
            directory: Some(directory),
        });
        found.is_some_and(|(what, _)| what.contains("it has one worker"))
    }

    #[test]
    fn each_server_is_noted_where_it_is_known_to_have_one() {
        let python = "/srv/a/.venv/bin/python -m";
        for (line, is_alone) in [
            ("gunicorn a:a", true),
            ("gunicorn --workers 1 a:a", true),
            ("gunicorn -w 1 --threads 1 -k sync a:a", true),
            ("gunicorn -w3 a:a", false),
            ("gunicorn --threads 8 a:a", false),
            ("gunicorn -k gevent a:a", false),
            ("uvicorn a:a", true),
            ("uvicorn --workers 2 a:a", false),
            ("puma --threads 1:1", true),
            ("puma -t 0:1", true),
            ("puma -t 1:1 -w 2", false),
            ("puma -t 1:5", false),
            ("puma", false),
            ("uwsgi --ini a.ini", false),
        ] {
            let line = format!("{python} {line}");
            assert_eq!(is_noted(&line, "A=1", &[]), is_alone, "{line}");
        }
    }

    #[test]
    fn what_its_environment_and_its_files_say_counts() {
        let gunicorn = "/srv/a/.venv/bin/python -m gunicorn a:a";
        assert!(is_noted(gunicorn, "WEB_CONCURRENCY=1", &[]));
        assert!(!is_noted(gunicorn, "WEB_CONCURRENCY=3", &[]));
        assert!(!is_noted(gunicorn, "GUNICORN_CMD_ARGS=--threads 4", &[]));
        for (file, text) in [
            ("env", "WEB_CONCURRENCY=\"3\"\n"),
            ("gunicorn.conf.py", "workers = 3\n"),
            ("gunicorn.conf.py", "threads = 3\n"),
        ] {
            assert!(!is_noted(gunicorn, "A=1", &[(file, text)]), "{text}");
        }
        let one = [("gunicorn.conf.py", "threads = 3\n")];
        assert!(!is_noted(&format!("{gunicorn} -w 1"), "A=1", &one));
        let uvicorn = "/srv/a/.venv/bin/python -m uvicorn a:a";
        assert!(!is_noted(uvicorn, "WEB_CONCURRENCY=2", &[]));
    }

    #[test]
    fn nothing_is_said_of_a_release_that_is_not_there_yet() {
        let words = ["gunicorn".to_owned(), "a:a".to_owned()];
        let start = Start {
            words: &words,
            environment: &[],
            environment_files: &[],
            directory: Some("/no/such/current".into()),
        };
        assert_eq!(single(&start), None);
        let anywhere = Start {
            directory: None,
            ..start
        };
        assert!(single(&anywhere).is_some());
    }
}
