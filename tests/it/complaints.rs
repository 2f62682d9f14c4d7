//! What the logs complain of after the switch is told with the outcome, and decides nothing.

use std::fs;

use crate::sandbox::Site;

/// A site whose service writes these lines into a log when it takes the new code.
fn site(lines: &str) -> Site {
    let site = Site::new("");
    let log = site.scratch().join("app.log");
    fs::write(&log, "ERROR: of long ago\n").unwrap();
    site.file("lines", lines);
    fs::write(site.root.join("secrets"), "DB_PASSWORD=hunter2hunter2\n").unwrap();
    site.settings(&format!(
        "env_file = \"secrets\"\n[[service]]\nreload = \"cat lines >> {0}\"\n[probe]\nlogs = [\"{0}\"]\n",
        log.display()
    ));
    site
}

#[test]
fn new_errors_are_told_with_the_outcome_and_kept() {
    let site = site(
        "INFO all is well\nERROR: no access for hunter2hunter2\nTraceback (most recent call last):\n  \
         File x\nKeyError: 'card'\n2026/11/25 13:40:02 [error] 1#1: *3 upstream prematurely closed \
         connection while reading response header from upstream, client: 1.1.1.1, server: a, \
         request: \"GET /pay?card=1 HTTP/1.1\"\n",
    );
    let output = site.releasing("v1").run().exits(0);
    let complaints = &output.json()["complaints"][0];
    assert_eq!(complaints["count"], 2, "{output}");
    assert_eq!(complaints["known"], 0, "{output}");
    assert_eq!(
        complaints["lines"][0],
        "ERROR: no access for ***: KeyError: 'card'"
    );
    assert_eq!(
        complaints["lines"][1],
        "13:40:02 upstream prematurely closed connection while reading response header from \
         upstream: GET /pay"
    );
    let quiet = site.zdd("-q release").arg(&site.source).run().exits(0);
    let quiet = quiet
        .says("warning: ")
        .says("2 new errors since the switch")
        .says("    | ERROR: no access for ***")
        .says("read on: less ");
    site.does("show").says("2 new errors since the switch");
    assert!(!output.stdout.contains("hunter2") && !quiet.stderr.contains("hunter2"));
}

#[test]
fn a_quiet_log_says_nothing_and_one_that_cannot_be_read_is_said_once() {
    let site = site("INFO all is well\n");
    let calm = site.releasing("v1").run().exits(0);
    assert_eq!(calm.json()["complaints"], serde_json::json!([]), "{calm}");
    let log = site.scratch().join("app.log");
    fs::remove_file(&log).unwrap();
    fs::create_dir(&log).unwrap();
    site.hook("build", "echo true > lines; true");
    let settings = fs::read_to_string(site.root.join("zdd.toml")).unwrap();
    site.settings(&settings.replace("cat lines >> ", "true "));
    let blind = site.releasing("v2").run().exits(0);
    assert!(
        blind.json()["complaints"][0]["unread"].is_string(),
        "{blind}"
    );
    blind.says("errors after a switch are not seen there");
    let again = site.releasing("v3").run().exits(0);
    assert!(
        again.json()["complaints"][0]["unread"].is_string(),
        "{again}"
    );
    assert!(!again.stderr.contains("are not seen there"), "{again}");
}

#[test]
fn what_a_release_that_was_taken_back_complained_of_is_told_too() {
    let site = site("");
    site.release("v1");
    site.file("lines", "panic: index out of range\n");
    site.hook("verify", "exit 1");
    let output = site.releasing("v2").run().exits(3);
    let complaints = &output.json()["complaints"][0];
    assert_eq!(
        complaints["lines"][0], "panic: index out of range",
        "{output}"
    );
    site.does("show").says("panic: index out of range");
}
