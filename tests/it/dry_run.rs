//! `--dry-run` prints the plan and changes nothing at all.

use crate::sandbox::Site;

#[test]
fn a_dry_run_changes_nothing() {
    let site = Site::new("[[service]]\nreload = \"true\"\n");
    let nothing = site.tree();
    site.code("v1");
    site.zdd("release --dry-run")
        .arg(&site.source)
        .run()
        .exits(0)
        .says("switch");
    assert_eq!(site.tree(), nothing);

    site.release("v1");
    site.release("v2");
    let before = site.tree();
    let plan = site
        .zdd("release --dry-run")
        .arg(&site.source)
        .run()
        .exits(0);
    for step in ["create", "fill", "seal", "switch", "verify", "finish"] {
        assert!(plan.stdout.contains(step), "{step} is not in {plan}");
    }
    site.does("rollback --dry-run").says("switch");
    site.does("prune --keep 1 --dry-run");
    site.does("--json rollback --dry-run");
    assert_eq!(site.tree(), before);
    for words in ["list", "show", "status", "check", "logs"] {
        site.zdd(words).run();
    }
    assert_eq!(
        site.tree(),
        before,
        "commands that only look change nothing"
    );
}

#[test]
fn a_dry_run_says_what_stands_against_it() {
    let site = Site::new("[shared]\nfiles = [\".env\"]\n");
    site.zdd("release --dry-run")
        .arg(&site.source)
        .run()
        .exits(1)
        .says(".env");
}
