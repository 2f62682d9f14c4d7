//! What hooks see, and as whom they run.

use std::collections::BTreeMap;
use std::process::Command;

use super::*;
use crate::config::schema::{self, HookTable};
use crate::host::socket::Address;

/// Set in a second run of this test binary, whose environment is a dirty one.
const DIRTY: &str = "ZDD_TEST_IS_DIRTY";

fn variables(site: &Site) -> BTreeMap<String, String> {
    let lines = site.output().into_iter();
    let pairs = lines.filter_map(|line| {
        let (key, value) = line.split_once('=')?;
        Some((key.to_owned(), value.to_owned()))
    });
    pairs.collect()
}

/// Runs one test of this binary again in another environment.
fn again(name: &str, environment: &[(&str, &str)]) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", &format!("hook::tests::environment::{name}")])
        .env(DIRTY, "1")
        .envs(environment.iter().copied());
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
}

#[test]
fn nothing_of_the_callers_environment_leaks() {
    if std::env::var_os(DIRTY).is_none() {
        let dirty = [
            ("SECRET", "x"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
            ("SSH_AUTH_SOCK", "/tmp/agent"),
            ("LD_PRELOAD", "/nowhere.so"),
            ("BASH_ENV", "/tmp/evil"),
            ("ENV", "/tmp/evil"),
            ("IFS", "x"),
            ("PATH", "/tmp/evil:/usr/bin:/bin"),
            ("LANG", "de_DE.UTF-8"),
            ("TERM", "xterm"),
            ("HOME", "/home/me"),
            ("PASSED", "through"),
            ("ZDD_ROOT", "/forged"),
        ];
        return again("nothing_of_the_callers_environment_leaks", &dirty);
    }
    let mut site = Site::with_env("SETTING=from the file\nZDD_HOOK=forged");
    site.hooks.pass_env = vec!["PASSED".into(), "NOT_SET".into()];
    site.hooks.no_mask = vec!["SETTING".into()];
    site.run_script("exec /usr/bin/env").result.unwrap();
    let seen = variables(&site);
    let keys: Vec<&str> = seen
        .keys()
        .map(String::as_str)
        .filter(|key| *key != "PWD")
        .collect();
    assert_eq!(
        keys,
        [
            "HOME",
            "LANG",
            "PASSED",
            "PATH",
            "SETTING",
            "TERM",
            "USER",
            "ZDD_COMMAND",
            "ZDD_CURRENT_PATH",
            "ZDD_HOOK",
            "ZDD_OUTPUT",
            "ZDD_PREVIOUS",
            "ZDD_PREVIOUS_PATH",
            "ZDD_RELEASE",
            "ZDD_RELEASE_PATH",
            "ZDD_REVISION",
            "ZDD_ROOT",
            "ZDD_SHARED_PATH",
        ]
    );
    assert_eq!(
        seen["PATH"],
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    );
    assert_eq!(seen["SETTING"], "from the file");
    assert_eq!(seen["ZDD_HOOK"], "build");
    assert_eq!(seen["ZDD_ROOT"], site.path());
    assert_eq!(
        (seen["LANG"].as_str(), seen["TERM"].as_str()),
        ("de_DE.UTF-8", "xterm")
    );
    assert_eq!(seen["HOME"], "/home/me");
}

#[test]
fn hooks_are_told_of_the_release_and_what_hangs_on_it() {
    let mut site = Site::new();
    let previous = site.path().join("releases").join("20260101000000");
    site.facts = Facts {
        previous: Some("20260101000000".into()),
        previous_path: Some(previous.clone()),
        revision: Some("abc123".into()),
        command: Verb::Rollback,
        address: Some(Address::Unix("/run/app.sock".into())),
        ..site.facts
    };
    site.run_script("env").result.unwrap();
    let seen = variables(&site);
    for (key, value) in [
        ("ZDD_RELEASE", "20261122014228"),
        ("ZDD_RELEASE_PATH", site.facts.release_path.as_str()),
        ("ZDD_PREVIOUS", "20260101000000"),
        ("ZDD_PREVIOUS_PATH", previous.as_str()),
        ("ZDD_CURRENT_PATH", site.facts.current_path.as_str()),
        ("ZDD_SHARED_PATH", site.facts.shared_path.as_str()),
        ("ZDD_REVISION", "abc123"),
        ("ZDD_COMMAND", "rollback"),
        ("ZDD_SOCKET", "/run/app.sock"),
    ] {
        assert_eq!(seen[key], value, "{key}");
    }
}

#[test]
fn the_documentation_names_every_point_and_every_variable() {
    let documentation = include_str!("../../../docs/hooks.md");
    let site = Site::new();
    let facts = Facts {
        address: Some(Address::Unix("s".into())),
        ..site.facts.clone()
    };
    let environment = Environment::new(&site.hooks, &site.env_file);
    let variables = environment.of_hook(None, &facts, Point::Build, "out".into());
    for key in variables.keys() {
        assert!(documentation.contains(&format!("`{key}`")), "{key}");
    }
    let points = Point::ALL.map(|point| documentation.find(&format!("| `{point}` |")));
    assert!(
        points.iter().all(Option::is_some) && points.is_sorted(),
        "{points:?}"
    );
}

#[test]
fn root_runs_a_hook_as_another_user_with_no_way_back() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    // So that there is a group that the hook must not keep.
    nix::unistd::setgroups(&[0.into(), 1.into()]).unwrap();
    let mut site = Site::new();
    set_mode(site.path(), 0o755);
    site.hooks.user = Some("nobody".into());
    let ended = site.run_script(
        "id -un; id -G; echo $HOME $USER; echo irreversible=yes >> \"$ZDD_OUTPUT\"
        grep -E 'NoNewPrivs|CapEff|CapPrm' /proc/self/status",
    );
    ended.result.unwrap();
    assert_eq!(ended.notes.0["irreversible"], "yes");
    let output = site.output();
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    assert_eq!(output[0], "nobody");
    assert_eq!(output[1], nobody.gid.to_string());
    assert_eq!(output[2], format!("{} nobody", nobody.dir.display()));
    let none = "0000000000000000";
    let expected = [
        format!("CapPrm:\t{none}"),
        format!("CapEff:\t{none}"),
        "NoNewPrivs:\t1".into(),
    ];
    assert_eq!(output[3..], expected);
}

