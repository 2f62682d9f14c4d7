//! The change that makes a unit follow the link, given whole: a drop-in file and the commands that
//! apply it. A changed `ExecStart` takes effect with a restart only. What each server needs was
//! measured; `docs/concepts.md` tells why.

use std::fmt;

use camino::{Utf8Path, Utf8PathBuf};

use super::facts::{Paths, UnitFacts};
use super::server::{Server, base_name, is_interpreter, option};

/// A file to write, and commands to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The file to write, where a file is enough.
    pub drop_in: Option<DropIn>,
    /// The commands that apply it, in order.
    pub commands: Vec<String>,
    /// What else to know or to change.
    pub notes: Vec<String>,
}

/// A file that adds to a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropIn {
    /// Where it belongs; `~` is the home of the unit's user.
    pub path: Utf8PathBuf,
    /// Its whole text.
    pub text: String,
}

impl fmt::Display for Change {
    /// The whole of it, ready to be followed line by line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(DropIn { path, text }) = &self.drop_in {
            write!(f, "write `{path}`:\n\n{text}\nthen run:\n")?;
        } else {
            f.write_str("run:\n")?;
        }
        for command in &self.commands {
            write!(f, "\n{command}")?;
        }
        for note in &self.notes {
            write!(f, "\n\n{note}")?;
        }
        Ok(())
    }
}

/// The change for a unit whose server is known; `None` for others.
pub fn change(facts: &UnitFacts, paths: &Paths) -> Option<Change> {
    let server = Server::of(&facts.start_words)?;
    let directory = paths.code_dir(facts);
    let words: Vec<String> = facts
        .start_words
        .iter()
        .map(|word| paths.word_through_current(word))
        .collect();
    let words = match server {
        Server::Gunicorn => {
            python_module(&words, "gunicorn", paths, &["--chdir", directory.as_str()])
        }
        Server::Uvicorn => uvicorn(&words, facts, paths, &directory),
        Server::Puma => with_option(&words, "--dir", &directory),
        Server::Uwsgi => with_option(&words, "--chdir", &directory),
        Server::Pm2 if base_name(&words[0]) == "pm2-runtime" => {
            with_option(&words, "--cwd", &directory)
        }
        Server::Pm2 => return Some(pm2(&directory)),
    };
    Some(Change {
        drop_in: Some(DropIn {
            path: drop_in_path(facts),
            text: drop_in_text(facts, paths, server, &words),
        }),
        commands: commands(facts),
        notes: notes(server, &words),
    })
}

/// Where the drop-in of a unit belongs.
fn drop_in_path(facts: &UnitFacts) -> Utf8PathBuf {
    let directory = match facts.is_user_scope {
        true => "~/.config/systemd/user",
        false => "/etc/systemd/system",
    };
    format!("{directory}/{}.d/zdd.conf", facts.name).into()
}

fn drop_in_text(facts: &UnitFacts, paths: &Paths, server: Server, words: &[String]) -> String {
    let line: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    let mut text = "[Service]\n".to_owned();
    let directory = facts.working_directory.as_deref();
    if let Some(directory) = directory.filter(|directory| paths.names_one_release(directory)) {
        text += &format!("WorkingDirectory={}\n", paths.through_current(directory));
    }
    // A unit may have one ExecStart only: the first line removes the one it has.
    text += &format!("ExecStart=\nExecStart={}\n", line.join(" "));
    if facts.is_reloaded && !facts.can_reload {
        text += &format!(
            "ExecReload=/bin/kill -{} $MAINPID\n",
            server.reload_signal()
        );
    }
    text
}

fn commands(facts: &UnitFacts) -> Vec<String> {
    let scope = if facts.is_user_scope { " --user" } else { "" };
    vec![
        format!("systemctl{scope} daemon-reload"),
        format!("systemctl{scope} restart {}", facts.name),
    ]
}

