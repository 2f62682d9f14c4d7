//! Servers behind proxies: zdd releases good and broken code and goes back, under load.

use crate::clients;
use crate::options::Options;
use crate::outcome::Outcome;
use crate::proxy::Proxy;
use crate::server::{BREAKAGES, Server};
use crate::site::Site;
use crate::table::{Row, millis, seconds};
use crate::trial::Trial;

/// The columns of the matrix.
pub const COLUMNS: [&str; 10] = [
    "server",
    "proxy",
    "requests",
    "failed",
    "from broken code",
    "old after done",
    "p99 before",
    "p99 during",
    "longest gap",
    "a command",
];

/// What the figures are.
pub fn introduction(options: &Options) -> String {
    format!(
        "Each pair on a host of its own, with one instance of `myapp@.service` a release: {} good\n\
         releases, {} broken ones ({}) and {} rollbacks by zdd, one after the other. Meanwhile\n\
         `wrk`, clients with a connection a request and with kept ones, bodies of 1 MiB, answers of\n\
         2 s, and a WebSocket for uvicorn. `failed` is every request without a good answer, `old\n\
         after done` every one sent after zdd's end that another release answered. p99 and gap are\n\
         those of the short requests; `during` is from a command's start to 1 s after its end.",
        options.releases,
        options.broken,
        BREAKAGES[..options.broken.min(BREAKAGES.len())].join(", "),
        options.rollbacks
    )
}

/// Runs one pair on a host of its own.
pub fn run(server: &'static Server, proxy: &Proxy, options: &Options) -> Row {
    let site = Site::install(server, proxy);
    let first = site.zdd(["release", &site.source("v0", None)]);
    first.assert_exit(0);
    let mut trial = Trial::start(&site, clients::all(server.has_websocket));
    let mut good = vec!["v0".to_owned()];
    let mut broken = Vec::new();
    for number in 1..=options.releases {
        release(&mut trial, &mut good, number);
        while broken.len() * options.releases < number * options.broken {
            break_down(&mut trial, &good, &mut broken);
        }
    }
    for _ in 0..options.rollbacks.min(good.len() - 1) {
        good.pop();
        let back = good.last().expect("the first stays").clone();
        trial.command(format!("rollback to {back}"), &back, |site| {
            surprise(&site.zdd(["rollback"]), 0)
        });
    }
    let (figures, mut complaints) = trial.finish();
    let from_broken = figures.answered_by(&broken);
    if figures.failed() > 0 {
        complaints.extend(figures.explained());
        complaints.push(site.complaints_of_the_proxy());
    }
    Row {
        is_clean: figures.failed() + from_broken + figures.stale() == 0 && complaints.is_empty(),
        complaints,
        cells: vec![
            server.name.to_owned(),
            proxy.name.to_owned(),
            figures.requests().to_string(),
            figures.failed().to_string(),
            from_broken.to_string(),
            figures.stale().to_string(),
            millis(figures.p99_before()),
            millis(figures.p99_during()),
            millis(figures.longest_gap()),
            seconds(figures.took()),
        ],
    }
}

fn release(trial: &mut Trial, good: &mut Vec<String>, number: usize) {
    let version = format!("v{number}");
    let source = trial.site.source(&version, None);
    trial.command(format!("release of {version}"), &version, |site| {
        surprise(&site.zdd(["release", &source]), 0)
    });
    good.push(version);
}

/// Releases code that is broken in the next of the ways, which must change nothing.
fn break_down(trial: &mut Trial, good: &[String], broken: &mut Vec<String>) {
    let how = broken.len() % BREAKAGES.len();
    let version = format!("broken{}", broken.len() + 1);
    let source = trial.site.source(&version, Some(how));
    let live = good.last().expect("the first stays");
    let name = format!("release of {version} ({})", BREAKAGES[how]);
    trial.command(name, live, |site| {
        surprise(&site.zdd(["release", &source]), 1)
    });
    broken.push(version);
}

/// All that a command said, when it did not end like this.
pub fn surprise(outcome: &Outcome, exit: i32) -> Option<String> {
    (outcome.exit() != exit).then(|| format!("had to exit {exit}:\n{outcome}"))
}
