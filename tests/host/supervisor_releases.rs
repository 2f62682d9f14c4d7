//! A program of supervisor for each release: no request lost by good and bad releases, one job at a
//! time, nothing of anybody else touched.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::Case;
use crate::django::{CONF_DIR, Django, ROOT};
use crate::load::{self, Client, Load};
use crate::outcome::Outcome;

pub const CASES: &[Case] = &[
    ("supervisor::django_loses_no_request", lose_no_request),
    ("supervisor::killed_and_rebooted", killed_and_rebooted),
    ("supervisor::as_a_plain_user_with_sudo", plain_user),
    ("supervisor::what_stands_against_it_is_found", obstacles),
];

/// A fault of a version, and the step that it ends in.
struct Fault {
    step: &'static str,
    exit: i32,
    says: &'static str,
    put: fn(&Django, &str),
}

const FAULTS: [Fault; 5] = [
    Fault {
        step: "start_instance",
        exit: 1,
        says: "not_there",
        put: |site, version| site.append(version, "hc/wsgi.py", "import not_there"),
    },
    Fault {
        step: "switch_workers",
        exit: 3,
        says: "hc-alerts-",
        put: |site, version| {
            let file = "hc/management/commands/alerts.py";
            site.append(version, file, "raise SystemExit(1)");
        },
    },
    Fault {
        step: "start_instance",
        exit: 1,
        says: "does not contain",
        put: |site, version| {
            let lines = "def health(request):\n    return HttpResponse('well')";
            site.append(version, "hc/views.py", lines);
        },
    },
    Fault {
        step: "hook_migrate",
        exit: 1,
        says: "no such table",
        put: |site, version| {
            let lines = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    \
                         dependencies = [('hc', '0001_alert')]\n    \
                         operations = [migrations.RunSQL('DROP TABLE nowhere')]\n";
            let source = site.source(version);
            site.write(&format!("{source}/hc/migrations/0002_bad.py"), lines);
        },
    },
    Fault {
        step: "hook_verify",
        exit: 3,
        says: "hook `verify`",
        put: |site, version| {
            let file = format!("{}/hooks/verify", site.source(version));
            site.write(&file, "#!/bin/sh\nexit 1\n");
            site.sh(&format!("chmod 0755 {file}"));
        },
    },
];

/// Users who ask on and on, for no longer than this.
fn users(site: &Django) -> Load {
    let clients = (0..6_u32).map(|number| {
        let agent = load::agent(number.is_multiple_of(2));
        let url = match number {
            0 => "http://127.0.0.1/slow?ms=300",
            _ => "http://127.0.0.1/",
        };
        Client {
            kind: "user",
            pause: Duration::from_millis(20),
            ask: Box::new(move || load::ask_once(&agent, url)),
        }
    });
    Load::of(site, Duration::from_secs(900), clients)
}

fn lose_no_request() {
    // Twenty releases take five minutes.
    let is_all = std::env::var("ZDD_HOST").is_ok_and(|value| value == "all");
    let site = Django::install();
    site.let_hooks_name_their_users();
    site.release("v0").assert_exit(0);
    assert_users(&site);
    let other = site.pid_of_other();
    site.configure(
        "contains = \"ok\"\n\n",
        "contains = \"ok\"\nswitch_timeout = \"10s\"\n\n",
    );
    let load = users(&site);
    let mut switches = Vec::new();
    for (number, fault) in FAULTS.iter().enumerate() {
        let good = if is_all { 3 } else { 1 - number % 2 };
        for more in 0..good {
            let version = format!("v{number}.{more}");
            assert_live(&site, &site.release(&version));
            switches.push((version, Instant::now()));
            load.go_on(Duration::from_secs(1));
            site.assert_only_current_runs();
        }
        assert_refused(&site, &format!("bad{number}"), fault);
        site.assert_only_current_runs();
    }
    let before = site.version();
    assert_live(&site, &site.outcome(["rollback"]));
    assert_ne!(site.version(), before);
    let figures = load.stop();
    let (good, bad) = (switches.len(), FAULTS.len());
    let _ = writeln!(io::stderr(), "{good} good releases, {bad} bad: {figures}");
    figures.assert_none_failed();
    for (version, ended) in &switches {
        figures.assert_only(version, *ended..*ended + Duration::from_millis(900));
    }
    assert!(site.assert_job_ran_once_at_a_time() > switches.len());
    assert_eq!(site.pid_of_other(), other, "a program of somebody else");
    site.outcome(["status"]).assert_exit(0);
}

