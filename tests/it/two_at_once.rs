//! One changing command at a time.

use std::fs;
use std::time::Duration;

use crate::sandbox::Site;

#[test]
fn the_second_command_ends_at_once_and_names_the_first() {
    let site = Site::new("[hooks]\nbuild = \"sleep 3\"\n");
    let mut first = site.releasing("v1").spawn();
    first.wait_until_it_says("Running");
    let second = site.zdd("--json release").arg(&site.source).run().exits(5);
    assert!(second.took < Duration::from_secs(1), "{second}");
    assert_eq!(second.json()["outcome"], "locked");
    let second = second.says(&first.pid().to_string());
    second.says("zdd --root").says("since");
    for words in ["rollback", "prune", "recover", "pin 20260101000000"] {
        site.zdd(words).run().exits(5);
    }
    let status = site.zdd("--json status").run();
    assert_eq!(
        status.json()["lock"]["pid"],
        first.pid().as_raw(),
        "{status}"
    );
    site.does("list");
    first.wait().exits(0);
    assert!(site.zdd("--json status").run().json()["lock"].is_null());
}

#[test]
fn a_command_that_waits_goes_on_after_the_first() {
    let site = Site::new("[hooks]\nbuild = \"sleep 1\"\n");
    let mut first = site.releasing("v1").spawn();
    first.wait_until_it_says("Running");
    let second = site.zdd("release --wait 60s").arg(&site.source).spawn();
    first.wait().exits(0);
    second.wait().exits(0);
    assert_eq!(site.list().len(), 2);
}

#[test]
fn a_wait_ends_with_its_time_or_with_a_signal() {
    let site = Site::new("[hooks]\nbuild = \"sleep 3\"\n");
    let mut first = site.releasing("v1").spawn();
    first.wait_until_it_says("Running");
    site.zdd("release --wait 100ms")
        .arg(&site.source)
        .run()
        .exits(5);
    let third = site.zdd("release --wait 60s").arg(&site.source).spawn();
    std::thread::sleep(Duration::from_millis(300));
    third.signal(nix::sys::signal::Signal::SIGINT);
    third.wait().exits(130);
    first.wait().exits(0);
}

#[test]
fn of_fifty_at_once_exactly_one_works_at_a_time() {
    let site = Site::new("keep = 60\n");
    let book = site.scratch().join("book");
    site.hook(
        "build",
        &format!("echo + >> {0}; sleep 0.01; echo - >> {0}", book.display()),
    );
    let program = || site.zdd("release --wait 60s").arg(&site.source).spawn();
    let all: Vec<_> = (0..50).map(|_| program()).collect();
    let ended: Vec<_> = all.into_iter().map(|one| one.wait().code).collect();
    assert_eq!(ended, [0; 50]);
    let book = fs::read_to_string(book).unwrap();
    assert_eq!(book, "+\n-\n".repeat(50));
    let list = site.list();
    let seqs: Vec<_> = list
        .iter()
        .map(|row| row["seq"].as_i64().unwrap())
        .collect();
    assert_eq!(seqs, (1..=50).collect::<Vec<_>>());
}

#[test]
fn a_lock_file_that_is_removed_while_it_is_held_locks_again_afterwards() {
    let site = Site::new("[hooks]\nbuild = \"sleep 1\"\n");
    let mut first = site.releasing("v1").spawn();
    first.wait_until_it_says("Running");
    fs::remove_file(site.root.join(".zdd/lock")).unwrap();
    first.wait().exits(0);
    site.release("v2");
    assert_eq!(site.version().as_deref(), Some("v2"));
}
