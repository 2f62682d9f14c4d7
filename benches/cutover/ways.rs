//! zdd beside what people do without it: the same code, load and host, one way after the other.

use crate::clients;
use crate::matrix::surprise;
use crate::options::Options;
use crate::proxy::Proxy;
use crate::server::Server;
use crate::site::{ROOT, Site};
use crate::table::{Row, millis, seconds};
use crate::trial::Trial;

/// The columns of the comparison.
pub const COLUMNS: [&str; 7] = [
    "way",
    "requests",
    "failed",
    "old after done",
    "longest gap",
    "p99 during",
    "a command",
];

/// The names by which ways are selected.
pub const NAMES: [&str; 5] = ["reload-guides", "reload", "restart", "blue-green", "zdd"];

/// What each is.
const TITLES: [&str; 5] = [
    "`ln -sfn`, `systemctl reload`, the unit of most guides",
    "`ln -sfn`, `systemctl reload`, a unit that follows `current`",
    "`ln -sfn`, `systemctl restart`",
    "blue/green by hand: the old one stopped 0.5 s after the flip",
    "`zdd release`, a template unit",
];

const UNIT: &str = "/etc/systemd/system/gunicorn.service";
const NGINX: &str = "/etc/nginx/conf.d/myapp.conf";
const BY_LINK: &str = "/var/www/myapp/current/run/app.sock";
const FIXED: &str = "/run/myapp/app.sock";
/// gunicorn's own kind of worker, fewer than there are clients: requests wait in the queue of the
/// socket, as they do on a site at its busy hour.
const WORKERS: &str = "--workers 3";
const WORKERS_OF_THE_EXAMPLE: &str = "--worker-class gthread --workers 2 --threads 8";

/// What the figures are.
pub fn introduction(options: &Options) -> String {
    format!(
        "gunicorn with three sync workers behind nginx, on one host, {} deploys each way, while five\n\
         clients ask for answers of 2 s: there is always a request in the socket's queue. Where\n\
         requests fail at once clients ask more often.",
        options.releases
    )
}

/// Runs the ways asked for on one host.
pub fn run(options: &Options, mut done: impl FnMut(&str)) -> Vec<Row> {
    let site = Site::install(Server::of_the_example(), Proxy::of_the_example());
    site.write(
        UNIT,
        &site
            .program(["cat", "/opt/examples/gunicorn-reload/gunicorn.service"])
            .succeed()
            .stdout,
    );
    let template = "/etc/systemd/system/myapp@.service";
    site.edit(template, WORKERS_OF_THE_EXAMPLE, WORKERS);
    assert!(site.read(UNIT).contains(WORKERS), "the same server in both");
    let original = site.read(UNIT);
    let mut rows = Vec::new();
    for (name, title) in NAMES.into_iter().zip(TITLES) {
        if !options.selects(name, NAMES.into_iter()) {
            continue;
        }
        site.write(UNIT, &original);
        let row = try_way(&site, name, title, options.releases);
        done(&row.cells.join(", "));
        rows.push(row);
        site.sh(&format!(
            "systemctl stop gunicorn 'myapp@*'; cd {ROOT}; rm -rf current releases .zdd revisions.log"
        ));
    }
    rows
}

fn try_way(site: &Site, name: &str, title: &str, releases: usize) -> Row {
    prepare(site, name);
    let version = |number: usize| format!("{name}-{number}");
    let first = deploy(site, name, &version(0), None);
    assert!(first.is_none(), "{name}: {first:?}");
    let mut trial = Trial::start(site, clients::crowd());
    for number in 1..=releases {
        let (new, old) = (version(number), version(number - 1));
        trial.command(format!("deploy of {new}"), &new, |site| {
            deploy(site, name, &new, Some(&old))
        });
    }
    let (figures, mut complaints) = trial.finish();
    complaints.extend(figures.explained());
    let is_clean = figures.failed() + figures.stale() == 0 && complaints.is_empty();
    Row {
        // The others are there to be compared with.
        is_clean: is_clean || name != "zdd",
        complaints,
        cells: vec![
            title.to_owned(),
            figures.requests().to_string(),
            figures.failed().to_string(),
            figures.stale().to_string(),
            millis(figures.longest_gap()),
            millis(figures.p99_during()),
            seconds(figures.took()),
        ],
    }
}

/// The unit and the proxy as the way wants them.
fn prepare(site: &Site, name: &str) {
    if name == "reload-guides" {
        let start = format!("python -m gunicorn --chdir {ROOT}/current --bind");
        site.edit(UNIT, &start, "gunicorn --bind");
        let directory = format!("WorkingDirectory={ROOT}/current\nExecStart=");
        site.edit(UNIT, "ExecStart=", &directory);
    }
    let has_link = ["blue-green", "zdd"].contains(&name);
    let (from, to) = if has_link {
        (FIXED, BY_LINK)
    } else {
        (BY_LINK, FIXED)
    };
    site.sh(&format!(
        "sed -i 's|unix:{from}|unix:{to}|' {NGINX}; systemctl daemon-reload; systemctl restart nginx"
    ));
}

/// Deploys a version in this way; says what failed.
fn deploy(site: &Site, name: &str, version: &str, old: Option<&str>) -> Option<String> {
    let source = site.source(version, None);
    if name == "zdd" {
        return surprise(&site.zdd(["release", &source]), 0);
    }
    let place = format!(
        "cd {ROOT}; mkdir -p releases; cp -r {source} releases/{version}; cd releases/{version}
         cp -a /opt/venv .venv; sed -i \"1s|.*|#!$PWD/.venv/bin/python|\" .venv/bin/gunicorn
         chown -R deploy: .; cd {ROOT}"
    );
    let switch = match (name, old) {
        ("blue-green", old) => by_hand(version, old),
        ("restart", _) => format!("ln -sfn releases/{version} current; systemctl restart gunicorn"),
        (_, None) => format!("ln -sfn releases/{version} current; systemctl start gunicorn"),
        (_, Some(_)) => {
            format!("ln -sfn releases/{version} current; systemctl reload gunicorn")
        }
    };
    let shell = site.program(["sh", "-euc", &format!("{place}\n{switch}")]);
    let output = shell.run();
    (!output.status.success()).then(|| output.to_string())
}

/// A careful script: it waits for health and flips atomically, but only guesses when to stop.
fn by_hand(version: &str, old: Option<&str>) -> String {
    let stop = old.map_or_else(String::new, |old| {
        format!("sleep 0.5; systemctl stop myapp@{old}")
    });
    format!(
        "ln -s /run/myapp/{version} releases/{version}/run
         systemctl start myapp@{version}
         until curl --silent --fail --unix-socket releases/{version}/run/app.sock http://app/health
         do sleep 0.1; done
         ln -sfn releases/{version} current.new; mv -T current.new current
         {stop}"
    )
}
