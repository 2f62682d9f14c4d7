//! nginx pools idle connections where the `upstream` that names the instance says `keepalive`,
//! and since 1.29.7 also where it says nothing. Those it had at a flip go on to the old instance,
//! for as long as requests come; with a short `keepalive_time` and `keepalive_timeout` nginx closes
//! them by itself, each after its answer, and nothing is lost.

mod files;
mod logs;
mod pool;
mod targets;
mod tree;
mod websocket;

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::Pools;
use super::settings::{Directive, values};
use crate::host::command::Command;
use crate::host::process;
use crate::host::signal::Patience;
use tree::Tree;

pub use files::Served;
pub use logs::{Log, Names};
pub use targets::Target;

type Version = (u32, u32, u32);

/// Whether the nginx that this process belongs to pools connections to what these names stand for.
/// Its settings are those of its command line, else of the default file.
pub fn pools_of(pid: u32, default: &Utf8Path, names: &[String]) -> Pools {
    let file = settings_file(pid).unwrap_or_else(|| default.to_owned());
    pools(&Tree::read(&file), names, &installed_version)
}

/// The logs in which the nginx that this process belongs to writes about a site.
pub fn logs_of(pid: u32, default: &Utf8Path, names: &Names) -> Vec<Log> {
    let file = settings_file(pid).unwrap_or_else(|| default.to_owned());
    logs::logs(&Tree::read(&file), names)
}

/// The directories below this one that the nginx of this process hands files out of.
pub fn served_by(pid: u32, default: &Utf8Path, site: &Utf8Path) -> Vec<Served> {
    let file = settings_file(pid).unwrap_or_else(|| default.to_owned());
    files::served(&Tree::read(&file), site)
}

/// The unix sockets that the nginx of this process passes requests to.
pub fn targets_of(pid: u32, default: &Utf8Path, names: &Names) -> Vec<Target> {
    let file = settings_file(pid).unwrap_or_else(|| default.to_owned());
    targets::targets(&Tree::read(&file), names)
}

/// The file of the option `-c`. Workers show no options, their master does, in a title of one word.
fn settings_file(pid: u32) -> Option<Utf8PathBuf> {
    let master = process::stat(pid).seen().map(|stat| stat.parent);
    [Some(pid), master].into_iter().flatten().find_map(|pid| {
        let title = process::argv(pid).seen()?.join(" ");
        let words: Vec<_> = title.split_ascii_whitespace().map(str::to_owned).collect();
        let file = values(&words, &["-c"]).pop()?;
        let prefix = values(&words, &["-p"]).pop().unwrap_or_default();
        Some(Utf8PathBuf::from(prefix).join(file)).filter(|path| path.is_absolute())
    })
}

/// The version of the installed nginx. The program that really runs is not asked: its path comes
/// from a process of another user, and this may be root.
fn installed_version() -> Option<Version> {
    ["nginx", "/usr/sbin/nginx"].iter().find_map(|program| {
        let command = Command::new(program).arg("-v");
        let command = command.timeout(Duration::from_secs(2));
        let finished = command.capture(&Patience::endless()).ok()?;
        finished.tail.iter().find_map(|line| version_in(line))
    })
}

/// `nginx version: nginx/1.22.1 (Ubuntu)`
fn version_in(line: &str) -> Option<Version> {
    let text = line.split_once("nginx/")?.1;
    let text = text.split_ascii_whitespace().next()?;
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??, numbers.next()??))
}

fn pools(tree: &Tree, names: &[String], version: &dyn Fn() -> Option<Version>) -> Pools {
    let all = tree.all();
    let upstreams: Vec<_> = all
        .iter()
        .filter(|it| it.name() == "upstream" && names_instance(it, names))
        .collect();
    let is_named = |it: &&Directive| {
        let target = it.arguments().first().map(String::as_str);
        it.name().ends_with("_pass") && target.is_some_and(|target| is_one_of(target, names))
    };
    let is_named_directly = all.iter().copied().any(|it| is_named(&it));
    if upstreams.is_empty() && !is_named_directly {
        return Pools::Unknown;
    }
    let version = version();
    let streams = all.iter().filter(|it| it.name() == "stream");
    let in_streams: Vec<_> = streams.flat_map(|it| it.all()).collect();
    // What is passed on as bytes has one connection for each client's.
    let is_http = |it: &Directive| !in_streams.iter().any(|other| std::ptr::eq(*other, it));
    let mut verdicts: Vec<_> = upstreams
        .iter()
        .filter(|it| is_http(it))
        .map(|it| pool::of_upstream(it, keeps_open(&all), version))
        .collect();
    // What is named without an `upstream` has no word to say against it.
    if is_named_directly && pool::pools_by_itself(version) != Some(false) {
        verdicts.push(Pools::Unknown);
    }
    let names_of_upstreams = upstreams.iter().filter_map(|it| it.arguments().first());
    let targets: Vec<_> = names_of_upstreams.chain(names).cloned().collect();
    match worst(verdicts) {
        Pools::Yes(change) if websocket::may_pass(tree.directives(), &targets) => {
            Pools::WithWebSockets(change)
        }
        verdict => verdict,
    }
}

/// The verdict that is hardest on a switch.
fn worst(verdicts: Vec<Pools>) -> Pools {
    let rank = |verdict: &Pools| match verdict {
        Pools::No => (0, Duration::ZERO),
        Pools::Briefly(time) => (1, *time),
        Pools::Unknown => (2, Duration::ZERO),
        Pools::Yes(_) | Pools::WithWebSockets(_) => (3, Duration::ZERO),
    };
    let worst = verdicts.into_iter().max_by_key(rank);
    worst.unwrap_or(Pools::No)
}

/// Whether anything makes nginx leave a connection open after an answer.
fn keeps_open(all: &[&Directive]) -> bool {
    all.iter().any(|it| match it.name() {
        "proxy_http_version" => it
            .arguments()
            .first()
            .is_some_and(|version| version != "1.0"),
        "fastcgi_keep_conn" => it.is(&["fastcgi_keep_conn", "on"]),
        "grpc_pass" | "memcached_pass" => true,
        _ => false,
    })
}

fn names_instance(upstream: &Directive, names: &[String]) -> bool {
    let servers = upstream.block.iter().filter(|it| it.name() == "server");
    let mut targets = servers.filter_map(|it| it.arguments().first());
    targets.any(|target| is_one_of(target, names))
}

fn is_one_of(target: &str, names: &[String]) -> bool {
    names.iter().any(|name| name == plain(target))
}

/// The path, the address or the name of an `upstream` in `unix:/path`, `127.0.0.1:8000`, `app`,
/// and in a URL: `http://unix:/path:/uri`. Only that of a unix socket begins with a slash.
fn plain(target: &str) -> &str {
    let target = target.split_once("://").map_or(target, |(_, rest)| rest);
    let plain = match target.strip_prefix("unix:") {
        Some(path) => path.split(':').next(),
        None => target.split('/').next(),
    };
    plain.unwrap_or_default()
}

#[cfg(test)]
mod tests;
