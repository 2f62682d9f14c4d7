//! The directories that nginx hands files out of by itself, and whether it lets browsers keep them.

use std::time::Duration;

use camino::{Utf8Path, Utf8PathBuf};

use super::pool::time;
use super::tree::Tree;
use crate::running::front::settings::Directive;

/// What is kept no longer than this is asked for again soon after a release.
const BRIEF_LIMIT: Duration = Duration::from_secs(3600);

/// One `location` that hands out files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// Where they lie, as the settings write it.
    pub directory: Utf8PathBuf,
    /// The endings it is for; none is all.
    pub endings: Vec<String>,
    /// The line that lets browsers keep them for more than an hour, and its place.
    pub kept: Option<(String, String)>,
}

/// What is in force at one level.
#[derive(Clone, Default)]
struct Level<'a> {
    root: Option<&'a Directive>,
    expires: Option<&'a Directive>,
    headers: Vec<&'a Directive>,
}

/// The locations below this directory. Those with a regular expression are known only where that
/// lists endings: `~* \.(js|css)$`.
pub fn served(tree: &Tree, site: &Utf8Path) -> Vec<Served> {
    let mut found = Vec::new();
    for http in tree.directives.iter().filter(|it| it.name() == "http") {
        let level = Level::default().within(&http.block);
        for server in http.block.iter().filter(|it| it.name() == "server") {
            below(server, &level.within(&server.block), &mut found);
        }
    }
    found.retain(|it: &Served| it.directory.starts_with(site));
    found
}

fn below(outer: &Directive, level: &Level<'_>, found: &mut Vec<Served>) {
    for location in outer.block.iter().filter(|it| it.name() == "location") {
        let inner = level.within(&location.block);
        found.extend(inner.serves(location));
        below(location, &inner, found);
    }
}

impl<'a> Level<'a> {
    /// The same with what these directives say. Headers are inherited all or not at all.
    fn within(&self, block: &'a [Directive]) -> Level<'a> {
        let last = |name| block.iter().rfind(|it: &&Directive| it.name() == name);
        let own: Vec<_> = block
            .iter()
            .filter(|it| it.name() == "add_header")
            .collect();
        Level {
            root: last("root").or(self.root),
            expires: last("expires").or(self.expires),
            headers: if own.is_empty() {
                self.headers.clone()
            } else {
                own
            },
        }
    }

    fn serves(&self, location: &Directive) -> Option<Served> {
        let answers = |it: &Directive| it.name().ends_with("_pass") || it.name() == "return";
        if location.block.iter().any(answers) {
            return None;
        }
        let alias = location.block.iter().find(|it| it.name() == "alias");
        let path = |it: &Directive| it.arguments().first().map(Utf8PathBuf::from);
        let (directory, endings) = match location.arguments() {
            [prefix] | [_, prefix] if !is_pattern(location) => {
                let below = || Some(path(self.root?)?.join(prefix.trim_start_matches('/')));
                (alias.map_or_else(below, path)?, Vec::new())
            }
            [sign, pattern] if sign.starts_with('~') && alias.is_none() => {
                (path(self.root?)?, endings(pattern)?)
            }
            _ => return None,
        };
        (!directory.as_str().contains('$')).then(|| Served {
            directory,
            endings,
            kept: self.kept().map(|it| (it.words.join(" "), it.place())),
        })
    }

    fn kept(&self) -> Option<&'a Directive> {
        let expires = self.expires.filter(|it| is_long(it.arguments()));
        let headers = self.headers.iter().copied();
        expires.or_else(|| headers.rev().find(|it| allows_long(it.arguments())))
    }
}

/// Whether it is for more than the paths below one, or for one file only.
fn is_pattern(location: &Directive) -> bool {
    let sign = location.arguments().first().map_or("", String::as_str);
    sign == "=" || sign.starts_with('~') || sign.starts_with('@')
}

