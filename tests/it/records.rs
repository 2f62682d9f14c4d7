//! Broken files of zdd's own are set aside and never fatal.

use std::fs;

use crate::sandbox::Site;

fn three() -> (Site, Vec<String>) {
    let site = Site::new("keep = 9\n");
    let ids = (1..=3)
        .map(|turn| site.release(&format!("v{turn}")))
        .collect();
    (site, ids)
}

/// Ways in which a file can be broken.
fn broken(good: &[u8]) -> Vec<Vec<u8>> {
    let mut noise = good.to_vec();
    let mut seed = 12345_u32;
    for byte in noise.iter_mut().step_by(7) {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte ^= (seed >> 24) as u8;
    }
    let deep = "[".repeat(100_000).into_bytes();
    vec![
        Vec::new(),
        vec![0; good.len()],
        good[..good.len() / 2].to_vec(),
        noise,
        b"null".to_vec(),
        b"{}".to_vec(),
        b"{\"schema\":1,\"id\":\"../../etc\",\"seq\":1,\"state\":\"live\"}".to_vec(),
        deep,
    ]
}

#[test]
fn a_broken_record_of_the_previous_release_is_rebuilt() {
    let (site, ids) = three();
    let path = site.record_path(&ids[1]);
    let good = fs::read(&path).unwrap();
    for bytes in broken(&good) {
        fs::write(&path, &bytes).unwrap();
        site.does("list").says(&ids[1]).says("broken");
        site.release("next");
        site.does("list").does_not_say("is broken");
        let state = site.state(&ids[1]);
        assert_eq!(state, "retired", "the log says that it was live");
        fs::write(&path, &good).unwrap();
        site.does(&format!("rollback {}", ids[2]));
    }
}

#[test]
fn a_broken_record_of_the_live_release_stops_nothing() {
    let (site, ids) = three();
    fs::write(site.record_path(&ids[2]), "").unwrap();
    site.does("list").says("live");
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("v2"));
    site.release("v4");
}

#[test]
fn lost_records_are_made_up_from_what_is_there() {
    let (site, ids) = three();
    fs::remove_dir_all(site.root.join(".zdd")).unwrap();
    assert_eq!(site.state(&ids[2]), "live");
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("v2"));
    site.does("prune --keep 1");
    site.release("v4");
    assert_eq!(site.version().as_deref(), Some("v4"));
}

#[test]
fn a_record_of_a_later_version_of_zdd_is_never_overwritten() {
    let (site, ids) = three();
    let path = site.record_path(&ids[0]);
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("\"schema\": 1", "\"schema\": 99");
    fs::write(&path, &text).unwrap();
    site.zdd("prune --keep 1")
        .run()
        .exits(1)
        .says("later version");
    site.releasing("v4").run().exits(1);
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    assert_eq!(site.version().as_deref(), Some("v3"));
}

#[test]
fn a_journal_that_is_not_understood_is_set_aside_for_a_human() {
    let (site, _) = three();
    let journal = site.root.join(".zdd/journal.jsonl");
    for text in [
        "garbage\n",
        "{\"event\":\"plan\",\"plan\":{}}\n",
        "\u{0}\u{0}\u{0}\n",
    ] {
        fs::write(&journal, text).unwrap();
        site.does("list");
        assert_eq!(
            fs::read_to_string(&journal).unwrap(),
            text,
            "looking changes nothing"
        );
        site.zdd("status").run();
        site.releasing("v4")
            .run()
            .exits(4)
            .says("journal.jsonl.stale-");
        assert!(!journal.exists());
        assert_eq!(site.version().as_deref(), Some("v3"));
        site.release("v3");
    }
}

#[test]
fn a_journal_that_was_only_begun_is_nothing() {
    let (site, _) = three();
    for text in ["", "{\"event\":\"plan\",\"pl"] {
        fs::write(site.root.join(".zdd/journal.jsonl"), text).unwrap();
        site.does("status");
        site.release("v4");
    }
}

#[test]
fn when_record_and_link_disagree_the_link_wins_and_status_says_so() {
    let (site, ids) = three();
    site.link_current(format!("releases/{}", ids[0]));
    assert_eq!(site.state(&ids[0]), "live");
    assert_eq!(site.state(&ids[2]), "retired");
    site.zdd("status")
        .run()
        .exits(1)
        .says(&ids[0])
        .says("the link counts");
    site.release("v4");
    site.does("status");
    let live: Vec<_> = site
        .states()
        .into_iter()
        .filter(|(_, state)| state == "live")
        .collect();
    assert_eq!(live.len(), 1);
    site.does("rollback");
    assert_eq!(
        site.version().as_deref(),
        Some("v3"),
        "the newest good one older than v4"
    );
}
