//! `--json` gives one object with exactly the documented fields.

use serde_json::Value;

use crate::sandbox::Site;

const ENDED: [&str; 14] = [
    "schema",
    "outcome",
    "release",
    "from",
    "serving",
    "error",
    "errors",
    "steps",
    "cutover",
    "running",
    "queues",
    "replaced",
    "complaints",
    "migrations",
];

#[track_caller]
fn has_exactly(value: &Value, fields: &[&str]) {
    let found: Vec<_> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut sorted = (found.clone(), fields.to_vec());
    sorted.0.sort_unstable();
    sorted.1.sort_unstable();
    assert_eq!(sorted.0, sorted.1, "{value}");
}

#[test]
fn a_release_and_a_rollback_tell_all_their_fields() {
    let site = Site::new("[[service]]\nreload = \"true\"\n");
    let first = site.releasing("v1").run().exits(0);
    let second = site.releasing("v2").run().exits(0);
    let back = site.does("--json rollback");
    site.hook("build", "exit 1");
    let failed = site.releasing("v3").run().exits(1);
    site.settings("[require]\ncommands = [\"nothing-like-it\"]\n");
    let refused = site.releasing("v3").run().exits(1);
    for output in [&first, &second, &back, &failed, &refused] {
        has_exactly(&output.json(), &ENDED);
        assert!(output.stdout.starts_with("{\"schema\":1,"), "{output}");
    }
    has_exactly(&second.json()["steps"][0], &["name", "ms", "ok"]);
    has_exactly(
        &second.json()["running"][0],
        &["service", "release", "verdict", "evidence"],
    );
    has_exactly(
        &failed.json()["error"],
        &["step", "message", "cause", "hint"],
    );
    has_exactly(
        &refused.json()["errors"][0],
        &["file", "line", "column", "message", "hint"],
    );
    let names: Vec<_> = steps_of(&second.json());
    assert_eq!(
        names,
        [
            "preconditions",
            "create",
            "fill",
            "link_shared",
            "hook_build",
            "hook_check",
            "hook_migrate",
            "seal",
            "hook_warm",
            "switch",
            "verify",
            "hook_verify",
            "finish",
        ]
    );
    assert_eq!(second.json()["from"], first.json()["release"]);
    assert_eq!(second.json()["serving"], second.json()["release"]);
    assert_eq!(refused.json()["serving"], first.json()["release"]);
}

fn steps_of(object: &Value) -> Vec<String> {
    let steps = object["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| step["name"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_probed_release_tells_its_figures() {
    let site = Site::new(&crate::process::settings());
    let socket = site.root.join("current/run/app.sock");
    let check = format!("[[health]]\nurl = \"http://unix:{}:/\"\n", socket.display());
    site.settings(&format!("{}{check}", crate::process::settings()));
    site.release("v1");
    let live = site.releasing("v2").run().exits(0).json();
    has_exactly(
        &live["cutover"],
        &[
            "requests",
            "failed",
            "p50_ms",
            "p99_ms",
            "before_p99_ms",
            "first_new_ms",
            "last_old_ms",
        ],
    );
    let shown = site.does("--json show").json();
    has_exactly(&shown["samples"][0], &["at_ms", "took_ms", "ok", "release"]);
    assert!(shown["taken_back_ms"].is_null());
    has_exactly(&live["running"][0]["evidence"][0], &["pid", "kind", "path"]);
    let status = site.does("--json status").json();
    has_exactly(&status["health"][0], &["check", "ok", "detail"]);
}

#[test]
fn what_is_asked_is_answered_with_all_its_fields() {
    let site = Site::new("");
    site.release("v1");
    site.release("v2");
    let list = site.does("--json list").json();
    has_exactly(
        &list,
        &["schema", "site", "current", "previous", "releases"],
    );
    has_exactly(
        &list["releases"][0],
        &[
            "id",
            "seq",
            "state",
            "adopted",
            "created_at",
            "live_at",
            "revision",
            "performer",
            "took_ms",
            "pinned",
            "in_use",
            "path",
        ],
    );
    let created = list["releases"][0]["created_at"].as_str().unwrap();
    assert!(created.ends_with('Z') && created.len() >= 20, "{created}");
    assert!(
        !list["site"].as_str().unwrap().is_empty(),
        "a site has a name"
    );
    let pruned = site.does("--json prune --keep 1").json();
    has_exactly(&pruned, &["schema", "removed", "kept", "freed_bytes"]);
    has_exactly(&pruned["kept"][0], &["id", "why"]);
    let status = site.does("--json status").json();
    has_exactly(
        &status,
        &[
            "schema",
            "current",
            "running",
            "proxy",
            "health",
            "lock",
            "unfinished",
            "standby",
            "problems",
        ],
    );
    let check = site.does("--json check").json();
    has_exactly(&check, &["schema", "findings"]);
    assert_eq!(site.does("--json show").json()["schema"], 1);
}
