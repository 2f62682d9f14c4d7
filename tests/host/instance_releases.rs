//! Instances of each release: proved before the flip, drained after it, and no request lost.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::Case;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("instance::gunicorn_loses_no_request", || {
        let site = Site::of_instances();
        site.give_up_soon();
        lose_no_request(&site, "app.py", &GUNICORN_FAULTS)
    }),
    ("instance::node_loses_no_request", || {
        lose_no_request(&Site::of_node_instances(), "server.js", &NODE_FAULTS)
    }),
    ("instance::a_front_with_keepalive_is_led_over", keepalive),
    (
        "instance::users_stay_where_the_old_one_cannot_start_again",
        unstartable,
    ),
    ("instance::who_talks_to_the_old_one_is_waited_for", stuck),
    (
        "instance::a_template_through_current_never_goes_live",
        through_current,
    ),
];

const NGINX: &str = "/etc/nginx/conf.d/myapp.conf";

/// Code that cannot be imported, whose health is bad, and that never answers.
const GUNICORN_FAULTS: [&str; 3] = [
    "import not_there",
    "def app(environ, start_response):\n    start_response('500 Oh', [])\n    return [b'']",
    "time.sleep(1000)",
];
/// Well by its own check, and bad for users.
const BAD_FRONT_PAGE: &str = "\
good = app


def app(environ, start_response):
    if environ['PATH_INFO'] != '/':
        return good(environ, start_response)
    start_response('500 Oh', [])
    return [b'']";
const NODE_FAULTS: [&str; 3] = [
    "require('./not-there');",
    "healthy = false;",
    "server.close(); setInterval(() => {}, 1000);",
];

/// What Python and node write into the journal about the first of these faults.
const IMPORT_ERRORS: [&str; 2] = [
    "ModuleNotFoundError: No module named 'not_there'",
    "Cannot find module './not-there'",
];

fn lose_no_request(site: &Site, code: &str, faults: &[&str; 3]) {
    site.configure("sudo = true", "sudo = true\nswitch_timeout = \"5s\"");
    // The `check` hook would find the first fault; here the instance itself is to show it.
    site.configure("[hooks]", "[hooks]\ncheck = \"true\"");
    site.release("v1").assert_exit(0);
    let load = Load::start(site);
    let mut switches = Vec::new();
    for (number, version) in ["v2", "v3", "v4"].iter().enumerate() {
        assert_live(site, &site.release(version));
        switches.push((*version, Instant::now()));
        load.go_on(Duration::from_secs(1));

        let broken = format!("broken{number}");
        append(site, &broken, code, faults[number]);
        let (current, running) = (site.current(), site.instances());
        let outcome = site.release(&broken);
        outcome
            .assert_exit(1)
            .assert_field("/outcome", "failed")
            .assert_field("/error/step", "start_instance")
            .assert_field("/serving", current.as_str());
        if number == 0 {
            outcome
                .assert_says(IMPORT_ERRORS[usize::from(code != "app.py")])
                .assert_says(" died");
        }
        assert_eq!(site.instances(), running, "an instance is left");
        assert_eq!(site.enabled_instances(), running);
    }
    for version in ["v3", "v2"] {
        assert_live(site, &site.outcome(["rollback"]));
        switches.push((version, Instant::now()));
        load.go_on(Duration::from_secs(1));
    }
    let figures = load.stop();
    let _ = writeln!(io::stderr(), "{code}: {figures}");
    figures.assert_none_failed();
    for (version, ended) in switches {
        figures.assert_only(version, ended..ended + Duration::from_millis(900));
    }
    let met = figures.versions(..);
    assert!(
        !met.keys().any(|version| version.starts_with("broken")),
        "{met:?}"
    );
    assert_eq!(site.instances(), [site.current()]);
    assert_eq!(site.enabled_instances(), [site.current()]);
    site.assert_tidy();
    site.outcome(["status"]).assert_exit(0);
}

/// Adds code to the end of a version.
fn append(site: &Site, version: &str, code: &str, lines: &str) {
    let file = format!("{}/{code}", site.source(version));
    site.write(&file, &format!("{}\n\n{lines}\n", site.read(&file)));
}

/// The instance of the current release runs, and no other one.
#[track_caller]
pub fn assert_live(site: &Site, outcome: &Outcome) {
    let current = site.current();
    outcome
        .assert_exit(0)
        .assert_field("/outcome", "live")
        .assert_field("/release", current.as_str())
        .assert_field("/running/0/release", current.as_str())
        .assert_field("/running/0/verdict", "proved")
        .assert_field("/cutover/failed", 0);
    assert_eq!(site.instances(), [current]);
}

fn use_keepalive(site: &Site) {
    site.edit(
        NGINX,
        "fail_timeout=0;",
        "fail_timeout=0;\n    keepalive 8;",
    );
    site.edit(NGINX, "''      close;", "''      '';");
    site.sh("systemctl restart nginx");
}

/// Users' own page is one of the checks.
fn ask_the_front_page(site: &Site) {
    site.configure(
        "[[health]]",
        "[[health]]\nurl = \"http://127.0.0.1/\"\nwithin = \"2s\"\n\n[[health]]",
    );
}

const UPGRADE: &str = "proxy_set_header Upgrade $http_upgrade;";
const BRIEFLY: &str = "keepalive_time 1s; keepalive_timeout 1s;";

