//! nginx pools idle connections where the `upstream` that names the instance says `keepalive`,
//! and since 1.29.7 also where it says nothing.

mod tree;

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::Pools;
use super::settings::{Directive, values};
use crate::host::command::Command;
use crate::host::process;
use crate::host::signal::Patience;
use tree::Tree;

/// The version that pools by itself.
const POOLS_SINCE: Version = (1, 29, 7);

type Version = (u32, u32, u32);

/// Whether the nginx that this process belongs to pools connections to what these names stand for.
/// Its settings are those of its command line, else of the default file.
pub fn pools_of(pid: u32, default: &Utf8Path, names: &[String]) -> Pools {
    let file = settings_file(pid).unwrap_or_else(|| default.to_owned());
    pools(&Tree::read(&file), names, &installed_version)
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
    let pools_by_itself = version().map(|version| version >= POOLS_SINCE);
    let streams = all.iter().filter(|it| it.name() == "stream");
    let in_streams: Vec<_> = streams.flat_map(|it| it.all()).collect();
    // What is passed on as bytes has one connection for each client's.
    let is_http = |it: &Directive| !in_streams.iter().any(|other| std::ptr::eq(*other, it));
    let mut verdicts = upstreams
        .iter()
        .filter(|it| is_http(it))
        .map(|it| of_upstream(it, keeps_open(&all), pools_by_itself));
    match verdicts.find(|verdict| *verdict != Pools::No) {
        Some(verdict) => verdict,
        // What is named without an `upstream` has no word to say against it.
        None if is_named_directly && pools_by_itself != Some(false) => Pools::Unknown,
        None => Pools::No,
    }
}

fn of_upstream(upstream: &Directive, keeps_open: bool, pools_by_itself: Option<bool>) -> Pools {
    let name = upstream.arguments().first().map_or("", String::as_str);
    let keepalive = upstream.block.iter().find(|it| it.name() == "keepalive");
    match (keepalive, pools_by_itself) {
        (Some(it), _) if it.arguments().first().is_some_and(|count| count == "0") => Pools::No,
        (Some(it), Some(true)) => Pools::Yes(format!(
            "write `keepalive 0;` instead of `{};` into `upstream {name}` in {}",
            it.words.join(" "),
            it.place()
        )),
        (Some(it), _) if keeps_open => Pools::Yes(format!(
            "remove `{};` from `upstream {name}` in {}",
            it.words.join(" "),
            it.place()
        )),
        (None, Some(true)) => Pools::Yes(format!(
            "write `keepalive 0;` into `upstream {name}` in {}",
            upstream.place()
        )),
        // An old one then speaks HTTP/1.0, and tells the server to close.
        (_, Some(false)) => Pools::No,
        (_, None) => Pools::Unknown,
    }
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

/// `unix:/path`, `127.0.0.1:8000`, and both in a URL: `http://unix:/path:/uri`.
fn is_one_of(target: &str, names: &[String]) -> bool {
    let target = target.split_once("://").map_or(target, |(_, rest)| rest);
    let plain = match target.strip_prefix("unix:") {
        Some(path) => path.split(':').next(),
        None => target.split('/').next(),
    };
    plain.is_some_and(|plain| names.iter().any(|name| name == plain))
}

#[cfg(test)]
mod tests;
