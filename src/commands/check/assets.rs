//! The assets that nginx hands out of the live release.

use camino::{Utf8Path, Utf8PathBuf};
use walkdir::WalkDir;

use super::Trap;
use super::unnamed::file_of;
use crate::commands::Context;
use crate::running::front::{self, Served};
use crate::running::trap::assets::{AssetFacts, predict};

/// How many files of a directory are looked at.
const LOOK_LIMIT: usize = 2000;

/// What runs in a page or shapes it: an old one of these beside a new page breaks it.
const ENDINGS: [&str; 3] = ["js", "mjs", "css"];

/// One for each directory.
pub(super) fn traps(context: &Context<'_>) -> Vec<Trap> {
    let served = front::served(context.site.root());
    let facts = served.iter().filter_map(|it| facts(context, it));
    let mut traps: Vec<Trap> = facts
        .filter_map(|it| predict(&it))
        .map(Trap::from)
        .collect();
    traps.dedup_by(|a, b| a.what == b.what);
    traps
}

/// Nothing of a directory that is not the release's own: no release changes it.
fn facts(context: &Context<'_>, served: &Served) -> Option<AssetFacts> {
    let real = served.directory.canonicalize_utf8().ok()?;
    let release = context.site.current_path().canonicalize_utf8().ok()?;
    let directory = real.strip_prefix(&release).ok()?.to_owned();
    let bridge = &context.config.shared.bridge;
    (!directory.as_str().is_empty()).then(|| AssetFacts {
        names: names(&real, &served.endings),
        kept: served.kept.clone(),
        is_bridged: bridge
            .iter()
            .any(|it| directory.starts_with(it) || it.starts_with(&directory)),
        settings: file_of(context),
        directory,
    })
}

fn names(directory: &Utf8Path, endings: &[String]) -> Vec<String> {
    let files = WalkDir::new(directory).into_iter().take(LOOK_LIMIT);
    let files = files
        .filter_map(Result::ok)
        .filter(|it| it.file_type().is_file());
    let below = |it: walkdir::DirEntry| {
        let path = Utf8PathBuf::from_path_buf(it.into_path()).ok()?;
        let ending = path.extension()?;
        let is_asked = endings.is_empty() || endings.iter().any(|it| it == ending);
        (ENDINGS.contains(&ending) && is_asked).then_some(())?;
        Some(path.strip_prefix(directory).ok()?.to_string())
    };
    files.filter_map(below).collect()
}