#[test]
fn a_user_that_hooks_cannot_run_as_is_said_before_anything_runs() {
    let table = HookTable {
        run: None,
        user: Some("no-such-user".into()),
        timeout: None,
    };
    let hooks = Hooks {
        build: Some(schema::Hook::Table(table)),
        ..Hooks::default()
    };
    let findings = user_findings(&hooks);
    assert_eq!(
        findings[0].message,
        "hooks cannot run as `no-such-user`: there is no such user on this host"
    );
    assert!(Hook::find(Point::Build, &hooks, "/".into()).is_err());
}

/// Becomes another user for good, so it needs a process of its own.
#[test]
fn only_root_can_run_hooks_as_another_user() {
    if std::env::var_os(DIRTY).is_none() {
        return again("only_root_can_run_hooks_as_another_user", &[]);
    }
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    // A thread of the test harness: only this one changes its user, so the system call is made
    // directly instead of through the C library, which changes all threads.
    if nix::unistd::geteuid().is_root() {
        let result = unsafe { nix::libc::syscall(nix::libc::SYS_setuid, nobody.uid.as_raw()) };
        assert_eq!(result, 0);
    }
    let error = Account::named("root").unwrap_err();
    assert_eq!(error.what, "hooks cannot run as `root`");
    assert!(
        error
            .cause
            .unwrap()
            .starts_with("only root can run programs as another user")
    );
    let own = nix::unistd::User::from_uid(nix::unistd::geteuid())
        .unwrap()
        .unwrap();
    assert!(Account::named(&own.name).unwrap().identity.is_none());
}
