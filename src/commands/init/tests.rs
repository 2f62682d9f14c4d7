use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::config::Config;

struct Project(tempfile::TempDir);

impl Project {
    fn new() -> Project {
        Project(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Utf8Path {
        Utf8Path::from_path(self.0.path()).unwrap()
    }

    fn init(&self, stack: Stack) -> Vec<Written> {
        run(stack, "my-app", "/srv/my-app".into(), self.path()).unwrap()
    }

    fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.path().join(path)).unwrap()
    }
}

#[test]
fn every_stack_writes_its_files_with_no_placeholder_left() {
    for (stack, files) in [
        (
            Stack::Python,
            "zdd.toml deploy/my-app.service deploy/my-app.nginx hooks/build hooks/check",
        ),
        (
            Stack::Django,
            "zdd.toml deploy/my-app.service deploy/my-app.nginx hooks/build hooks/check hooks/migrate",
        ),
        (
            Stack::Node,
            "zdd.toml deploy/my-app.service deploy/my-app.socket deploy/my-app.nginx hooks/build",
        ),
        (
            Stack::Rails,
            "zdd.toml deploy/my-app.service deploy/my-app.socket deploy/my-app.nginx hooks/build \
             hooks/migrate",
        ),
        (Stack::Static, "zdd.toml deploy/my-app.nginx hooks/build"),
    ] {
        let project = Project::new();
        let written = project.init(stack);
        let files = format!("{files} hooks/finish hooks/failed");
        let expected: Vec<_> = files
            .split(' ')
            .map(|file| project.path().join(file))
            .collect();
        let paths: Vec<_> = written.iter().map(|file| file.path.clone()).collect();
        assert_eq!(paths, expected, "{stack:?}");
        for file in written {
            let text = fs_err::read_to_string(&file.path).unwrap();
            let left = ["@NAME@", "@ROOT@", "@APP@"].map(|word| text.contains(word));
            assert!(file.wrote && !left.contains(&true), "{}", file.path);
            let is_hook = file.path.parent().unwrap().ends_with("hooks");
            let mode = fs_err::metadata(&file.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o100 != 0, is_hook, "{}", file.path);
            assert_eq!(text.starts_with("#!/bin/sh\n"), is_hook, "{}", file.path);
        }
    }
}

#[test]
fn every_zdd_toml_has_only_keys_that_zdd_knows() {
    for stack in Stack::value_variants() {
        let project = Project::new();
        project.init(*stack);
        let config: Config = toml::from_str(&project.read("zdd.toml")).unwrap();
        assert_eq!(config.name.as_deref(), Some("my-app"));
        assert_eq!(config.root.as_deref(), Some(Utf8Path::new("/srv/my-app")));
        let unit = config
            .service
            .first()
            .and_then(|service| service.unit.as_deref());
        let expected = (*stack != Stack::Static).then_some("my-app.service");
        assert_eq!(unit, expected);
    }
}

#[test]
fn the_unit_and_the_proxy_agree_on_the_socket_and_go_through_current() {
    let project = Project::new();
    project.init(Stack::Python);
    let unit = project.read("deploy/my-app.service");
    assert!(unit.contains(
        "\nExecStart=/srv/my-app/current/.venv/bin/python -m gunicorn --chdir /srv/my-app/current \
         --bind unix:/run/my-app/my-app.sock app:app\n"
    ));
    for line in [
        "ExecReload=/bin/kill -HUP $MAINPID",
        "RuntimeDirectory=my-app",
        "TimeoutStopSec=40",
    ] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
    for stack in [Stack::Python, Stack::Django, Stack::Node, Stack::Rails] {
        let project = Project::new();
        project.init(stack);
        let config: Config = toml::from_str(&project.read("zdd.toml")).unwrap();
        let url = config.health[0].url.clone().unwrap();
        assert_eq!(url, "http://unix:/run/my-app/my-app.sock:/", "{stack:?}");
        let nginx = project.read("deploy/my-app.nginx");
        assert!(
            nginx.contains("proxy_pass http://unix:/run/my-app/my-app.sock;"),
            "{stack:?}"
        );
    }
}

#[test]
fn a_unit_with_a_socket_of_systemd_does_not_clear_its_directory() {
    for stack in [Stack::Node, Stack::Rails] {
        let project = Project::new();
        project.init(stack);
        assert!(
            !project
                .read("deploy/my-app.service")
                .contains("RuntimeDirectory"),
            "{stack:?}"
        );
        let socket = project.read("deploy/my-app.socket");
        assert!(
            socket.contains("ListenStream=/run/my-app/my-app.sock\n"),
            "{stack:?}"
        );
    }
}

#[test]
fn django_is_served_by_its_own_module() {
    let project = Project::new();
    project.init(Stack::Django);
    assert!(
        project
            .read("deploy/my-app.service")
            .contains(" my_app.wsgi:application\n")
    );
}

#[test]
fn what_is_there_is_left_alone() {
    let project = Project::new();
    fs_err::write(project.path().join("zdd.toml"), "mine").unwrap();
    fs_err::create_dir(project.path().join("hooks")).unwrap();
    fs_err::os::unix::fs::symlink("nowhere", project.path().join("hooks/build")).unwrap();
    let written = project.init(Stack::Node);
    let left: Vec<_> = written
        .iter()
        .filter(|file| !file.wrote)
        .map(|file| &file.path)
        .collect();
    assert_eq!(
        left,
        [
            &project.path().join("zdd.toml"),
            &project.path().join("hooks/build")
        ]
    );
    assert_eq!(project.read("zdd.toml"), "mine");
    assert!(project.init(Stack::Node).iter().all(|file| !file.wrote));
}

#[test]
fn a_name_or_root_that_could_say_more_than_a_name_is_refused() {
    let project = Project::new();
    for (name, root) in [
        ("a b", "/srv/a"),
        ("", "/srv/a"),
        ("-rf", "/srv/a"),
        ("../x", "/srv/a"),
        ("a\nUser=root", "/srv/a"),
        ("a", "srv/a"),
        ("a", "/srv/a b"),
        ("a", "/srv/$x;"),
    ] {
        let error = run(Stack::Node, name, root.into(), project.path()).unwrap_err();
        assert!(error.hint.is_some(), "{name} {root}");
    }
    assert_eq!(fs_err::read_dir(project.path()).unwrap().count(), 0);
}

#[test]
fn every_shipped_hook_is_a_small_executable_that_stops_at_the_first_error() {
    let hooks = concat!(env!("CARGO_MANIFEST_DIR"), "/hooks");
    let mut count = 0;
    for entry in walkdir::WalkDir::new(hooks).min_depth(2) {
        let path = Utf8PathBuf::try_from(entry.unwrap().into_path()).unwrap();
        let text = fs_err::read_to_string(&path).unwrap();
        assert!(
            text.starts_with("#!/bin/sh\n#") && text.contains("\nset -eu\n"),
            "{path}"
        );
        assert!(text.lines().count() <= 20, "{path}");
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{path}");
        let status = std::process::Command::new("/bin/sh")
            .arg("-n")
            .arg(&path)
            .status();
        assert!(status.unwrap().success(), "{path}");
        count += 1;
    }
    assert_eq!(count, 11);
}
