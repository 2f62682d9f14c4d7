//! Fails every step, and every undo, of a small saga on a real journal.

use std::collections::BTreeSet;

use camino::Utf8PathBuf;

use super::journal::{self, Event, Journal, Progress};
use super::{Reversible, Stage, advance, unwind};
use crate::error::{Error, Result};
use crate::host::signal::Patience;

/// A world of named things; each step makes one.
struct World {
    journal: Journal,
    things: BTreeSet<&'static str>,
    fail_run: Option<&'static str>,
    fail_undo: Option<&'static str>,
    steps: Vec<(String, bool)>,
}

impl Stage for World {
    fn journal(&mut self) -> &mut Journal {
        &mut self.journal
    }

    fn patience(&self) -> Patience {
        Patience::of_command()
    }

    fn took(&mut self, step: &str, _ms: u64, is_ok: bool) {
        self.steps.push((step.to_owned(), is_ok));
    }
}

struct Make(&'static str);

impl Reversible<World> for Make {
    fn name(&self) -> &str {
        self.0
    }

    fn run(&self, world: &mut World) -> Result<()> {
        world.things.insert(self.0);
        if world.fail_run == Some(self.0) {
            Err(Error::failed("broken on purpose"))
        } else {
            Ok(())
        }
    }

    fn undo(&self, world: &mut World) -> Result<()> {
        if world.fail_undo == Some(self.0) {
            return Err(Error::failed("stuck on purpose"));
        }
        world.things.remove(self.0);
        Ok(())
    }
}

const STEPS: [Make; 3] = [Make("one"), Make("two"), Make("three")];

fn world() -> (tempfile::TempDir, World, Utf8PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = Utf8PathBuf::from_path_buf(directory.path().join("journal")).unwrap();
    let journal = Journal::begin(&path, serde_json::json!({ "command": "test" })).unwrap();
    let world = World {
        journal,
        things: BTreeSet::new(),
        fail_run: None,
        fail_undo: None,
        steps: Vec::new(),
    };
    (directory, world, path)
}

#[test]
fn a_failure_at_any_step_takes_everything_back() {
    for failing in ["one", "two", "three"] {
        let (_guard, mut world, path) = world();
        world.fail_run = Some(failing);
        let stopped = advance(&STEPS, 0, &mut world).unwrap_err();
        assert_eq!(stopped.step.as_deref(), Some(failing));
        let started = Progress::of(&journal::read(&path).unwrap().unwrap()).started;
        assert_eq!(stopped.started, started);
        assert!(unwind(&STEPS, started, &mut world).is_empty());
        assert!(
            world.things.is_empty(),
            "{:?} left after {failing}",
            world.things
        );
        assert_eq!(world.steps.last(), Some(&(failing.to_owned(), false)));
    }
}

#[test]
fn an_undo_that_fails_is_said_and_the_rest_goes_on() {
    let (_guard, mut world, path) = world();
    world.fail_run = Some("three");
    world.fail_undo = Some("two");
    advance(&STEPS, 0, &mut world).unwrap_err();
    let failures = unwind(&STEPS, 3, &mut world);
    assert_eq!(
        failures
            .iter()
            .map(|(step, _)| step.as_str())
            .collect::<Vec<_>>(),
        ["two"]
    );
    assert_eq!(world.things, BTreeSet::from(["two"]));
    let events = journal::read(&path).unwrap().unwrap();
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::UndoFailed { place: 1, .. }))
    );
}

#[test]
fn the_journal_cut_at_any_byte_still_tells_what_to_undo() {
    let (_guard, mut world, path) = world();
    advance(&STEPS, 0, &mut world).unwrap();
    let whole = fs_err::read(&path).unwrap();
    let mut last = 0;
    for length in 0..=whole.len() {
        fs_err::write(&path, &whole[..length]).unwrap();
        let progress = Progress::of(&journal::read(&path).unwrap().unwrap());
        assert!(progress.started >= last && progress.succeeded <= progress.started);
        last = progress.started;
        Journal::reopen(&path)
            .unwrap()
            .write(&Event::Committed)
            .unwrap();
        assert!(Progress::of(&journal::read(&path).unwrap().unwrap()).is_committed);
    }
    assert_eq!(last, 3);
}

#[test]
fn a_damaged_line_in_the_middle_is_refused() {
    let (_guard, mut world, path) = world();
    advance(&STEPS, 0, &mut world).unwrap();
    let text = fs_err::read_to_string(&path)
        .unwrap()
        .replacen("started", "st\u{0}rted", 1);
    fs_err::write(&path, text).unwrap();
    assert!(journal::read(&path).unwrap_err().what.contains("line 2"));
}

#[test]
fn what_could_not_be_written_whole_does_not_spoil_the_next_line() {
    use nix::sys::resource::{Resource, setrlimit};
    use nix::sys::signal::{SigHandler, Signal, signal};

    // A limit on the size of files tears lines as a full disk does. It holds for a whole process,
    // so the test calls itself in one of its own.
    const NAME: &str = "ZDD_TEST_TORN_LINE";
    let Some(path) = std::env::var_os(NAME) else {
        let directory = tempfile::tempdir().unwrap();
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "saga::tests::what_could_not_be_written_whole_does_not_spoil_the_next_line",
            ])
            .env(NAME, directory.path().join("journal"))
            .output()
            .unwrap();
        assert!(
            ended.status.success(),
            "{}",
            String::from_utf8_lossy(&ended.stdout)
        );
        return;
    };
    let path = Utf8PathBuf::from_path_buf(path.into()).unwrap();
    let mut journal = Journal::begin(&path, serde_json::json!({})).unwrap();
    let length = fs_err::metadata(&path).unwrap().len();
    // SAFETY: the signal is ignored, no handler runs.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
    setrlimit(
        Resource::RLIMIT_FSIZE,
        length + 10,
        nix::libc::RLIM_INFINITY,
    )
    .unwrap();
    journal.write(&Event::Committed).unwrap_err();
    setrlimit(
        Resource::RLIMIT_FSIZE,
        nix::libc::RLIM_INFINITY,
        nix::libc::RLIM_INFINITY,
    )
    .unwrap();
    journal.write(&Event::UndoStarted { place: 0 }).unwrap();
    let progress = Progress::of(&journal::read(&path).unwrap().unwrap());
    assert!(progress.is_unwinding && !progress.is_committed);
}

#[test]
fn a_commit_that_was_given_up_is_none() {
    let events = [Event::Committed, Event::UndoStarted { place: 0 }];
    assert!(!Progress::of(&events).is_committed);
}
