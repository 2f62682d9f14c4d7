//! What is run: `cargo bench --bench cutover -- gunicorn nginx --releases 3`.

use clap::Parser;

use crate::proxy::Proxy;
use crate::server::Server;

/// Counts requests lost while zdd releases, fails and goes back, for servers behind proxies.
#[derive(Parser)]
#[command(name = "cargo bench --bench cutover --")]
pub struct Options {
    /// Servers and proxies, by name or its first part (`gunicorn`, `nginx-keepalive`); all if none.
    pub words: Vec<String>,
    /// Good releases for each pair and each way.
    #[arg(long, default_value_t = 10)]
    pub releases: usize,
    /// Broken releases for each pair.
    #[arg(long, default_value_t = 5)]
    pub broken: usize,
    /// Rollbacks for each pair.
    #[arg(long, default_value_t = 5)]
    pub rollbacks: usize,
    /// Only the servers behind proxies.
    #[arg(long, conflicts_with = "ways")]
    pub matrix: bool,
    /// Only the comparison with other ways to deploy; words select ways (`reload`, `zdd`).
    #[arg(long)]
    pub ways: bool,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    pub bench: bool,
}

impl Options {
    /// The pairs asked for.
    pub fn pairs(&self) -> Vec<(&'static Server, &'static Proxy)> {
        let all = Server::ALL.iter().flat_map(|server| {
            let proxies = Proxy::ALL.iter();
            let fits = |proxy: &&Proxy| proxy.is_for_every_server || server.meets_every_proxy;
            proxies.filter(fits).map(move |proxy| (server, proxy))
        });
        all.filter(|(server, proxy)| {
            self.selects(server.name, Server::ALL.iter().map(|server| server.name))
                && self.selects(proxy.name, Proxy::ALL.iter().map(|proxy| proxy.name))
        })
        .collect()
    }

    /// Whether a name is asked for: a word names it, or no word names any of its kind.
    pub fn selects<'a>(&self, name: &str, mut kind: impl Iterator<Item = &'a str>) -> bool {
        let names = |name: &str| self.words.iter().any(|word| is_named(name, word));
        names(name) || !kind.any(names)
    }

    /// Words that name nothing.
    pub fn unknown<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a String> {
        let is_known = |word: &str| names.iter().any(|name| is_named(name, word));
        self.words.iter().filter(move |word| !is_known(word))
    }
}

/// Whether a word is a name or its first parts.
fn is_named(name: &str, word: &str) -> bool {
    name.strip_prefix(word)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}
