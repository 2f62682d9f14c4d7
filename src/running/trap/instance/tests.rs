//! What `zdd check` says of each form of a template unit.

use super::*;

fn paths() -> Paths {
    Paths {
        current_path: "/srv/app/current".into(),
        releases_dir: "/srv/app/releases".into(),
    }
}

const LINE: &str = "/srv/app/releases/20260101000000/.venv/bin/python -m gunicorn --bind \
                    unix:/run/app/20260101000000/app.sock app:app";

/// The unit that `zdd init` writes.
fn good() -> InstanceFacts {
    InstanceFacts {
        unit: UnitFacts {
            name: "app@.service".to_owned(),
            start_words: LINE.split(' ').map(str::to_owned).collect(),
            working_directory: Some("/srv/app/releases/20260101000000".into()),
            ..UnitFacts::default()
        },
        release: "20260101000000".to_owned(),
        socket: Some("/run/app/20260101000000/app.sock".into()),
        drain: Duration::from_secs(30),
        kill_mode: "mixed".to_owned(),
        kill_signal: Some(TERM),
        stop_limit: Some(Duration::from_secs(35)),
        has_own_stop_limit: true,
        restart: "on-failure".to_owned(),
        can_be_enabled: true,
        runtime_directories: vec!["/run/app/20260101000000".into()],
        ..InstanceFacts::default()
    }
}

/// The only trap of the good unit with this change in it.
fn trap(change: impl Fn(&mut InstanceFacts)) -> Trap {
    let mut facts = good();
    change(&mut facts);
    let mut traps = predict(&facts, &paths());
    assert_eq!(traps.len(), 1, "{traps:?}");
    traps.remove(0)
}

fn start(facts: &mut InstanceFacts, line: &str) {
    facts.unit.start_words = line.split(' ').map(str::to_owned).collect();
}

#[test]
fn the_recommended_unit_has_no_trap() {
    assert_eq!(predict(&good(), &paths()), []);
}

#[test]
fn a_template_through_current_gets_its_own_lines_whole() {
    let trap = trap(|facts| {
        start(
            facts,
            "/srv/app/current/.venv/bin/python -m gunicorn --bind=unix:/run/app/20260101000000/a.sock --log %h app:app",
        );
        facts.unit.working_directory = Some("/srv/app/current".into());
    });
    assert_eq!(trap.level, Level::Error);
    assert_eq!(
        trap.change,
        "[Service]\nWorkingDirectory=/srv/app/releases/%i\nExecStart=/srv/app/releases/%i/.venv/bin/python \
         -m gunicorn --bind=unix:/run/app/%i/a.sock --log %%h app:app"
    );
}

#[test]
fn a_bind_through_current_and_a_pinned_release_are_errors_and_shared_paths_are_not() {
    for word in [
        "unix:/srv/app/current/run/app.sock",
        "--chdir=/srv/app/current",
        "/srv/app/releases/20250101000000/x",
    ] {
        let trap = trap(|facts| facts.unit.start_words.push(word.to_owned()));
        assert_eq!(trap.level, Level::Error, "{word}");
        assert!(
            trap.change.contains("/srv/app/releases/%i"),
            "{}",
            trap.change
        );
    }
    for word in [
        "/srv/app/current.conf",
        "/srv/app/current-x/y",
        "/srv/app/shared/z",
    ] {
        let mut facts = good();
        facts.unit.start_words.push(word.to_owned());
        assert_eq!(predict(&facts, &paths()), [], "{word}");
    }
}

#[test]
fn a_unit_that_names_no_release_is_said() {
    let bare = |facts: &mut InstanceFacts| {
        start(facts, "/usr/local/bin/app");
        facts.unit.working_directory = Some("/opt/app".into());
    };
    assert!(trap(bare).what.contains("the same code"));
    let mut told = good();
    bare(&mut told);
    told.unit.environment = vec!["RELEASE=20260101000000".to_owned()];
    assert_eq!(predict(&told, &paths()), []);
}

#[test]
fn sockets_that_nobody_finds_or_that_go_with_another_instance_are_errors() {
    let private = trap(|facts| {
        facts.socket = Some("/tmp/20260101000000/app.sock".into());
        facts.has_private_tmp = true;
    });
    assert_eq!(private.level, Level::Error);
    assert!(
        private.what.contains("`/tmp/%i/app.sock`"),
        "{}",
        private.what
    );
    let open = trap(|facts| facts.socket = Some("/tmp/20260101000000/app.sock".into()));
    assert_eq!(open.level, Level::Note);
    let shared = |facts: &mut InstanceFacts| {
        facts.socket = Some("/run/app/x/app.sock".into());
        facts.runtime_directories = vec!["/run/app".into()];
    };
    let found = trap(shared);
    assert_eq!(found.level, Level::Error);
    assert!(
        found.change.contains("RuntimeDirectory=app/%i\n"),
        "{}",
        found.change
    );
    assert!(
        found.change.contains("socket = \"/run/app/%i/app.sock\""),
        "{}",
        found.change
    );
    let mut kept = good();
    shared(&mut kept);
    kept.keeps_runtime_directories = true;
    assert_eq!(predict(&kept, &paths()), []);
}

