//! `[proxy]` with the nginx of the system, told by its unit or by `nginx -s reload`, both through
//! sudo: daemons on ports, or a template unit whose port only the kernel tells; a good release, two
//! bad ones and a rollback, and no request lost. After a boot nginx leads to where they are then.

use std::io::{self, Write as _};
use std::time::Duration;

use crate::Case;
use crate::load::{self, Load};
use crate::site::{ROOT, Site};

pub const CASES: &[Case] = &[
    ("proxy::the_system_s_nginx_is_led_over", || {
        let mut site = site(DAEMON, BY_UNIT);
        led_over(&site);
        follows_after_a_boot(&mut site);
    }),
    ("proxy::an_nginx_known_by_its_pid_file_is_led_over", || {
        led_over(&site(DAEMON, BY_PID_FILE));
    }),
    ("proxy::a_template_unit_on_a_port_is_led_to", || {
        led_over(&on_a_port_of_the_kernels());
    }),
];

const BY_UNIT: &str = "unit = \"nginx.service\"";
const BY_PID_FILE: &str = "pid_file = \"/run/nginx.pid\"";

const DAEMON: &str = "start = \".venv/bin/python -m gunicorn -D -c settings_gunicorn.py app:app\"
stop = \"kill -TERM\"
pid_file = \"gunicorn.pid\"";
const TEMPLATE_UNIT: &str = "unit = \"myapp@.service\"\nsudo = true\nhealth = \"/health\"";

const SETTINGS: &str = "[hooks]
build = \"cp -a /opt/gunicorn .venv\"
check = \"true\"

[[service]]
THE_SERVICE
name = \"web\"
switch_timeout = \"10s\"

[proxy]
template = \"deploy.nginx\"
output = \"nginx.conf\"
sudo = true
HOW_IT_IS_FOUND

[[health]]
url = \"http://127.0.0.1/\"
";

const TEMPLATE: &str = "upstream web { server {{ web_host }}:{{ web }}; }
server {
    listen 80 default_server;
    location / { proxy_pass http://web; }
}
";

fn site(service: &str, by: &str) -> Site {
    let site = Site::of_instances();
    let settings = SETTINGS.replace("HOW_IT_IS_FOUND", by);
    let settings = settings.replace("THE_SERVICE", service);
    site.write(&format!("{ROOT}/zdd.toml"), &settings);
    let include = format!("include {ROOT}/nginx*.conf;\n");
    site.write("/etc/nginx/conf.d/myapp.conf", &include);
    if service == DAEMON {
        site.sh("rm /etc/sudoers.d/myapp");
    }
    site.sh("systemctl restart nginx");
    site
}

/// gunicorn with its own control socket beside the port, on which nobody else is asked.
fn on_a_port_of_the_kernels() -> Site {
    let site = site(TEMPLATE_UNIT, BY_UNIT);
    site.edit(
        "/etc/systemd/system/myapp@.service",
        "--bind unix:/run/myapp/%i/app.sock --umask 007 --no-control-socket",
        "--bind 127.0.0.1:0 --control-socket /run/myapp/%i/gunicorn.ctl",
    );
    site.sh("systemctl daemon-reload");
    site
}

/// A version of the example with what this site needs.
fn source(site: &Site, version: &str) {
    let path = site.source(version);
    site.write(&format!("{path}/deploy.nginx"), TEMPLATE);
    site.sh(&format!(
        "cp /opt/examples/gunicorn/settings_gunicorn.py {path}"
    ));
}

fn led_over(site: &Site) {
    let refused = site.outcome(["check"]);
    refused.assert_exit(1);
    let findings = refused.json["findings"].as_array().expect("findings");
    let changes = findings.iter().filter_map(|it| it["change"].as_str());
    let lines: Vec<&str> = changes
        .flat_map(str::lines)
        .filter(|line| line.contains("NOPASSWD"))
        .collect();
    assert_eq!(lines.len(), 2, "{refused}");
    site.write("/etc/sudoers.d/zdd", &format!("{}\n", lines.join("\n")));
    site.outcome(["check"]).assert_exit(0);

    for version in ["v1", "v2", "broken", "sick"] {
        source(site, version);
    }
    site.append_code("broken", "import not_there");
    site.write_hook("sick", "verify", "exit 1");
    site.release("v1").assert_exit(0);
    let load = Load::at_reloaded(site, load::USUAL);
    load.go_on(Duration::from_millis(500));
    site.release("v2")
        .assert_exit(0)
        .assert_field("/outcome", "live");
    let live = site.current();
    site.release("broken")
        .assert_exit(1)
        .assert_field("/error/step", "start_instance")
        .assert_field("/serving", live.as_str());
    site.release("sick")
        .assert_exit(3)
        .assert_field("/outcome", "rolled_back")
        .assert_field("/serving", live.as_str());
    assert_eq!(site.version(), "v2");
    site.outcome(["rollback"]).assert_exit(0);
    load.go_on(Duration::from_millis(500));
    let figures = load.stop();
    let _ = writeln!(io::stderr(), "proxy: {figures}");
    figures.assert_none_failed();
    assert!(!figures.versions(..).contains_key("broken"));
    assert_eq!(site.version(), "v1");
    let masters = "pgrep --full --count --parent 1 gunicorn";
    assert_eq!(site.sh(masters).stdout.trim(), "1", "a server is left");
    site.outcome(["status"]).assert_exit(0);
}

/// The daemons are gone with the power, and have other ports when the recover unit has started them.
fn follows_after_a_boot(site: &mut Site) {
    site.sh("systemctl enable --quiet nginx zdd-recover@myapp");
    let before = site.read(&format!("{ROOT}/nginx.conf"));
    site.reboot_host();
    assert_eq!(site.first_answer(), "v1");
    assert_ne!(site.read(&format!("{ROOT}/nginx.conf")), before);
    site.outcome(["status"]).assert_exit(0);
    source(site, "v3");
    site.release("v3").assert_exit(0);
    assert_eq!(site.version(), "v3");
}