/// `INTERPRETER -m MODULE OPTIONS… REST…`. The script in `bin/` names the interpreter of one
/// release in its first line; the interpreter called through the link does not.
fn python_module(words: &[String], module: &str, paths: &Paths, options: &[&str]) -> Vec<String> {
    let at = words
        .iter()
        .position(|word| base_name(word) == module)
        .unwrap_or(0);
    let script = Utf8Path::new(&words[at]);
    let interpreter = words[..at]
        .iter()
        .find(|word| is_interpreter(base_name(word)));
    let start = match (script.parent(), interpreter) {
        (Some(bin), _) if paths.is_inside(script) => vec![bin.join("python").into_string()],
        (_, Some(interpreter)) => vec![interpreter.clone()],
        _ => Vec::new(),
    };
    let mut changed: Vec<String> = match start.is_empty() {
        // A server outside the releases is not pinned to one.
        true => words[..=at].to_vec(),
        false => start
            .into_iter()
            .chain(["-m".to_owned(), module.to_owned()])
            .collect(),
    };
    changed.extend(options.iter().map(|&option| option.to_owned()));
    let old_option = options.first().copied().unwrap_or_default();
    changed.extend(without(&words[at + 1..], old_option));
    changed
}

fn uvicorn(
    words: &[String],
    facts: &UnitFacts,
    paths: &Paths,
    directory: &Utf8Path,
) -> Vec<String> {
    let mut options = vec!["--app-dir", directory.as_str()];
    if facts.is_reloaded && option(words, &["--workers"]).is_none() {
        options.extend(["--workers", "2"]);
    }
    python_module(words, "uvicorn", paths, &options)
}

fn with_option(words: &[String], name: &str, directory: &Utf8Path) -> Vec<String> {
    let mut changed = without(words, name);
    changed.extend([name.to_owned(), directory.to_string()]);
    changed
}

/// Without preloading and without an option that is given anew.
fn without(words: &[String], name: &str) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == name {
            words.next();
        } else if word != "--preload" && !word.starts_with(&format!("{name}=")) {
            kept.push(word.clone());
        }
    }
    kept
}

/// pm2 keeps the resolved directory of each app in its daemon, so no file of the unit helps.
fn pm2(directory: &Utf8Path) -> Change {
    Change {
        drop_in: None,
        commands: vec![
            "cd /".to_owned(),
            "pm2 delete APP".to_owned(),
            format!("pm2 start SCRIPT --name APP --cwd {directory}"),
            "pm2 save".to_owned(),
        ],
        notes: vec!["pm2 stores the resolved directory an app was started in".to_owned()],
    }
}

fn notes(server: Server, words: &[String]) -> Vec<String> {
    match server {
        Server::Uvicorn => vec![
            "before uvicorn 0.51 a reload stops the old workers before the new ones answer"
                .to_owned(),
        ],
        Server::Puma if option(words, &["-w", "--workers"]).is_none() => vec![
            "a phased restart (SIGUSR1) needs workers: add `--workers 2`, and `preload_app! false` in its file of settings"
                .to_owned(),
        ],
        _ => Vec::new(),
    }
}

