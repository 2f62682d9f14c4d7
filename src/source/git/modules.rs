//! Submodules: where they come from, and that the recorded commits are in their mirrors.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path};

use super::mirror::Mirror;
use super::program::{self, Remote};
use super::survey::Survey;
use super::{Fetching, Module, brief};
use crate::config::git_url;
use crate::error::{Error, Result};
use crate::host::tree::measure::Room;

/// A commit whose submodules are fetched.
pub(super) struct Parent<'a> {
    /// Where it lies in the release's repository; empty for that itself.
    pub path: &'a Utf8Path,
    /// Its mirror.
    pub mirror: &'a Mirror<'a>,
    /// Where it came from.
    pub remote: Remote<'a>,
    /// The commit.
    pub id: &'a str,
    /// What it holds.
    pub survey: &'a Survey,
}

/// Fetches the submodules of a commit, and theirs. Those that lie in others come behind them.
///
/// # Errors
/// Naming the submodule, when one has no address, or its commit cannot be fetched.
pub(super) fn fetch(
    fetching: &Fetching<'_>,
    parent: &Parent<'_>,
    room: &mut Room,
) -> Result<Vec<Module>> {
    let mut fetched = Vec::new();
    if parent.survey.modules.is_empty() {
        return Ok(fetched);
    }
    let urls = addresses(fetching, parent)?;
    for (path, id) in &parent.survey.modules {
        let shown = parent.path.as_std_path().join(path);
        let failed = |error: Error| {
            let what = format!("the submodule `{}` cannot be fetched", shown.display());
            let cause = error.to_string();
            let error = Error { what, ..error };
            error.cause(cause)
        };
        let plain = Utf8Path::from_path(path).filter(|path| is_plain(path));
        let plain = plain.ok_or_else(|| failed(Error::failed("its path is not a plain one")))?;
        let url = urls.get(plain.as_str());
        let url =
            url.ok_or_else(|| failed(Error::failed("`.gitmodules` has no address for it")))?;
        let url = whole(parent.remote.url, url).map_err(failed)?;
        let remote = Remote {
            url: &url,
            may_be_local: parent.remote.may_be_local && git_url::is_local(parent.remote.url),
        };
        if git_url::is_local(&url) && !remote.may_be_local {
            let why = format!("`{}` is a path of this host", remote.shown());
            return Err(failed(Error::failed(why)));
        }
        let module = Module {
            path: parent.path.join(plain),
            id: id.clone(),
        };
        let mirror = fetching.mirror(Some(&module.path), remote);
        mirror.make(id.len() == 64).map_err(failed)?;
        let began = std::time::Instant::now();
        let what = format!("{} ({}) from {}", module.path, brief(id), remote.shown());
        fetching.report.started("Fetching", &what);
        mirror.bring(id, &[]).map_err(failed)?;
        let elapsed = Some(began.elapsed());
        fetching.report.finished("Fetched", &what, elapsed);
        let survey = mirror.survey(id, None)?.unwrap_or_default();
        room.bytes += survey.room.bytes;
        room.inodes += survey.room.inodes;
        let inner = Parent {
            path: &module.path,
            mirror: &mirror,
            remote,
            id,
            survey: &survey,
        };
        let below = fetch(fetching, &inner, room)?;
        fetched.push(module);
        fetched.extend(below);
    }
    Ok(fetched)
}

/// The addresses in `.gitmodules`, by path.
fn addresses(fetching: &Fetching<'_>, parent: &Parent<'_>) -> Result<BTreeMap<String, String>> {
    let blob = format!("{}:.gitmodules", parent.id);
    let command = program::local(parent.mirror.path())
        .args(["config", "--blob", &blob, "-z", "--get-regexp"])
        .arg(r"^submodule\..*\.(path|url)$");
    let listed = program::run(&command, fetching.patience)?;
    let (mut paths, mut urls) = (BTreeMap::new(), BTreeMap::new());
    for (key, value) in listed
        .stdout
        .split('\0')
        .filter_map(|it| it.split_once('\n'))
    {
        if let Some(name) = key.strip_suffix(".path") {
            paths.insert(name, value.trim_end_matches('/').to_owned());
        } else if let Some(name) = key.strip_suffix(".url") {
            urls.insert(name, value.to_owned());
        }
    }
    let of_path = |(name, path): (&str, String)| Some((path, urls.get(name)?.clone()));
    Ok(paths.into_iter().filter_map(of_path).collect())
}

fn is_plain(path: &Utf8Path) -> bool {
    path.components()
        .all(|part| matches!(part, Utf8Component::Normal(_)))
}

/// The address of a submodule; one that begins with `./` or `../` is meant beside its parent's.
fn whole(parent: &str, url: &str) -> Result<String> {
    let mut whole = url.to_owned();
    if url.starts_with("./") || url.starts_with("../") {
        whole = beside(parent, url)
            .ok_or_else(|| Error::failed(format!("`{url}` leads nowhere from there")))?;
    }
    match git_url::fault(&whole) {
        Some((message, _)) => Err(Error::failed(message)),
        None => Ok(whole),
    }
}

fn beside(parent: &str, url: &str) -> Option<String> {
    let (mut base, mut url) = (parent.trim_end_matches('/'), url);
    let mut joint = '/';
    loop {
        if let Some(rest) = url.strip_prefix("./") {
            url = rest;
        } else if let Some(rest) = url.strip_prefix("../") {
            url = rest;
            let end = base.rfind(['/', ':'])?;
            joint = base[end..].chars().next()?;
            base = base[..end].trim_end_matches('/');
            // Nothing lies above a host.
            if base.is_empty() && joint == ':' || base.ends_with(':') {
                return None;
            }
        } else {
            let url = url.trim_end_matches('/');
            return Some(format!("{base}{joint}{url}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_beside_the_parents_is_meant_as_git_means_it() {
        for (parent, url, expected) in [
            ("/srv/git/app.git", "../lib.git", "/srv/git/lib.git"),
            ("/srv/git/app.git/", "./lib/", "/srv/git/app.git/lib"),
            ("https://h/team/app", "../lib", "https://h/team/lib"),
            (
                "https://u:p@h/team/app",
                "../../x/lib",
                "https://u:p@h/x/lib",
            ),
            ("git@h:team/app.git", "../lib.git", "git@h:team/lib.git"),
            ("git@h:app.git", "../lib.git", "git@h:lib.git"),
            ("https://h/app", "https://other/lib", "https://other/lib"),
            ("https://h/app", "/srv/lib", "/srv/lib"),
        ] {
            assert_eq!(whole(parent, url).unwrap(), expected, "{parent} {url}");
        }
        for (parent, url) in [
            ("https://h/app", "../../../x"),
            ("git@h:app", "../../../x"),
            ("https://h/app", "ext::sh -c x"),
            ("https://h/app", "-x"),
        ] {
            assert!(whole(parent, url).is_err(), "{parent} {url}");
        }
    }
}