/// `\.(js|css)$` and `\.(?:js|css)$`; the words of the settings come without backslashes.
fn endings(pattern: &str) -> Option<Vec<String>> {
    let list = pattern.trim_start_matches('\\').strip_prefix(".(")?;
    let list = list.strip_suffix(")$")?;
    let all = list.trim_start_matches("?:").split('|').map(str::to_owned);
    let all: Vec<_> = all.collect();
    let is_plain = |it: &String| it.bytes().all(|it| it.is_ascii_alphanumeric());
    all.iter().all(is_plain).then_some(all)
}

/// `expires 30d`, `expires max`, `expires modified +1y`.
fn is_long(words: &[String]) -> bool {
    let Some(last) = words.last() else {
        return false;
    };
    let text = last.trim_start_matches('+');
    last == "max" || time(text).is_some_and(|time| time > BRIEF_LIMIT)
}

/// `add_header Cache-Control "public, max-age=31536000, immutable"`
fn allows_long(words: &[String]) -> bool {
    let [name, value, ..] = words else {
        return false;
    };
    let value = value.to_ascii_lowercase();
    let mut parts = value.split(',').map(str::trim);
    let asks_again = value.contains("no-cache") || value.contains("no-store");
    let seconds = |it: &str| it.strip_prefix("max-age=")?.parse::<u64>().ok();
    name.eq_ignore_ascii_case("cache-control")
        && !asks_again
        && parts
            .any(|it| it == "immutable" || seconds(it).is_some_and(|it| it > BRIEF_LIMIT.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Directories with their endings, and the line by which they are kept.
    fn found(server: &str) -> Vec<(String, Option<String>)> {
        let directory = tempfile::tempdir().unwrap();
        let directory = Utf8Path::from_path(directory.path()).unwrap();
        let path = directory.join("n.conf");
        std::fs::write(&path, format!("http {{ server {{ {server} }} }}")).unwrap();
        let found = served(&Tree::read(&path), "/srv/a".into()).into_iter();
        let shown = |it: Served| {
            let kept = it.kept.map(|(words, _)| words);
            (format!("{}{}", it.directory, it.endings.join("|")), kept)
        };
        found.map(shown).collect()
    }

    #[test]
    fn files_of_the_site_are_found_with_what_keeps_them() {
        let long = |words: &str| Some(words.to_owned());
        for (server, directory, kept) in [
            (
                "location /static/ { alias /srv/a/current/static/; expires 30d; }",
                "/srv/a/current/static/",
                long("expires 30d"),
            ),
            (
                "root /srv/a/current; expires 1y; location ^~ /assets { try_files $uri =404; }",
                "/srv/a/current/assets",
                long("expires 1y"),
            ),
            (
                "root /srv/a/current/public; location ~* \\.(?:js|css)$ { expires max; }",
                "/srv/a/current/publicjs|css",
                long("expires max"),
            ),
            (
                "location /s { root /srv/a/current; add_header Cache-Control \"public, max-age=86400\"; }",
                "/srv/a/current/s",
                long("add_header Cache-Control public, max-age=86400"),
            ),
            (
                "expires 1d; location /s { root /srv/a/current; expires 10m; }",
                "/srv/a/current/s",
                None,
            ),
            (
                "location /s { root /srv/a/current; add_header Cache-Control \"no-cache, max-age=86400\"; }",
                "/srv/a/current/s",
                None,
            ),
            (
                "location /s { root /srv/a/current; expires -1; }",
                "/srv/a/current/s",
                None,
            ),
        ] {
            assert_eq!(found(server), [(directory.to_owned(), kept)], "{server}");
        }
    }

    #[test]
    fn what_hands_out_no_files_of_the_site_is_left_alone() {
        for server in [
            "root /srv/a/current; location / { proxy_pass http://app; expires 30d; }",
            "location /static/ { alias /srv/ab/static/; expires 30d; }",
            "location /static/ { alias /srv/a/$host/; expires 30d; }",
            "location = /favicon.ico { root /srv/a/current; expires 30d; }",
            "location ~ ^/(.*)/x$ { root /srv/a/current; expires 30d; }",
        ] {
            assert_eq!(found(server), [], "{server}");
        }
    }
}
