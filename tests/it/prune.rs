//! Exactly the right releases go, and each kept one has its reason.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use crate::sandbox::Site;

fn fails(site: &Site) -> String {
    site.file("fail", "");
    let id = site.releasing("bad").run().exits(1).json()["release"]
        .as_str()
        .unwrap()
        .to_owned();
    std::fs::remove_file(site.source.join("fail")).unwrap();
    id
}

#[test]
fn six_good_and_four_failed_releases_are_pruned_to_two() {
    let site = Site::new("keep = 20\nkeep_failed = 20\n");
    site.hook("check", "! test -e fail");
    let mut good = Vec::new();
    let mut failed = Vec::new();
    for turn in 0..6 {
        good.push(site.release(&format!("v{turn}")));
        if turn < 4 {
            failed.push(fails(&site));
        }
    }
    site.settings("keep = 20\nkeep_failed = 1\n");
    site.does(&format!("pin {}", good[0]));
    let mut user = Command::new("sleep")
        .arg("60")
        .current_dir(site.root.join("releases").join(&good[2]))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();

    let planned = site.does("--json prune --keep 2 --dry-run").json();
    assert_eq!(site.directories().len(), 10, "a dry run deletes nothing");
    let pruned = site.does("--json prune --keep 2").json();
    user.kill().unwrap();
    user.wait().unwrap();
    assert_eq!(planned["removed"], pruned["removed"]);

    let removed = [&failed[0], &good[1], &failed[1], &failed[2], &good[3]];
    assert_eq!(pruned["removed"], serde_json::json!(removed));
    let kept = pruned["kept"].as_array().unwrap();
    let why: BTreeMap<_, _> = kept
        .iter()
        .map(|row| (row["id"].as_str().unwrap(), row["why"].as_str().unwrap()))
        .collect();
    assert_eq!(why.len(), 5);
    assert_eq!(why[good[0].as_str()], "pinned");
    assert_eq!(
        why[good[2].as_str()],
        format!("still run by pid {} (sleep 60)", user.id())
    );
    assert!(why[failed[3].as_str()].contains("failed"), "{why:?}");
    assert!(why[good[4].as_str()].contains("previous"), "{why:?}");
    assert_eq!(why[good[5].as_str()], "current");
    assert!(pruned["freed_bytes"].as_u64().unwrap() > 0);
    let mut left: Vec<_> = why.keys().map(|id| (*id).to_owned()).collect();
    left.sort();
    assert_eq!(site.directories(), left);

    let shown = site.does("--json list").json()["releases"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(shown, 5, "pruned ones show with --all only");
    assert_eq!(site.list().len(), 10);
}

#[test]
fn a_pinned_release_goes_after_it_is_let_go() {
    let site = Site::new("keep = 9\n");
    let ids: Vec<_> = (0..3)
        .map(|turn| site.release(&format!("v{turn}")))
        .collect();
    site.does(&format!("pin {}", ids[0]));
    assert_eq!(site.list()[0]["pinned"], true);
    site.does("prune --keep 1");
    assert!(site.directories().contains(&ids[0]));
    site.does(&format!("unpin {}", ids[0]));
    site.does("prune --keep 1");
    assert_eq!(site.directories(), ids[1..]);
    site.zdd(&format!("rollback {}", ids[0]))
        .run()
        .exits(1)
        .says("deleted");
    site.zdd("pin 20200101000000").run().exits(1);
}

#[test]
fn links_in_a_release_are_deleted_and_never_followed() {
    let site = Site::new("");
    let precious = site.scratch().join("precious");
    std::fs::create_dir(&precious).unwrap();
    std::fs::write(precious.join("file"), "x").unwrap();
    std::os::unix::fs::symlink(&precious, site.source.join("away")).unwrap();
    (0..3).for_each(|turn| drop(site.release(&format!("v{turn}"))));
    site.does("prune --keep 1");
    assert_eq!(site.directories().len(), 2);
    assert!(precious.join("file").exists());
}

#[test]
fn keep_of_nothing_is_a_mistake() {
    let site = Site::new("");
    site.release("v1");
    site.zdd("prune --keep 0").run().exits(2);
    site.settings("keep = 0\n");
    site.zdd("prune").run().exits(2).says("zdd.toml");
}
