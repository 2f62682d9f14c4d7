//! Paths: where they may point, and that none lies in another.

use std::collections::BTreeSet;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use ignore::gitignore::GitignoreBuilder;

use super::Judge;
use crate::config::git_url;
use crate::config::mistake::quoted;
use crate::config::schema::{Config, Source};

impl Judge<'_, '_> {
    /// `root`, `env_file`, `[source]` and `[shared]`.
    pub(super) fn paths(&mut self, config: &Config) {
        self.plain("root", config.root.as_deref());
        self.plain("env_file", config.env_file.as_deref());
        self.plain("source.path", config.source.path.as_deref());
        for (number, pattern) in config.source.exclude.iter().enumerate() {
            if let Err(error) = GitignoreBuilder::new("").add_line(None, pattern) {
                self.value(
                    &format!("source.exclude.{number}"),
                    format!("{} is not a pattern of gitignore", quoted(pattern)),
                )
                .hint(error.to_string());
            }
        }
        self.git(&config.source);
        self.shared(config);
    }

    /// The keys of a source that git fetches.
    fn git(&mut self, source: &Source) {
        if let Some((message, hint)) = source.git.as_deref().and_then(git_url::fault) {
            self.value("source.git", message).hint(hint);
        }
        if source.git.is_some() && source.path.is_some() {
            self.key("source.git", "`git` excludes `path`").hint(
                "a release is made from a directory or from git; SOURCE still wins over both",
            );
        }
        let keys = ["ref", "subdir", "submodules"];
        self.belong_to("source", "source", &keys, &["git"]);
        if let Some(name) = source
            .reference
            .as_deref()
            .filter(|it| !git_url::is_ref_name(it))
        {
            let message = format!(
                "{} is not the name of a branch, a tag or a commit",
                quoted(name)
            );
            self.value("source.ref", message)
                .hint("write `main`, `v1.2.3` or the number of a commit");
        }
        if let Some(subdir) = &source.subdir {
            self.inside("source.subdir", subdir, "the repository");
        }
    }

    /// A path that stays inside the directory it is relative to.
    pub(super) fn inside(&mut self, place: &str, path: &Utf8Path, of: &str) {
        let stays =
            |component| matches!(component, Utf8Component::Normal(_) | Utf8Component::CurDir);
        let names_something = path
            .components()
            .any(|c| matches!(c, Utf8Component::Normal(_)));
        if path.is_absolute() {
            self.value(
                place,
                format!("{} must be relative to {of}", quoted(path.as_str())),
            );
        } else if !path.components().all(stays) {
            self.value(
                place,
                format!("{} leads out of {of}", quoted(path.as_str())),
            );
        } else if !names_something {
            self.value(
                place,
                format!("{} names nothing in {of}", quoted(path.as_str())),
            );
        }
    }

    /// A path that no shell will expand.
    pub(super) fn plain(&mut self, place: &str, path: Option<&Utf8Path>) {
        let Some(path) = path else { return };
        if path.as_str().is_empty() {
            self.value(place, "the path is empty")
                .hint("`.` is the directory of this file");
        } else if path.starts_with("~") || path.as_str().starts_with('$') {
            self.value(
                place,
                format!("{} is taken literally", quoted(path.as_str())),
            )
            .hint("`~` and variables are not expanded here; write the whole path");
        }
    }

    fn shared(&mut self, config: &Config) {
        let of_kind = |names: [&str; 2], paths: &[Utf8PathBuf]| {
            let name = match self.tree.has(&format!("shared.{}", names[1])) {
                true => names[1],
                false => names[0],
            };
            let place = |number| format!("shared.{name}.{number}");
            let counts = |component: &Utf8Component| *component != Utf8Component::CurDir;
            let plain = |path: &Utf8PathBuf| path.components().filter(counts).collect();
            let paths = paths.iter().enumerate();
            paths
                .map(|(number, path)| (place(number), plain(path)))
                .collect::<Vec<(String, Utf8PathBuf)>>()
        };
        let mut all = of_kind(["files", "linked_files"], &config.shared.files);
        all.extend(of_kind(["dirs", "linked_dirs"], &config.shared.dirs));
        for (place, path) in &all {
            self.inside(place, path, "`shared`");
        }
        let bridged = of_kind(["bridge", "bridge"], &config.shared.bridge);
        for (place, path) in &bridged {
            self.inside(place, path, "the release");
        }
        self.overlaps(&all, "is shared");
        self.overlaps(&bridged, "is bridged");
        for (place, path) in &bridged {
            let is_outer = |(_, shared): &&(String, Utf8PathBuf)| path.starts_with(shared);
            if let Some((_, shared)) = all.iter().find(is_outer) {
                let message = format!("all releases share {}", quoted(shared.as_str()));
                self.value(place, message)
                    .hint("nothing there needs a bridge: leave one of them out");
            }
        }
    }

    /// Each path is named once, and none lies in another.
    fn overlaps(&mut self, all: &[(String, Utf8PathBuf)], is: &str) {
        let paths: BTreeSet<&Utf8Path> = all.iter().map(|(_, path)| path.as_path()).collect();
        let mut named = BTreeSet::new();
        for (place, path) in all {
            let outer = path
                .ancestors()
                .skip(1)
                .find(|outer| !outer.as_str().is_empty() && paths.contains(outer));
            let name = quoted(path.as_str());
            if !named.insert(path) {
                self.value(place, format!("{name} is named twice"))
                    .hint("once is enough, as a file or as a directory");
            } else if let Some(outer) = outer {
                let outer = quoted(outer.as_str());
                let message = format!("{name} lies in {outer}, which {is} as a whole");
                self.value(place, message).hint("leave one of them out");
            }
        }
    }
}