#[track_caller]
fn assert_live(site: &Django, outcome: &Outcome) {
    outcome
        .assert_exit(0)
        .assert_field("/outcome", "live")
        .assert_field("/release", site.current().as_str())
        .assert_field("/running/0/verdict", "proved")
        .assert_field("/running/1/verdict", "proved")
        .assert_field("/cutover/failed", 0);
}

/// Static files are made by one user, everything that has to do with data by another, and the code
/// is neither's.
#[track_caller]
fn assert_users(site: &Django) {
    let id = site.current();
    for (hook, user) in [("check", "hc-static"), ("migrate", "hc"), ("finish", "hc")] {
        let log = site.program(["zdd", "logs", &id, &format!("hook_{hook}")]);
        let said = log.dir(ROOT).succeed().stdout;
        assert!(said.lines().any(|line| line == user), "{hook}: {said}");
    }
    let release = format!("{ROOT}/releases/{id}");
    for (path, owner) in [
        ("hc/wsgi.py", "root"),
        ("static/hc/site.css", "hc-static"),
        ("static/hc/site.css.gz", "hc-static"),
        ("db/hc.sqlite3", "hc"),
    ] {
        let path = format!("{release}/{path}");
        let stat = site.program(["stat", "--format=%U", &path]).succeed();
        assert_eq!(stat.stdout.trim(), owner, "{path}");
    }
    // The triggers are there once, however often they are ensured.
    let python = format!("cd {release} && runuser -u hc -- .venv/bin/python manage.py");
    site.sh(&format!("{python} ensuretriggers"));
    let total = "\
from django.db import connection
from hc.models import Alert
Alert.objects.create(text='a'), Alert.objects.create(text='b')
Alert.objects.first().delete()
cursor = connection.cursor()
print(cursor.execute('SELECT alerts FROM hc_total').fetchall(), Alert.objects.count())
";
    let counted = site.sh(&format!(
        "{python} shell --verbosity 0 --command \"{total}\""
    ));
    assert_eq!(counted.stdout.trim(), "[(1,)] 1", "{counted}");
}

#[track_caller]
fn assert_refused(site: &Django, version: &str, fault: &Fault) {
    (fault.put)(site, version);
    let current = site.current();
    site.release(version)
        .assert_exit(fault.exit)
        .assert_field("/error/step", fault.step)
        .assert_field("/serving", current.as_str())
        .assert_says(fault.says);
    assert_eq!(site.current(), current);
}

fn killed_and_rebooted() {
    let mut site = Django::serving("v1");
    let load = users(&site);
    // While it is switched the flip may have been made or not.
    for (moment, is_live) in [
        ("started.*hook_migrate", Some(false)),
        ("started.*start_instance", Some(false)),
        ("started.*switch\"", None),
        ("started.*hook_verify", Some(true)),
        ("started.*switch_workers", Some(true)),
        ("committed", Some(true)),
    ] {
        let version = moment.replace(|letter: char| !letter.is_ascii_alphabetic(), "");
        let before = site.version();
        site.kill_at(&version, moment);
        // A hook that still runs is waited for.
        site.outcome(["recover", "--wait=1m"]).assert_exit(0);
        site.assert_only_current_runs();
        let is_new = site.version() == version;
        assert!(is_new || site.version() == before, "killed at {moment}");
        assert_eq!(is_new, is_live.unwrap_or(is_new), "killed at {moment}");
    }
    let figures = load.stop();
    figures.assert_none_failed();

    // A boot in the middle: between the start of the new one and the commit both have their files.
    let source = site.source("v2");
    site.write(
        &format!("{source}/hooks/verify"),
        "#!/bin/sh\n[ -e /var/tmp/reached ] || { touch /var/tmp/reached; sleep 60; }\n",
    );
    site.sh(&format!("chmod 0755 {source}/hooks/verify"));
    let command = format!(
        "cd {ROOT}; zdd release {source} >/dev/null 2>&1 &
         while [ ! -e /var/tmp/reached ]; do sleep 0.05; done"
    );
    site.sh(&command);
    let files = site.sh(&format!("ls {CONF_DIR}")).stdout;
    assert_eq!(files.matches("hc-2").count(), 2, "{files}");
    site.reboot_host();
    site.sh("systemctl start nginx supervisor");
    let recovered = site.outcome(["recover", "--boot"]);
    recovered.assert_exit(0);
    site.outcome(["status"]).assert_exit(0);
    site.assert_only_current_runs();
    assert_eq!(site.version(), "v2", "it goes on where it was: {recovered}");
    site.release("v3").assert_exit(0);
    assert_eq!(site.version(), "v3");
    site.reboot_host();
    site.sh("systemctl start nginx supervisor; sleep 5");
    assert_eq!(site.version(), "v3", "without any recovery");
    site.assert_only_current_runs();
}

