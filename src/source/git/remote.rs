//! What a repository says of its branches and tags, before anything is fetched.

use std::collections::BTreeMap;
use std::time::Duration;

use super::program::{self, Remote};
use crate::error::{Error, Result};
use crate::host::signal::Patience;

/// How long a repository may take to list what was asked for.
const ASK_TIMEOUT: Duration = Duration::from_secs(60);

/// The fewest digits that git takes for the beginning of a commit's number.
const SHORTEST_ID: usize = 4;

/// What is to be released, as far as the repository has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What was asked for, or the branch that the repository calls `HEAD`.
    pub name: String,
    /// The number of the commit; none when that is known only after fetching: its beginning was
    /// given, or a name that is neither that of a branch nor of a tag.
    pub id: Option<String>,
    /// How git is asked for it by itself.
    pub(super) spec: String,
    /// Whether the numbers of the repository are those of SHA-256.
    pub(super) is_sha256: bool,
    /// Whether a branch and a tag have this name.
    pub(super) is_double: bool,
}

impl Wanted {
    /// Whether it is the beginning of a commit's number.
    pub(super) fn is_short_id(&self) -> bool {
        self.id.is_none() && is_id(&self.name, SHORTEST_ID..=63)
    }
}

/// Asks a repository for a branch, a tag or a commit; without a name for what it calls `HEAD`.
///
/// # Errors
/// In git's own words, when it cannot be reached; and when it has no commit at all.
pub(super) fn ask(remote: &Remote<'_>, name: Option<&str>, patience: &Patience) -> Result<Wanted> {
    let name = name.filter(|name| *name != HEAD);
    let branch = name.map(|name| full_name(name, "refs/heads/"));
    let tag = name.map(|name| full_name(name, "refs/tags/"));
    let peeled = tag.as_ref().map(|tag| format!("{tag}^{{}}"));
    let patterns = [
        Some(HEAD.to_owned()),
        branch.clone(),
        tag.clone(),
        peeled.clone(),
    ];
    let command = remote
        .command(patience, ASK_TIMEOUT)
        .args(["ls-remote", "--symref", "--", remote.url])
        .args(patterns.into_iter().flatten());
    let finished = program::run(&command, patience)?;
    if !finished.ending.is_success() {
        let what = format!("the repository `{}` cannot be read", remote.shown());
        return Err(remote.failure(what, &finished));
    }
    let said = Said::read(&finished.stdout);
    let id_of = |name: &Option<String>| said.ids.get(name.as_deref()?).cloned();
    let is_sha256 = said.ids.values().any(|id| id.len() == 64);
    let wanted = |name: &str, id, spec: &str| Wanted {
        name: name.to_owned(),
        id,
        spec: spec.to_owned(),
        is_sha256,
        is_double: false,
    };
    let Some(name) = name else {
        let id = id_of(&Some(HEAD.to_owned())).ok_or_else(|| no_head(remote, &said))?;
        let branch = said.head.as_deref().unwrap_or(HEAD);
        return Ok(wanted(&short_name(branch), Some(id), HEAD));
    };
    let shown = short_name(name);
    let tagged = id_of(&peeled).or_else(|| id_of(&tag));
    if let (Some(id), Some(spec)) = (id_of(&branch), &branch) {
        let is_double = tagged.is_some() && tag != branch;
        return Ok(Wanted {
            is_double,
            ..wanted(&shown, Some(id), spec)
        });
    }
    if let (Some(id), Some(spec)) = (tagged, &tag) {
        return Ok(wanted(&shown, Some(id), spec));
    }
    let is_whole = is_id(name, 40..=40) || is_id(name, 64..=64);
    let id = is_whole.then(|| name.to_ascii_lowercase());
    Ok(Wanted {
        is_sha256: is_sha256 || is_id(name, 64..=64),
        ..wanted(name, id, name)
    })
}

/// What the branch is called that a clone would begin with.
const HEAD: &str = "HEAD";

fn full_name(name: &str, place: &str) -> String {
    match name.starts_with("refs/") {
        true => name.to_owned(),
        false => format!("{place}{name}"),
    }
}

/// As people write it.
fn short_name(name: &str) -> String {
    let places = ["refs/heads/", "refs/tags/"];
    let short = places.iter().find_map(|place| name.strip_prefix(place));
    short.unwrap_or(name).to_owned()
}

fn is_id(name: &str, digits: std::ops::RangeInclusive<usize>) -> bool {
    digits.contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn no_head(remote: &Remote<'_>, said: &Said) -> Error {
    let error = Error::failed(format!("`{}` has nothing to release", remote.shown()));
    match &said.head {
        Some(branch) => error.cause(format!("its `HEAD` is `{branch}`, which has no commit")),
        None => error.cause("it is empty, or its `HEAD` names no commit"),
    }
    .hint("push a commit, or name a branch: `ref = \"main\"`")
}

/// The lines of `ls-remote`.
#[derive(Debug, Default)]
struct Said {
    /// The branch behind `HEAD`.
    head: Option<String>,
    ids: BTreeMap<String, String>,
}

impl Said {
    fn read(text: &str) -> Said {
        let mut said = Said::default();
        for (left, name) in text.lines().filter_map(|line| line.split_once('\t')) {
            match left.strip_prefix("ref: ") {
                Some(branch) if name == HEAD => said.head = Some(branch.to_owned()),
                Some(_) => {}
                None if is_id(left, 40..=64) => {
                    said.ids.insert(name.to_owned(), left.to_owned());
                }
                None => {}
            }
        }
        said
    }
}
