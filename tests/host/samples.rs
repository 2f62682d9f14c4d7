//! The samples of the original zddeploy, for today's servers: installed by their READMEs, released
//! by their own `deploy.conf` while users ask on and on. No request is lost, whatever is released.

use std::ops::Deref;
use std::time::{Duration, Instant};

use crate::Case;
use crate::host::Host;
use crate::load::{self, Load};
use crate::outcome::Outcome;
use crate::readme::Readme;

pub const CASES: &[Case] = &[
    ("samples::gunicorn", gunicorn),
    ("samples::node", node),
    ("samples::twisted", twisted),
];

/// The directory of the site.
const ROOT: &str = "/srv/hello";
/// Where nginx answers.
const URL: &str = "http://127.0.0.1:8080/";

/// A host on which the README of a sample was followed up to the first release.
struct Sample {
    host: Host,
    readme: Readme,
}

impl Deref for Sample {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Sample {
    fn install(name: &str) -> Self {
        let host = Host::boot();
        let readme = Readme::of_example(name);
        for block in &readme.blocks[..2] {
            readme.paste(&host, block);
        }
        let sample = Sample { host, readme };
        assert_eq!(sample.version(), "v1");
        sample
    }

    /// What the README says of the next version and of a bad one.
    fn follow_the_rest(&self) {
        let [next, bad, ..] = &self.readme.blocks[2..] else {
            panic!("the README has fewer blocks");
        };
        self.readme.paste(self, next);
        assert_eq!(self.version(), "v2");
        let output = self.readme.paste(self, bad);
        assert!(output.stdout.contains("exit code 1\n"), "{output}");
        assert_eq!(self.version(), "v2");
    }

    /// Releases this version, which must go live.
    fn release(&self, version: &str) -> Outcome {
        self.sh(&format!("echo {version} > {ROOT}/VERSION"));
        let zdd = self.program(["zdd", "--json", "release"]);
        let outcome = Outcome::of(zdd.user("deploy").dir(ROOT).run());
        outcome.assert_exit(0).assert_field("/outcome", "live");
        assert_eq!(self.version(), version);
        outcome
    }

    fn version(&self) -> String {
        let answer = load::ask(self, URL);
        assert_eq!(answer.status, Ok(200));
        answer.version
    }

    /// The pids of the processes whose command line has this text, each the first of its kind.
    fn main_processes(&self, text: &str) -> Vec<String> {
        let line = format!("pgrep --full --parent 1 -- '{text}' || true");
        let found = self.sh(&line).stdout;
        found.lines().map(str::to_owned).collect()
    }
}

fn gunicorn() {
    let site = Sample::install("gunicorn");
    let load = Load::at_reloaded(&site, URL);
    site.follow_the_rest();
    site.release("v3");
    // Without the hook the port is found.
    let settings = format!("{ROOT}/settings_gunicorn.py");
    site.sh(&format!("sed -i '/^def when_ready/,$d' {settings}"));
    site.release("v4");
    assert_alone(&site, "gunicorn");
    end(load, "v4");
}

fn node() {
    let site = Sample::install("node");
    let load = Load::at_reloaded(&site, URL);
    site.follow_the_rest();
    site.release("v3");
    site.sh(&format!("sed -i '/\\.port`/d' {ROOT}/server.js"));
    site.release("v4");
    assert_alone(&site, "node server.js");
    // On to releases: the same version, another one, and back.
    let releases = site.readme.blocks.last().expect("there are blocks");
    site.readme.paste(&site, releases);
    assert_eq!(site.version(), "v4");
    let processes = site.main_processes("node server.js");
    assert_eq!(processes.len(), 1, "{processes:?}");
    end(load, "v4");
}

fn twisted() {
    let site = Sample::install("twisted");
    let load = Load::at_reloaded(&site, URL);
    site.follow_the_rest();
    site.release("v3");
    site.sh(&format!("sed -i '/\\.port\"/d' {ROOT}/server.tac"));
    site.release("v4");
    assert_alone(&site, "server.tac");
    end(load, "v4");
}

/// Nobody but the live instance is left, and its port is written down.
fn assert_alone(site: &Sample, command: &str) {
    let [pid] = &site.main_processes(command)[..] else {
        panic!("{:?}", site.main_processes(command));
    };
    let files = site.sh(&format!("cd {ROOT}; ls *.port; cat *.current.pid"));
    assert_eq!(files.stdout, format!("{pid}.port\n{pid}"));
}

/// No request was lost, and all versions were met.
fn end(load: Load, version: &str) {
    let ended = Instant::now();
    load.go_on(Duration::from_secs(1));
    let figures = load.stop();
    figures.assert_none_failed();
    figures.assert_only(version, ended..);
    let all: Vec<_> = figures.versions(..).into_keys().collect();
    assert_eq!(all, ["v1", "v2", "v3", "v4"]);
}
