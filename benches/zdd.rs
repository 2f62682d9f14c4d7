//! The whole program beside what a shell script would do: `cargo bench --bench zdd`. Another
//! binary is measured with `ZDD=/path/to/zdd`.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::zombie_processes
)]

mod ground;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use camino::{Utf8Path, Utf8PathBuf};
use ground::{Contender, Ground, compare, make_tree, median, runs};
use time::OffsetDateTime;
use zdd::config::Config;
use zdd::site::record::StepTime;
use zdd::site::{Record, ReleaseId, Site, State};

const ROUNDS: usize = 9;

fn main() {
    let ground = Ground::new().unwrap();
    let place = Utf8Path::from_path(&ground.path).unwrap();
    println!(
        "{} on {}, in turns, medians",
        binary().display(),
        ground.name
    );
    releases(place);
    rollbacks(place);
    for count in [10, 1_000, 10_000] {
        list(place, count);
    }
}

/// The binary that is measured.
fn binary() -> PathBuf {
    let built = || env!("CARGO_BIN_EXE_zdd").into();
    std::env::var_os("ZDD").map_or_else(built, PathBuf::from)
}

/// A release without hooks and services is zdd's own work and nothing else.
fn releases(place: &Utf8Path) {
    let source = place.join("source");
    make_tree(source.as_std_path(), 5_000).unwrap();
    let (first, steady, copied) = (
        place.join("first"),
        place.join("steady"),
        place.join("copied"),
    );
    fs::create_dir(&steady).unwrap();
    fs::write(steady.join("zdd.toml"), "keep = 1\n").unwrap();
    let anew = |path: &Utf8Path| {
        let _ = fs::remove_dir_all(path);
        fs::create_dir(path).unwrap();
    };
    let copy = || {
        let mut command = Command::new("cp");
        command.arg("-a").arg(source.join(".")).arg(&copied);
        assert!(runs(&mut command));
    };
    let times = compare(
        ROUNDS,
        &mut [
            Contender {
                prepare: Box::new(|| anew(&copied)),
                work: Box::new(copy),
            },
            Contender {
                prepare: Box::new(|| anew(&copied)),
                work: Box::new(|| {
                    copy();
                    assert!(runs(Command::new("sync").arg("-f").arg(&copied)));
                }),
            },
            Contender {
                prepare: Box::new(|| anew(&first)),
                work: Box::new(|| release(&source, &first)),
            },
            Contender {
                prepare: Box::new(|| ()),
                work: Box::new(|| release(&source, &steady)),
            },
        ],
    );
    println!(
        "\nrelease of 5,000 files{:>19} {:>8} {:>11}",
        "time", "ratio", "difference"
    );
    let names = [
        "cp -a",
        "cp -a; sync -f",
        "zdd release, the first",
        "zdd release, older ones pruned",
    ];
    for (name, time) in names.iter().zip(&times) {
        let (ours, copy) = (time.as_secs_f64() * 1e3, times[0].as_secs_f64() * 1e3);
        let (ratio, difference) = (ours / copy, ours - copy);
        println!("  {name:<30} {ours:>6.0} ms {ratio:>7.2}x {difference:>+8.0} ms");
    }
    for path in [&source, &first, &steady, &copied] {
        fs::remove_dir_all(path).unwrap();
    }
}

fn release(source: &Utf8Path, root: &Utf8Path) {
    let site = Site::new(root);
    let before = fs::read_link(site.current_path()).ok();
    let mut command = Command::new(binary());
    let output = command.arg("--root").arg(root).arg("release").arg(source);
    let output = output.current_dir(root).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
    assert_ne!(fs::read_link(site.current_path()).ok(), before, "{text}");
    assert!(site.current_path().join("package-9").is_dir(), "{text}");
}

/// A server in the release, which answers on the socket it is told.
const SERVER: &str = "\
import http.server, os, socketserver


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    pass


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header('Content-Length', '0')
        self.end_headers()

    def log_message(self, *_):
        pass


Server(os.environ['ZDD_SOCKET'], Handler).serve_forever()
";

const KEPT: &str = "\
[[service]]
start = \"python3 server.py\"
socket = \"run/app.sock\"
health = \"/\"
standby = \"1h\"
";

