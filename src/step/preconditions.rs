//! What must hold before anything is built. Everything is looked at, and all findings are reported
//! at once; nothing is changed.

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;

use super::instance::Instance;
use super::proxy;
use crate::config::Config;
use crate::error::{Finding, Result};
use crate::health::address::SOCKET_PATH_LIMIT;
use crate::hook;
use crate::hook::env_file::EnvFile;
use crate::host::tree::measure::Room;
use crate::host::{disk, memory};
use crate::report::time::bytes as size_text;
use crate::site::{History, ReleaseId, Site};

/// The site and the settings, before a release is begun.
pub struct Preconditions<'a> {
    /// The site.
    pub site: &'a Site,
    /// The effective settings.
    pub config: &'a Config,
    /// Everything known about its releases.
    pub history: &'a History,
    /// The name that the new release will have.
    pub release: &'a ReleaseId,
}

impl Preconditions<'_> {
    /// Everything that stands against a release. Services are looked at by [`super::before`].
    ///
    /// # Errors
    /// When the file system refuses to answer at all.
    pub fn findings_for_release(&self) -> Result<Vec<Finding>> {
        let mut findings = self.findings_for_rollback()?;
        findings.extend(self.unnamed_links());
        findings.extend(self.missing_shared_files());
        findings.extend(self.unmet_requirements()?);
        Ok(findings)
    }

    /// What stands against any switch.
    ///
    /// # Errors
    /// When the file system refuses to answer at all.
    pub fn findings_for_rollback(&self) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        if let Err(error) = self.history.current().usable(self.site) {
            findings.push(Finding::from(error));
        }
        findings.extend(self.long_sockets());
        findings.extend(proxy::abandoned(self.site, self.config, self.history));
        findings.extend(hook::user_findings(&self.config.hooks));
        Ok(findings)
    }

    /// Links of an adopted release into `shared/` that the settings do not name: without them the
    /// new release would come up without its uploads.
    fn unnamed_links(&self) -> Option<Finding> {
        let live = self.history.live()?;
        let shared = self.site.shared_dir();
        let named = &self.config.shared;
        let mut files = Vec::new();
        let mut directories = Vec::new();
        for path in links_into(&self.site.release_dir(&live.id), &shared) {
            let mut all = named.files.iter().chain(&named.dirs).chain(&named.bridge);
            if all.any(|it| *it == path) {
                continue;
            }
            let is_directory = shared.join(&path).is_dir();
            if is_directory {
                &mut directories
            } else {
                &mut files
            }
            .push(format!("\"{path}\""));
        }
        if files.is_empty() && directories.is_empty() {
            return None;
        }
        let message = format!(
            "release `{}` has links into `shared/` that `[shared]` does not name",
            live.id
        );
        let mut lines = "add to zdd.toml: [shared]".to_owned();
        for (key, paths) in [("files", files), ("dirs", directories)] {
            if !paths.is_empty() {
                lines += &format!(" {key} = [{}]", paths.join(", "));
            }
        }
        Some(Finding::new(message).hint(lines))
    }

    fn missing_shared_files(&self) -> Vec<Finding> {
        let shared = self.site.shared_dir();
        let files = self
            .config
            .shared
            .files
            .iter()
            .map(|file| shared.join(file));
        let missing = files.filter(|path| !path.is_file());
        missing
            .map(|path| {
                let what = if path.exists() {
                    "is no file"
                } else {
                    "is missing"
                };
                Finding::new(format!("the shared file `{path}` {what}")).hint(format!(
                    "put it there, for instance: install -m 600 .env {path}"
                ))
            })
            .collect()
    }

    fn unmet_requirements(&self) -> Result<Vec<Finding>> {
        let require = &self.config.require;
        let mut findings = Vec::new();
        let env_file = match self.config.env_file.as_deref().map(EnvFile::read) {
            Some(Ok(file)) => Some(file),
            Some(Err(error)) => {
                findings.push(Finding::from(error));
                None
            }
            None => None,
        };
        for key in &require.env {
            let written = env_file
                .as_ref()
                .and_then(|file| file.value(key))
                .map(str::to_owned);
            let value = written.or_else(|| std::env::var(key).ok());
            if value.is_none_or(|value| value.is_empty()) {
                let place = self
                    .config
                    .env_file
                    .as_deref()
                    .map_or("the environment", Utf8Path::as_str);
                findings.push(Finding::new(format!("`{key}` is not set in `{place}`")));
            }
        }
        for command in require
            .commands
            .iter()
            .filter(|command| !is_on_path(command))
        {
            findings.push(Finding::new(format!(
                "the command `{command}` is not on the PATH"
            )));
        }
        if let Some(wanted) = require.free_memory {
            let free = memory::available()?;
            if free < wanted.bytes() {
                let message = format!(
                    "{wanted} of free memory are required, {} are there",
                    size_text(free)
                );
                findings.push(Finding::new(message));
            }
        }
        Ok(findings)
    }

    /// That git is there, for a source that needs it.
    pub fn missing_git(&self) -> Option<Finding> {
        let message = "the source is a git repository, and `git` is not on the PATH";
        let hint = "apt-get install git, or the same of your system";
        (!is_on_path("git")).then(|| Finding::new(message).hint(hint))
    }

    /// The room that the last release took, the live one before all others.
    pub fn usual_room(&self) -> Option<Room> {
        let releases = || self.history.releases().iter().rev();
        let mut sized = self.history.live().into_iter().chain(releases());
        sized.find_map(|record| {
            Some(Room {
                bytes: record.bytes?,
                inodes: record.inodes?,
            })
        })
    }

    /// Room for one more release, as far as it is known how much that is, and what `[require]` asks
    /// for.
    ///
    /// # Errors
    /// When the file system refuses to answer at all.
    pub fn too_little_room(&self, needed: Option<Room>) -> Result<Vec<Finding>> {
        let mut ancestors = self.site.root().ancestors();
        let there = ancestors.find(|path| path.is_dir());
        let free = disk::free_space(there.unwrap_or(Utf8Path::new("/")))?;
        let Room { bytes, inodes } = needed.unwrap_or_default();
        let required = self
            .config
            .require
            .free_space
            .map_or(0, |size| size.bytes());
        let mut findings = Vec::new();
        let root = self.site.root();
        if free.bytes < bytes.max(required) {
            let message = format!(
                "{} of free space are needed below `{root}`, {} are there",
                size_text(bytes.max(required)),
                size_text(free.bytes)
            );
            findings.push(Finding::new(message).hint("zdd prune --keep 2"));
        }
        if let Some(there) = free.inodes.filter(|there| *there < inodes) {
            let message =
                format!("{inodes} free inodes are needed below `{root}`, {there} are there");
            findings.push(Finding::new(message).hint("zdd prune --keep 2"));
        }
        Ok(findings)
    }

    /// A socket path that the kernel would refuse.
    fn long_sockets(&self) -> Vec<Finding> {
        let services = self.config.service.iter().enumerate();
        let instances =
            services.map(|(place, service)| Instance::new(self.site, self.release, place, service));
        let paths = instances.flat_map(|instance| {
            let paths = [instance.path_through_current(), instance.told_socket()];
            paths.into_iter().flatten()
        });
        let long = |path: Utf8PathBuf| {
            let bytes = path.as_str().len();
            (bytes > SOCKET_PATH_LIMIT).then(|| {
                Finding::new(format!("the socket path `{path}` has {bytes} bytes")).hint(format!(
                    "unix sockets may have {SOCKET_PATH_LIMIT}: use a shorter one"
                ))
            })
        };
        paths.filter_map(long).collect()
    }
}

/// The links of a release that lead into `shared`, as paths below it. Looks two levels deep, as
/// far as Capistrano's own documentation goes.
fn links_into(release: &Utf8Path, shared: &Utf8Path) -> Vec<Utf8PathBuf> {
    let shared = shared
        .canonicalize_utf8()
        .unwrap_or_else(|_| shared.to_owned());
    let walk = walkdir::WalkDir::new(release)
        .max_depth(3)
        .sort_by_file_name();
    let links = walk
        .into_iter()
        .flatten()
        .filter(|entry| entry.path_is_symlink());
    links
        .filter_map(|entry| {
            let path = Utf8Path::from_path(entry.path())?;
            let below = path.strip_prefix(release).ok()?;
            let target = fs::read_link(path).ok()?;
            let target = Utf8PathBuf::from_path_buf(target).ok()?;
            let reached = path.parent()?.join(target).canonicalize_utf8().ok()?;
            reached.starts_with(&shared).then(|| below.to_owned())
        })
        .collect()
}

fn is_on_path(command: &str) -> bool {
    use std::os::unix::fs::PermissionsExt;

    let is_executable = |path: Utf8PathBuf| {
        fs::metadata(path)
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .any(|directory| is_executable(Utf8Path::new(directory).join(command)))
}
