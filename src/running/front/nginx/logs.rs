//! Where nginx writes about one site: the logs that its servers name, and those they inherit.

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use super::tree::Tree;
use super::{is_one_of, plain};
use crate::running::front::settings::Directive;

/// Where Debian, Fedora and the packages of nginx write when nothing else is said.
const DEFAULT_ERROR_LOG: &str = "/var/log/nginx/error.log";

/// Directives that make a server answer with 503, or with what a program decides.
const UNSURE: [&str; 5] = [
    "limit_req",
    "limit_conn",
    "passenger_enabled",
    "perl",
    "js_content",
];

/// What is told of an access log.
const STATUSES: [&str; 3] = ["502", "503", "504"];

/// A file that nginx writes about a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The file.
    pub path: Utf8PathBuf,
    /// Where other sites write to it too: texts of which one is in each line about this one.
    /// Otherwise empty.
    pub marks: Vec<String>,
}

/// By what settings name a site.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The addresses that it listens on, as in [`Fronts`](super::super::Fronts).
    pub addresses: Vec<String>,
    /// The directory that all its files are in.
    pub root: Utf8PathBuf,
}

impl Names {
    fn is_target(&self, target: &str) -> bool {
        self.is_path(plain(target)) || is_one_of(target, &self.addresses)
    }

    fn is_path(&self, path: &str) -> bool {
        Utf8Path::new(path).starts_with(&self.root)
    }
}

/// One level of settings: what is in force there.
#[derive(Clone, Copy, Default)]
struct Level<'a> {
    error: Option<&'a Directive>,
    access: Option<&'a Directive>,
    is_unsure: bool,
}

/// The logs of the servers that pass requests to a site, or hand out its files. None where no
/// server does.
pub fn logs(tree: &Tree, names: &Names) -> Vec<Log> {
    let top = Level::default().within(&tree.directives);
    let mut servers = Vec::new();
    for http in tree.directives.iter().filter(|it| it.name() == "http") {
        let level = top.within(&http.block);
        let own = http.block.iter().filter(|it| it.name() == "server");
        servers.extend(own.map(|server| (server, level)));
    }
    let upstreams = upstreams(tree, names);
    let is_ours = |server: &Directive| is_about(server, names, &upstreams);
    let mut files: BTreeMap<Utf8PathBuf, Vec<String>> = BTreeMap::new();
    let (ours, others): (Vec<_>, Vec<_>) =
        servers.into_iter().partition(|(server, _)| is_ours(server));
    let is_shared = |path: &Utf8Path, is_error_log: bool| {
        let writes = |(server, level): &(&Directive, Level<'_>)| {
            let mut files = written_by(server, *level).into_iter();
            files.any(|(other, _)| other == path)
                && (is_error_log || level.is_unsure || may_fail(server))
        };
        others.iter().any(writes)
    };
    for (server, level) in ours {
        for (path, is_error_log) in written_by(server, level) {
            match (is_shared(&path, is_error_log), is_error_log) {
                (false, _) => drop(files.entry(path).or_default()),
                // An access log does not say which server wrote a line.
                (true, false) => {}
                (true, true) => files.entry(path).or_default().extend(marks(server)),
            }
        }
    }
    files
        .into_iter()
        .map(|(path, marks)| Log { path, marks })
        .collect()
}

/// The words of nginx for the server in its error log.
fn marks(server: &Directive) -> Vec<String> {
    let name = server.block.iter().find(|it| it.name() == "server_name");
    let first = name.and_then(|it| it.arguments().first());
    let name = first.map_or("", String::as_str);
    vec![format!(", server: {name},")]
}

/// The groups of addresses that hold one of the site's.
pub(super) fn upstreams<'a>(tree: &'a Tree, names: &Names) -> Vec<&'a str> {
    let holds = |it: &&Directive| {
        let mut servers = it.block.iter().filter(|it| it.name() == "server");
        servers.any(|it| it.arguments().first().is_some_and(|to| names.is_target(to)))
    };
    let all = tree.all().into_iter();
    let ours = all.filter(|it| it.name() == "upstream").filter(holds);
    ours.filter_map(|it| it.arguments().first().map(String::as_str))
        .collect()
}

/// Whether a server passes requests to the site, or hands out its files.
pub(super) fn is_about(server: &Directive, names: &Names, upstreams: &[&str]) -> bool {
    server.all().into_iter().any(|it| {
        let Some(first) = it.arguments().first() else {
            return false;
        };
        match it.name() {
            "root" | "alias" => names.is_path(first),
            name if name.ends_with("_pass") => {
                names.is_target(first) || upstreams.contains(&plain(first))
            }
            _ => false,
        }
    })
}

/// Whether a server may answer with what is told of an access log. One that only leads elsewhere, as
/// from http to https, or hands out files, never does.
fn may_fail(server: &Directive) -> bool {
    let is_status = |word: &String| STATUSES.contains(&word.trim_start_matches('='));
    server.all().into_iter().any(|it| {
        let name = it.name();
        let asks = name.ends_with("_pass") || name.contains("_by_lua");
        asks || is_unsure(it) || it.arguments().iter().any(is_status)
    })
}

fn is_unsure(directive: &Directive) -> bool {
    UNSURE.contains(&directive.name())
}

/// The files that a server writes to, and whether each is an error log.
fn written_by(server: &Directive, outer: Level<'_>) -> Vec<(Utf8PathBuf, bool)> {
    let level = outer.within(&server.block);
    let mut found: Vec<_> = level.files().collect();
    let deeper = server.all().into_iter().skip(1);
    for it in deeper.filter(|it| it.name() == "location" || it.name() == "if") {
        // What a place inherits is said already.
        found.extend(Level::default().within(&it.block).own_files());
    }
    found
}

