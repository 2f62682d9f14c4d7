//! zdd killed, starved and interrupted at its system calls, by strace. After each fault the site
//! must still serve a complete release, and the next command must put everything in order.
//!
//! Every tenth point is tried; `ZDD_FAULTS=all` tries them all.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;

use libtest_mimic::{Arguments, Failed, Trial};

mod disk;
mod git;
mod hooks;
mod in_place;
mod invariants;
#[path = "../sandbox/mod.rs"]
mod sandbox;
mod settings;
mod sweep;
mod trace;

use settings::{hoarding, led, started, told};
use sweep::Operation::{self, Prune, Release, Rollback};
use sweep::{Sweep, Tally};
use trace::Fault;

const KILL: Fault = Fault::Signal("SIGKILL");
const INTERRUPT: Fault = Fault::Signal("SIGINT");
const TERMINATE: Fault = Fault::Signal("SIGTERM");
const HANG_UP: Fault = Fault::Signal("SIGHUP");
const FULL: Fault = Fault::Error("ENOSPC");
const STAYS_FULL: Fault = Fault::ErrorFromHereOn("ENOSPC");
const BROKEN: Fault = Fault::Error("EIO");
const STAYS_BROKEN: Fault = Fault::ErrorFromHereOn("EIO");

/// The sweeps. Of the errors and signals, of which there are many more, fewer are tried.
const SWEEPS: &[Sweep] = &[
    sweep("kill::release_of_a_process", started, Release, KILL, 1),
    sweep("kill::release", told, Release, KILL, 1),
    sweep("kill::rollback_of_a_process", started, Rollback, KILL, 1),
    sweep("kill::rollback", told, Rollback, KILL, 1),
    sweep("kill::release_behind_nginx", led, Release, KILL, 1),
    sweep("kill::rollback_behind_nginx", led, Rollback, KILL, 2),
    sweep("kill::prune", hoarding, Prune, KILL, 1),
    sweep("full_once::release", told, Release, FULL, 2),
    sweep("full_once::rollback", started, Rollback, FULL, 2),
    sweep(
        "full_from_here_on::release",
        started,
        Release,
        STAYS_FULL,
        2,
    ),
    sweep("full_from_here_on::rollback", told, Rollback, STAYS_FULL, 2),
    sweep("broken_once::release", started, Release, BROKEN, 2),
    sweep("broken_once::prune", hoarding, Prune, BROKEN, 2),
    sweep(
        "broken_from_here_on::release",
        told,
        Release,
        STAYS_BROKEN,
        2,
    ),
    sweep("interrupt::release", started, Release, INTERRUPT, 2),
    sweep("interrupt::rollback", told, Rollback, INTERRUPT, 2),
    sweep("terminate::release", told, Release, TERMINATE, 3),
    sweep("hang_up::release", told, Release, HANG_UP, 3),
];

/// What a case needs of the machine.
enum Need {
    Nothing,
    Strace,
    /// A disk of its own, and so root; and strace.
    Disk,
}

/// What is tried by hand: its name, and what it needs.
const CASES: &[(&str, fn(), Need)] = &[
    (
        "hooks::killed_once_in_each_hook",
        hooks::killed_once_in_each_hook,
        Need::Nothing,
    ),
    (
        "hooks::killed_after_the_commit",
        hooks::killed_after_the_commit_nothing_is_undone,
        Need::Nothing,
    ),
    (
        "hooks::killed_forever_in_each_hook",
        hooks::killed_forever_in_each_hook,
        Need::Nothing,
    ),
    (
        "hooks::killed_on_the_way_back",
        hooks::killed_on_the_way_back,
        Need::Nothing,
    ),
    (
        "hooks::orphan_is_named",
        hooks::an_orphan_hook_is_named_until_it_ends,
        Need::Nothing,
    ),
    (
        "hooks::terminal_goes_away",
        hooks::a_terminal_that_goes_away_stops_nothing,
        Need::Nothing,
    ),
    (
        "hooks::hung_up_before_a_group",
        hooks::hung_up_before_a_hook_has_a_group_of_its_own,
        Need::Strace,
    ),
    (
        "git::killed_at_any_moment",
        git::killed_at_any_moment_the_next_release_works,
        Need::Nothing,
    ),
    (
        "git::full_disk_in_a_fetch",
        git::a_full_disk_in_a_fetch_changes_nothing_and_leaves_no_pack,
        Need::Disk,
    ),
    (
        "git::very_large_file",
        git::a_very_large_file_is_released_as_it_is,
        Need::Nothing,
    ),
    (
        "disk::full_on_the_way_back",
        disk::a_full_disk_does_not_stop_the_way_back,
        Need::Disk,
    ),
    (
        "disk::full_before_the_switch",
        disk::a_full_disk_before_the_switch_changes_nothing_and_can_be_pruned,
        Need::Disk,
    ),
    (
        "disk::power_cut",
        disk::a_power_cut_leaves_a_complete_release,
        Need::Disk,
    ),
];

