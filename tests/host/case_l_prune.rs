//! Case l: prune takes exactly the right ones, and says of each kept one why.

use std::collections::BTreeMap;

use crate::Case;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[("case_l::exactly_the_right_ones_go", exactly)];

fn exactly() {
    let site = Site::install();
    site.write(&format!("{ROOT}/zdd.toml"), "keep = 50\nkeep_failed = 50\n");
    for version in ["good", "failed"] {
        site.write_hook(version, "build", "exit 0");
    }
    site.write_hook("good", "check", "exit 0");
    site.write_hook("failed", "check", "exit 1");
    let release = |version: &str, exit: i32| {
        let outcome = site.release(version);
        outcome.assert_exit(exit);
        outcome.text("/release").to_owned()
    };
    let [mut good, mut failed] = [Vec::new(), Vec::new()];
    for round in 0..6 {
        good.push(release("good", 0));
        if round < 4 {
            failed.push(release("failed", 1));
        }
    }
    site.outcome(["pin", &good[0]]).assert_exit(0);
    let user = site
        .program(["sleep", "600"])
        .user("deploy")
        .dir(&format!("{ROOT}/releases/{}", good[1]))
        .spawn();

    site.write(&format!("{ROOT}/zdd.toml"), "keep = 50\nkeep_failed = 1\n");
    let prune = site.outcome(["prune", "--keep", "2"]);
    prune.assert_exit(0);

    let mut gone = vec![&good[2], &good[3], &failed[0], &failed[1], &failed[2]];
    gone.sort();
    let mut removed: Vec<String> =
        serde_json::from_value(prune.json["removed"].clone()).unwrap_or_default();
    removed.sort();
    assert_eq!(removed.iter().collect::<Vec<_>>(), gone, "{prune}");
    let kept: BTreeMap<&str, &str> = prune.json["kept"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|kept| {
            (
                kept["id"].as_str().unwrap_or(""),
                kept["why"].as_str().unwrap_or(""),
            )
        })
        .collect();
    let reasons = [
        (&good[0], "pinned"),
        (&good[1], "sleep"),
        (&good[4], "previous"),
        (&good[5], "current"),
        (&failed[3], "fail"),
    ];
    assert_eq!(kept.len(), reasons.len(), "{prune}");
    for (release, reason) in reasons {
        let why = kept.get(release.as_str()).unwrap_or(&"not kept");
        assert!(
            why.contains(reason),
            "`{release}`: `{why}`, not `{reason}`\n{prune}"
        );
    }
    let mut left: Vec<String> = kept.keys().map(|&id| id.to_owned()).collect();
    left.sort();
    let listed = site.sh(&format!("ls {ROOT}/releases")).stdout;
    assert_eq!(listed.split_whitespace().collect::<Vec<_>>(), left);
    let shown = site.outcome(["list"]).json["releases"]
        .as_array()
        .map(Vec::len);
    assert_eq!(shown, Some(5), "pruned ones are not listed");
    let all = site.outcome(["list", "--all"]).json["releases"]
        .as_array()
        .map(Vec::len);
    assert_eq!(all, Some(10));

    user.signal(nix::sys::signal::Signal::SIGTERM);
    user.wait();
    let again = site.outcome(["prune", "--keep", "2"]);
    again
        .assert_exit(0)
        .assert_field("/removed/0", good[1].as_str());
    site.outcome(["prune", "--keep", "0"]).assert_exit(2);
}
