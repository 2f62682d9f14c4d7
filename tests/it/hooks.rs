//! Hooks that fail, hang or cannot be run: nothing changes for users, and the reason is shown.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use crate::sandbox::{Site, processes};

fn live_site(settings: &str) -> Site {
    let site = Site::new(settings);
    site.release("v1");
    site
}

#[test]
fn a_failing_build_or_migration_changes_nothing_and_shows_its_last_lines() {
    for point in ["build", "check", "migrate", "warm"] {
        let site = live_site("");
        site.hook(point, "echo about to fail; echo the reason >&2; exit 7");
        let output = site
            .releasing("v2")
            .run()
            .exits(1)
            .says("the reason")
            .says("7");
        assert_eq!(
            output.json()["error"]["step"],
            format!("hook_{point}"),
            "{output}"
        );
        assert_eq!(output.json()["outcome"], "failed");
        assert_eq!(site.version().as_deref(), Some("v1"));
        let id = output.json()["release"].as_str().unwrap().to_owned();
        assert_eq!(site.state(&id), "failed");
        site.does(&format!("logs {id} hook_{point}"))
            .says("about to fail");
        site.does(&format!("show {id}"))
            .says("exit code 7")
            .says("failed");
    }
}

#[test]
fn a_hook_that_hangs_is_killed_with_everything_it_started() {
    let site = live_site("");
    site.settings("[hooks]\nbuild = { run = \"sleep 61 & sleep 62\", timeout = \"300ms\" }\n");
    let output = site.releasing("v2").run().exits(1).says("300ms");
    assert!(output.took < Duration::from_secs(10), "{output}");
    assert_eq!(site.version().as_deref(), Some("v1"));
    assert_eq!(processes::inside(&site.root), []);
}

#[test]
fn a_hook_that_is_not_executable_is_named_with_the_command_that_helps() {
    let site = live_site("");
    site.hook("build", "true");
    let path = site.source.join("hooks/build");
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    site.releasing("v2")
        .run()
        .exits(1)
        .says("not executable")
        .says("chmod +x");
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn a_failing_verify_is_a_veto_after_the_switch() {
    let site = live_site("[[service]]\nreload = \"cat version >> ../../reloads\"\n");
    site.hook("verify", "grep -q v1 version");
    let output = site.releasing("v2").run().exits(3);
    assert_eq!(output.json()["error"]["step"], "hook_verify");
    assert_eq!(site.version().as_deref(), Some("v1"));
    let reloads = fs::read_to_string(site.root.join("reloads")).unwrap();
    assert_eq!(
        reloads, "v1\nv2\nv1\n",
        "the service is told of the old release again"
    );
}

#[test]
fn revert_runs_when_migrate_had_begun_and_failed_runs_last() {
    let site = live_site("");
    let note = |what: &str| format!("echo {what} $ZDD_RELEASE >> \"$ZDD_ROOT/notes\"");
    for point in ["migrate", "revert", "failed"] {
        site.hook(point, &note(point));
    }
    site.hook("verify", "false");
    let output = site.releasing("v2").run().exits(3);
    let id = output.json()["release"].as_str().unwrap().to_owned();
    let notes = fs::read_to_string(site.root.join("notes")).unwrap();
    assert_eq!(notes, format!("migrate {id}\nrevert {id}\nfailed {id}\n"));
}

#[test]
fn the_environment_is_clean_and_tells_the_release() {
    let site = live_site("[hooks]\npass_env = [\"LET_IN\"]\n");
    site.hook(
        "build",
        "env > environment; ls /proc/self/fd > descriptors; cat",
    );
    let program = site
        .releasing("v2")
        .env("SECRET_OF_CALLER", "x")
        .env("LET_IN", "yes");
    program.run().exits(0);
    let text = fs::read_to_string(site.root.join("current/environment")).unwrap();
    assert!(!text.contains("SECRET_OF_CALLER"), "{text}");
    for wanted in [
        "LET_IN=yes",
        "ZDD_COMMAND=release",
        "ZDD_HOOK=build",
        "HOME=",
        "PATH=",
    ] {
        assert!(text.contains(wanted), "{wanted} is not in {text}");
    }
    for key in [
        "ROOT",
        "RELEASE",
        "RELEASE_PATH",
        "PREVIOUS",
        "PREVIOUS_PATH",
        "CURRENT_PATH",
    ] {
        assert!(
            text.contains(&format!("ZDD_{key}=")),
            "{key} is not in {text}"
        );
    }
    let open = fs::read_to_string(site.root.join("current/descriptors")).unwrap();
    assert!(open.split_whitespace().count() <= 4, "inherited: {open}");
}

#[test]
fn what_a_hook_writes_to_its_output_file_is_kept() {
    let site = live_site("");
    site.hook("migrate", "echo tables=7 >> \"$ZDD_OUTPUT\"");
    let id = site.release("v2");
    assert_eq!(site.record(&id)["notes"]["tables"], "7");
}

#[test]
fn secrets_are_masked_everywhere() {
    let site = Site::new("env_file = \"shared/.env\"\n");
    fs::create_dir(site.root.join("shared")).unwrap();
    let secret = "correct-horse-battery";
    fs::write(
        site.root.join("shared/.env"),
        format!("DB_PASSWORD={secret}\n"),
    )
    .unwrap();
    site.hook("build", "printf 'it is %s\\n' \"$DB_PASSWORD\"; exit 1");
    let output = site
        .zdd("-v release")
        .arg(&site.source)
        .run()
        .exits(1)
        .says("it is ");
    assert!(!format!("{output}").contains(secret), "{output}");
    for (path, what) in site.tree() {
        let is_the_secret_itself = path.ends_with("shared/.env");
        assert!(
            is_the_secret_itself || !what.contains(secret),
            "{}",
            path.display()
        );
    }
}

#[test]
fn a_skipped_hook_is_recorded() {
    let site = live_site("");
    site.hook("migrate", "exit 1");
    site.code("v2");
    let output = site
        .zdd("--json release --skip-hook migrate")
        .arg(&site.source)
        .run()
        .exits(0);
    let id = output.json()["release"].as_str().unwrap().to_owned();
    assert_eq!(site.record(&id)["skipped_hooks"][0], "migrate");
    site.does(&format!("show {id}")).says("migrate");
}
