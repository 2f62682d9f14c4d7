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
        self.begin(stack).files
    }

    fn begin(&self, stack: Stack) -> Begun {
        write(stack, "my-app".into(), "/srv/my-app".into(), self.path()).unwrap()
    }

    fn read(&self, path: &str) -> String {
        fs_err::read_to_string(self.path().join(path)).unwrap()
    }
}

#[test]
fn every_stack_writes_its_files_with_no_placeholder_left() {
    let of_service = "deploy/my-app@.service deploy/my-app.nginx deploy/my-app.sudoers \
                      deploy/zdd-recover@my-app.service";
    for (stack, deploy, hooks) in [
        (Stack::Flask, of_service, "build check"),
        (Stack::Django, of_service, "build check migrate"),
        (Stack::Node, of_service, "build"),
        (Stack::Rails, of_service, "build migrate"),
        (Stack::Static, "deploy/my-app.nginx", "build"),
        (
            Stack::Php,
            "deploy/my-app.nginx deploy/my-app.pool.conf deploy/release.php",
            "build check",
        ),
        (
            Stack::Supervisor,
            "deploy/my-app.supervisor deploy/my-app.nginx deploy/my-app.tmpfiles \
             deploy/zdd-recover@my-app.service",
            "build check",
        ),
        (
            Stack::Zddeploy,
            "deploy/nginx.conf.template deploy/zdd-recover@my-app.service",
            "",
        ),
    ] {
        let hooks = hooks.split_whitespace().map(|hook| format!("hooks/{hook}"));
        let hooks: Vec<String> = hooks.collect();
        let files = format!("zdd.toml {deploy} {}", hooks.join(" "));
        let project = Project::new();
        let written = project.init(stack);
        let files = format!("{} hooks/finish hooks/failed", files.trim());
        let expected: Vec<_> = files
            .split(' ')
            .map(|file| project.path().join(file))
            .collect();
        let paths: Vec<_> = written.iter().map(|file| file.path.clone()).collect();
        assert_eq!(paths, expected, "{stack:?}");
        for file in written {
            let text = fs_err::read_to_string(&file.path).unwrap();
            assert!(
                file.state == State::Written && !has_placeholder(&text),
                "{}",
                file.path
            );
            let is_hook = file.path.parent().unwrap().ends_with("hooks");
            let mode = fs_err::metadata(&file.path).unwrap().permissions().mode();
            assert_eq!(mode & 0o100 != 0, is_hook, "{}", file.path);
            assert_eq!(text.starts_with("#!/bin/sh\n"), is_hook, "{}", file.path);
        }
    }
}

/// Whether a word between two `@` is left, as `@NAME@`.
fn has_placeholder(text: &str) -> bool {
    let mut words = text.split('@').skip(1);
    words.any(|word| !word.is_empty() && word.chars().all(|c| c.is_ascii_uppercase()))
}

