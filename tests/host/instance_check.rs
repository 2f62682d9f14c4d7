//! What `zdd check` finds on a host with instances: nothing where all is right, and each trap with
//! the line that mends it.

use serde_json::{Value, json};

use crate::Case;
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("instance::check_is_silent_where_all_is_right", silent),
    ("instance::check_mends_the_way_of_the_proxy", way),
    ("instance::check_knows_the_traps_of_the_unit", unit),
    ("instance::check_of_what_init_writes_has_no_error", written),
];

const UNIT: &str = "/etc/systemd/system/myapp@.service";
const NGINX: &str = "/etc/nginx/conf.d/myapp.conf";

fn findings(site: &Site) -> Vec<Value> {
    let checked = site.outcome(["check"]);
    let findings = checked.json["findings"].as_array();
    findings.cloned().unwrap_or_default()
}

/// The first finding, which has this level; returns what it says to change.
#[track_caller]
fn first(site: &Site, level: &str, says: &str) -> String {
    let found = findings(site);
    assert!(!found.is_empty(), "no `{says}`");
    assert_eq!(found[0]["level"], level, "{found:#?}");
    let what = found[0]["what"].as_str().unwrap_or_default();
    assert!(what.contains(says), "{found:#?}");
    found[0]["change"].as_str().unwrap_or_default().to_owned()
}

fn silent() {
    let site = Site::of_instances();
    assert_eq!(findings(&site), [json!(null); 0], "before any release");
    site.release("v1").assert_exit(0);
    assert_eq!(findings(&site), [json!(null); 0]);
    site.sh("systemctl disable --quiet zdd-recover@myapp");
    let change = first(&site, "note", "a command that a reboot interrupts");
    site.sh(&change);
    assert_eq!(findings(&site), [json!(null); 0]);
}

/// Each change that is printed is done as it stands there.
fn way() {
    let site = Site::of_instances_serving("v1");
    for spoil in [
        format!("chmod 0700 {ROOT}"),
        "gpasswd --delete www-data deploy; systemctl restart nginx".to_owned(),
    ] {
        site.sh(&spoil);
        assert_ne!(site.version(), "v1", "{spoil}");
        let change = first(&site, "error", "nginx (www-data) does not get to");
        site.sh(&change);
        assert_eq!(site.version(), "v1", "{change}");
        assert_eq!(findings(&site), [json!(null); 0]);
    }
    site.edit(
        NGINX,
        "fail_timeout=0;",
        "fail_timeout=0;\n    keepalive 8;",
    );
    site.edit(NGINX, "''      close;", "''      '';");
    site.sh("systemctl restart nginx");
    let change = first(&site, "warning", "keeps connections to `myapp` open");
    let briefly = "keepalive_time 1s; keepalive_timeout 1s;";
    assert!(change.starts_with(&format!("write `{briefly}` into")));
    site.edit(NGINX, "keepalive 8;", &format!("keepalive 8; {briefly}"));
    site.sh("systemctl reload nginx");
    assert_eq!(findings(&site), [json!(null); 0]);
}

fn unit() {
    let site = Site::of_instances_serving("v1");
    let good = site.read(UNIT);
    for (from, to, level, says) in [
        (
            "WorkingDirectory=/var/www/myapp/releases/%i",
            "WorkingDirectory=/var/www/myapp/current",
            "error",
            "leads through `current`",
        ),
        (
            "KillMode=mixed",
            "KillMode=process",
            "warning",
            "main process only",
        ),
        (
            "TimeoutStopSec=35\n",
            "",
            "note",
            "`TimeoutStopSec` is not set",
        ),
        (
            "TimeoutStopSec=35",
            "TimeoutStopSec=5",
            "warning",
            "gunicorn gives",
        ),
        ("Restart=on-failure\n", "", "warning", "it stays down"),
        (
            "[Install]\nWantedBy=multi-user.target\n",
            "",
            "warning",
            "no `[Install]`",
        ),
        (
            "RuntimeDirectoryMode=0750",
            "RuntimeDirectoryMode=0700",
            "error",
            "does not get to",
        ),
        ("RuntimeDirectory=myapp/%i\n", "", "error", "cannot make"),
    ] {
        site.write(UNIT, &good);
        site.edit(UNIT, from, to);
        site.sh("systemctl daemon-reload");
        first(&site, level, says);
    }
    site.write(UNIT, &good);
    site.sh("systemctl daemon-reload");
    assert_eq!(findings(&site), [json!(null); 0]);
    memory(&site);
}

/// A host on which a second copy has no room.
fn memory(site: &Site) {
    site.have_little_memory();
    first(site, "error", "a release runs two copies for a while");
    let refused = site.release("v2");
    refused
        .assert_exit(1)
        .assert_says("1 MiB of memory and 512 KiB of swap are free for another");
    site.add_settings("[require]\nfree_memory = \"1MiB\"\n");
    let graceful = site.release("v2");
    graceful
        .assert_exit(0)
        .assert_field("/replaced/0/end", "ended");
    site.edit(
        UNIT,
        "TimeoutStopSec=35",
        "TimeoutStopSec=1\nKillSignal=SIGCONT",
    );
    site.sh("systemctl daemon-reload");
    let cut = site.release("v3");
    cut.assert_exit(0)
        .assert_field("/replaced/0/end", "killed")
        .assert_says("did not end when told to, and was killed");
    site.configure("free_memory = \"1MiB\"", "");
    let back = site.outcome(["rollback"]);
    back.assert_exit(0)
        .assert_says("warning: a release runs two copies for a while");
}

/// The files of `zdd init`, each put where its first lines say.
fn written() {
    let site = Site::of_instances();
    site.sh("
        rm /etc/systemd/system/*myapp* /etc/sudoers.d/myapp /etc/nginx/conf.d/myapp.conf
        rm /var/www/myapp/zdd.toml
        install -d -o deploy -g deploy /home/deploy/app /var/www/myapp/shared
        install -o deploy -g deploy -m 600 /dev/null /var/www/myapp/shared/.env
        cd /home/deploy/app
        cp /opt/examples/instance/app.py /opt/examples/instance/VERSION .
        su deploy -c 'zdd init --stack flask --name myapp --root /var/www/myapp'
        install -m 644 deploy/*.service /etc/systemd/system
        install -m 440 deploy/myapp.sudoers /etc/sudoers.d/myapp
        visudo --check --quiet
        ln -s /home/deploy/app/deploy/myapp.nginx /etc/nginx/sites-enabled/myapp
        chmod o+x /home/deploy
        printf '#!/bin/sh\\ncp -a /opt/gunicorn .venv\\n' > hooks/build
        systemctl daemon-reload
        systemctl enable --quiet zdd-recover@myapp
        systemctl restart nginx
    ");
    let checked = |when: &str| {
        let output = site.zdd(["check"]).dir("/home/deploy/app").run();
        assert!(
            output.stdout.starts_with("ok "),
            "{when}: {}",
            output.stdout
        );
    };
    checked("before");
    site.zdd(["release"]).dir("/home/deploy/app").succeed();
    checked("afterwards");
    assert_eq!(site.version(), "v1");
}
