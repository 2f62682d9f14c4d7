//! What `[source] exclude` leaves out of a release, in the syntax of gitignore.

use std::path::Path;

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use crate::error::{Error, Result};

/// Left out of every release before `exclude` is looked at; `!.git` there brings it back.
const ALWAYS_EXCLUDED: [&str; 3] = [".git", ".hg", ".svn"];

/// Knows what is left out.
#[derive(Debug)]
pub struct Excluded {
    patterns: Gitignore,
}

impl Excluded {
    /// Reads the patterns.
    ///
    /// # Errors
    /// When one cannot be understood.
    pub fn new(exclude: &[String]) -> Result<Excluded> {
        let mut builder = GitignoreBuilder::new("");
        for line in ALWAYS_EXCLUDED
            .into_iter()
            .chain(exclude.iter().map(String::as_str))
        {
            builder.add_line(None, line).map_err(|error| {
                Error::usage(format!(
                    "the pattern `{line}` in `exclude` cannot be understood"
                ))
                .cause(error)
            })?;
        }
        let patterns = builder.build().map_err(|error| {
            Error::usage("the patterns in `exclude` cannot be used").cause(error)
        })?;
        Ok(Excluded { patterns })
    }

    /// Whether an entry is left out whose folders are not. For a walk that enters no folder that is.
    pub fn has(&self, path: &Path, is_folder: bool) -> bool {
        self.patterns.matched(path, is_folder).is_ignore()
    }

    /// Whether an entry is left out by itself or with a folder it lies in, as in a walk.
    pub fn has_or_is_below(&self, path: &Path, is_folder: bool) -> bool {
        let folders = path.ancestors().skip(1);
        let mut folders = folders.filter(|folder| !folder.as_os_str().is_empty());
        self.has(path, is_folder) || folders.any(|folder| self.has(folder, true))
    }
}
