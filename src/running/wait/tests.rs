//! Waiting for real processes: copies of `sleep` in the directories of two releases.

use std::process::{Child, Command};

use camino::Utf8PathBuf;

use super::*;
use crate::host::ticks::Ticks;

struct Site {
    _keep: tempfile::TempDir,
    root: Utf8PathBuf,
    running: Vec<Child>,
}

impl Site {
    fn new() -> Self {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().canonicalize().unwrap()).unwrap();
        for release in ["A", "B"] {
            fs_err::create_dir_all(root.join("releases").join(release)).unwrap();
            let program = root.join("releases").join(release).join("server");
            fs_err::copy("/bin/sleep", program).unwrap();
        }
        Site {
            _keep: keep,
            root,
            running: Vec::new(),
        }
    }

    fn start(&mut self, release: &str) {
        let program = self.root.join("releases").join(release).join("server");
        self.running
            .push(Command::new(&program).arg("60").spawn().unwrap());
        // Until the child has exec'ed it is this very test program.
        let pid = self.running.last().unwrap().id();
        while crate::host::process::exe(pid)
            .seen()
            .is_none_or(|exe| exe != program)
        {
            std::thread::yield_now();
        }
    }

    fn stop_oldest(&mut self) {
        let mut child = self.running.remove(0);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn processes(&self) -> Processes {
        Processes {
            main: None,
            all: self.running.iter().map(Child::id).collect(),
        }
    }

    fn question(&self, wanted: &str) -> Question {
        Question {
            current_path: self.root.join("current"),
            releases_dir: self.root.join("releases"),
            wanted: wanted.to_owned(),
            flipped_at: Some(Ticks::fence()),
            ..Question::default()
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        while !self.running.is_empty() {
            self.stop_oldest();
        }
    }
}

fn limits(switch_timeout: u64, drain: u64, until: Until) -> Limits {
    Limits {
        switch_timeout: Duration::from_millis(switch_timeout),
        drain: Duration::from_millis(drain),
        until,
    }
}

#[test]
fn a_service_that_changes_over_meanwhile_is_proved_and_each_change_is_told() {
    let mut site = Site::new();
    site.start("A");
    let question = site.question("B");
    let mut round = 0;
    let mut told = Vec::new();
    let mut processes = || {
        round += 1;
        match round {
            3 => site.start("B"),
            6 => site.stop_oldest(),
            _ => {}
        }
        Ok(site.processes())
    };
    let observation = wait_for(
        &question,
        &limits(20_000, 20_000, Until::Proved),
        &Patience::fresh(),
        &mut processes,
        &mut |news| told.push((news.verdict, news.leaving.len())),
    )
    .unwrap();
    assert_eq!(observation.verdict, Verdict::Proved);
    assert_eq!(
        told,
        [
            (Verdict::Stale, 0),
            (Verdict::Proved, 1),
            (Verdict::Proved, 0)
        ]
    );
}

#[test]
fn a_stale_service_is_given_the_switch_timeout() {
    let mut site = Site::new();
    site.start("A");
    let began = Instant::now();
    let observation = wait_for(
        &site.question("B"),
        &limits(300, 20_000, Until::Proved),
        &Patience::fresh(),
        &mut || Ok(site.processes()),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(observation.verdict, Verdict::Stale);
    assert_eq!(observation.release.as_deref(), Some("A"));
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_leaving_process_is_given_the_drain_time_and_then_named() {
    let mut site = Site::new();
    site.start("A");
    let question = site.question("B");
    site.start("B");
    let observation = wait_for(
        &question,
        &limits(20_000, 200, Until::Proved),
        &Patience::fresh(),
        &mut || Ok(site.processes()),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(observation.verdict, Verdict::Proved);
    assert_eq!(observation.leaving[0].pid, site.running[0].id());
    assert_eq!(observation.leaving[0].release, "A");
}

#[test]
fn an_undo_is_content_with_the_bad_state_from_before() {
    let mut site = Site::new();
    site.start("A");
    let before = observe(&site.question("B"), &site.processes());
    assert_eq!(before.verdict, Verdict::Stale);
    let question = Question {
        before: Some(before),
        ..site.question("B")
    };
    let began = Instant::now();
    let observation = wait_for(
        &question,
        &limits(20_000, 20_000, Until::AsBefore),
        &Patience::fresh(),
        &mut || Ok(site.processes()),
        &mut |_| {},
    )
    .unwrap();
    assert_eq!(observation.verdict, Verdict::Stale);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn the_death_of_the_service_ends_the_wait() {
    let site = Site::new();
    let error = wait_for(
        &site.question("B"),
        &limits(20_000, 20_000, Until::Proved),
        &Patience::fresh(),
        &mut || Err(Error::failed("it died")),
        &mut |_| {},
    );
    assert_eq!(error.unwrap_err().what, "it died");
}
