//! A site on disk: a root directory and what hangs on it. Every path below the root is made here
//! and nowhere else.

pub mod adoption;
pub mod bridged;
pub mod history;
pub mod instance;
pub mod link;
pub mod lock;
pub mod migration;
pub mod record;
pub mod release_id;
pub mod retention;
pub mod revisions_log;
pub mod samples;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

use camino::{Utf8Path, Utf8PathBuf};
use fs_err as fs;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::{Context, Error, Result};

pub use bridged::Bridged;
pub use history::History;
pub use migration::Migration;
pub use record::{Record, State};
pub use release_id::ReleaseId;
pub use samples::Samples;

/// The paths of one site. Nothing is read or made by asking for a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    root: Utf8PathBuf,
}

impl Site {
    /// The site below an absolute root directory, which may not be there yet.
    pub fn new(root: impl Into<Utf8PathBuf>) -> Self {
        Site { root: root.into() }
    }

    /// The directory everything hangs on.
    pub fn root(&self) -> &Utf8Path {
        &self.root
    }

    /// The link that names what users get.
    pub fn current_path(&self) -> Utf8PathBuf {
        self.root.join("current")
    }

    /// Where the releases lie.
    pub fn releases_dir(&self) -> Utf8PathBuf {
        self.root.join("releases")
    }

    /// The directory of one release.
    pub fn release_dir(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.releases_dir().join(id.as_str())
    }

    /// Where a pruned release is moved before it is deleted.
    pub fn trash_dir(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.releases_dir().join(format!("{TRASH_PREFIX}{id}"))
    }

    /// Files and directories that all releases share.
    pub fn shared_dir(&self) -> Utf8PathBuf {
        self.root.join("shared")
    }

    /// What a link at `path` in a release must name to reach the same path below `shared/`,
    /// wherever the root is moved to.
    pub fn shared_target_path(path: &Utf8Path) -> Utf8PathBuf {
        let up: Utf8PathBuf = path.components().map(|_| "..").collect();
        up.join("../shared").join(path)
    }

    /// What releases share that can be made again.
    pub fn cache_dir(&self) -> Utf8PathBuf {
        self.root.join("cache")
    }

    /// Where the mirrors of git repositories lie.
    pub fn mirrors_dir(&self) -> Utf8PathBuf {
        self.cache_dir().join("git")
    }

    /// The mirror of the repository that releases come from, or of the submodule at a path in it.
    pub fn mirror_dir(&self, module: Option<&Utf8Path>) -> Utf8PathBuf {
        match module {
            None => self.mirrors_dir().join("source"),
            Some(path) => self.mirrors_dir().join(mirror_name(path)),
        }
    }

    /// zdd's own directory.
    pub fn zdd_dir(&self) -> Utf8PathBuf {
        self.root.join(".zdd")
    }

    /// The file whose lock makes commands wait for each other. Never deleted.
    pub fn lock_path(&self) -> Utf8PathBuf {
        self.zdd_dir().join("lock")
    }

    /// What the command in flight has done so far.
    pub fn journal_path(&self) -> Utf8PathBuf {
        self.zdd_dir().join("journal.jsonl")
    }

    /// The journal of a site that is released in place by a `deploy.conf`.
    pub fn in_place_journal_path(&self) -> Utf8PathBuf {
        self.zdd_dir().join("in-place.jsonl")
    }

    /// The instances that such a site runs.
    pub fn in_place_record_path(&self) -> Utf8PathBuf {
        self.zdd_dir().join("in-place.json")
    }

    /// The last settings of its proxy that were good.
    pub fn last_good_path(&self) -> Utf8PathBuf {
        self.zdd_dir().join("last-good.conf")
    }

    /// What its proxy, or the service at a place, printed.
    pub fn in_place_log_path(&self, what: &str) -> Utf8PathBuf {
        self.zdd_dir().join("logs").join(format!("{what}.log"))
    }

    /// Makes the directories that a site without releases needs.
    ///
    /// # Errors
    /// When a directory cannot be made.
    pub fn prepare_in_place(&self) -> Result<()> {
        let logs = self.zdd_dir().join("logs");
        make_dir(&self.zdd_dir(), 0o755)
            .and_then(|()| make_dir(&logs, 0o700))
            .context("cannot prepare the site")
    }

    /// Where the records lie.
    pub fn records_dir(&self) -> Utf8PathBuf {
        self.zdd_dir().join("releases")
    }

    /// The record of one release.
    pub fn record_path(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.records_dir().join(format!("{id}.json"))
    }

    /// The logs of one release.
    pub fn logs_dir(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.zdd_dir().join("logs").join(id.as_str())
    }

    /// The log of one step of one release.
    pub fn log_path(&self, id: &ReleaseId, step: &str) -> Utf8PathBuf {
        self.logs_dir(id).join(format!("{step}.log"))
    }

    /// Where is written down which files of a release are another one's.
    pub fn bridged_dir(&self) -> Utf8PathBuf {
        self.zdd_dir().join("bridged")
    }

    /// The same of one release.
    pub fn bridged_path(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.bridged_dir().join(format!("{id}.json"))
    }

    /// Where processes that zdd started for a release are written down.
    pub fn instances_dir(&self) -> Utf8PathBuf {
        self.zdd_dir().join("instances")
    }

    /// The process that zdd started for the `index`-th service of a release.
    pub fn instance_path(&self, id: &ReleaseId, index: usize) -> Utf8PathBuf {
        self.instances_dir().join(format!("{id}-{index}.pid"))
    }

