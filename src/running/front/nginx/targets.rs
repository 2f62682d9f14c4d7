//! The unix sockets that nginx passes the requests of a site to.

use camino::Utf8PathBuf;

use super::logs::{Names, is_about, upstreams};
use super::plain;
use super::tree::Tree;
use crate::running::front::settings::Directive;

/// A unix socket that some server is to pass requests to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its file.
    pub path: Utf8PathBuf,
    /// Where the settings name it.
    pub place: String,
    /// Whether that server is known to be the site's by anything it says; else it may be.
    pub is_of_site: bool,
}

/// Those of all servers. One that is only asked when others fail, or not at all, is left out.
pub fn targets(tree: &Tree, names: &Names) -> Vec<Target> {
    let own = upstreams(tree, names);
    let mut groups = tree.all();
    groups.retain(|it| it.name() == "upstream");
    let mut found = Vec::new();
    for http in tree.directives.iter().filter(|it| it.name() == "http") {
        for server in http.block.iter().filter(|it| it.name() == "server") {
            let is_of_site = is_about(server, names, &own);
            for pass in server.all().into_iter().filter(|it| is_pass(it)) {
                let group = groups.iter().find(|group| is_to(pass, group));
                let members = group.map_or_else(|| vec![pass], |group| in_use(group));
                found.extend(members.into_iter().filter_map(|it| {
                    Some(Target {
                        path: socket(it.arguments().first()?)?,
                        place: it.place(),
                        is_of_site,
                    })
                }));
            }
        }
    }
    found
}

fn is_pass(directive: &Directive) -> bool {
    directive.name().ends_with("_pass")
}

/// `proxy_pass http://myapp/x`, `uwsgi_pass myapp`.
fn is_to(pass: &Directive, group: &Directive) -> bool {
    let to = pass.arguments().first().map(|it| plain(it));
    to.is_some() && to == group.arguments().first().map(String::as_str)
}

fn in_use(group: &Directive) -> Vec<&Directive> {
    let servers = group.block.iter().filter(|it| it.name() == "server");
    let is_aside = |word: &String| word == "backup" || word == "down";
    servers
        .filter(|it| !it.arguments().iter().any(is_aside))
        .collect()
}

/// `unix:/run/a.sock`, `http://unix:/run/a.sock:/x`; nothing where a variable decides.
fn socket(target: &str) -> Option<Utf8PathBuf> {
    let path = plain(target);
    (path.starts_with('/') && !path.contains('$')).then(|| path.into())
}

#[cfg(test)]
mod tests {
    use camino::Utf8Path;

    use super::*;

    fn found(http: &str) -> Vec<(String, bool)> {
        let directory = tempfile::tempdir().unwrap();
        let path = Utf8Path::from_path(directory.path())
            .unwrap()
            .join("n.conf");
        std::fs::write(&path, format!("http {{ {http} }}")).unwrap();
        let names = Names {
            addresses: vec!["/run/a/app.sock".to_owned()],
            root: "/srv/a".into(),
        };
        let found = targets(&Tree::read(&path), &names).into_iter();
        found
            .map(|it| (it.path.into_string(), it.is_of_site))
            .collect()
    }

    #[test]
    fn each_way_to_name_a_socket_is_read() {
        for (http, path, is_of_site) in [
            (
                "upstream app { server unix:/run/a/old.sock fail_timeout=0; } \
                 server { location / { proxy_pass http://app/x; } }",
                "/run/a/old.sock",
                false,
            ),
            (
                "server { location / { proxy_pass http://unix:/run/b.sock:/; } \
                 location /static { alias /srv/a/current/static; } }",
                "/run/b.sock",
                true,
            ),
            (
                "server { location / { uwsgi_pass unix:/srv/a/current/run/u.sock; } }",
                "/srv/a/current/run/u.sock",
                true,
            ),
            (
                "upstream php { server unix:/run/php.sock; } server { fastcgi_pass php; }",
                "/run/php.sock",
                false,
            ),
        ] {
            assert_eq!(found(http), [(path.to_owned(), is_of_site)], "{http}");
        }
    }

    #[test]
    fn what_is_aside_or_not_known_is_left() {
        for http in [
            "upstream app { server 127.0.0.1:1; server unix:/run/a/b.sock backup; \
             server unix:/run/a/c.sock down; } server { proxy_pass http://app; }",
            "upstream unused { server unix:/run/a/b.sock; }",
            "server { proxy_pass http://unix:/run/$name.sock; }",
            "server { proxy_pass http://127.0.0.1:8000; }",
        ] {
            assert_eq!(found(http), [], "{http}");
        }
    }
}