#[test]
fn a_socket_in_the_release_is_to_be_removed_before_a_start() {
    let inside = |facts: &mut InstanceFacts| {
        facts.socket = Some("/srv/app/releases/20260101000000/run/app.sock".into());
        start(
            facts,
            "/usr/bin/node /srv/app/releases/20260101000000/server.js",
        );
    };
    let found = trap(inside);
    assert_eq!(
        found.change,
        "[Service]\nExecStartPre=-/bin/rm -f /srv/app/releases/%i/run/app.sock"
    );
    let mut removed = good();
    inside(&mut removed);
    let line = "/bin/rm -f /srv/app/releases/20260101000000/run/app.sock";
    removed.start_before = vec![line.to_owned()];
    assert_eq!(predict(&removed, &paths()), []);
    let mut gunicorn = good();
    gunicorn.socket = Some("/srv/app/releases/20260101000000/run/app.sock".into());
    assert_eq!(predict(&gunicorn, &paths()), []);
}

#[test]
fn children_that_survive_and_crashes_and_reboots_that_it_does_not_are_said() {
    for mode in ["process", "none"] {
        let found = trap(|facts| facts.kill_mode = mode.to_owned());
        assert_eq!(found.change, "[Service]\nKillMode=mixed");
    }
    let found = trap(|facts| facts.restart = "no".to_owned());
    assert_eq!(found.change, "[Service]\nRestart=on-failure");
    let found = trap(|facts| facts.can_be_enabled = false);
    assert_eq!(found.change, "[Install]\nWantedBy=multi-user.target");
    let found = trap(|facts| {
        facts.can_be_enabled = false;
        facts.unit.is_user_scope = true;
    });
    assert_eq!(found.change, "[Install]\nWantedBy=default.target");
}

#[test]
fn a_stop_that_is_too_short_or_left_to_the_default_is_said() {
    let seconds = |limit| Some(Duration::from_secs(limit));
    let found = trap(|facts| facts.stop_limit = seconds(10));
    assert!(
        found.what.contains("the 30s that gunicorn gives"),
        "{}",
        found.what
    );
    assert_eq!(found.change, "[Service]\nTimeoutStopSec=35");
    let found = trap(|facts| facts.drain = Duration::from_secs(60));
    assert!(
        found.what.contains("though `drain` is 1m"),
        "{}",
        found.what
    );
    assert_eq!(
        (found.level, found.change.as_str()),
        (Level::Warning, "[Service]\nTimeoutStopSec=65")
    );
    let found = trap(|facts| {
        facts.stop_limit = seconds(90);
        facts.has_own_stop_limit = false;
    });
    assert_eq!(found.level, Level::Note);
    for word in ["--graceful-timeout=5", "--bind"] {
        let mut facts = good();
        facts.drain = Duration::from_secs(5);
        facts.stop_limit = seconds(10);
        facts.unit.start_words.push(word.to_owned());
        let is_silent = predict(&facts, &paths()).is_empty();
        assert_eq!(is_silent, word.starts_with("--graceful"), "{word}");
    }
    let mut endless = good();
    endless.stop_limit = Some(Duration::MAX);
    assert_eq!(predict(&endless, &paths()), []);
}

#[test]
fn signals_that_do_not_end_a_server_gracefully_are_said() {
    let found = trap(|facts| facts.kill_signal = Some(QUIT));
    assert_eq!(found.change, "[Service]\nKillSignal=SIGTERM");
    let line = "/usr/bin/uwsgi --ini /srv/app/releases/20260101000000/none.ini";
    let found = trap(|facts| start(facts, line));
    assert!(found.what.contains("uWSGI reload"), "{}", found.what);
    let mut ending = good();
    start(&mut ending, &format!("{line} --die-on-term"));
    assert_eq!(predict(&ending, &paths()), []);
}

#[test]
fn a_socket_may_have_the_release_in_its_name_but_not_in_a_directory_of_all() {
    let mut facts = good();
    facts.socket = Some("/srv/sockets/app-20260101000000.sock".into());
    assert_eq!(predict(&facts, &paths()), []);
    let found = trap(|facts| {
        facts.socket = Some("/run/app/20260101000000.sock".into());
        facts.runtime_directories = vec!["/run/app".into()];
    });
    let says = "socket = \"/run/app/%i/app.sock\"";
    assert!(found.change.contains(says), "{}", found.change);
}

#[test]
fn a_group_that_hides_the_processes_is_said() {
    let found = trap(|facts| facts.foreign_group = Some("www-data".to_owned()));
    assert!(found.what.contains("`Group=www-data`"), "{}", found.what);
}

#[test]
fn one_worker_is_noted_by_the_settings_that_the_live_release_has() {
    let site = tempfile::tempdir().unwrap();
    let root = Utf8Path::from_path(site.path()).unwrap();
    fs_err::create_dir(root.join("current")).unwrap();
    let paths = Paths {
        current_path: root.join("current"),
        releases_dir: root.join("releases"),
    };
    let mut facts = good();
    facts.unit.working_directory = Some(root.join("releases/20260101000000"));
    let traps = predict(&facts, &paths);
    let note = traps.iter().find(|trap| trap.level == Level::Note).unwrap();
    assert!(
        note.what.starts_with("`app@.service`: it has one worker"),
        "{note:?}"
    );
    assert_eq!(note.change, "add to its command line: --workers 3");
    fs_err::write(root.join("current/gunicorn.conf.py"), "workers = 3\n").unwrap();
    assert_eq!(predict(&facts, &paths), []);
}
