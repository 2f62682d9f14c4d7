//! What is left of the instances of old releases: nothing, or one for a rollback within `standby`.

use std::io::{self, Write as _};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use crate::Case;
use crate::instance_releases::assert_live;
use crate::outcome::Outcome;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("instance::thirty_releases_leave_one_instance", thirty),
    (
        "instance::a_rollback_within_standby_starts_nothing",
        standby,
    ),
    (
        "instance::a_timer_that_is_made_slowly_finds_the_time_over",
        slow_timer,
    ),
    (
        "instance::a_crash_loop_in_the_watch_leads_back_to_what_still_runs",
        crash_loop,
    ),
];

fn thirty() {
    let site = Site::of_instances();
    let release = |numbers: RangeInclusive<u32>| {
        for number in numbers {
            site.release(&format!("v{number}")).assert_exit(0);
        }
        site.current()
    };
    let current = release(1..=24);
    assert_only_run(&site, &[&current]);
    let timers = "systemctl list-units --plain --no-legend 'zdd-*' | wc -l";
    assert_eq!(site.sh(timers).stdout.trim(), "0", "a unit is left");

    keep_for(&site, "12s");
    let previous = release(25..=29);
    let current = release(30..=30);
    assert_only_run(&site, &[&previous, &current]);
    // Each of them had one, and all go off by themselves.
    await_no_timer(&site);
    assert_only_run(&site, &[&current]);
    assert_eq!(site.sh(timers).stdout.trim(), "0", "a unit is left");
    assert_eq!(
        site.sh("ls /var/www/myapp/releases | wc -l").stdout.trim(),
        "5"
    );
}

/// These run and no others, the last is started at boot, and nothing of any other is left.
#[track_caller]
fn assert_only_run(site: &Site, releases: &[&str]) {
    let live = releases.last().expect("one is live");
    assert_eq!(site.instances(), releases);
    assert_eq!(site.enabled_instances(), [*live]);
    let sockets = site.sh("ls /run/myapp").stdout;
    assert_eq!(sockets.lines().collect::<Vec<_>>(), releases);
    let count = releases.len().to_string();
    let units = "systemctl list-units --plain --no-legend 'myapp@*' | wc -l";
    assert_eq!(site.sh(units).stdout.trim(), count, "a unit is left");
    let masters = "pgrep --full --count --parent 1 'gunicorn.*app.sock'";
    assert_eq!(site.sh(masters).stdout.trim(), count, "a process is left");
}

/// Waits until every timer has gone off, and what it started has ended.
fn await_no_timer(site: &Site) {
    let wait = "while systemctl list-units --plain --no-legend 'zdd-standby-*' | grep -q .; do
                    sleep 0.1
                done";
    site.program(["timeout", "30", "sh", "-c", wait]).succeed();
}

/// Keeps old instances for a while, with the line for sudoers that `check` prints.
fn keep_for(site: &Site, time: &str) {
    site.configure("sudo = true", &format!("sudo = true\nstandby = \"{time}\""));
    let lines = site.outcome(["check"]).json["findings"][0]["change"].to_string();
    let line = lines.split("\\n").nth(1).expect("a line for sudoers");
    let line = line.trim_end_matches('"').replace("\\\\", "\\");
    site.write("/etc/sudoers.d/zdd", &format!("{line}\n"));
}

/// What tells one run of an instance from the next.
fn run_of(site: &Site, id: &str) -> String {
    let show = "systemctl show --value --property=InvocationID,ExecMainPID";
    site.sh(&format!("{show} myapp@{id}.service")).stdout
}

fn standby() {
    let site = Site::of_instances_serving("v1");
    keep_for(&site, "8s");
    let check = site.outcome(["check"]);
    check.assert_exit(0);
    assert!(!check.to_string().contains("standby"), "{check}");
    let first = site.current();
    let run = run_of(&site, &first);

    site.release("v2")
        .assert_exit(0)
        .assert_says("is kept running for 8 s");
    assert_eq!(site.instances().len(), 2);
    assert_eq!(
        site.enabled_instances(),
        [site.current()],
        "a boot starts the live one"
    );
    std::thread::sleep(Duration::from_secs(6));
    let began = Instant::now();
    // Just before the timer, which then finds it live.
    assert_live_by(&site, &site.outcome(["rollback"]), &first);
    let _ = writeln!(
        io::stderr(),
        "rollback within standby: {:?}",
        began.elapsed()
    );
    assert_eq!(run_of(&site, &first), run, "it was started anew");
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(site.instances(), std::slice::from_ref(&first));
    assert_eq!(site.version(), "v1");

    site.release("v3").assert_exit(0);
    await_no_timer(&site);
    assert_eq!(site.instances(), [site.current()], "its time is over");
    site.sh(&format!("cp -a {ROOT} /var/www/copy"));
    assert_live_by(&site, &site.outcome(["rollback"]), &first);
    assert_ne!(run_of(&site, &first), run);

    // A copied root knows the same releases by the same unit, but another one is live in it.
    let pruned = site.outcome(["--root", "/var/www/copy", "prune"]);
    pruned.assert_exit(0);
    assert_eq!(
        site.instances(),
        [first],
        "the copy ended what is not its own"
    );
}

#[track_caller]
fn assert_live_by(site: &Site, outcome: &Outcome, id: &str) {
    assert_live(site, outcome);
    assert_eq!(site.current(), id);
}

/// Until systemd has answered, more time goes by than the timer has.
fn slow_timer() {
    let site = Site::of_instances_serving("v1");
    keep_for(&site, "2s");
    site.sh("mv /usr/bin/systemd-run /usr/bin/systemd-run.real");
    let script = "#!/bin/sh\n/usr/bin/systemd-run.real \"$@\" && sleep 5\n";
    site.write("/usr/bin/systemd-run", script);
    site.sh("chmod 0755 /usr/bin/systemd-run");
    site.release("v2")
        .assert_exit(0)
        .assert_says("is kept running for 2 s");
    await_no_timer(&site);
    assert_eq!(site.instances(), [site.current()]);
}

/// Ends its server a second and a half after users were led to it, as often as it is started.
const ENDS: &str = "\
import os, signal, threading, time

def end():
    while os.path.realpath('/var/www/myapp/current') != os.getcwd():
        time.sleep(0.01)
    time.sleep(1.5)
    os.kill(os.getppid(), signal.SIGKILL)

threading.Thread(target=end, daemon=True).start()
";

/// systemd calls it active again each time, and no health check is there.
fn crash_loop() {
    let site = Site::of_instances_serving("v1");
    let unit = "/etc/systemd/system/myapp@.service";
    site.edit(unit, "Restart=on-failure", "Restart=always");
    site.sh(&format!(
        "systemctl daemon-reload; sed -i '/^.*health..$/,/^release/d' {ROOT}/zdd.toml"
    ));
    site.add_settings("[probe]\nwatch = \"20s\"\n");
    let first = site.current();
    let run = run_of(&site, &first);
    site.append_code("v2", ENDS);
    site.release("v2")
        .assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/error/step", "verify")
        .assert_says(".service` ended and ");
    assert_eq!(run_of(&site, &first), run, "the old one was touched");
    assert_eq!(site.instances(), std::slice::from_ref(&first));
    assert_eq!(site.enabled_instances(), [first]);
    assert_eq!(site.version(), "v1");
    site.assert_tidy();
}
