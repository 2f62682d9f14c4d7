//! The README of `examples/playbook`, by copy and paste under load: pages whose assets are asked for
//! late, notes, jobs; good releases, bad ones, a rollback, a migration by hand, blue and green.

use std::collections::VecDeque;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use ureq::Agent;
use ureq::tls::TlsConfig;

use crate::Case;
use crate::host::Host;
use crate::load::{self, Answer, Client, Load};
use crate::outcome::Outcome;
use crate::readme::Readme;

pub const CASES: &[Case] = &[("readme::playbook", playbook)];

const ROOT: &str = "/var/www/playbook";
const URL: &str = "https://127.0.0.1";

/// From a page to what it asks for late: within one switch, and longer than a flip takes.
const LATE: Duration = Duration::from_secs(2);

fn playbook() {
    let host = Host::boot();
    let readme = Readme::of_example("playbook");
    let paste = |heading: &str| {
        let blocks = readme.blocks.iter();
        let mut blocks = blocks.filter(|block| block.heading.starts_with(heading));
        let first = blocks.next().unwrap_or_else(|| panic!("no `{heading}`"));
        let mut last = readme.paste(&host, first);
        for block in blocks {
            last = readme.paste(&host, block);
        }
        last
    };
    paste("The server");
    let released = paste("The first release");
    assert!(
        !released.to_string().contains("not seen there"),
        "{released}"
    );
    let first = current(&host);
    spare_time(&host, &first);

    let load = users(&host);
    load.go_on(LATE);
    order_report(&host, "before", 4);
    let released = paste("Every release");
    let second = current(&host);
    assert!(released.stdout.contains("migrated=0002"), "{released}");
    assert!(released.stderr.contains("jobs wait; after: "), "{released}");
    let show = outcome(&host, &["show"]);
    show.assert_field("/complaints", serde_json::json!([]));
    assert!(
        report(&host, "before").ends_with(&first),
        "by the worker that began it"
    );
    order_report(&host, "after", 0);
    assert!(report(&host, "after").ends_with(&second), "{second} runs");

    refused_for_memory(&host, "free memory");

    // It takes five seconds to end when it is to finish what it does.
    host.sh(
        "sed -i 's/^KillMode=mixed/KillSignal=SIGQUIT/' /etc/systemd/system/playbook-worker.service
         systemctl daemon-reload",
    );
    paste("A bad one");
    assert_eq!(current(&host), second);
    bad_behind_the_proxy(&host)
        .assert_exit(3)
        .assert_field("/serving", second.as_str())
        .assert_says("playbook.example");
    paste("Back");
    assert_eq!(current(&host), first);
    paste("A migration that takes long");
    let show = outcome(&host, &["show"]);
    assert!(!show.to_string().contains("migrated="), "{show}");
    let applied = "SELECT version_num FROM alembic_version";
    let query = format!(
        "python3 -c \"import sqlite3; print(*sqlite3.connect('{ROOT}/shared/db/playbook.sqlite3').execute('{applied}').fetchone())\""
    );
    assert_eq!(host.sh(&query).stdout.trim(), "0003");
    contract(&host);
    let status = paste("Blue and green").stdout;
    let instance = format!("playbook@.service runs {} (proved)", current(&host));
    assert!(status.contains(&instance), "{status}");
    host.sh("! systemctl is-active --quiet playbook.service");
    let copies = format!(
        "a release runs two copies for a while: `playbook@{}",
        current(&host)
    );
    refused_for_memory(&host, &copies);
    order_report(&host, "last", 0);
    assert!(report(&host, "last").ends_with(&current(&host)));
    outcome(&host, &["rollback"])
        .assert_exit(1)
        .assert_says("--force");

    load.go_on(LATE + Duration::from_secs(1));
    let figures = load.stop();
    let old = figures
        .answers
        .iter()
        .filter(|it| it.version == "old asset");
    let old = old.count();
    let _ = writeln!(io::stderr(), "playbook: {figures}, {old} of old assets");
    figures.assert_none_failed();
    assert!(old > 5, "only {old} requests for assets of another release");
}

/// Later releases copy the virtualenv of the first, with all that is compiled in it.
fn spare_time(host: &Host, first: &str) {
    host.sh(&format!(
        "cd /home/deploy/playbook
         sed -i 's|^python3 -m venv.*|cp -a {ROOT}/releases/{first}/.venv .venv|
                 /^python3 -m pip/d' hooks/build
         grep -q 'cp -a' hooks/build
         ! grep -q 'pip --quiet' hooks/build
         sed -i 's|^release = .*|&\\nwithin = \"4s\"|' {ROOT}/zdd.toml zdd-blue-green.toml"
    ));
}