    /// Where a proxy finds a socket of a release, through `current`.
    pub fn socket_path(&self, id: &ReleaseId, name: &str) -> Utf8PathBuf {
        self.release_dir(id).join(SOCKETS_DIR).join(name)
    }

    /// The same through the link, as it stands in the settings of a proxy.
    pub fn current_socket_path(&self, name: &str) -> Utf8PathBuf {
        self.current_path().join(SOCKETS_DIR).join(name)
    }

    /// Capistrano's own log of what went live.
    pub fn revisions_log_path(&self) -> Utf8PathBuf {
        self.root.join("revisions.log")
    }

    /// The commit a release was made from, where error trackers look for it.
    pub fn revision_path(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.release_dir(id).join(REVISION_NAME)
    }

    /// The time of that commit, in seconds since 1970.
    pub fn revision_time_path(&self, id: &ReleaseId) -> Utf8PathBuf {
        self.release_dir(id).join(REVISION_TIME_NAME)
    }

    /// Makes the directories that a changing command needs, with modes that let anyone read the
    /// records and nobody else write them, whatever the umask.
    ///
    /// # Errors
    /// When a directory cannot be made.
    pub fn prepare(&self) -> Result<()> {
        let (all, owner) = (0o755, 0o700);
        for (directory, mode) in [
            (self.releases_dir(), all),
            (self.zdd_dir(), all),
            (self.records_dir(), all),
            (self.instances_dir(), all),
            (self.zdd_dir().join("logs"), owner),
        ] {
            make_dir(&directory, mode).context("cannot prepare the site")?;
        }
        Ok(())
    }

    /// Refuses to change a site that belongs to somebody else, or that others could change
    /// underneath.
    ///
    /// # Errors
    /// Names the directory and the command that would be right.
    pub fn check_owner(&self, arguments: &str) -> Result<()> {
        use std::os::unix::fs::MetadataExt;

        let caller = nix::unistd::Uid::effective();
        for directory in [self.root.clone(), self.releases_dir(), self.zdd_dir()] {
            let Ok(metadata) = fs::metadata(&directory) else {
                continue;
            };
            if metadata.uid() != caller.as_raw() {
                let owner = crate::host::user::name_of(metadata.uid());
                return Err(Error::failed(format!("`{directory}` belongs to `{owner}`"))
                    .hint(format!("sudo -u {owner} zdd {arguments}")));
            }
            if metadata.mode() & 0o002 != 0 {
                return Err(
                    Error::failed(format!("everybody can write into `{directory}`"))
                        .hint(format!("chmod o-w {directory}")),
                );
            }
        }
        Ok(())
    }
}

/// Makes a directory with exactly this mode, whatever the umask; parents that are missing can be
/// read by all. One that is there stays as it is.
///
/// # Errors
/// When the file system refuses.
pub fn make_dir(directory: &Utf8Path, mode: u32) -> io::Result<()> {
    if directory.is_dir() {
        return Ok(());
    }
    if let Some(parent) = directory.parent() {
        make_dir(parent, 0o755)?;
    }
    match fs::create_dir(directory) {
        Ok(()) => fs::set_permissions(directory, Permissions::from_mode(mode)),
        // Another zdd made it at the same moment, before either had the lock.
        Err(_) if directory.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// A path as one name that no other path has, and that no path can make lead elsewhere.
fn mirror_name(path: &Utf8Path) -> String {
    const LONGEST: usize = 200;
    const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');
    let name = utf8_percent_encode(path.as_str(), PLAIN).to_string();
    if name.len() <= LONGEST {
        return format!("module-{name}");
    }
    // FNV-1a: two such long paths need only be told from each other.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("module-{}-{hash:016x}", &name[..LONGEST])
}

/// The file in a release that says which version of the code it is, as Capistrano writes it.
pub const REVISION_NAME: &str = "REVISION";

/// The file in a release that says when that version was committed, in seconds since 1970.
pub const REVISION_TIME_NAME: &str = "REVISION_TIME";

/// The directory in a release that holds its sockets, or links to them.
const SOCKETS_DIR: &str = "run";

/// How the directories that wait for their deletion begin.
pub const TRASH_PREFIX: &str = ".trash-";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_submodule_has_a_mirror_of_its_own_beside_that_of_the_source() {
        let site = Site::new("/s");
        let mirror = |path: &str| site.mirror_dir(Some(Utf8Path::new(path)));
        assert_eq!(site.mirror_dir(None), "/s/cache/git/source");
        assert_eq!(mirror("lib/a"), "/s/cache/git/module-lib%2Fa");
        assert_eq!(mirror(".."), "/s/cache/git/module-%2E%2E");
        let long = "ä/".repeat(200);
        let (one, other) = (mirror(&long), mirror(&(long.clone() + "x")));
        assert!(one != other && one.file_name().unwrap().len() < 255);
    }

    #[test]
    fn a_site_can_be_read_by_all_and_its_logs_by_the_owner_whatever_the_umask() {
        let guard = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(guard.path().join("deep/root")).unwrap();
        let site = Site::new(root);
        make_dir(&site.releases_dir(), 0o755).unwrap();
        site.prepare().unwrap();
        let mode = |path: &Utf8Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        for directory in [site.root(), &site.releases_dir(), &site.records_dir()] {
            assert_eq!(mode(directory), 0o755, "{directory}");
        }
        assert_eq!(mode(&site.zdd_dir().join("logs")), 0o700);
        fs::set_permissions(site.releases_dir(), Permissions::from_mode(0o775)).unwrap();
        site.prepare().unwrap();
        assert_eq!(mode(&site.releases_dir()), 0o775);
    }
}
