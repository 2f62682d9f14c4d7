//! Releases from git that are killed at any moment, meet a full disk, or carry very large files.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::disk::Disk;
use crate::invariants;
use crate::sandbox::repository::kibibytes;
use crate::sandbox::{Repository, Site};
use crate::settings;

/// A site that is released from a repository on another disk.
fn site_of(site: Site, repository: &Repository) -> Site {
    site.settings(&format!("{}\n{}", settings::told(), repository.setting()));
    site
}

/// Bytes that no compression makes fewer.
fn noise(repository: &Repository, name: &str, mebibytes: usize) {
    let mut bytes = vec![0; mebibytes << 20];
    File::open("/dev/urandom")
        .unwrap()
        .read_exact(&mut bytes)
        .unwrap();
    fs::write(repository.work.join(name), bytes).unwrap();
}

pub fn killed_at_any_moment_the_next_release_works() {
    let site = Site::new("");
    let repository = Repository::beside(&site);
    let site = site_of(site, &repository);
    noise(&repository, "app/noise", 4);
    repository.push();
    let began = Instant::now();
    site.does("release");
    let took = began.elapsed();
    let turns = if crate::is_all() { 90 } else { 14 };
    for turn in 0..turns {
        let version = format!("turn{turn}");
        repository.commit(&version);
        if turn % 3 == 0 {
            fs::remove_dir_all(site.root.join("cache")).unwrap();
        }
        let running = site.zdd("release").spawn();
        std::thread::sleep(took * turn / turns);
        running.signal(Signal::SIGKILL);
        let killed = running.wait();
        let version_now = site.version();
        site.does("list");
        let place = format!("killed after {:?}: {killed}", killed.took);
        if turn % 2 == 0 {
            site.does("recover");
            invariants::after_recovery(&site).unwrap_or_else(|what| panic!("{place}: {what}"));
        }
        assert!(version_now.is_some(), "{place}");
        let output = site.zdd("release").run();
        assert_eq!(output.code, 0, "{place}\n{output}");
        assert_eq!(site.version().as_deref(), Some(version.as_str()), "{place}");
        invariants::after_recovery(&site).unwrap_or_else(|what| panic!("{place}: {what}"));
    }
}

pub fn a_full_disk_in_a_fetch_changes_nothing_and_leaves_no_pack() {
    let disk = Disk::new(24);
    let site = Site::below(&disk.place(), "");
    let elsewhere = tempfile::tempdir().unwrap();
    let repository = Repository::named(elsewhere.path(), "origin.git");
    let site = site_of(site, &repository);
    site.does("release");
    let states = site.states();
    let small = repository.commit("v2");
    noise(&repository, "app/noise", 40);
    repository.push();
    for _ in 0..2 {
        let output = site
            .zdd("--json release")
            .run()
            .exits(1)
            .field("/outcome", "refused");
        output.says("No space left on device");
        assert_eq!(site.states(), states);
        assert_eq!(site.version().as_deref(), Some("v1"));
    }
    // What came of it does not stand in the way.
    repository.git(&format!("reset -q --hard {small}"));
    repository.commit("v3");
    site.does("release");
    assert_eq!(site.version().as_deref(), Some("v3"));
    let used = kibibytes(&site.root.join("cache"));
    assert!(used < 1024, "{used} KiB are left of the fetches");
    invariants::after_recovery(&site).unwrap();
    // Fetched, it is small; on the disk it would not be.
    fs::write(repository.work.join("app/zeros"), vec![0; 40 << 20]).unwrap();
    repository.push();
    let count = site.directories().len();
    site.zdd("release")
        .run()
        .exits(1)
        .says("of free space are needed");
    assert_eq!(site.directories().len(), count);
    // Not even the mirror finds room.
    disk.fill();
    fs::remove_dir_all(site.root.join("cache")).unwrap();
    disk.fill();
    let output = site.zdd("release").run().exits(1);
    assert_eq!(site.version().as_deref(), Some("v3"), "{output}");
    disk.make_room();
    repository.git("rm -q app/zeros");
    repository.commit("v4");
    site.does("release");
    invariants::after_recovery(&site).unwrap();
}

pub fn a_very_large_file_is_released_as_it_is() {
    let site = Site::new("");
    let repository = Repository::beside(&site);
    let site = site_of(site, &repository);
    let mut file = File::create(repository.work.join("app/large")).unwrap();
    file.write_all(b"begin").unwrap();
    // Larger than what git keeps in memory as a whole.
    file.set_len(600 << 20).unwrap();
    drop(file);
    repository.push();
    let began = Instant::now();
    site.does("release");
    assert!(began.elapsed() < Duration::from_secs(60));
    let large = site.root.join("current/app/large");
    assert_eq!(fs::metadata(&large).unwrap().len(), 600 << 20);
    let mut begin = [0; 5];
    File::open(large).unwrap().read_exact(&mut begin).unwrap();
    assert_eq!(&begin, b"begin");
}
