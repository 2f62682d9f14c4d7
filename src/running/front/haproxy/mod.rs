//! HAProxy pools idle connections in mode `http`: each for 5 s after its last use, and meanwhile
//! any new request may use it. `http-reuse never` is not enough, a connection then lasts as long as
//! the client's; `option http-server-close` closes it after the answer (seen with 2.6).

use camino::{Utf8Path, Utf8PathBuf};

use super::Pools;
use super::settings::{self, Directive, values};
use crate::host::process;

/// What begins a section.
const SECTIONS: [&str; 16] = [
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "peers",
    "resolvers",
    "userlist",
    "mailers",
    "cache",
    "program",
    "http-errors",
    "ring",
    "log-forward",
    "fcgi-app",
    "crt-store",
];

/// Whether this HAProxy pools connections to what these names stand for. Its settings are those of
/// its command line, else of the default file.
pub fn pools_of(pid: u32, default: &Utf8Path, names: &[String]) -> Pools {
    pools(&files_of(pid, default), names)
}

/// The line that shuts this HAProxy into a directory, in which it finds no socket by its path.
pub fn chroot_of(pid: u32, default: &Utf8Path) -> Option<String> {
    chroot(&files_of(pid, default))
}

fn files_of(pid: u32, default: &Utf8Path) -> Vec<Utf8PathBuf> {
    let words = process::argv(pid).seen().unwrap_or_default();
    let directory = process::cwd(pid).seen().unwrap_or_default();
    let named = values(&words, &["-f"]);
    match named.is_empty() {
        true => vec![default.to_owned()],
        false => named.iter().map(|file| directory.join(file)).collect(),
    }
}

fn chroot(files: &[Utf8PathBuf]) -> Option<String> {
    let sections = all_sections(files);
    let globals = sections.iter().filter(|it| it.name() == "global");
    let line = globals
        .flat_map(|it| &it.block)
        .find(|it| it.name() == "chroot" && !it.is(&["chroot", "/"]))?;
    Some(format!("`{}` in {}", line.words.join(" "), line.place()))
}

fn all_sections(files: &[Utf8PathBuf]) -> Vec<Directive> {
    let files = files.iter().flat_map(|file| match file.is_dir() {
        true => settings::files(&file.join("*.cfg")).unwrap_or_default(),
        false => vec![file.clone()],
    });
    files.flat_map(|file| sections(&file)).collect()
}

fn pools(files: &[Utf8PathBuf], names: &[String]) -> Pools {
    let sections = with_defaults(all_sections(files).into_iter());
    let closing: Vec<_> = sections
        .iter()
        .filter(|section| section.name() == "frontend")
        .map(closes)
        .collect();
    let found: Vec<_> = sections
        .iter()
        .filter_map(|section| of_section(section, names))
        .collect();
    let pooling = found.iter().find(|verdict| **verdict != Pools::No);
    match pooling {
        // Which frontend uses which backend is a matter of rules.
        Some(_) if !closing.is_empty() && closing.iter().all(|closes| *closes) => Pools::No,
        Some(_) if closing.contains(&true) => Pools::Unknown,
        Some(yes) => yes.clone(),
        None if found.is_empty() => Pools::Unknown,
        None => Pools::No,
    }
}

/// Puts the lines of the `defaults` before a section into it, before its own. Each `defaults`
/// replaces the one before; those with a name would have to be followed by `from`, the last one is
/// near enough.
fn with_defaults(sections: impl Iterator<Item = Directive>) -> Vec<Directive> {
    let mut defaults: Vec<Directive> = Vec::new();
    let mut whole = Vec::new();
    for mut section in sections {
        if section.name() == "defaults" {
            defaults = section.block;
        } else {
            section.block.splice(0..0, defaults.iter().cloned());
            whole.push(section);
        }
    }
    whole
}

/// None where it is no section of servers, or no server is the instance.
fn of_section(section: &Directive, names: &[String]) -> Option<Pools> {
    let is_server = |it: &&Directive| it.name() == "server" && names_instance(it, names);
    let has_servers = ["backend", "listen"].contains(&section.name());
    let server = section
        .block
        .iter()
        .find(is_server)
        .filter(|_| has_servers)?;
    let mode = section.block.iter().rfind(|it| it.name() == "mode");
    let is_http = mode.is_some_and(|it| it.is(&["mode", "http"]));
    let by_default = section
        .block
        .iter()
        .filter(|it| it.name() == "default-server");
    let is_unpooled = by_default.chain([server]).any(keeps_none);
    if !is_http || closes(section) || is_unpooled {
        return Some(Pools::No);
    }
    Some(Pools::Yes(format!(
        "write `option http-server-close` into `{}` in {}",
        section.words.join(" "),
        section.place()
    )))
}

/// Whether a connection to a server is closed after each answer.
fn closes(section: &Directive) -> bool {
    has_option(section, "http-server-close") || has_option(section, "httpclose")
}

/// Whether an option is on: the last line about it counts.
fn has_option(section: &Directive, name: &str) -> bool {
    let last = section.block.iter().rev().find_map(|it| {
        let is_on = it.is(&["option", name]);
        (is_on || it.is(&["no", "option", name])).then_some(is_on)
    });
    last.unwrap_or(false)
}

fn keeps_none(server: &Directive) -> bool {
    let pairs = server.words.windows(2);
    let is_none =
        |pair: &[String]| pair == ["pool-max-conn", "0"] || pair == ["pool-purge-delay", "0"];
    pairs.into_iter().any(is_none)
}

/// `server NAME unix@/path …`, `/path` or `127.0.0.1:8000`.
fn names_instance(server: &Directive, names: &[String]) -> bool {
    let address = server.arguments().get(1).map_or("", String::as_str);
    let plain = address.split_once('@').map_or(address, |(_, rest)| rest);
    names.iter().any(|name| name == plain)
}

/// The sections of a file, each with its lines as a block.
fn sections(file: &Utf8Path) -> Vec<Directive> {
    let text = settings::read(file).unwrap_or_default();
    let mut sections: Vec<Directive> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let words = shlex::split(line).unwrap_or_default();
        let Some(first) = words.first() else { continue };
        let begins = SECTIONS.contains(&first.as_str());
        let directive = Directive {
            file: file.to_owned(),
            line: at + 1,
            words,
            block: Vec::new(),
        };
        match sections.last_mut() {
            Some(section) if !begins => section.block.push(directive),
            _ => sections.push(directive),
        }
    }
    sections
}

#[cfg(test)]
mod tests;
