//! What `zdd check` says of each form of a unit.

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

fn said(facts: &UnitFacts) -> String {
    let traps = predict(facts, &paths(), None);
    traps
        .iter()
        .filter(|trap| trap.level != Level::Note)
        .map(|trap| trap.what.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn each_server_is_warned_of_in_the_form_that_fails_and_not_in_the_one_that_works() {
    let bin = "/srv/app/current/.venv/bin";
    for (line, expected) in [
        (format!("{bin}/gunicorn app:app"), "(stale)"),
        (format!("{bin}/python -m gunicorn app:app"), "(stale)"),
        (
            format!("{bin}/gunicorn --chdir /srv/app/current app:app"),
            "(mixed)",
        ),
        (
            format!("{bin}/python -m gunicorn --preload --chdir /srv/app/current a:a"),
            "forks",
        ),
        (
            format!("{bin}/python -m gunicorn --chdir /srv/app/current app:app"),
            "",
        ),
        (format!("{bin}/uvicorn app:app"), "ends on SIGHUP"),
        (format!("{bin}/uvicorn --workers 2 app:app"), "(stale)"),
        (
            format!("{bin}/uvicorn --workers 2 --app-dir /srv/app/current a:a"),
            "(mixed)",
        ),
        (
            format!("{bin}/python -m uvicorn --workers 2 --app-dir /srv/app/current a:a"),
            "",
        ),
        ("/usr/bin/puma -w 2".to_owned(), "(stale)"),
        ("/usr/bin/puma -w 2 --dir /srv/app/current".to_owned(), ""),
        ("/usr/bin/uwsgi --ini a.ini".to_owned(), "(stale)"),
        (
            "/usr/bin/uwsgi --ini a.ini --chdir=/srv/app/current".to_owned(),
            "",
        ),
        ("/usr/bin/pm2-runtime start app.js".to_owned(), "(stale)"),
        ("/usr/bin/node /srv/app/current/server.js".to_owned(), ""),
    ] {
        let said = said(&facts(&line));
        assert!(
            said.contains(expected) && said.is_empty() == expected.is_empty(),
            "{line}: {said}"
        );
    }
}

#[test]
fn the_printed_change_leaves_no_trap() {
    let bin = "/srv/app/current/.venv/bin";
    for line in [
        format!("{bin}/gunicorn -w 3 app:app"),
        format!("{bin}/gunicorn --preload --chdir /srv/app/current app:app"),
        format!("{bin}/uvicorn app:app"),
        "/usr/bin/uwsgi --ini a.ini".to_owned(),
        "/usr/bin/puma -w 2".to_owned(),
    ] {
        let before = facts(&line);
        let text = change(&before, &paths()).unwrap().drop_in.unwrap().text;
        let mut start = text
            .lines()
            .filter_map(|line| line.strip_prefix("ExecStart="));
        assert_eq!(said(&facts(start.next_back().unwrap())), "", "{line}");
    }
}

#[test]
fn what_the_unit_itself_lacks_is_said() {
    let good = "/srv/app/current/.venv/bin/python -m gunicorn --chdir /srv/app/current app:app";
    let mut unread = facts(good);
    unread.needs_daemon_reload = true;
    unread.can_reload = false;
    let said_of_unread = said(&unread);
    assert!(
        said_of_unread.contains("NeedDaemonReload"),
        "{said_of_unread}"
    );
    assert!(
        said_of_unread.contains("no `ExecReload`"),
        "{said_of_unread}"
    );
    let pinned = said(&facts("/srv/app/releases/7/bin/server --port 1"));
    assert!(pinned.contains("names one release"), "{pinned}");
    let mut restarted = facts("/srv/app/current/bin/server");
    restarted.is_reloaded = false;
    assert!(said(&restarted).contains("refuses requests"));
    let mut worker = restarted.clone();
    worker.is_worker = true;
    assert_eq!(said(&worker), "");
    restarted.has_socket_unit = true;
    assert_eq!(said(&restarted), "");
}

#[test]
fn a_command_line_that_is_not_the_units_is_said() {
    let facts = facts("/srv/app/current/.venv/bin/gunicorn --chdir /srv/app/current app:app");
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let differs = |line: &str| {
        let traps = predict(&facts, &paths(), Some(&words(line)));
        traps
            .iter()
            .any(|trap| trap.what.contains("not what its unit says"))
    };
    let python = "/srv/app/releases/7/.venv/bin/python /srv/app/current/.venv/bin/gunicorn";
    assert!(!differs(&format!(
        "{python} --chdir /srv/app/current app:app"
    )));
    assert!(differs(&format!("{python} app:app")));
    let title = ["gunicorn: master [app:app]".to_owned()];
    assert!(
        !predict(&facts, &paths(), Some(&title))
            .iter()
            .any(|t| t.what.contains("says now"))
    );
}

#[test]
fn pwd_and_the_file_of_settings_count_as_chdir() {
    let line = "/srv/app/current/.venv/bin/python -m gunicorn app:app";
    let mut with_pwd = facts(line);
    with_pwd.environment = vec!["PWD=/srv/app/current".to_owned()];
    assert_eq!(said(&with_pwd), "");
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gunicorn.conf.py");
    fs_err::write(&file, "chdir = '/srv/app/current'\n").unwrap();
    let mut with_file = facts(line);
    with_file
        .start_words
        .extend(["-c".to_owned(), file.to_str().unwrap().to_owned()]);
    assert_eq!(said(&with_file), "");
    fs_err::write(&file, "preload_app = True\n").unwrap();
    assert!(said(&with_file).contains("forks its workers"));
}

#[test]
fn a_server_on_code_that_no_flip_moves_is_told() {
    let in_place = |line: &str, directory: &str| {
        let mut facts = facts(line);
        facts.working_directory = Some(directory.into());
        said(&facts)
    };
    let told = "it runs the code in `/home/deploy/app`: no release changes what it answers";
    for line in [
        "/usr/bin/node server.js",
        "/home/deploy/venv/bin/gunicorn app:app",
    ] {
        assert!(in_place(line, "/home/deploy/app").contains(told), "{line}");
    }
    for (line, directory) in [
        (
            "/usr/bin/node /srv/app/current/server.js",
            "/home/deploy/app",
        ),
        ("/usr/bin/node server.js", "/srv/app/shared"),
        ("/usr/sbin/php-fpm --nodaemonize", "/var/lib/php"),
    ] {
        assert!(
            !in_place(line, directory).contains("no release changes"),
            "{line}"
        );
    }
}

#[test]
fn one_worker_is_noted_where_it_is_known_to_be_one() {
    let noted = |words: &str| {
        let python = "/srv/app/current/.venv/bin/python -m gunicorn --chdir /srv/app/current";
        let mut facts = facts(&format!("{python} {words}"));
        facts.working_directory = Some("/".into());
        let traps = predict(&facts, &paths(), None);
        let mut notes = traps.iter().filter(|trap| trap.level == Level::Note);
        notes.any(|trap| trap.what.starts_with("`app.service`: it has one worker"))
    };
    assert!(noted("app:app"));
    assert!(!noted("--workers 3 app:app"));
}
