//! Where the words go, and that nobody listening stops nothing.

use std::fs::File;
use std::process::Stdio;

use crate::sandbox::Site;

#[test]
fn results_go_to_standard_output_and_progress_to_standard_error() {
    let site = Site::new("");
    let live = site.zdd("release").arg(&site.source).run().exits(0);
    assert_eq!(live.stdout, "");
    assert!(
        live.stderr.contains("Created") && live.stderr.contains("Flipped"),
        "{live}"
    );
    let last = live.stderr.lines().next_back().unwrap();
    assert!(
        last.contains("live") && last.contains(&site.current().unwrap()),
        "{live}"
    );
    let list = site.does("list");
    assert!(
        list.stdout.contains("live") && list.stderr.is_empty(),
        "{list}"
    );
    let quiet = site.zdd("-q release").arg(&site.source).run().exits(0);
    assert!(!quiet.stderr.contains("Created"), "{quiet}");
}

#[test]
fn a_failure_ends_with_four_lines() {
    let site = Site::new("");
    site.release("v1");
    site.hook("build", "echo the reason; exit 3");
    let output = site.zdd("release").arg(&site.source).run().exits(1);
    let starts: Vec<_> = ["error:", "cause:", "state:", "hint:"]
        .iter()
        .map(|word| {
            output
                .stderr
                .find(&format!("\n{word}"))
                .unwrap_or_else(|| panic!("{output}"))
        })
        .collect();
    assert!(starts.is_sorted(), "{output}");
    assert!(output.stderr.contains(&site.current().unwrap()), "{output}");
}

#[test]
fn what_is_wrong_is_said_once() {
    let site = Site::new("[shared]\nfiles = [\".env\"]\n");
    let status = site.zdd("status").run().exits(1);
    assert_eq!(status.stdout, "current  no release is live yet\n");
    let check = site
        .zdd("check")
        .run()
        .exits(1)
        .says("shared/.env` is missing");
    let place = format!("where:  {}\n", site.root.display());
    check.says("change: ").does_not_say(&place);
}

#[test]
fn nobody_reading_stops_nothing() {
    let site = Site::new("");
    site.hook(
        "build",
        "i=0; while [ $i -lt 200 ]; do echo line $i; i=$((i+1)); done",
    );
    for (turn, words) in ["release", "-v release", "--json release"]
        .iter()
        .enumerate()
    {
        let version = format!("v{turn}");
        site.code(&version);
        let program = site.zdd(words).arg(&site.source).with(|command| {
            command.stdout(closed_pipe()).stderr(closed_pipe());
        });
        program.spawn_as_set().wait().exits(0);
        assert_eq!(site.version(), Some(version));
    }
    for words in [
        "list",
        "--json list",
        "status",
        "show",
        "logs",
        "man",
        "--help",
    ] {
        let program = site.zdd(words).with(|command| {
            command.stdout(closed_pipe());
        });
        program.spawn_as_set().wait().exits(0);
    }
}

#[test]
fn a_full_disk_behind_standard_error_stops_nothing() {
    let site = Site::new("");
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let program = site.releasing("v1").with(|command| {
        command.stderr(full()).stdout(full());
    });
    program.spawn_as_set().wait().exits(0);
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn closed_descriptors_stop_nothing_and_hit_no_file() {
    let site = Site::new("");
    site.code("v1");
    let line = format!(
        "exec '{}' --root '{}' release '{}' <&- >&- 2>&-",
        env!("CARGO_BIN_EXE_zdd"),
        site.root.display(),
        site.source.display()
    );
    crate::sandbox::Program::new("/bin/sh")
        .arg("-c")
        .arg(line)
        .run()
        .exits(0);
    assert_eq!(site.version().as_deref(), Some("v1"));
    for (path, what) in site.tree() {
        assert!(
            !what.contains("Created"),
            "{} took the progress",
            path.display()
        );
    }
    site.release("v2");
}

#[test]
fn colours_obey() {
    let site = Site::new("");
    site.release("v1");
    let has_colour = |words: &str, key: &str| {
        site.zdd(words)
            .env(key, "1")
            .run()
            .exits(0)
            .stdout
            .contains('\u{1b}')
    };
    assert!(has_colour("--color always list", "X"));
    assert!(!has_colour("--color never list", "CLICOLOR_FORCE"));
    assert!(!has_colour("list", "NO_COLOR"));
    assert!(!has_colour("list", "X"));
}

/// The writing end of a pipe that nobody reads.
fn closed_pipe() -> Stdio {
    let (_, writer) = std::io::pipe().unwrap();
    Stdio::from(writer)
}
