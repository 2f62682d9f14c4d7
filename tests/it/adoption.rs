//! Sites that another tool made are taken over as they are.

use std::fs;
use std::os::unix::fs::symlink;

use crate::sandbox::Site;

/// Three releases of Capistrano, the second of them live by an absolute link.
fn capistrano() -> Site {
    let site = Site::new("keep = 3\n[shared]\nfiles = [\".env\"]\ndirs = [\"log\"]\n");
    fs::create_dir_all(site.root.join("shared/log")).unwrap();
    fs::write(site.root.join("shared/.env"), "A=1\n").unwrap();
    for (id, version) in [("20240101000000", "c1"), ("20240202000000", "c2")] {
        site.foreign_release(id, version);
        let release = site.root.join("releases").join(id);
        symlink(site.root.join("shared/log"), release.join("log")).unwrap();
        symlink(site.root.join("shared/.env"), release.join(".env")).unwrap();
    }
    site.foreign_release("20240303000000", "c3");
    site.link_current(site.root.join("releases/20240202000000"));
    let line = "Branch main (at abc) deployed as release 20240202000000 by deploy\n";
    fs::write(site.root.join("revisions.log"), line).unwrap();
    site
}

#[test]
fn a_capistrano_site_is_listed_as_it_is_and_nothing_is_written() {
    let site = capistrano();
    let before = site.tree();
    let states = site.states();
    let wanted = [
        ("20240101000000", "retired"),
        ("20240202000000", "live"),
        ("20240303000000", "bad"),
    ];
    let wanted: Vec<_> = wanted
        .map(|(id, state)| (id.to_owned(), state.to_owned()))
        .into();
    assert_eq!(states, wanted);
    assert!(site.list().iter().all(|row| row["adopted"] == true));
    assert_eq!(site.tree(), before);
}

#[test]
fn a_capistrano_site_is_released_to_rolled_back_and_pruned() {
    let site = capistrano();
    let id = site.release("z1");
    let target = fs::read_link(site.root.join("current")).unwrap();
    assert_eq!(
        target.to_str(),
        Some(format!("releases/{id}").as_str()),
        "relative from now on"
    );
    assert!(site.root.join("current/.env").exists());
    let log = fs::read_to_string(site.root.join("revisions.log")).unwrap();
    assert_eq!(log.lines().count(), 2);
    assert!(
        log.contains(&format!("deployed as release {id} by ")),
        "{log}"
    );

    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("c2"));
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("c1"));
    site.zdd("rollback").run().exits(1);
    site.does(&format!("rollback {id}"));
    assert_eq!(site.version().as_deref(), Some("z1"));
    let log = fs::read_to_string(site.root.join("revisions.log")).unwrap();
    assert!(
        log.contains("rolled back to release 20240101000000"),
        "{log}"
    );
}

#[test]
fn keep_counts_adopted_releases_too() {
    let site = capistrano();
    site.release("z1");
    site.release("z2");
    let left = site.directories();
    assert!(!left.contains(&"20240101000000".to_owned()), "{left:?}");
    assert!(left.contains(&"20240202000000".to_owned()), "{left:?}");
}

#[test]
fn links_into_shared_that_the_settings_do_not_name_are_refused_with_the_lines_to_add() {
    let site = capistrano();
    site.settings("");
    let refused = site.releasing("z1").run().exits(1);
    refused.says("[shared]").says("\".env\"").says("\"log\"");
    assert_eq!(site.version().as_deref(), Some("c2"));
}

#[test]
fn the_numbers_of_deployer_are_ordered_by_value() {
    let site = Site::new("");
    for number in ["8", "9", "10", "11"] {
        site.foreign_release(number, number);
    }
    site.link_current("releases/10");
    let states: Vec<_> = site
        .states()
        .into_iter()
        .map(|(id, state)| format!("{id} {state}"))
        .collect();
    assert_eq!(states, ["8 retired", "9 retired", "10 live", "11 bad"]);
    let id = site.release("new");
    assert_eq!(id.len(), 14, "{id}");
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("10"));
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("9"));
}

#[test]
fn what_deployer_marked_as_bad_is_bad() {
    let site = Site::new("");
    for number in ["1", "2", "3"] {
        site.foreign_release(number, number);
    }
    fs::write(site.root.join("releases/2/BAD_RELEASE"), "deploy\n").unwrap();
    site.link_current("releases/3");
    let states = site.states().into_iter();
    let states: Vec<_> = states.map(|(id, state)| format!("{id} {state}")).collect();
    assert_eq!(states, ["1 retired", "2 bad", "3 live"]);
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("1"));
}

#[test]
fn a_release_that_another_tool_made_since_is_the_newest() {
    let site = capistrano();
    let own = site.release("z1");
    site.foreign_release("20990101000000", "c4");
    site.link_current("releases/20990101000000");
    let states = site.states();
    let newest: Vec<_> = states.iter().rev().take(2).collect();
    assert_eq!(newest[0], &("20990101000000".to_owned(), "live".to_owned()));
    assert_eq!(newest[1], &(own, "retired".to_owned()));
    site.does("rollback");
    assert_eq!(
        site.version().as_deref(),
        Some("z1"),
        "what was live before"
    );
    // One that never became live is no place to go back to.
    site.foreign_release("20990202000000", "c5");
    let never_live = ("20990202000000".to_owned(), "bad".to_owned());
    assert!(site.states().contains(&never_live), "{:?}", site.states());
    site.does("rollback");
    assert_eq!(site.version().as_deref(), Some("c2"));
}

#[test]
fn what_is_no_release_is_reported_and_never_touched() {
    let site = Site::new("keep = 1\nkeep_failed = 0\n");
    site.foreign_release("my-backup", "precious");
    fs::write(site.root.join("releases/notes.txt"), "x").unwrap();
    site.release("v1");
    site.release("v2");
    site.does("prune --keep 1").says("my-backup");
    let left = site.directories();
    assert!(left.contains(&"my-backup".to_owned()) && left.contains(&"notes.txt".to_owned()));
}
