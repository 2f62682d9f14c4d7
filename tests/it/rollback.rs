//! Back to an older release, never forward by accident.

use crate::sandbox::Site;

fn with_releases(count: usize) -> (Site, Vec<String>) {
    let site = Site::new("keep = 9\n");
    let ids = (1..=count)
        .map(|turn| site.release(&format!("v{turn}")))
        .collect();
    (site, ids)
}

#[test]
fn two_rollbacks_go_back_twice_and_the_third_has_nowhere_to_go() {
    let (site, ids) = with_releases(3);
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("v2"));
    assert_eq!(site.state(&ids[2]), "bad");
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("v1"));
    let before = site.tree();
    let refused = site
        .zdd("--json rollback")
        .run()
        .exits(1)
        .says("no older good release");
    assert_eq!(refused.json()["outcome"], "refused");
    assert_eq!(changed(&before, &site.tree()), Vec::<String>::new());
}

#[test]
fn a_named_release_may_be_newer_or_bad_but_never_failed() {
    let (site, ids) = with_releases(3);
    site.does("rollback");
    site.does(&format!("rollback {}", ids[2]));
    assert_eq!(site.version().as_deref(), Some("v3"));
    site.hook("build", "false");
    let failed = site.releasing("v4").run().exits(1).json()["release"].take();
    let failed = failed.as_str().unwrap();
    site.zdd(&format!("rollback {failed}"))
        .run()
        .exits(1)
        .says("never live");
    site.zdd(&format!("rollback {}", ids[2]))
        .run()
        .exits(1)
        .says("already live");
    site.zdd("rollback 20200101000000")
        .run()
        .exits(1)
        .says("no release");
    site.zdd("rollback ../../etc").run().exits(2);
    assert_eq!(site.version().as_deref(), Some("v3"));
}

#[test]
fn a_release_after_a_rollback_goes_back_to_what_it_replaced() {
    let (site, _) = with_releases(2);
    site.does("rollback");
    site.release("v3");
    let list = site.does("--json list").json();
    assert_eq!(list["previous"], list["releases"][0]["id"]);
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn an_irreversible_migration_is_a_fence_that_only_force_passes() {
    let (site, ids) = with_releases(1);
    site.hook("migrate", "echo irreversible=true >> \"$ZDD_OUTPUT\"");
    site.release("v2");
    site.hook("migrate", "true");
    site.release("v3");
    site.does("rollback");
    assert_eq!(
        site.version().as_deref(),
        Some("v2"),
        "the fence lies behind v2"
    );
    site.zdd("rollback")
        .run()
        .exits(1)
        .says("--force")
        .says("irreversible");
    site.zdd(&format!("rollback {}", ids[0])).run().exits(1);
    assert_eq!(site.version().as_deref(), Some("v2"));
    site.does("rollback --force");
    assert_eq!(site.version().as_deref(), Some("v1"));
}

#[test]
fn a_rollback_says_which_migrations_the_database_keeps() {
    let (site, ids) = with_releases(1);
    site.hook("migrate", "echo migrated=shop.0007 >> \"$ZDD_OUTPUT\"");
    site.hook("build", "echo wheels=12 >> \"$ZDD_OUTPUT\"");
    let second = site.release("v2");
    site.hook("migrate", "echo migrated= >> \"$ZDD_OUTPUT\"");
    site.release("v3");
    site.code("v4");
    let fourth = site.zdd("--json release --skip-hook migrate");
    let fourth = fourth.arg(&site.source).run().exits(0).json()["release"].clone();
    let dry = site.does(&format!("rollback --dry-run {}", ids[0]));
    let told = format!("    | {second}: shop.0007\n");
    assert!(dry.stdout.contains(&told), "{dry}");
    assert!(dry.stdout.contains("was left out, as asked"), "{dry}");
    assert_eq!(site.version().as_deref(), Some("v4"));

    let back = site.does(&format!("--json rollback {}", ids[0]));
    let migrations = back.json()["migrations"].clone();
    assert_eq!(migrations.as_array().unwrap().len(), 2, "{back}");
    assert_eq!(migrations[0]["release"], second.as_str(), "{back}");
    assert_eq!(
        migrations[0]["notes"],
        serde_json::json!({ "migrated": "shop.0007" })
    );
    assert_eq!(migrations[1]["release"], fourth, "{back}");
    assert_eq!(migrations[1]["skipped"], true, "{back}");
    let before = back.stderr.find(told.trim_end()).unwrap();
    let flip = back.stderr.find("Flipped").unwrap();
    assert!(before < flip, "{back}");
    back.says("the code is back, the migrations of");
}

#[test]
fn a_rollback_runs_the_revert_of_the_release_it_leaves() {
    let site = Site::new("");
    site.release("v1");
    site.hook("migrate", "true");
    site.hook(
        "revert",
        "echo $ZDD_COMMAND $(cat version) >> \"$ZDD_ROOT/notes\"",
    );
    site.release("v2");
    site.does("rollback");
    let notes = std::fs::read_to_string(site.root.join("notes")).unwrap();
    assert_eq!(notes, "rollback v2\n");
}

/// The paths that differ, zdd's own lock left out: its text names the last holder.
fn changed(
    before: &std::collections::BTreeMap<std::path::PathBuf, String>,
    after: &std::collections::BTreeMap<std::path::PathBuf, String>,
) -> Vec<String> {
    let paths = before.keys().chain(after.keys());
    let differs = |path: &&std::path::PathBuf| before.get(*path) != after.get(*path);
    let differing = paths
        .filter(differs)
        .filter(|path| !path.ends_with(".zdd/lock"));
    differing.map(|path| path.display().to_string()).collect()
}