#[test]
fn the_steps_put_every_file_of_deploy_in_its_place() {
    for stack in Stack::value_variants() {
        let project = Project::new();
        let begun = project.begin(*stack);
        assert!(!has_placeholder(&begun.steps), "{}", begun.steps);
        for file in begun.files {
            let path = file.path.strip_prefix(project.path()).unwrap();
            let stays = ["release.php", "my-app.supervisor", "nginx.conf.template"];
            let stays = stays.iter().any(|name| path.ends_with(name));
            if path.starts_with("deploy") && !stays {
                let lines = begun.steps.lines();
                let mut installs = lines.filter(|line| line.starts_with("install -m "));
                let is_named = installs.any(|line| line.contains(path.as_str()));
                assert!(is_named, "{path} in:\n{}", begun.steps);
            }
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
        let has_unit = matches!(
            stack,
            Stack::Flask | Stack::Django | Stack::Node | Stack::Rails
        );
        let expected = has_unit.then_some("my-app@.service");
        assert_eq!(unit, expected);
    }
}

#[test]
fn unit_settings_and_proxy_agree_on_the_socket() {
    for (stack, bind) in [
        (Stack::Flask, "--bind unix:/run/my-app/%i/app.sock"),
        (Stack::Django, "--bind unix:/run/my-app/%i/app.sock"),
        (Stack::Node, "PORT=/run/my-app/%i/app.sock"),
        (Stack::Rails, "--bind unix:///run/my-app/%i/app.sock"),
    ] {
        let project = Project::new();
        project.init(stack);
        let unit = project.read("deploy/my-app@.service");
        assert!(unit.contains(bind), "{stack:?}");
        for line in [
            "RuntimeDirectory=my-app/%i",
            "WorkingDirectory=/srv/my-app/releases/%i",
            "KillMode=mixed",
            "TimeoutStopSec=35",
            "Restart=on-failure",
            "WantedBy=multi-user.target",
        ] {
            assert!(unit.lines().any(|own| own == line), "{stack:?}: {line}");
        }
        let code = unit.lines().filter(|line| !line.starts_with('#'));
        assert!(
            !code.into_iter().any(|line| line.contains("/current")),
            "{stack:?}"
        );
        let config: Config = toml::from_str(&project.read("zdd.toml")).unwrap();
        let socket = config.service[0].socket.clone().unwrap();
        assert_eq!(socket, "/run/my-app/%i/app.sock", "{stack:?}");
        let url = config.health[0].url.clone().unwrap();
        assert_eq!(url, "http://unix:/srv/my-app/current/run/app.sock:/");
        let nginx = project.read("deploy/my-app.nginx");
        let server = "server unix:/srv/my-app/current/run/app.sock fail_timeout=0;";
        assert!(
            nginx.contains(server) && !nginx.contains("keepalive"),
            "{stack:?}"
        );
    }
}

#[test]
fn sudo_is_allowed_what_the_program_asks_for_and_no_more() {
    let project = Project::new();
    project.init(Stack::Node);
    let sudoers = project.read("deploy/my-app.sudoers");
    let lines: Vec<_> = sudoers
        .lines()
        .filter(|line| !line.starts_with('#'))
        .collect();
    assert_eq!(
        lines,
        [
            "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl ^--no-ask-password \
             (start|stop|enable|disable|reset-failed) -- my-app@[0-9]{14}\\.service$",
            "deploy ALL=(root) NOPASSWD: /usr/bin/systemd-run ^--no-ask-password --quiet --collect \
             --unit=zdd-standby-[0-9]{14} --on-active=[0-9]+s --timer-property=AccuracySec=1s \
             --uid=deploy -- /usr/local/bin/zdd --root /srv/my-app recover --standby --wait=10m$",
        ]
    );
    let dots = project.path().join("dots");
    write(Stack::Node, "my.app".into(), "/srv/a".into(), &dots).unwrap();
    let dotted = project.read("dots/deploy/my.app.sudoers");
    assert!(
        dotted.starts_with("# Goes to /etc/sudoers.d/my_app, "),
        "{dotted}"
    );
}

#[test]
fn a_boot_recovers_after_everything_was_started() {
    let project = Project::new();
    project.init(Stack::Rails);
    let unit = project.read("deploy/zdd-recover@my-app.service");
    for line in [
        "Type=oneshot",
        "User=deploy",
        "After=multi-user.target",
        "KillMode=process",
        "ExecStart=/usr/local/bin/zdd --root /srv/my-app recover --boot --wait 10m",
    ] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
}

#[test]
fn django_is_served_by_its_own_module() {
    let project = Project::new();
    project.init(Stack::Django);
    assert!(
        project
            .read("deploy/my-app@.service")
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
        .filter(|file| file.state == State::Kept)
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
    let again = project.init(Stack::Node);
    let same = again.iter().filter(|file| file.state == State::Same);
    assert_eq!(same.count(), again.len() - 2);
}

#[test]
fn a_name_or_root_that_could_say_more_than_a_name_is_refused() {
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
        let error = refuse_unsafe_words(name, root.into()).unwrap_err();
        assert!(error.hint.is_some(), "{name} {root}");
    }
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
        assert!(text.lines().count() <= 45, "{path}");
        let mode = fs_err::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o111, 0o111, "{path}");
        let status = std::process::Command::new("/bin/sh")
            .arg("-n")
            .arg(&path)
            .status();
        assert!(status.unwrap().success(), "{path}");
        count += 1;
    }
    assert_eq!(count, 14);
}
