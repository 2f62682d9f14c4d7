//! Caddy pools idle connections for two minutes, unless the transport of the `reverse_proxy` says
//! `keepalive off`. Only a Caddyfile is read, not settings as JSON.

use camino::{Utf8Path, Utf8PathBuf};

use super::Pools;
use super::settings::{self, Directive, values};
use crate::host::process;

/// How deep files may import files.
const DEPTH_LIMIT: usize = 8;

/// Whether this Caddy pools connections to what these names stand for. Its settings are those of
/// its command line, else of the default file.
pub fn pools_of(pid: u32, default: &Utf8Path, names: &[String]) -> Pools {
    let words = process::argv(pid).seen().unwrap_or_default();
    let file = values(&words, &["--config", "-c"]).pop();
    let directory = process::cwd(pid).seen().unwrap_or_default();
    match file {
        Some(file) => pools(&directory.join(file), names),
        None => pools(default, names),
    }
}

fn pools(file: &Utf8Path, names: &[String]) -> Pools {
    let directives = read(file, 0);
    let all: Vec<_> = directives.iter().flat_map(Directive::all).collect();
    let proxies = all
        .iter()
        .filter(|it| it.words.iter().any(|word| word == "reverse_proxy"));
    let verdicts: Vec<_> = proxies
        .filter(|it| names_instance(it, names))
        .map(|it| of_proxy(it))
        .collect();
    let yes = verdicts.iter().find(|verdict| **verdict != Pools::No);
    match (yes, verdicts.is_empty()) {
        (Some(yes), _) => yes.clone(),
        (None, false) => Pools::No,
        (None, true) => Pools::Unknown,
    }
}

fn of_proxy(proxy: &Directive) -> Pools {
    let all = proxy.all();
    let is_off = |it: &&Directive| {
        it.is(&["keepalive", "off"])
            || it
                .words
                .starts_with(&["transport".into(), "fastcgi".into()])
    };
    if all.iter().copied().any(|it| is_off(&it)) {
        return Pools::No;
    }
    // A snippet may say it.
    if all.iter().any(|it| it.name() == "import") {
        return Pools::Unknown;
    }
    Pools::Yes(format!(
        "write `transport http {{ keepalive off }}`, on three lines, into `reverse_proxy` in {}",
        proxy.place()
    ))
}

/// `unix//path`, `unix+h2c//path`, `127.0.0.1:8000` or `http://127.0.0.1:8000`, in the line of the
/// proxy or behind `to`.
fn names_instance(proxy: &Directive, names: &[String]) -> bool {
    let behind_to = proxy.block.iter().filter(|it| it.name() == "to");
    let mut words = behind_to.chain([proxy]).flat_map(|it| it.arguments());
    words.any(|word| {
        let word = word
            .split_once("://")
            .map_or(word.as_str(), |(_, rest)| rest);
        let path = word
            .starts_with("unix")
            .then(|| word.split_once('/'))
            .flatten();
        let plain = path.map_or(word, |(_, path)| path);
        names.iter().any(|name| name == plain)
    })
}

/// Reads a Caddyfile and what it imports.
fn read(file: &Utf8Path, depth: usize) -> Vec<Directive> {
    let text = settings::read(file).unwrap_or_default();
    let mut lines = lines_of(&text).into_iter();
    with_imported(block(&mut lines, file), file, depth)
}

fn with_imported(directives: Vec<Directive>, file: &Utf8Path, depth: usize) -> Vec<Directive> {
    let mut result = Vec::new();
    for mut directive in directives {
        let found = match (directive.name(), directive.arguments()) {
            ("import", [pattern, ..]) if depth < DEPTH_LIMIT => imported(file, pattern),
            _ => Vec::new(),
        };
        directive.block = with_imported(directive.block, file, depth);
        // Without a file it is a snippet, and stays as the mark of something not read.
        if found.is_empty() {
            result.push(directive);
        }
        result.extend(found.iter().flat_map(|file| read(file, depth + 1)));
    }
    result
}

fn imported(file: &Utf8Path, pattern: &str) -> Vec<Utf8PathBuf> {
    let base = file.parent().unwrap_or(Utf8Path::new("/"));
    let mut files = settings::files(&base.join(pattern)).unwrap_or_default();
    files.retain(|file| file.is_file());
    files
}

/// The directives up to the closing brace, which stands alone in its line.
fn block(
    lines: &mut impl Iterator<Item = (usize, Vec<String>)>,
    file: &Utf8Path,
) -> Vec<Directive> {
    let mut directives = Vec::new();
    while let Some((line, mut words)) = lines.next() {
        if words == ["}"] {
            break;
        }
        let opens = words.last().is_some_and(|word| word == "{");
        if opens {
            words.pop();
        }
        directives.push(Directive {
            file: file.to_owned(),
            line,
            words,
            block: if opens {
                block(lines, file)
            } else {
                Vec::new()
            },
        });
    }
    directives
}

/// The words of each line that has any, without comments and quotes.
fn lines_of(text: &str) -> Vec<(usize, Vec<String>)> {
    let lines = text.lines().enumerate();
    let words = lines.map(|(at, line)| (at + 1, words_of(line)));
    words.filter(|(_, words)| !words.is_empty()).collect()
}

fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while let Some(first) = rest.chars().next().filter(|first| *first != '#') {
        let (word, after) = match first {
            '"' | '`' => rest[1..].split_once(first).unwrap_or((&rest[1..], "")),
            _ => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

#[cfg(test)]
mod tests;
