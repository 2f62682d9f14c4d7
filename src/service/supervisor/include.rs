//! Whether supervisor reads the directory that programs are written to, and whether this user may
//! write there.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use nix::unistd::{AccessFlags, access};

use super::control::Supervisorctl;
use crate::error::Finding;

/// Why files cannot be written to the directory.
pub(super) fn unwritable(directory: &Utf8Path, user: &str) -> Option<Finding> {
    if !directory.is_dir() {
        return Some(
            Finding::new(format!("there is no directory `{directory}`"))
                .hint("install supervisor, or name the directory that it includes: `conf_dir = …`"),
        );
    }
    let flags = AccessFlags::W_OK | AccessFlags::X_OK;
    let error = access(directory.as_std_path(), flags).err()?;
    let what = format!("`{user}` may not write to `{directory}`: {}", error.desc());
    Some(Finding::new(what).hint(format!(
        "chgrp {user} {directory} && chmod g+w {directory}; who may write there decides what \
         supervisor runs"
    )))
}

/// Why supervisor would not read a file; none where its settings cannot be read.
pub(super) fn missing(control: &Supervisorctl, file: &Utf8Path) -> Option<Finding> {
    let settings = control.settings_path()?;
    let text = fs::read_to_string(&settings).ok()?;
    let base = settings.parent().unwrap_or(Utf8Path::new("/"));
    if patterns(&text)
        .iter()
        .any(|pattern| fits(base, pattern, file))
    {
        return None;
    }
    let directory = file.parent().unwrap_or(Utf8Path::new("/"));
    let what = format!("`{settings}` does not include `{directory}`");
    let known = patterns(&text).join(" ");
    let line = format!("files = {known} {directory}/*.conf").replace("=  ", "= ");
    let hint = format!("write to `{settings}`, then `supervisorctl reread`: [include] {line}");
    Some(Finding::new(what).hint(hint))
}

/// The words behind `files` in `[include]`.
fn patterns(text: &str) -> Vec<String> {
    let (mut is_include, mut is_files) = (false, false);
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split(" ;").next().unwrap_or_default();
        let trimmed = line.trim();
        if trimmed.starts_with([';', '#']) || trimmed.is_empty() {
            continue;
        }
        if let Some(section) = trimmed.strip_prefix('[') {
            is_include = section.starts_with("include]");
            is_files = false;
            continue;
        }
        let is_continued = line.starts_with(char::is_whitespace);
        let values = match trimmed.split_once('=') {
            _ if is_continued && is_files => trimmed,
            Some((key, values)) => {
                is_files = is_include && key.trim() == "files";
                values
            }
            None => continue,
        };
        if is_files {
            found.extend(values.split_whitespace().map(str::to_owned));
        }
    }
    found
}

/// Whether a pattern of the settings in `base` covers a file.
fn fits(base: &Utf8Path, pattern: &str, file: &Utf8Path) -> bool {
    let pattern = pattern.replace("%(here)s", base.as_str());
    let pattern = base.join(Utf8PathBuf::from(pattern));
    let (Some(of), Some(shape), Some(name)) =
        (pattern.parent(), pattern.file_name(), file.file_name())
    else {
        return false;
    };
    let is_there = |directory: &Utf8Path| directory.canonicalize_utf8();
    let is_same = match (is_there(of), file.parent().map(is_there)) {
        (Ok(one), Some(Ok(other))) => one == other,
        _ => Some(of) == file.parent(),
    };
    is_same && is_like(name, shape)
}

/// A file name against a pattern with `*` and `?`.
fn is_like(name: &str, pattern: &str) -> bool {
    let mut letters = name.chars();
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let ends = name.char_indices().map(|(at, _)| at).chain([name.len()]);
            ends.into_iter()
                .any(|at| is_like(&name[at..], rest.as_str()))
        }
        Some('?') => letters.next().is_some() && is_like(letters.as_str(), rest.as_str()),
        Some(wanted) => letters.next() == Some(wanted) && is_like(letters.as_str(), rest.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[supervisord]\nfiles = no\n\n[include]\nfiles = one.conf ; first\n \
                        /etc/sup/*.conf\n  d?/*.ini\n[x]\nfiles = no\n";

    #[test]
    fn what_is_included_may_go_over_several_lines() {
        assert_eq!(patterns(TEXT), ["one.conf", "/etc/sup/*.conf", "d?/*.ini"]);
        assert!(patterns("[supervisord]\n; files = x\n").is_empty());
    }

    #[test]
    fn a_pattern_covers_the_files_of_its_directory() {
        let fits = |pattern, file: &str| fits("/nowhere".into(), pattern, file.into());
        assert!(fits("/no/conf.d/*.conf", "/no/conf.d/hc-1.conf"));
        assert!(fits("conf.d/*.conf", "/nowhere/conf.d/hc-1.conf"));
        assert!(fits(
            "%(here)s/conf.d/hc-?.conf",
            "/nowhere/conf.d/hc-1.conf"
        ));
        assert!(!fits("/no/conf.d/*.ini", "/no/conf.d/hc-1.conf"));
        assert!(!fits("/no/*.conf", "/no/conf.d/hc-1.conf"));
        assert!(!fits("/no/conf.d/hc-?.conf", "/no/conf.d/hc-12.conf"));
    }
}