fn plain_user() {
    let mut site = Django::install();
    site.give_to_deploy();
    let check = site.outcome(["check"]);
    check
        .assert_exit(1)
        .assert_says("may not write to `/etc/supervisor/conf.d`")
        .assert_says("deploy ALL=(root) NOPASSWD: /usr/bin/supervisorctl ^");
    site.sh(&format!("chgrp deploy {CONF_DIR} && chmod g+w {CONF_DIR}"));
    let findings = check.json["findings"].as_array().expect("findings");
    let changes = findings.iter().filter_map(|found| found["change"].as_str());
    let lines = changes.filter_map(|change| change.split_once("zdd:\n"));
    let lines: String = lines.map(|(_, line)| format!("{line}\n")).collect();
    assert_eq!(lines.lines().count(), 2, "{lines}");
    site.write("/etc/sudoers.d/zdd", &lines);
    site.outcome(["check"]).assert_exit(0);

    site.configure(
        "contains = \"ok\"\n\n",
        "contains = \"ok\"\nstandby = \"1m\"\n\n",
    );
    site.release("v1").assert_exit(0);
    let load = users(&site);
    let first = site.current();
    let file = format!("{CONF_DIR}/hc-{first}.conf");
    let one_worker = "`hc`: it has one worker";
    assert!(!site.outcome(["check"]).says(one_worker));
    site.sh(&format!("sed -i 's/--workers 3/--workers 1/' {file}"));
    site.outcome(["check"]).assert_says(one_worker);
    site.sh(&format!("sed -i 's/--workers 1/--workers 3/' {file}"));
    site.release("v2")
        .assert_exit(0)
        .assert_field("/running/0/verdict", "proved");
    // Kept running, but not to be started at boot.
    assert!(site.programs().contains(&format!("hc-{first} RUNNING")));
    let pid = site.sh(&format!("supervisorctl pid hc-{first}")).stdout;
    let files = site.sh(&format!("ls {CONF_DIR}")).stdout;
    assert!(!files.contains(&format!("hc-{first}.conf")), "{files}");
    site.outcome(["rollback"])
        .assert_exit(0)
        .assert_says("it was kept for a rollback");
    assert_eq!(site.current(), first);
    let same = site.sh(&format!("supervisorctl pid hc-{first}")).stdout;
    assert_eq!(same, pid, "it was started anew");
    site.assert_only_current_runs();
    load.stop().assert_none_failed();
    site.assert_job_ran_once_at_a_time();
}

fn obstacles() {
    let site = Django::serving("v1");
    let settings = "/etc/supervisor/supervisord.conf";
    site.edit(settings, "conf.d/*.conf", "other.d/*.conf");
    let refused = site.release("v2");
    refused
        .assert_exit(1)
        .assert_field("/outcome", "refused")
        .assert_says("does not include `/etc/supervisor/conf.d`")
        .assert_says("[include] files = ");
    site.edit(settings, "other.d/*.conf", "conf.d/*.conf");
    site.assert_only_current_runs();

    // A template with a mistake, and one that names another program.
    for (from, to, says) in [
        ("{{ program }}", "{{ programme }}", "hc.conf"),
        ("{{ program }}", "hc", "[program:hc]"),
        ("autostart=true", "autostart=false", "after a reboot"),
    ] {
        site.sh("rm -rf /srv/bad");
        let file = format!("{}/deploy/hc.conf", site.source("bad"));
        site.edit(&file, from, to);
        site.release("bad")
            .assert_exit(1)
            .assert_field("/error/step", "start_instance")
            .assert_says(says);
        site.assert_only_current_runs();
    }

    site.sh("systemctl stop supervisor");
    site.release("v2")
        .assert_exit(1)
        .assert_field("/outcome", "refused")
        .assert_says("systemctl enable --now supervisor");
    site.sh("systemctl start supervisor; sleep 4");
    site.assert_only_current_runs();
    assert_eq!(site.version(), "v1");
}
