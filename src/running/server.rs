//! Application servers whose ways are known: what a reload does to them after the flip of a link
//! is told in `docs/concepts.md`.

/// A server that zdd can name the change for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    Gunicorn,
    Uvicorn,
    Puma,
    Uwsgi,
    Pm2,
}

impl Server {
    /// Recognises it by the words of its command line, or by the title it writes over them.
    pub fn of(words: &[String]) -> Option<Self> {
        let words = words
            .iter()
            .flat_map(|word| word.split_whitespace())
            .take(8);
        words.map(base_name).find_map(|name| match name {
            "gunicorn" | "gunicorn:" => Some(Server::Gunicorn),
            "uvicorn" => Some(Server::Uvicorn),
            "puma" | "puma:" => Some(Server::Puma),
            "uwsgi" | "uWSGI" => Some(Server::Uwsgi),
            "pm2" | "pm2-runtime" | "PM2" => Some(Server::Pm2),
            _ => None,
        })
    }

    /// The signal that makes it take new code without dropping a request.
    pub fn reload_signal(self) -> &'static str {
        match self {
            Server::Puma => "USR1",
            Server::Gunicorn | Server::Uvicorn | Server::Uwsgi | Server::Pm2 => "HUP",
        }
    }

    /// Its name as its makers write it.
    pub fn name(self) -> &'static str {
        match self {
            Server::Gunicorn => "gunicorn",
            Server::Uvicorn => "uvicorn",
            Server::Puma => "puma",
            Server::Uwsgi => "uWSGI",
            Server::Pm2 => "pm2",
        }
    }
}

/// Programs that run code which lies elsewhere.
const INTERPRETERS: [&str; 7] = ["python", "pypy", "ruby", "node", "perl", "php", "bun"];

/// Whether a program of this name, version digits included, runs code that lies elsewhere.
pub(super) fn is_interpreter(name: &str) -> bool {
    let is_version = |rest: &str| rest.chars().all(|c| c.is_ascii_digit() || c == '.');
    INTERPRETERS
        .iter()
        .any(|known| name.strip_prefix(known).is_some_and(is_version))
}

/// The last part of a path.
pub(super) fn base_name(word: &str) -> &str {
    word.rsplit('/').next().unwrap_or(word)
}

/// The value of an option: `--name VALUE`, `--name=VALUE`; for one-letter names `-cVALUE` too.
pub(super) fn option<'a>(words: &'a [String], names: &[&str]) -> Option<&'a str> {
    words.iter().enumerate().find_map(|(index, word)| {
        let rest = names
            .iter()
            .find_map(|name| word.strip_prefix(name).map(|rest| (name, rest)));
        match rest? {
            (_, "") => words.get(index + 1).map(String::as_str),
            (name, rest) if name.starts_with("--") => rest.strip_prefix('='),
            (_, rest) => Some(rest),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_recognised_in_all_the_ways_they_are_started() {
        for (line, server) in [
            (
                "/srv/a/current/.venv/bin/gunicorn app:app",
                Some(Server::Gunicorn),
            ),
            (
                "/srv/a/current/.venv/bin/python -m gunicorn app:app",
                Some(Server::Gunicorn),
            ),
            ("gunicorn: master [app:app]", Some(Server::Gunicorn)),
            (
                "/usr/bin/env python3 -m uvicorn app:app",
                Some(Server::Uvicorn),
            ),
            (
                "/usr/bin/bundle exec puma -C config/puma.rb",
                Some(Server::Puma),
            ),
            (
                "puma 5.6.5 (tcp://127.0.0.1:3000) [app]",
                Some(Server::Puma),
            ),
            ("/usr/bin/uwsgi --ini app.ini", Some(Server::Uwsgi)),
            (
                "PM2 v7.0.4: God Daemon (/home/deploy/.pm2)",
                Some(Server::Pm2),
            ),
            ("/usr/bin/node /srv/a/current/server.js", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(Server::of(&words), server, "{line}");
        }
    }

    #[test]
    fn options_are_found_in_their_three_spellings() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for line in [
            "g -c x.py a",
            "g -cx.py a",
            "g --config x.py",
            "g --config=x.py",
        ] {
            assert_eq!(
                option(&words(line), &["-c", "--config"]),
                Some("x.py"),
                "{line}"
            );
        }
        assert_eq!(option(&words("g --chdir-not /x"), &["--chdir"]), None);
    }
}
