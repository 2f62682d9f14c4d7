//! How fast zdd copies and deletes trees, beside `cp -a` and `rm -rf`:
//! `cargo bench --bench tree`.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

mod ground;

use std::fs;
use std::path::Path;
use std::process::Command;

use camino::Utf8Path;
use ground::{Contender, Ground, compare, make_tree, runs};
use zdd::host::signal::Patience;
use zdd::host::tree::copy::copy;
use zdd::host::tree::delete::delete;
use zdd::host::tree::listing::Listing;

const ROUNDS: usize = 9;

fn main() {
    let ground = Ground::new().unwrap();
    println!("on {}, in turns, medians", ground.name);
    println!(
        "{:>8}  {:<8} {:>10} {:>10} {:>7} {:>10}",
        "files", "work", "zdd", "coreutils", "ratio", "difference"
    );
    for files in [5_000, 100_000] {
        let source = ground.path.join("source");
        make_tree(&source, files).unwrap();
        row(files, "copy", &mut copies(&ground.path, &source));
        row(files, "delete", &mut deletions(&ground.path, &source));
        fs::remove_dir_all(&source).unwrap();
    }
    println!("peak memory of this process: {} MiB", peak_mib());
}

fn row(files: usize, work: &str, contenders: &mut [Contender<'_>]) {
    let rounds = if files > 10_000 { 3 } else { ROUNDS };
    let times = compare(rounds, contenders);
    let (ours, theirs) = (times[0].as_secs_f64() * 1e3, times[1].as_secs_f64() * 1e3);
    println!(
        "{files:>8}  {work:<8} {ours:>7.0} ms {theirs:>7.0} ms {:>6.2}x {:>+7.0} ms",
        theirs / ours,
        ours - theirs
    );
}

fn copies<'a>(ground: &'a Path, source: &'a Path) -> [Contender<'a>; 2] {
    let copied = ground.join("copied");
    let empty = move || {
        let _ = fs::remove_dir_all(&copied);
        fs::create_dir(&copied).unwrap();
    };
    [
        Contender {
            prepare: Box::new(empty.clone()),
            work: Box::new(|| copy_by_zdd(source, &ground.join("copied"))),
        },
        Contender {
            prepare: Box::new(empty),
            work: Box::new(|| copy_by_cp(source, &ground.join("copied"))),
        },
    ]
}

fn deletions<'a>(ground: &'a Path, source: &'a Path) -> [Contender<'a>; 2] {
    let fill = || {
        let doomed = ground.join("doomed");
        fs::create_dir(&doomed).unwrap();
        copy_by_cp(source, &doomed);
    };
    let root = Utf8Path::from_path(ground).unwrap();
    [
        Contender {
            prepare: Box::new(fill),
            work: Box::new(move || {
                let trash = Utf8Path::new(".trash");
                let deleted = delete(root, Utf8Path::new("doomed"), trash, &Patience::fresh());
                assert!(deleted.unwrap().failures.is_empty());
            }),
        },
        Contender {
            prepare: Box::new(fill),
            work: Box::new(|| {
                assert!(runs(
                    Command::new("rm").arg("-rf").arg(ground.join("doomed"))
                ))
            }),
        },
    ]
}

fn copy_by_zdd(source: &Path, destination: &Path) {
    let source = Utf8Path::from_path(source).unwrap();
    let listing = Listing::of(source, &|_, _| true).unwrap();
    let destination = Utf8Path::from_path(destination).unwrap();
    copy(&listing, destination, &Patience::fresh()).unwrap();
}

fn copy_by_cp(source: &Path, destination: &Path) {
    assert!(runs(
        Command::new("cp")
            .arg("-a")
            .arg(source.join("."))
            .arg(destination)
    ));
}

/// The highest resident memory of this process so far, in MiB.
fn peak_mib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|text| {
        text.trim()
            .trim_end_matches("kB")
            .trim()
            .parse::<u64>()
            .ok()
    });
    kib.unwrap_or(0) / 1024
}
