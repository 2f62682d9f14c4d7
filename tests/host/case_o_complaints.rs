//! What systemd's journal and the log of nginx complain of after a switch is told.

use serde_json::Value;

use crate::Case;
use crate::outcome::Outcome;
use crate::site::Site;

pub const CASES: &[Case] = &[("case_o::complaints_after_a_switch_are_told", told)];

/// What a log complains of, by the JSON.
#[track_caller]
fn of<'o>(outcome: &'o Outcome, source: &str) -> &'o Value {
    let all = outcome.json["complaints"].as_array();
    let mut all = all.into_iter().flatten();
    let found = all.find(|it| it["source"] == source);
    found.unwrap_or_else(|| panic!("nothing of `{source}`:\n{outcome}"))
}

/// A worker that the settings do not name is found by the code that it runs.
fn unnamed(site: &Site) {
    site.write(
        "/etc/systemd/system/celery.service",
        "[Service]\nExecStart=/usr/bin/sleep 600\nUser=deploy\nWorkingDirectory=/var/www/myapp/current\n",
    );
    let silent = site.outcome(["check"]);
    silent.assert_field("/findings", serde_json::json!([]));
    site.sh("systemctl start celery");
    let checked = site.outcome(["check"]);
    checked
        .assert_field("/findings/0/level", "warning")
        .assert_says("`celery.service` runs code of this site and is not named");
    let change = checked
        .text("/findings/0/change")
        .trim_start_matches("add:\n");
    site.add_settings(change);
    let named = site.outcome(["check"]);
    assert!(!named.says("is not named"), "{named}");
    site.configure(change, "");
    site.sh("systemctl stop celery");
}

/// A file that nginx lets browsers keep, under a name that every release uses, is found; so are
/// names by content without a bridge.
fn kept(site: &Site) {
    site.edit(
        "/etc/nginx/conf.d/myapp.conf",
        "    location / {",
        "    location /static/ { alias /var/www/myapp/current/static/; expires 30d; }\n    location / {",
    );
    let current = "/var/www/myapp/current/static";
    site.sh(&format!("mkdir {current}; echo 1 > {current}/app.js"));
    site.outcome(["check"])
        .assert_field("/findings/0/level", "warning")
        .assert_says("browsers keep `static/app.js` over a release (`expires 30d;`)");
    site.sh(&format!(
        "mv {current}/app.js {current}/app.d41d8cd98f00.js"
    ));
    let hashed = site.outcome(["check"]);
    hashed
        .assert_field("/findings/0/level", "note")
        .assert_says("bridge = [\"static\"]");
    site.sh(&format!("rm -r {current}"));
}

/// A socket that nginx was not told of is found, with the line to change.
fn moved(site: &Site) {
    let settings = "/etc/nginx/conf.d/myapp.conf";
    site.sh(&format!(
        "cp {settings} /root/kept; sed -i 's,/run/myapp/app.sock,/run/myapp/old.sock,' {settings}"
    ));
    site.outcome(["check"])
        .assert_field("/findings/0/level", "warning")
        .assert_says("nginx passes requests to `/run/myapp/old.sock`, where nobody listens")
        .assert_says("write `unix:/run/myapp/app.sock` in place of `unix:/run/myapp/old.sock`");
    site.sh(&format!("cp /root/kept {settings}"));
}

/// What became of the processes before: the master first.
fn ends(outcome: &Outcome) -> Vec<&str> {
    let all = outcome.json["replaced"].as_array();
    let all = all.into_iter().flatten();
    all.filter_map(|it| it["end"].as_str()).collect()
}

fn told() {
    let site = Site::serving("v1");
    // It answers as soon as the first of its three workers is there.
    site.sh("main=$(systemctl show --value -p MainPID gunicorn)
         timeout 20 sh -c \"until [ \\$(pgrep -c -P $main) = 3 ]; do sleep 0.1; done\"");
    let silent = site.release("v2");
    assert_eq!(
        ends(&silent),
        ["kept", "ended", "ended", "ended"],
        "{silent}"
    );
    let blind = of(&silent, "/var/log/nginx/error.log");
    assert!(blind["unread"].is_string(), "deploy may not: {silent}");
    silent.assert_says("errors after a switch are not seen there");

    unnamed(&site);
    kept(&site);
    moved(&site);
    site.sh("usermod -aG adm deploy");
    site.edit(
        "/etc/nginx/conf.d/myapp.conf",
        "    location / {",
        "    location /dead { proxy_pass http://unix:/var/www/myapp/no.sock; }\n    location / {",
    );
    site.sh("
        printf 'server { listen 81; access_log off;\\n location / { proxy_pass http://127.0.0.1:9; } }\\n
            server { listen 82; server_name myapp; return 301 https://$host$request_uri; }' \
            > /etc/nginx/conf.d/other.conf
        systemctl restart nginx
    ");
    site.append_code(
        "v3",
        "import sys\nprint('[ERROR] no card\\nTraceback (most recent call last):\\n  File x\\nKeyError: 7', \
         file=sys.stderr, flush=True)",
    );
    site.write_hook(
        "v3",
        "verify",
        "curl -s 'http://127.0.0.1/dead?token=s3cret' >/dev/null
         curl -s http://127.0.0.1:81/ >/dev/null",
    );
    let outcome = site.release("v3");
    outcome.assert_exit(0).assert_field("/outcome", "live");
    let journal = of(&outcome, "gunicorn.service");
    assert_eq!(journal["count"], 3, "each worker: {outcome}");
    assert_eq!(journal["lines"][0], "[ERROR] no card: KeyError: 7");
    let errors = of(&outcome, "/var/log/nginx/error.log");
    assert_eq!(errors["count"], 1, "not the other site's: {outcome}");
    let line = errors["lines"][0].as_str().unwrap_or_default();
    assert!(
        line.contains("connect() to unix:/var/www/myapp/no.sock failed"),
        "{line}"
    );
    assert!(line.ends_with(": GET /dead"), "{line}");
    let answers = of(&outcome, "/var/log/nginx/access.log");
    assert_eq!(answers["count"], 1, "beside who only redirects: {outcome}");
    let answer = answers["lines"][0].as_str().unwrap_or_default();
    assert!(answer.ends_with(" 502: GET /dead"), "{answer}");
    outcome.assert_says("3 new errors since the switch");
    assert!(!outcome.says("s3cret"), "{outcome}");
    site.outcome(["show"]).assert_says("no card");

    // The same code again: its errors came before, too.
    let again = site.release("v3");
    let known = of(&again, "gunicorn.service");
    assert_eq!(known["known"], known["count"], "{again}");
    assert!(!again.says("gunicorn.service: 3 new"), "{again}");
}