const fn sweep(
    name: &'static str,
    settings: fn() -> String,
    operation: Operation,
    fault: Fault,
    every: usize,
) -> Sweep {
    Sweep {
        name,
        settings,
        operation,
        fault,
        every,
    }
}

/// What all sweeps together found.
static TALLY: Mutex<Tally> = Mutex::new(Tally {
    tried: 0,
    struck: 0,
    violations: Vec::new(),
});

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == "serve") {
        sandbox::server::serve();
    }
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let strace = (!works("strace", &["-V"])).then_some("strace is not installed");
    let is_root = nix::unistd::Uid::effective().is_root();
    let disk = (!is_root).then_some("only root can mount a disk");
    let mut trials = Vec::new();
    let nginx = (!sandbox::load::has_nginx()).then_some("nginx is not installed");
    for sweep in SWEEPS {
        let needs_nginx = sweep.name.ends_with("_behind_nginx");
        let obstacle = strace.or(nginx.filter(|_| needs_nginx));
        trials.push(trial(sweep.name, obstacle, || {
            conclude(sweep.run(is_all()))
        }));
    }
    let run = || conclude(in_place::sweep(is_all()));
    trials.push(trial("kill::release_in_place", strace.or(nginx), run));
    for (name, case, need) in CASES {
        let obstacle = match need {
            Need::Nothing => None,
            Need::Strace => strace,
            Need::Disk => disk.or(strace),
        };
        let run = move || {
            case();
            Ok(())
        };
        trials.push(trial(name, obstacle, run));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    let tally = TALLY.lock().unwrap();
    let _ = writeln!(
        std::io::stdout(),
        "faults: {} points tried, {} met, {} violations\n",
        tally.tried,
        tally.struck,
        tally.violations.len()
    );
    conclusion.exit_code()
}

/// A test that is skipped loudly where it cannot run; with `CI=true` it fails there.
fn trial(
    name: &'static str,
    obstacle: Option<&'static str>,
    run: impl FnOnce() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    let Some(obstacle) = obstacle else {
        return Trial::test(name, run);
    };
    let must_run = std::env::var("CI").is_ok_and(|value| value == "true");
    let word = if must_run { "FAILED" } else { "SKIPPED" };
    let _ = writeln!(std::io::stderr(), "!!! {word}: {name}: {obstacle}");
    Trial::test(name, move || Err(Failed::from(obstacle))).with_ignored_flag(!must_run)
}

/// Whether every point is tried.
pub fn is_all() -> bool {
    std::env::var("ZDD_FAULTS").is_ok_and(|value| value == "all")
}

fn works(program: &str, words: &[&str]) -> bool {
    let output = std::process::Command::new(program).args(words).output();
    output.is_ok_and(|output| output.status.success())
}

fn conclude(tally: Tally) -> Result<(), Failed> {
    let mut sum = TALLY.lock().unwrap();
    sum.tried += tally.tried;
    sum.struck += tally.struck;
    sum.violations.extend(tally.violations.iter().cloned());
    match tally.violations.is_empty() {
        true => Ok(()),
        false => Err(Failed::from(tally.violations.join("\n"))),
    }
}