impl<'a> Level<'a> {
    /// The same with what these directives say.
    fn within(self, block: &'a [Directive]) -> Level<'a> {
        let last = |name| block.iter().rfind(|it: &&Directive| it.name() == name);
        Level {
            error: last("error_log").or(self.error),
            access: last("access_log").or(self.access),
            is_unsure: self.is_unsure || block.iter().any(is_unsure),
        }
    }

    fn files(self) -> impl Iterator<Item = (Utf8PathBuf, bool)> {
        let default = self.error.is_none();
        let default = default.then(|| (Utf8PathBuf::from(DEFAULT_ERROR_LOG), true));
        default.into_iter().chain(self.own_files())
    }

    fn own_files(self) -> impl Iterator<Item = (Utf8PathBuf, bool)> {
        let error = self.error.and_then(file).map(|path| (path, true));
        let access = self.access.and_then(file).map(|path| (path, false));
        error.into_iter().chain(access)
    }
}

/// A plain file; no variable, no socket, and nothing compressed.
fn file(directive: &Directive) -> Option<Utf8PathBuf> {
    let (first, rest) = directive.arguments().split_first()?;
    let is_plain = first.starts_with('/') && !first.contains('$');
    let is_compressed = rest.iter().any(|word| word.starts_with("gzip"));
    (is_plain && !is_compressed).then(|| first.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(String, Vec<String>)> {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path())
            .unwrap()
            .join("n.conf");
        std::fs::write(&path, text).unwrap();
        let names = Names {
            addresses: vec!["127.0.0.1:8000".to_owned(), "/run/a/app.sock".to_owned()],
            root: "/srv/a".into(),
        };
        let logs = logs(&Tree::read(&path), &names).into_iter();
        logs.map(|log| (log.path.into_string(), log.marks))
            .collect()
    }

    fn own(path: &str) -> (String, Vec<String>) {
        (path.to_owned(), Vec::new())
    }

    #[test]
    fn a_server_alone_has_the_logs_for_itself() {
        for pass in [
            "proxy_pass http://127.0.0.1:8000;",
            "proxy_pass http://app/x;",
            "fastcgi_pass unix:/run/a/app.sock;",
            "proxy_pass http://unix:/srv/a/current/run/app.sock:/;",
            "root /srv/a/current/public;",
        ] {
            let text = format!(
                "error_log /l/error.log warn; http {{ access_log /l/access.log main; \
                 upstream app {{ server unix:/srv/a/current/run/app.sock fail_timeout=0; }} \
                 server {{ server_name a; location / {{ {pass} }} }} }}"
            );
            assert_eq!(
                found(&text),
                [own("/l/access.log"), own("/l/error.log")],
                "{pass}"
            );
        }
    }

    #[test]
    fn of_a_log_that_others_write_too_only_lines_about_this_server_count() {
        let text = "http { access_log /l/access.log; \
                    server { server_name a.example b; location / { proxy_pass http://127.0.0.1:8000; } } \
                    server { server_name other; location / { proxy_pass http://127.0.0.1:9000; } } }";
        let marks = vec![", server: a.example,".to_owned()];
        assert_eq!(found(text), [(DEFAULT_ERROR_LOG.to_owned(), marks)]);
    }

    /// Whether an access log is read that this server writes to as well.
    fn is_read_beside(server: &str) -> bool {
        let text = format!(
            "http {{ access_log /l/access.log; limit_req_zone $binary_remote_addr zone=a:1m rate=1r/s; \
             server {{ listen 443 ssl; server_name a; \
               location / {{ proxy_pass http://127.0.0.1:8000; }} }} {server} }}"
        );
        let is_there = |text: &str| found(text).contains(&own("/l/access.log"));
        let limited = text.replace("rate=1r/s; ", "rate=1r/s; limit_req zone=a; ");
        assert!(!is_there(&limited), "all may answer with 503: {server}");
        is_there(&text)
    }

    #[test]
    fn an_access_log_is_read_that_others_write_who_never_fail_so() {
        for server in [
            "server { listen 80; server_name a; return 301 https://$host$request_uri; }",
            "server { if ($host = a) { return 301 https://$host$request_uri; } \
             listen 80; server_name a; return 404; }",
            "server { location /.well-known/acme-challenge/ { root /var/www/acme; } \
             location / { return 301 https://a$request_uri; } }",
            "server { listen 80 default_server; root /var/www/html; \
             location / { try_files $uri $uri/ =404; } }",
        ] {
            assert!(is_read_beside(server), "{server}");
        }
        for server in [
            "server { location / { proxy_pass http://127.0.0.1:9000; } }",
            "server { location / { content_by_lua_block { x; } } }",
            "server { listen 80 default_server; return 503; }",
            "server { root /srv/b; location / { try_files $uri =503; } }",
            "server { root /srv/b; limit_conn b 1; }",
        ] {
            assert!(!is_read_beside(server), "{server}");
        }
    }

    #[test]
    fn logs_of_its_own_are_whole_whatever_others_write() {
        let text = "http { access_log /l/access.log; \
                    server { access_log /l/a.log; error_log /l/a.err; \
                      location /x { access_log /l/x.log; proxy_pass http://127.0.0.1:8000; } \
                      location /y { access_log off; } } \
                    server { root /var/www/html; } }";
        assert_eq!(
            found(text),
            [own("/l/a.err"), own("/l/a.log"), own("/l/x.log")]
        );
    }

    #[test]
    fn what_is_no_file_or_no_server_of_the_site_is_left() {
        for text in [
            "http { server { proxy_pass http://127.0.0.1:9000; root /srv/ab; } }",
            "http { error_log stderr; access_log syslog:server=/dev/log; \
             server { location / { proxy_pass http://127.0.0.1:8000; access_log /l/$host.log; } } }",
            "",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
