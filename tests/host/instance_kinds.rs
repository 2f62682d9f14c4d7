//! From one kind of service to another and back, restarts with and without a socket unit, workers,
//! and instances of a user's own systemd.

use std::time::Duration;

use crate::Case;
use crate::host::Host;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("instance::from_reload_to_instance_and_back", change_of_kind),
    (
        "instance::a_restart_behind_a_socket_unit_loses_nothing",
        restart_with_socket,
    ),
    (
        "instance::a_restart_without_one_is_told_with_its_cost",
        restart_without_socket,
    ),
    (
        "instance::workers_come_last_and_go_back_with_the_rest",
        workers,
    ),
    ("instance::of_the_users_own_systemd", of_the_user),
];

const INSTANCE: &str = "unit = \"myapp@.service\"\nsocket = \"/run/myapp/%i/app.sock\"";
const SHARED: &str = "unit = \"gunicorn.service\"\nsocket = \"/run/plain/app.sock\"";

/// One unit for all releases, in the form that follows `current`.
const SHARED_UNIT: &str = "[Service]
Type=notify
User=deploy
Group=deploy
UMask=0007
RuntimeDirectory=plain
RuntimeDirectoryMode=0750
ExecStart=/var/www/myapp/current/.venv/bin/python -m gunicorn --chdir /var/www/myapp/current --bind unix:/run/plain/app.sock --umask 007 --no-control-socket --worker-class gthread --workers 2 --threads 8 app:app
ExecReload=/bin/kill -s HUP $MAINPID
KillMode=mixed
TimeoutStopSec=35
[Install]
WantedBy=multi-user.target
";

const SUDOERS: &str = "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl ^--no-ask-password \
    (start|stop|reload|restart|enable|disable|reset-failed) -- (gunicorn|worker)\\.service$\n";

fn install_shared_unit(site: &Site) {
    site.write("/etc/systemd/system/gunicorn.service", SHARED_UNIT);
    site.write("/etc/sudoers.d/shared", SUDOERS);
    site.sh("systemctl daemon-reload; systemctl enable --quiet gunicorn");
    site.configure(INSTANCE, SHARED);
}

fn is_active(site: &Site, unit: &str) -> bool {
    let state = site.program(["systemctl", "is-active", unit]).run();
    state.stdout.trim() == "active"
}

fn is_enabled(site: &Site, unit: &str) -> bool {
    let state = site.program(["systemctl", "is-enabled", unit]).run();
    state.stdout.trim() == "enabled"
}

fn change_of_kind() {
    let site = Site::of_instances();
    install_shared_unit(&site);
    site.release("v1").assert_exit(0);
    let load = Load::start(&site);
    site.release("v2").assert_exit(0);
    assert!(is_active(&site, "gunicorn"));

    site.configure(SHARED, INSTANCE);
    site.write_hook("bad", "verify", "exit 1");
    site.release("bad").assert_exit(3);
    assert_eq!(site.version(), "v2");
    assert!(is_active(&site, "gunicorn") && is_enabled(&site, "gunicorn"));
    assert!(site.instances().is_empty());

    for _ in 0..2 {
        site.release("v3").assert_exit(0);
        assert_eq!(site.version(), "v3");
        assert!(!is_active(&site, "gunicorn") && !is_enabled(&site, "gunicorn"));
        assert_eq!(site.instances(), [site.current()]);
        site.outcome(["status"]).assert_exit(0);

        site.outcome(["rollback"])
            .assert_exit(0)
            .assert_field("/running/0/service", "gunicorn.service")
            .assert_field("/running/0/verdict", "proved");
        assert_eq!(site.version(), "v2");
        assert!(is_active(&site, "gunicorn") && is_enabled(&site, "gunicorn"));
        assert!(site.instances().is_empty() && site.enabled_instances().is_empty());
        site.outcome(["status"])
            .assert_exit(0)
            .assert_field("/running/0/service", "gunicorn.service");
    }
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    figures.assert_none_failed();
    site.assert_tidy();
}