/// nginx held on to the old instance, which was ended for it and does not start any more: a bad
/// release serves users better than none. Once the old one can start, they are led back.
fn unstartable() {
    let site = Site::of_instances_serving("v1");
    site.edit(NGINX, UPGRADE, "");
    use_keepalive(&site);
    ask_the_front_page(&site);
    append(&site, "v2", "app.py", BAD_FRONT_PAGE);
    let (old, code) = (site.current(), "\"$ZDD_PREVIOUS_PATH/app.py\"");
    site.write_hook(
        "v2",
        "warm",
        &format!("echo 'raise SystemExit(1)' >> {code}"),
    );
    let load = Load::start(&site);
    let stuck = site.release("v2");
    drop(load);
    stuck
        .assert_exit(4)
        .assert_field("/outcome", "rollback_failed")
        .assert_field("/serving", site.current().as_str())
        .assert_says("it is left running")
        .assert_says("zdd recover");
    assert_ne!(site.current(), old);
    let health = "curl --silent --fail http://127.0.0.1/health";
    site.sh(health);

    site.sh(&format!(
        "sed -i '/SystemExit/d' {ROOT}/releases/{old}/app.py"
    ));
    site.outcome(["recover"]).assert_exit(0);
    assert_eq!(site.current(), old);
    assert_eq!(site.version(), "v1");
    assert_eq!(site.instances(), [old]);
    site.assert_tidy();
}

/// nginx holds on to the old instance: it is ended before the checks, and started again on the way
/// back. With the lines that zdd prints nginx leaves it by itself, and it may go on running.
fn keepalive() {
    let site = Site::of_instances_serving("v1");
    site.edit(NGINX, UPGRADE, "");
    use_keepalive(&site);
    let idle = || site.sh("for i in 1 2 3 4; do curl -s http://127.0.0.1/ & done; wait");
    idle();
    let began = Instant::now();
    let outcome = site.release("v2");
    assert_live(&site, &outcome);
    outcome.assert_says(&format!("write `{BRIEFLY}` into `upstream myapp`"));
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "{:?}",
        began.elapsed()
    );
    assert_eq!(site.version(), "v2");

    // The way back: now it holds on to the new one, and would be answered by it.
    ask_the_front_page(&site);
    append(&site, "v3", "app.py", BAD_FRONT_PAGE);
    let old = site.current();
    let load = Load::start(&site);
    let back = site.release("v3");
    drop(load);
    back.assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/serving", old.as_str());
    assert_eq!(site.version(), "v2");
    assert_eq!(site.instances(), std::slice::from_ref(&old));
    assert_eq!(site.enabled_instances(), [old]);

    let load = Load::start(&site);
    assert_live(&site, &site.release("v4"));
    assert_live(&site, &site.outcome(["rollback"]));
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    let _ = writeln!(io::stderr(), "keepalive: {figures}");
    figures.assert_none_failed();

    site.edit(NGINX, "keepalive 8;", &format!("keepalive 8; {BRIEFLY}"));
    site.edit(
        NGINX,
        "proxy_pass ",
        &format!("{UPGRADE}\n        proxy_pass "),
    );
    site.configure("sudo = true", "sudo = true\nstandby = \"10m\"");
    site.sh("systemctl reload nginx");
    let load = Load::start(&site);
    load.go_on(Duration::from_secs(1));
    let outcome = site.release("v5");
    let ended = Instant::now();
    outcome
        .assert_exit(0)
        .assert_says("Moved nginx (www-data) from myapp@");
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    let _ = writeln!(io::stderr(), "keepalive, briefly: {figures}");
    figures.assert_none_failed();
    figures.assert_only("v5", ended..);
    assert_eq!(site.instances().len(), 2, "the old one is kept");
}

/// A request that takes long is waited for up to `drain`, and named.
fn stuck() {
    let site = Site::of_instances_serving("v1");
    site.configure("sudo = true", "sudo = true\ndrain = \"2s\"");
    let ask =
        "curl --silent --max-time 30 --write-out %{http_code} 'http://127.0.0.1/slow?ms=5000'";
    let request = site.program(["sh", "-c", ask]).spawn();
    std::thread::sleep(Duration::from_millis(300));
    let outcome = site.release("v2");
    assert_live(&site, &outcome);
    outcome.assert_says("is told to stop after 2s with 1 connection from nginx (www-data)");
    // gunicorn's own graceful stop lets it finish.
    assert_eq!(request.wait().stdout.trim(), "v1\n200");
    site.configure("drain = \"2s\"", "drain = \"30s\"");
    let request = site
        .program(["sh", "-c", &ask.replace("5000", "2500")])
        .spawn();
    std::thread::sleep(Duration::from_millis(300));
    let outcome = site.release("v3");
    outcome.assert_exit(0).assert_says("Drained");
    assert!(
        !outcome.to_string().contains("is told to stop after"),
        "{outcome}"
    );
    assert_eq!(request.wait().stdout.trim(), "v2\n200");
}

/// An instance that enters `current` runs the old code: it must not be called the new release.
fn through_current() {
    let site = Site::of_instances_serving("v1");
    site.edit(
        "/etc/systemd/system/myapp@.service",
        &format!("WorkingDirectory={ROOT}/releases/%i"),
        &format!("WorkingDirectory={ROOT}/current"),
    );
    site.sh("systemctl daemon-reload");
    let outcome = site.release("v2");
    outcome
        .assert_exit(1)
        .assert_field("/error/step", "start_instance");
    assert_eq!(site.version(), "v1");
    assert_eq!(site.instances(), [site.current()]);
}