/// A rollback to an instance that still runs, until users have it again: the commit.
fn rollbacks(place: &Utf8Path) {
    let (source, root) = (place.join("source"), place.join("kept"));
    for path in [&source, &root] {
        fs::create_dir(path).unwrap();
    }
    fs::write(source.join("server.py"), SERVER).unwrap();
    fs::write(root.join("zdd.toml"), KEPT).unwrap();
    let zdd = |words: &[&str]| {
        let mut command = Command::new(binary());
        command.args(["--json", "--root", root.as_str()]);
        let output = command.args(words).current_dir(&root).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let rollback = || {
        zdd(&["release", source.as_str()]);
        let began = Instant::now();
        let outcome = zdd(&["rollback"]);
        let took = began.elapsed();
        let steps = outcome["steps"].as_array().unwrap().iter();
        let until_commit = steps.take_while(|step| step["name"] != "finish");
        let millis = until_commit.map(|step| step["ms"].as_u64().unwrap()).sum();
        (Duration::from_millis(millis), took)
    };
    zdd(&["release", source.as_str()]);
    let (until_commit, whole): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| rollback()).unzip();
    println!(
        "\nrollback within standby: {} ms until users are back; {} ms with the drain of what is left\n",
        median(until_commit).as_millis(),
        median(whole).as_millis()
    );
    end_all(&root);
    for path in [&source, &root] {
        fs::remove_dir_all(path).unwrap();
    }
}

/// Ends the servers, whose directories are releases.
fn end_all(root: &Utf8Path) {
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let is_inside = fs::read_link(entry.path().join("cwd"))
            .is_ok_and(|directory| directory.starts_with(root.join("releases")));
        let pid = entry.file_name().to_string_lossy().parse().ok();
        if let Some(pid) = pid.filter(|_| is_inside) {
            let pid = nix::unistd::Pid::from_raw(pid);
            nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
        }
    }
}

/// `zdd list` from start to finish.
fn list(place: &Utf8Path, count: usize) {
    let root = place.join("listed");
    make_site(&root, count);
    let mut runs: Vec<(Duration, u64)> = (0..=ROUNDS).map(|_| listed(&root, count)).collect();
    runs.remove(0);
    let peak = runs.iter().map(|(_, kib)| *kib).max().unwrap_or(0) as f64 / 1024.0;
    let time = median(runs.into_iter().map(|(time, _)| time).collect());
    let millis = time.as_secs_f64() * 1e3;
    println!("list of {count:>6} releases: {millis:>6.1} ms, {peak:.1} MiB");
    fs::remove_dir_all(&root).unwrap();
}

/// A site with so many releases as zdd leaves them, the newest live. The files are written without
/// zdd's own care for durability, which would take minutes.
fn make_site(root: &Utf8PathBuf, count: usize) {
    let site = Site::new(root.clone());
    fs::create_dir(root).unwrap();
    site.prepare().unwrap();
    let mut moment = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    for number in 1..=count {
        let state = if number == count {
            State::Live
        } else {
            State::Retired
        };
        let id = ReleaseId::next(moment, |_| false);
        let record = Record {
            created_at: Some(moment),
            live_at: Some(moment + Duration::from_secs(20)),
            revision: Some(format!("{number:040x}")),
            branch: Some("main".to_owned()),
            performer: Some("deploy".to_owned()),
            took_ms: Some(20_000),
            source: Some("/home/deploy/checkout".to_owned()),
            steps: [
                "preconditions",
                "create",
                "fill",
                "hook_build",
                "seal",
                "switch",
                "finish",
            ]
            .map(|name| StepTime {
                name: name.to_owned(),
                ms: 12,
                ok: true,
            })
            .to_vec(),
            config: Some(Config::default()),
            ..Record::new(id.clone(), number as i64, state)
        };
        fs::create_dir(site.release_dir(&id)).unwrap();
        let text = serde_json::to_vec_pretty(&record).unwrap();
        fs::write(site.record_path(&id), text).unwrap();
        if number == count {
            symlink(Path::new("releases").join(id.as_str()), site.current_path()).unwrap();
        }
        moment += Duration::from_secs(3_600);
    }
}

/// How long one `zdd list` took, and its peak memory in KiB: at most, for the kernel also counts
/// the moment before the exec, when it still shared the memory of this process.
fn listed(root: &Utf8Path, count: usize) -> (Duration, u64) {
    let output = root.join("output");
    let start = Instant::now();
    let child = Command::new(binary())
        .arg("--root")
        .arg(root)
        .arg("list")
        .stdin(Stdio::null())
        .stdout(fs::File::create(&output).unwrap())
        .spawn()
        .unwrap();
    let mut status = 0;
    // SAFETY: a struct of plain numbers.
    let mut usage: nix::libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: waits for the child just started and writes to the two variables only.
    unsafe { nix::libc::wait4(child.id().cast_signed(), &raw mut status, 0, &raw mut usage) };
    let time = start.elapsed();
    assert_eq!(status, 0);
    let lines = fs::read_to_string(&output).unwrap().lines().count();
    assert!(lines >= count, "{lines} lines for {count} releases");
    (time, u64::try_from(usage.ru_maxrss).unwrap_or(0))
}
