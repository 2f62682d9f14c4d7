//! Servers that load the code once and fork their workers from it: after a reload the workers are
//! new and the code is old. The setting is looked for where it can stand: the command line, an
//! environment variable, the server's own file of settings.

use camino::{Utf8Path, Utf8PathBuf};

use super::server::{Server, option};

/// Where a server gets its settings from.
#[derive(Debug, Clone, Default)]
pub(super) struct Settings<'a> {
    /// The words it was started with.
    pub words: &'a [String],
    /// `GUNICORN_CMD_ARGS` of its environment.
    pub gunicorn_args: Option<&'a str>,
    /// The directory its relative paths start in.
    pub cwd: Option<&'a Utf8Path>,
}

/// The place where preloading is asked for, in words for a message.
pub(super) fn place(settings: &Settings<'_>) -> Option<String> {
    let server = Server::of(settings.words)?;
    let is_flag = |word: &str| word == "--preload";
    if settings.words.iter().any(|word| is_flag(word)) {
        return Some("`--preload` on its command line".to_owned());
    }
    let from_environment = settings
        .gunicorn_args
        .filter(|_| server == Server::Gunicorn);
    if from_environment.is_some_and(|args| args.split_whitespace().any(is_flag)) {
        return Some("`--preload` in `GUNICORN_CMD_ARGS`".to_owned());
    }
    let asks = match server {
        Server::Gunicorn => gunicorn_file_asks,
        Server::Puma => puma_file_asks,
        Server::Uvicorn | Server::Uwsgi | Server::Pm2 => return None,
    };
    let name = match server {
        Server::Gunicorn => "preload_app",
        _ => "preload_app!",
    };
    let asks = |path: &Utf8PathBuf| {
        fs_err::read_to_string(path).is_ok_and(|text| text.lines().map(str::trim).any(asks))
    };
    let path = settings_files(settings).into_iter().find(asks)?;
    Some(format!("`{name}` in `{path}`"))
}

/// The files of settings that the server reads, whether they exist or not.
pub(super) fn settings_files(settings: &Settings<'_>) -> Vec<Utf8PathBuf> {
    let mut words = settings.words.to_vec();
    let more = settings
        .gunicorn_args
        .into_iter()
        .flat_map(str::split_whitespace);
    words.extend(more.map(str::to_owned));
    let (named, usual) = match Server::of(settings.words) {
        Some(Server::Gunicorn) => (
            option(&words, &["--config", "-c"]),
            ["gunicorn.conf.py"].as_slice(),
        ),
        Some(Server::Puma) => (
            option(&words, &["--config", "-C"]),
            ["config/puma.rb", "config/puma/production.rb"].as_slice(),
        ),
        Some(Server::Uwsgi) => (option(&words, &["--ini"]), [].as_slice()),
        Some(Server::Uvicorn | Server::Pm2) | None => (None, [].as_slice()),
    };
    let names = match named {
        Some(name) => vec![name.strip_prefix("file:").unwrap_or(name)],
        None => usual.to_vec(),
    };
    let cwd = settings.cwd;
    let absolute = |name: &str| match (Utf8Path::new(name).is_absolute(), cwd) {
        (true, _) => Some(Utf8PathBuf::from(name)),
        (false, cwd) => cwd.map(|cwd| cwd.join(name)),
    };
    names.into_iter().filter_map(absolute).collect()
}

fn gunicorn_file_asks(line: &str) -> bool {
    let value = line.strip_prefix("preload_app").map(str::trim_start);
    let value = value
        .and_then(|rest| rest.strip_prefix('='))
        .map(str::trim_start);
    value.is_some_and(|value| value.starts_with("True") || value.starts_with('1'))
}

fn puma_file_asks(line: &str) -> bool {
    let rest = line.strip_prefix("preload_app!").map(str::trim_start);
    rest.is_some_and(|rest| !rest.trim_start_matches('(').starts_with("false"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn the_flag_is_found_on_the_command_line_and_in_the_environment() {
        let with_flag = words("/v/bin/python -m gunicorn --preload app:app");
        let without = words("/v/bin/python -m gunicorn app:app");
        let settings = |words, gunicorn_args| Settings {
            words,
            gunicorn_args,
            cwd: None,
        };
        assert!(
            place(&settings(&with_flag, None))
                .unwrap()
                .contains("command line")
        );
        assert!(
            place(&settings(&without, Some("-w 3 --preload")))
                .unwrap()
                .contains("CMD_ARGS")
        );
        assert_eq!(place(&settings(&without, Some("-w 3"))), None);
        assert_eq!(
            place(&settings(&words("/usr/bin/node --preload x"), None)),
            None
        );
    }

    #[test]
    fn files_of_settings_are_read_where_the_server_looks_for_them() {
        let directory = tempfile::tempdir().unwrap();
        let cwd = Utf8Path::from_path(directory.path()).unwrap();
        fs_err::create_dir_all(cwd.join("config")).unwrap();
        for (file, text, line, is_preloading) in [
            (
                "gunicorn.conf.py",
                "workers = 3\npreload_app = True\n",
                "gunicorn a:a",
                true,
            ),
            (
                "gunicorn.conf.py",
                "# preload_app = True\n",
                "gunicorn a:a",
                false,
            ),
            (
                "gunicorn.conf.py",
                "preload_app = False\n",
                "gunicorn a:a",
                false,
            ),
            (
                "own.py",
                "preload_app=True\n",
                "gunicorn -c own.py a:a",
                true,
            ),
            (
                "own.py",
                "preload_app=True\n",
                "gunicorn --config=file:own.py a:a",
                true,
            ),
            ("own.py", "preload_app=True\n", "gunicorn a:a", false),
            (
                "config/puma.rb",
                "workers 2\n  preload_app!\n",
                "bundle exec puma",
                true,
            ),
            (
                "config/puma.rb",
                "preload_app! false\n",
                "bundle exec puma",
                false,
            ),
            (
                "config/puma.rb",
                "preload_app!(false)\n",
                "bundle exec puma",
                false,
            ),
        ] {
            fs_err::write(cwd.join(file), text).unwrap();
            let words = words(line);
            let settings = Settings {
                words: &words,
                gunicorn_args: None,
                cwd: Some(cwd),
            };
            assert_eq!(place(&settings).is_some(), is_preloading, "{line}: {text}");
            fs_err::remove_file(cwd.join(file)).unwrap();
        }
    }
}