fn use_restart(site: &Site) {
    install_shared_unit(site);
    site.configure(SHARED, "unit = \"gunicorn.service\"\nswitch = \"restart\"");
    site.configure("health = \"/health\"", "#");
}

fn restart_with_socket() {
    let site = Site::of_instances();
    use_restart(&site);
    site.write(
        "/etc/systemd/system/gunicorn.socket",
        "[Socket]\nListenStream=/run/plain.sock\nSocketUser=www-data\n[Install]\nWantedBy=sockets.target\n",
    );
    let unit = "/etc/systemd/system/gunicorn.service";
    site.edit(unit, " --bind unix:/run/plain/app.sock", "");
    site.edit(
        unit,
        "[Service]\n",
        "[Unit]\nRequires=gunicorn.socket\n[Service]\n",
    );
    let nginx = "/etc/nginx/conf.d/myapp.conf";
    site.edit(
        nginx,
        &format!("unix:{ROOT}/current/run/app.sock"),
        "unix:/run/plain.sock",
    );
    site.sh("systemctl daemon-reload; systemctl start gunicorn.socket; systemctl restart nginx");
    site.release("v1").assert_exit(0);
    let check = site.outcome(["check"]);
    assert!(!check.to_string().contains("lost"), "{check}");
    let load = Load::start(&site);
    for version in ["v2", "v3"] {
        let outcome = site.release(version);
        outcome
            .assert_exit(0)
            .assert_field("/cutover/failed", 0)
            .assert_says(
                "the restart of gunicorn.service lost no request of the probe; the longest waited",
            );
        load.go_on(Duration::from_millis(500));
    }
    load.stop().assert_none_failed();
    assert_eq!(site.version(), "v3");
}

fn restart_without_socket() {
    let site = Site::of_instances();
    use_restart(&site);
    let nginx = "/etc/nginx/conf.d/myapp.conf";
    site.edit(
        nginx,
        &format!("unix:{ROOT}/current/run/app.sock"),
        "unix:/run/plain/app.sock",
    );
    site.sh("systemctl restart nginx");
    site.add_settings("[probe]\nrate = 100\n");
    // Slow to come up, so that the probe must meet it.
    site.append_code("v2", "time.sleep(1)");
    site.release("v1").assert_exit(0);
    let check = site.outcome(["check"]).to_string();
    let change = "let a `.socket` unit hold the listening socket";
    assert!(check.contains(change), "{check}");
    let outcome = site.release("v2");
    outcome
        .assert_exit(0)
        .assert_says("the restart of gunicorn.service lost");
    assert!(
        outcome.json["cutover"]["failed"].as_u64() > Some(0),
        "{outcome}"
    );
}

/// Writes its version to a file as long as it runs and is not told to take no more jobs. A bad one
/// dies of something it loads late.
const WORKER: &str = "import pathlib, sys, time
quiet = pathlib.Path('/home/deploy/quiet')
quiet.unlink(missing_ok=True)
version = pathlib.Path('VERSION').read_text().strip()
if version.startswith('bad'):
    time.sleep(0.4)
    sys.exit('cannot work')
while True:
    if not quiet.exists():
        pathlib.Path('/home/deploy/worked').write_text(version)
    time.sleep(0.05)
";