/// It runs well, but for those who come by the public address.
fn bad_behind_the_proxy(host: &Host) -> Outcome {
    host.sh(
        "cp -r /home/deploy/playbook /home/deploy/worse; cd /home/deploy/worse
         echo 'console.log(\"worse\");' >> assets/app.js
         printf '\\n\\n@app.before_request\\ndef refuse():\\n    \
                 if request.path == \"/health\" and \"X-Forwarded-Proto\" in request.headers:\\n        \
                 return \"bad\", 500\\n' >> app.py
         chown -R deploy: .",
    );
    outcome(host, &["release", "/home/deploy/worse"])
}

/// Where the host has no room for what runs a second time.
fn refused_for_memory(host: &Host, says: &str) {
    host.have_little_memory();
    outcome(host, &["check"]).assert_exit(1).assert_says(says);
    host.sh("umount /proc/meminfo");
}

/// A migration after which older code cannot go on.
fn contract(host: &Host) {
    let text = "\"\"\"no authors\"\"\"\n\nfrom alembic import op\n\nrevision = \"0004\"\n\
                down_revision = \"0003\"\nirreversible = True\n\n\ndef upgrade():\n    \
                op.execute(\"UPDATE notes SET author = NULL\")\n";
    host.write(
        "/home/deploy/playbook/migrations/versions/0004_less.py",
        text,
    );
}

fn outcome(host: &Host, words: &[&str]) -> Outcome {
    let zdd = host.program(["zdd", "--json"]).args(words.iter().copied());
    Outcome::of(zdd.user("deploy").dir(ROOT).run())
}

fn current(host: &Host) -> String {
    let link = host.sh(&format!("readlink {ROOT}/current")).stdout;
    link.trim().trim_start_matches("releases/").to_owned()
}

fn order_report(host: &Host, name: &str, seconds: u32) {
    host.sh(&format!(
        "curl --silent --show-error --fail --data seconds={seconds} https://playbook.example/reports/{name}"
    ));
}

/// What the job wrote, as users get it.
fn report(host: &Host, name: &str) -> String {
    let path = format!("{ROOT}/shared/uploads/{name}.txt");
    let wait = format!("while [ ! -e {path} ]; do sleep 0.1; done");
    host.program(["timeout", "20", "sh", "-c", &wait]).succeed();
    let get = format!("curl --silent --fail https://playbook.example/uploads/{name}.txt");
    host.sh(&get).stdout.trim().to_owned()
}

fn users(host: &Host) -> Load {
    let clients = (0..6_u32).map(|number| Client {
        kind: "user",
        pause: Duration::from_millis(100),
        ask: match number {
            0 | 1 => reader(agent(number == 0)),
            2 => writer(agent(true)),
            3 => plain(agent(true), "/slow?ms=300"),
            _ => plain(agent(number == 4), "/"),
        },
    });
    Load::of(host, Duration::from_secs(300), clients)
}

type Ask = Box<dyn FnMut() -> Answer + Send>;

fn plain(agent: Agent, path: &'static str) -> Ask {
    Box::new(move || load::ask_once(&agent, &format!("{URL}{path}")))
}

/// Leaves notes.
fn writer(agent: Agent) -> Ask {
    Box::new(move || {
        load::answer_of(|| {
            let mut response = agent
                .post(format!("{URL}/notes"))
                .send_form([("words", "hello")])?;
            let text = response.body_mut().read_to_string()?;
            Ok::<_, ureq::Error>((response.status().as_u16(), text))
        })
    })
}

/// Opens pages, and asks for what stands in one some time later.
fn reader(agent: Agent) -> Ask {
    let mut open: VecDeque<(Instant, String)> = VecDeque::new();
    Box::new(move || {
        let is_due = open
            .front()
            .is_some_and(|(since, _)| since.elapsed() > LATE);
        let newest = open.back().map(|(_, asset)| asset.clone());
        let due = if is_due { open.pop_front() } else { None };
        let Some((_, asset)) = due else {
            let page = load::ask_once(&agent, &format!("{URL}/"));
            if let Some(asset) = page.version.split('"').nth(1) {
                open.push_back((Instant::now(), asset.to_owned()));
            }
            return page;
        };
        let mut answer = load::ask_once(&agent, &format!("{URL}{asset}"));
        answer.version = match newest {
            Some(newest) if newest != asset => "old asset",
            _ => "asset",
        }
        .to_owned();
        answer
    })
}

/// One that does not know the host's own certificate; zdd and `curl` in the host do.
fn agent(keeps_connection: bool) -> Agent {
    let tls = TlsConfig::builder().disable_verification(true).build();
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(usize::from(keeps_connection))
        .timeout_global(Some(Duration::from_secs(30)))
        .proxy(None)
        .tls_config(tls)
        .build()
        .into()
}
