//! zdd killed from inside its own hooks: once, and by a hook that kills it every time.

use std::fs;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};

use crate::invariants;
use crate::sandbox::{Program, Site};
use crate::settings;
use crate::trace;

/// The points at which a release runs hooks when all goes well, in their order.
const POINTS: [&str; 6] = ["build", "check", "migrate", "warm", "verify", "finish"];

/// A live release, and settings in which the hook of one point is another.
fn site_with(point: &str, line: &str) -> Site {
    let site = Site::new(&settings::started());
    site.release("v1");
    site.settings(&settings::started_with_hook(point, line));
    site
}

/// Runs a release that is killed; it must not end by itself.
#[track_caller]
fn is_killed(site: &Site, version: &str) {
    let output = site.releasing(version).run();
    assert_eq!(output.signal, Some(9), "{output}");
}

/// `kill -9` of zdd by a hook; what it built before is whole.
fn killing(marker: &str) -> String {
    format!("cp version built; {marker} kill -9 $PPID; sleep 0.1")
}

pub fn killed_once_in_each_hook() {
    for point in POINTS {
        let site = Site::new("");
        let marker = site.scratch().join("killed");
        let once = format!("test -e {0} && exit 0; touch {0};", marker.display());
        site.settings(&settings::started());
        site.release("v1");
        site.settings(&settings::started_with_hook(point, &killing(&once)));
        is_killed(&site, "v2");
        let is_switched = ["verify", "finish"].contains(&point);
        let wanted = if is_switched { "v2" } else { "v1" };
        assert_eq!(site.version().as_deref(), Some(wanted), "{point}");
        site.zdd("status")
            .run()
            .exits(1)
            .says("v")
            .says("interrupted");
        recover(&site, point);
        assert_eq!(
            site.version().as_deref(),
            Some(wanted),
            "{point} after recovery"
        );
    }
}

pub fn killed_after_the_commit_nothing_is_undone() {
    let site = Site::new(&settings::told());
    site.release("v1");
    // A veto that comes when it is asked again, and a zdd that is killed once it is committed.
    let once = |name: &str| site.scratch().join(name).display().to_string();
    let verify = format!("mkdir {}", once("verified"));
    let finish = format!("mkdir {} || exit 0; kill -9 $PPID", once("killed"));
    let settings = settings::told_with_hook("verify", &verify);
    site.settings(&settings::with_hook(&settings, "finish", &finish));
    is_killed(&site, "v2");
    recover(&site, "finish");
    assert_eq!(site.version().as_deref(), Some("v2"));
}

pub fn killed_forever_in_each_hook() {
    for point in POINTS {
        let site = site_with(point, &killing(""));
        is_killed(&site, "v2");
        let mut attempts = 0;
        loop {
            attempts += 1;
            assert!(attempts < 9, "{point}: no end of the recoveries");
            let output = site.zdd("recover --wait 10s").run();
            match (output.code, output.signal) {
                (0, _) => break,
                (_, Some(9)) => {}
                (5, _) => std::thread::sleep(Duration::from_millis(100)),
                _ => panic!("{point}: {output}"),
            }
        }
        let wanted = if point == "finish" { "v2" } else { "v1" };
        assert_eq!(site.version().as_deref(), Some(wanted), "{point}");
        invariants::after_recovery(&site).unwrap();
    }
}

pub fn killed_on_the_way_back() {
    for point in ["revert", "failed"] {
        let site = site_with(point, "kill -9 $PPID; sleep 0.1");
        let settings = fs::read_to_string(site.root.join("zdd.toml")).unwrap();
        site.settings(&settings.replace("verify = \"true\"", "verify = \"false\""));
        is_killed(&site, "v2");
        assert_eq!(site.version().as_deref(), Some("v1"), "{point}");
        site.settings(&settings::started());
        for _ in 0..6 {
            if site.zdd("recover --wait 10s").run().code == 0 {
                break;
            }
        }
        recover(&site, point);
        assert_eq!(site.version().as_deref(), Some("v1"), "{point}");
    }
}

pub fn an_orphan_hook_is_named_until_it_ends() {
    let site = site_with("build", "cp version built; kill -9 $PPID; exec sleep 2");
    is_killed(&site, "v2");
    let refused = site
        .releasing("v3")
        .run()
        .exits(5)
        .says("hook build")
        .says("pid ");
    let pid = refused.stderr.split("pid ").nth(1).unwrap();
    let pid: u32 = pid
        .chars()
        .take_while(char::is_ascii_digit)
        .collect::<String>()
        .parse()
        .unwrap();
    let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(command.starts_with("sleep"), "{command}");
    for words in ["rollback", "prune", "recover"] {
        site.zdd(words).run().exits(5);
    }
    site.does("list");
    site.settings(&settings::started());
    site.code("v3");
    let waiting = site
        .zdd("--json release --wait 30s")
        .arg(&site.source)
        .run()
        .exits(0);
    assert_eq!(waiting.json()["outcome"], "live");
    invariants::after_recovery(&site).unwrap();
}

pub fn a_terminal_that_goes_away_stops_nothing() {
    for point in POINTS {
        let site = Site::new(&settings::started());
        site.release("v1");
        let reached = site.scratch().join("reached");
        let line = format!("cp version built; touch {}; sleep 0.3", reached.display());
        site.settings(&settings::started_with_hook(point, &line));
        site.code("v2");
        let line = format!(
            "'{}' --root '{}' release '{}'",
            env!("CARGO_BIN_EXE_zdd"),
            site.root.display(),
            site.source.display()
        );
        // `script` gives it a terminal, and takes that away by its own death.
        let program = Program::new("script")
            .words("-qc")
            .arg(line)
            .arg("/dev/null");
        let terminal = program.spawn();
        let log = site.root.join(".zdd/journal.jsonl");
        let begun = std::time::Instant::now();
        while !reached.exists() {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{point} never came"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
        terminal.signal(Signal::SIGKILL);
        while log.exists() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "{point}: it does not end"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        assert_eq!(site.version().as_deref(), Some("v2"), "{point}");
        site.does("prune --wait 10s");
        invariants::after_recovery(&site).unwrap();
    }
}

pub fn hung_up_before_a_hook_has_a_group_of_its_own() {
    let site = Site::new(&settings::told());
    site.release("v1");
    let program = trace::slowed(
        site.releasing("v2"),
        "setpgid",
        Duration::from_millis(200),
        site.scratch(),
    );
    let mut running = program
        .with(|command| {
            command.process_group(0);
        })
        .spawn();
    let log = site.root.join(".zdd/journal.jsonl");
    let mut met = 0;
    while running.is_running() {
        // Before it has a journal it need not take a signal.
        if log.exists() {
            killpg(running.pid(), Signal::SIGHUP).unwrap();
            met += 1;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    running.wait().exits(0);
    assert!(met > 0, "it was never hung up");
    assert_eq!(site.version().as_deref(), Some("v2"));
    invariants::after_recovery(&site).unwrap();
}

/// The next release puts everything in order.
#[track_caller]
fn recover(site: &Site, point: &str) {
    let begun = std::time::Instant::now();
    loop {
        let output = site.zdd("recover --wait 10s").run();
        match output.code {
            0 => break,
            5 if begun.elapsed() < Duration::from_secs(10) => {}
            _ => panic!("{point}: {output}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    invariants::after_recovery(site).unwrap_or_else(|what| panic!("{point}: {what}"));
}