fn workers() {
    let site = Site::of_instances();
    site.write("/etc/sudoers.d/shared", SUDOERS);
    site.write(
        "/etc/systemd/system/worker.service",
        &format!(
            "[Service]\nUser=deploy\nWorkingDirectory={ROOT}/current\n\
             ExecStart={ROOT}/current/.venv/bin/python worker.py\n[Install]\nWantedBy=multi-user.target\n"
        ),
    );
    site.sh("systemctl daemon-reload");
    site.add_settings(
        "[[service]]\nunit = \"worker.service\"\nswitch = \"restart\"\nrole = \"worker\"\nsudo = true\n\
         queue = \"cat /home/deploy/worked 2>/dev/null || echo none\"\nquiet = \"touch /home/deploy/quiet\"\n",
    );
    for version in ["v1", "v2", "bad", "sick"] {
        let source = site.source(version);
        site.write(&format!("{source}/worker.py"), WORKER);
    }
    let was_quiet = "test -e /home/deploy/quiet && exit 1; exit 2";
    site.write_hook("sick", "verify", was_quiet);
    let worked = || {
        site.sh("rm -f /home/deploy/worked; sleep 0.5");
        site.read("/home/deploy/worked")
    };
    site.release("v1").assert_exit(0);
    assert_eq!(worked(), "v1");
    let outcome = site.release("v2");
    outcome
        .assert_exit(0)
        .assert_field("/running/1/service", "worker.service")
        .assert_field("/running/1/verdict", "proved")
        .assert_field("/queues/0/before", "v1");
    assert_eq!(worked(), "v2");

    let old = site.current();
    let load = Load::start(&site);
    let back = site.release("bad");
    back.assert_exit(3)
        .assert_field("/error/step", "switch_workers")
        .assert_field("/serving", old.as_str())
        .assert_says("cannot work");
    load.stop().assert_none_failed();
    assert_eq!(
        (worked(), site.version()),
        ("v2".to_owned(), "v2".to_owned())
    );
    // Vetoed while it takes no jobs any more, and before it was switched: it takes them again.
    site.release("sick")
        .assert_exit(3)
        .assert_field("/error/step", "hook_verify")
        .assert_says("exit code 1");
    assert_eq!(worked(), "v2");
    assert_eq!(site.instances(), [old]);
    site.outcome(["status"]).assert_exit(0);
    site.outcome(["rollback"]).assert_exit(0);
    assert_eq!(worked(), "v1");
}

const HOME: &str = "/home/ann";

const USERS_UNIT: &str = "[Service]
WorkingDirectory=%h/www/releases/%i
Environment=ZDD_SOCKET=%h/www/releases/%i/run/app.sock
ExecStart=/usr/bin/python3 server.py
Restart=on-failure
[Install]
WantedBy=default.target
";

const USERS_CONFIG: &str = "[[service]]
unit = \"app@.service\"
scope = \"user\"
socket = \"run/app.sock\"
standby = \"3s\"
[[health]]
url = \"http://unix:/home/ann/www/current/run/app.sock:/\"
";

fn of_the_user() {
    let host = Host::boot();
    host.sh(&format!(
        "useradd --create-home --shell /bin/sh ann
         mkdir -p {HOME}/www {HOME}/src {HOME}/.config/systemd/user
         systemctl start user@$(id -u ann).service"
    ));
    host.write(&format!("{HOME}/src/server.py"), crate::user_scope::SERVER);
    host.write(
        &format!("{HOME}/.config/systemd/user/app@.service"),
        USERS_UNIT,
    );
    host.write(&format!("{HOME}/www/zdd.toml"), USERS_CONFIG);
    host.sh(&format!("chown -R ann: {HOME}"));
    let ann = |line: &str| crate::user_scope::by_ann(&host, line);
    ann("systemctl --user daemon-reload");
    let instances = || {
        let list = "systemctl --user list-units --plain --no-legend --state=active 'app@*' | wc -l";
        ann(list).stdout.trim().to_owned()
    };
    let answer = || {
        let ask = format!("curl -s --unix-socket {HOME}/www/current/run/app.sock http://x/");
        host.sh(&ask).stdout
    };
    for version in ["v1", "v2"] {
        host.write(&format!("{HOME}/src/VERSION"), version);
        Outcome::of(ann("zdd --json release ../src"))
            .assert_exit(0)
            .assert_field("/running/0/verdict", "proved");
        assert_eq!(answer(), version);
    }
    assert_eq!(instances(), "2", "one is kept for a rollback");
    std::thread::sleep(Duration::from_secs(6));
    assert_eq!(instances(), "1", "the user's own timer ends it");
    Outcome::of(ann("zdd --json rollback")).assert_exit(0);
    assert_eq!((answer(), instances()), ("v1".to_owned(), "1".to_owned()));
}
