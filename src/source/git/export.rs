//! A commit as files: what `git archive` makes of it, so that `export-ignore` and `export-subst` in
//! `.gitattributes` are honoured and no data of version control comes along.

use std::path::{Path, PathBuf};

use camino::Utf8Path;

use super::{Commit, mirror, program};
use crate::error::{Error, Result};
use crate::host::command::{Ending, Finished};
use crate::host::signal::Patience;
use crate::host::tree::unpack::{End, Unpacking};
use crate::site::Site;
use crate::source::excluded::Excluded;
use crate::source::leads_outside;

/// How a file begins that stands for another one, which Git LFS keeps elsewhere.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// What was exported.
#[derive(Debug)]
pub struct Exported {
    /// Regular files.
    pub files: u64,
    /// Links that are kept although they point out of the release, or to an absolute path.
    pub outside_links: Vec<PathBuf>,
    /// Files that only stand for one that Git LFS keeps.
    pub pointers: Vec<PathBuf>,
}

/// Writes the files of a commit and its submodules into an empty directory. `exclude` is in the
/// syntax of gitignore, its paths begin in the release.
///
/// # Errors
/// When the mirror cannot be read, which is removed then; when something cannot be written; at an
/// entry that would be written outside.
pub fn export(
    site: &Site,
    commit: &Commit,
    exclude: &[String],
    destination: &Utf8Path,
    patience: &Patience,
) -> Result<Exported> {
    let export = Export {
        site,
        commit,
        excluded: Excluded::new(exclude)?,
        patience,
    };
    let mut unpacking = Unpacking::into(destination, POINTER)?;
    export.unpack(None, &commit.id, &mut unpacking)?;
    for module in &commit.modules {
        let place = export.place(module.path.as_std_path(), true);
        // A submodule that is left out has no place; what lies in it goes with it.
        if place.is_some_and(|place| unpacking.has_folder(&place)) {
            export.unpack(Some(&module.path), &module.id, &mut unpacking)?;
        }
    }
    let links = unpacking.links.into_iter();
    let outside = links.filter(|(link, target)| leads_outside(link, target));
    Ok(Exported {
        files: unpacking.files,
        outside_links: outside.map(|(link, _)| link).collect(),
        pointers: unpacking.marked,
    })
}

struct Export<'a> {
    site: &'a Site,
    commit: &'a Commit,
    excluded: Excluded,
    patience: &'a Patience,
}

impl Export<'_> {
    fn unpack(&self, module: Option<&Utf8Path>, id: &str, unpacking: &mut Unpacking) -> Result<()> {
        let mirror = self.site.mirror_dir(module);
        let above = module.map_or(Path::new(""), Utf8Path::as_std_path);
        let placing = |path: &Path, is_folder| self.place(&above.join(path), is_folder);
        let subdir = self.commit.subdir.as_ref().filter(|_| module.is_none());
        let command = program::local(&mirror)
            .args(["--literal-pathspecs", "-c", "tar.umask=0022"])
            .args(["archive", "--format=tar", id, "--"])
            .args(subdir);
        let read = |stream| unpacking.unpack(stream, &placing);
        let (finished, end) = command
            .read(self.patience, read)
            .map_err(|error| program::not_started(&error))?;
        if finished.ending == Ending::Interrupted {
            return Err(program::interrupted());
        }
        // What could not be written is told first: git then only says that nobody listens.
        match end? {
            End::Whole if finished.ending.is_success() => Ok(()),
            End::Broken(error) if finished.ending.is_success() => {
                Err(Error::failed("the archive of git cannot be read").cause(error))
            }
            _ => Err(self.unreadable(&mirror, &finished)?),
        }
    }

    /// A mirror that was whole a moment ago and cannot be read now is of no more use.
    fn unreadable(&self, mirror: &Utf8Path, finished: &Finished) -> Result<Error> {
        let error = Error::failed(format!("git cannot read {}", self.commit));
        if !matches!(finished.ending, Ending::Exited(_)) {
            return Ok(error.cause(format!("git: {}", finished.ending)));
        }
        mirror::remove(mirror)?;
        Ok(error
            .cause(finished.tail.join("\n"))
            .hint("zdd release: the damaged mirror was removed, all is fetched anew"))
    }

    /// Where a path of the repository goes in the release.
    fn place(&self, path: &Path, is_folder: bool) -> Option<PathBuf> {
        let place = match &self.commit.subdir {
            Some(subdir) => path.strip_prefix(subdir).ok()?,
            None => path,
        };
        let is_top = place.as_os_str().is_empty();
        let is_left_out = is_top || self.excluded.has_or_is_below(place, is_folder);
        (!is_left_out).then(|| place.to_owned())
    }
}
