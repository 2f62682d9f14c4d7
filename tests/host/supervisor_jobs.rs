//! A background job under supervisor: it never runs twice, what ends it is told, and one that cannot
//! come back is said.

use crate::Case;
use crate::django::{Django, ROOT};
use crate::outcome::Outcome;

pub const CASES: &[Case] = &[
    ("supervisor::a_job_with_children_runs_once", children),
    ("supervisor::a_job_that_cannot_come_back_is_said", lost_job),
];

/// Supervisor ends only the shell; zdd waits for what it started before the next one begins.
fn children() {
    let site = Django::install();
    let jobs = |version: &str| format!("{}/deploy/hc-alerts.conf", site.source(version));
    for version in ["v1", "v2"] {
        let file = jobs(version);
        let text = site.read(&file).replace("asgroup=true", "asgroup=false");
        let (head, rest) = text.split_once("command=").expect("it has a command");
        let (command, rest) = rest.split_once('\n').expect("and more");
        let command = format!("{head}command=/bin/sh -c \"{command}; true\"\n{rest}");
        site.write(&file, &command);
    }
    site.release("v1").assert_exit(0);
    let second = site.release("v2");
    second.assert_exit(0).assert_says("stopasgroup=true");
    site.assert_only_current_runs();
    assert_eq!(site.assert_job_ran_once_at_a_time(), 2);
    assert_eq!(ends(&second, "hc"), ["ended"; 4], "{second}");
    assert_eq!(ends(&second, "hc-alerts"), ["ended"; 2], "{second}");

    // Now one that does not listen, and a web that complains into a log of its own.
    site.edit(&jobs("v3"), "stopwaitsecs=60", "stopwaitsecs=1");
    let alerts = "hc/management/commands/alerts.py";
    site.append("v3", alerts, "Command.end = lambda *_: None");
    let log = "stderr_logfile=/var/log/%(program_name)s.log";
    site.append("v3", "deploy/hc.conf", log);
    let health = "def health(request):\n    print('[ERROR] no card reader', file=__import__('sys').stderr)\n    \
                  return HttpResponse('ok')";
    site.append("v3", "hc/views.py", health);
    let third = site.release("v3");
    let source = format!("/var/log/hc-{}.log", site.current());
    third
        .assert_exit(0)
        .assert_field("/complaints/0/source", source.as_str())
        .assert_says("no card reader");
    let fourth = site.release("v4");
    fourth.assert_exit(0).assert_says("was killed: what it");
    assert_eq!(ends(&fourth, "hc"), ["ended"; 4], "{fourth}");
    assert_eq!(ends(&fourth, "hc-alerts"), ["killed"], "{fourth}");
    site.assert_only_current_runs();
    assert_eq!(site.assert_job_ran_once_at_a_time(), 4);
}

/// What became of the processes of a service that ran before.
fn ends(outcome: &Outcome, service: &str) -> Vec<String> {
    let all = outcome.json["replaced"].as_array().expect("a list");
    let of_it = all.iter().filter(|it| it["service"] == service);
    of_it
        .map(|it| it["end"].as_str().unwrap_or_default().to_owned())
        .collect()
}

/// What the new release did to the data lets neither job start.
fn lost_job() {
    let site = Django::serving("v1");
    let before = site.current();
    let lock = format!("{ROOT}/shared/db/alerts.lock");
    let hook = format!("{}/hooks/verify", site.source("v2"));
    let lines = format!("#!/bin/sh\nrm -rf {lock} && mkdir {lock}\n");
    site.write(&hook, &lines);
    site.sh(&format!("chmod 0755 {hook}"));
    site.release("v2")
        .assert_exit(4)
        .assert_field("/error/step", "switch_workers")
        .assert_says("IsADirectoryError")
        .assert_says(&format!("hc-alerts-{before}"));
    assert_eq!(site.version(), "v1");
    site.sh(&format!("rmdir {lock}"));
    site.outcome(["recover"]).assert_exit(0);
    site.assert_only_current_runs();
    assert_eq!(site.current(), before);
}
