//! A fetch that is killed, interrupted, or never answered.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::*;

/// A site whose repository is reached over something like ssh, which lets half of the first fetch
/// through and then hangs, as long as the file `hang` is there.
fn hanging() -> (Site, Repository, PathBuf) {
    let (site, repository) = site_of("");
    let noise: String = (0..40_000_u64)
        .map(|n| format!("{}\n", n.wrapping_mul(n * 7919)))
        .collect();
    repository.file("noise", &noise);
    repository.push();
    let ssh = site.scratch().join("ssh");
    let scratch = site.scratch().display();
    let script = format!(
        "#!/bin/sh\nfor line; do :; done\ncalls=$(cat '{scratch}/calls' 2>/dev/null)\n\
         echo \"${{calls}}x\" > '{scratch}/calls'\n\
         if [ -e '{scratch}/hang' ] && [ \"$calls\" = x ]; then\n\
         eval \"$line\" | {{ dd bs=1 count=20000 2>/dev/null; touch '{scratch}/hangs'; sleep 60; }}\n\
         else eval \"$line\"; fi\n"
    );
    fs::write(&ssh, script).unwrap();
    fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(site.scratch().join("hang"), "").unwrap();
    let url = format!("git@example.com:{}", repository.bare.display());
    site.settings(&format!("[source]\ngit = \"{url}\"\n"));
    (site, repository, ssh)
}

/// The processes that have the site's mirror in their words.
fn at_work(site: &Site) -> Vec<String> {
    let mirror = site.root.join("cache").display().to_string();
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let lines = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    lines.filter(|line| line.contains(&mirror)).collect()
}

fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(30), "never {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn killed_in_a_fetch_the_next_release_works_and_no_git_is_left() {
    let (site, _repository, ssh) = hanging();
    let release = || site.zdd("release").env("GIT_SSH_COMMAND", &ssh);
    let running = release().spawn();
    wait_until("it hangs", || site.scratch().join("hangs").exists());
    assert_ne!(at_work(&site), Vec::<String>::new());
    running.signal(Signal::SIGKILL);
    running.wait();
    wait_until("git is gone", || at_work(&site).is_empty());
    has_nothing(&site);
    fs::remove_file(site.scratch().join("hang")).unwrap();
    release().run().exits(0);
    assert_eq!(site.version().as_deref(), Some("v1"));
    let left = holder_of(&site.root.join("cache"), "no such text");
    assert_eq!(left, None);
    git(site.scratch())
        .arg("--git-dir")
        .arg(site.root.join("cache/git/source"))
        .arg("fsck")
        .run()
        .exits(0);
}

#[test]
fn interrupted_in_a_fetch_nothing_is_left_but_a_part_of_the_mirror() {
    let (site, _repository, ssh) = hanging();
    let release = || site.zdd("--json release").env("GIT_SSH_COMMAND", &ssh);
    let running = release().spawn();
    wait_until("it hangs", || site.scratch().join("hangs").exists());
    running.signal(Signal::SIGINT);
    let output = running.wait().exits(130).field("/outcome", "interrupted");
    assert!(output.took < Duration::from_secs(30), "{output}");
    assert_eq!(at_work(&site), Vec::<String>::new());
    has_nothing(&site);
    fs::remove_file(site.scratch().join("hang")).unwrap();
    release().run().exits(0);
}

#[test]
fn a_server_that_never_answers_is_left_by_an_interrupt() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("git://{}/x", silent.local_addr().unwrap());
    let site = Site::new(&format!("[source]\ngit = \"{url}\"\n"));
    let running = site.zdd("release").spawn();
    let (_connection, _) = silent.accept().unwrap();
    running.signal(Signal::SIGTERM);
    running.wait().exits(130);
    has_nothing(&site);
}

#[test]
fn another_release_is_refused_while_one_fetches() {
    let (site, _repository, ssh) = hanging();
    let running = site.zdd("release").env("GIT_SSH_COMMAND", &ssh).spawn();
    wait_until("it hangs", || site.scratch().join("hangs").exists());
    site.zdd("release")
        .env("GIT_SSH_COMMAND", &ssh)
        .run()
        .exits(5);
    running.signal(Signal::SIGTERM);
    running.wait().exits(130);
}