/// A word as a unit file spells it. `$` stays: the words come from a unit file, where it names a
/// variable; `%` had been expanded.
pub(super) fn quoted(word: &str) -> String {
    let word = word.replace('%', "%%");
    let is_plain = !word.is_empty()
        && word != ";"
        && !word.contains(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '\\'));
    match is_plain {
        true => word,
        false => format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths() -> Paths {
        Paths {
            current_path: "/srv/app/current".into(),
            releases_dir: "/srv/app/releases".into(),
        }
    }

    fn facts(line: &str) -> UnitFacts {
        UnitFacts {
            name: "app.service".to_owned(),
            start_words: line.split(' ').map(str::to_owned).collect(),
            working_directory: Some("/srv/app/current".into()),
            can_reload: true,
            is_reloaded: true,
            ..UnitFacts::default()
        }
    }

    fn exec_start(facts: &UnitFacts) -> String {
        let text = change(facts, &paths()).unwrap().drop_in.unwrap().text;
        let line = text
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart="))
            .next_back();
        line.unwrap().to_owned()
    }

    #[test]
    fn the_unit_of_the_guides_becomes_one_that_follows_the_link() {
        let change = change(
            &facts("/srv/app/current/.venv/bin/gunicorn -w 3 --preload app:app"),
            &paths(),
        );
        let change = change.unwrap();
        assert_eq!(
            change.to_string(),
            "write `/etc/systemd/system/app.service.d/zdd.conf`:\n\n\
            [Service]\nExecStart=\nExecStart=/srv/app/current/.venv/bin/python -m gunicorn \
            --chdir /srv/app/current -w 3 app:app\n\nthen run:\n\n\
            systemctl daemon-reload\nsystemctl restart app.service"
        );
    }

    #[test]
    fn every_form_of_a_server_keeps_its_other_arguments() {
        for (line, changed) in [
            (
                "/srv/app/current/.venv/bin/python3 -m gunicorn --chdir /x -c g.py app:app",
                "/srv/app/current/.venv/bin/python3 -m gunicorn --chdir /srv/app/current -c g.py app:app",
            ),
            (
                "/srv/app/releases/7/.venv/bin/gunicorn --chdir=/srv/app/releases/7 --pid=/srv/app/releases/7/p app:app",
                "/srv/app/current/.venv/bin/python -m gunicorn --chdir /srv/app/current --pid=/srv/app/current/p app:app",
            ),
            (
                "/usr/bin/gunicorn app:app",
                "/usr/bin/gunicorn --chdir /srv/app/current app:app",
            ),
            (
                "/srv/app/current/.venv/bin/uvicorn app:app --port 80",
                "/srv/app/current/.venv/bin/python -m uvicorn --app-dir /srv/app/current --workers 2 app:app --port 80",
            ),
            (
                "/usr/bin/bundle exec puma -w 2 -C config/puma.rb",
                "/usr/bin/bundle exec puma -w 2 -C config/puma.rb --dir /srv/app/current",
            ),
            (
                "/usr/bin/uwsgi --ini app.ini",
                "/usr/bin/uwsgi --ini app.ini --chdir /srv/app/current",
            ),
        ] {
            assert_eq!(exec_start(&facts(line)), changed);
        }
        assert_eq!(change(&facts("/usr/bin/node server.js"), &paths()), None);
        let pm2 = change(
            &facts("/usr/lib/node_modules/pm2/bin/pm2 resurrect"),
            &paths(),
        )
        .unwrap();
        assert!(pm2.drop_in.is_none() && pm2.to_string().contains("--cwd /srv/app/current"));
    }

    #[test]
    fn words_are_quoted_as_systemd_reads_them() {
        let mut facts = facts("/usr/bin/gunicorn app:app");
        facts
            .start_words
            .extend(["--name", "my \"app\"", "--log", "%h $OPTIONS", ""].map(str::to_owned));
        let line = exec_start(&facts);
        assert!(
            line.ends_with(r#"--name "my \"app\"" --log "%%h $OPTIONS" """#),
            "{line}"
        );
    }

    #[test]
    fn a_sub_directory_a_pinned_directory_and_a_missing_reload_are_all_in_the_file() {
        let mut facts = facts("/srv/app/current/.venv/bin/gunicorn app:app");
        facts.working_directory = Some("/srv/app/releases/7/web".into());
        facts.can_reload = false;
        facts.is_user_scope = true;
        let change = change(&facts, &paths()).unwrap();
        let DropIn { path, text } = change.drop_in.unwrap();
        assert_eq!(path, "~/.config/systemd/user/app.service.d/zdd.conf");
        assert!(text.contains("WorkingDirectory=/srv/app/current/web\n"));
        assert!(text.contains("--chdir /srv/app/current/web "));
        assert!(text.contains("ExecReload=/bin/kill -HUP $MAINPID\n"));
        assert_eq!(change.commands[1], "systemctl --user restart app.service");
    }
}
