//! From a path that the kernel shows to the release it lies in. The root may be reached through a
//! symlink or a bind mount, and a service may live in a mount namespace of its own; so a path is
//! compared as written, as resolved, and at last by device and inode of the directories above it.

use std::cell::RefCell;
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};

use super::evidence::Place;

/// Directories above this depth are not searched for.
const DEPTH: usize = 32;

/// What no release lies below: asking for each library's directory would only take time.
const OF_THE_SYSTEM: [&str; 5] = ["/usr/lib/", "/lib/", "/lib64/", "/dev/", "/memfd:"];

/// Knows the directories of all releases.
#[derive(Debug, Clone)]
pub(super) struct Releases {
    /// The directory of the releases, as configured and resolved.
    directories: Vec<Utf8PathBuf>,
    /// The link, as configured and with its directory resolved.
    links: Vec<Utf8PathBuf>,
    neutral: Vec<Utf8PathBuf>,
    by_inode: HashMap<(u64, u64), String>,
    /// What was found before, by mount namespace and directory.
    found: RefCell<HashMap<(Utf8PathBuf, Utf8PathBuf), Option<String>>>,
}

impl Releases {
    pub fn new(
        releases_dir: &Utf8Path,
        current_path: Option<&Utf8Path>,
        neutral: &[Utf8PathBuf],
    ) -> Self {
        let resolved = releases_dir.canonicalize_utf8().ok();
        let mut directories = vec![releases_dir.to_owned()];
        directories.extend(resolved.filter(|path| path != releases_dir));
        let mut links: Vec<_> = current_path.map(Utf8Path::to_owned).into_iter().collect();
        let parent = current_path.and_then(Utf8Path::parent);
        let name = current_path.and_then(Utf8Path::file_name);
        if let (Some(Ok(parent)), Some(name)) = (parent.map(Utf8Path::canonicalize_utf8), name) {
            links.push(parent.join(name));
        }
        Releases {
            by_inode: by_inode(releases_dir),
            directories,
            links,
            neutral: neutral.to_vec(),
            found: RefCell::default(),
        }
    }

    /// The last part of the directory's path, between slashes: a text without it names no release.
    pub fn mark(&self) -> String {
        format!("/{}/", self.directories[0].file_name().unwrap_or_default())
    }

    /// The release that a path lies in, as written.
    pub fn of_path(&self, path: &Utf8Path) -> Option<Place> {
        if self.is_neutral(path) {
            return None;
        }
        let inside = |directory: &Utf8PathBuf| path.strip_prefix(directory).ok();
        let release = self.directories.iter().find_map(inside)?.iter().next()?;
        Some(Place {
            release: release.to_owned(),
            path: path.to_owned(),
        })
    }

    /// Whether a path goes through the link to the live release.
    pub fn is_through_current(&self, path: &Utf8Path) -> bool {
        self.links.iter().any(|link| path.starts_with(link))
    }

    /// The release that the working directory of a process lies in.
    pub fn of_cwd(&self, pid: u32, cwd: &Utf8Path, namespace: &Utf8Path) -> Option<Place> {
        let direct = || self.above(namespace, cwd, format!("/proc/{pid}/cwd").into());
        self.place(cwd, direct)
    }

    /// The release that a program or a mapped file of a process lies in.
    pub fn of_file(&self, pid: u32, file: &Utf8Path, namespace: &Utf8Path) -> Option<Place> {
        let above = || {
            if OF_THE_SYSTEM
                .iter()
                .any(|system| file.as_str().starts_with(system))
            {
                return None;
            }
            let directory = file.parent()?;
            let seen_from_outside = Utf8PathBuf::from(format!("/proc/{pid}/root{directory}"));
            self.above(namespace, directory, seen_from_outside)
        };
        self.place(file, above)
    }

    fn place(&self, path: &Utf8Path, above: impl Fn() -> Option<String>) -> Option<Place> {
        if self.is_neutral(path) {
            return None;
        }
        self.of_path(path).or_else(|| {
            Some(Place {
                release: above()?,
                path: path.to_owned(),
            })
        })
    }

    /// Climbs from a directory to the root and stops at a release. `shown` is the kernel's name of
    /// the directory, `door` a way into it.
    fn above(&self, namespace: &Utf8Path, shown: &Utf8Path, door: Utf8PathBuf) -> Option<String> {
        if self.by_inode.is_empty() {
            return None;
        }
        let key = (namespace.to_owned(), shown.to_owned());
        if let Some(known) = self.found.borrow().get(&key) {
            return known.clone();
        }
        let found = self.climb(door);
        self.found.borrow_mut().insert(key, found.clone());
        found
    }

    fn climb(&self, mut door: Utf8PathBuf) -> Option<String> {
        let mut below = None;
        for _ in 0..DEPTH {
            let metadata = fs_err::metadata(&door).ok()?;
            let inode = (metadata.dev(), metadata.ino());
            if let Some(release) = self.by_inode.get(&inode) {
                return Some(release.clone());
            }
            if below == Some(inode) {
                return None;
            }
            below = Some(inode);
            door.push("..");
        }
        None
    }

    fn is_neutral(&self, path: &Utf8Path) -> bool {
        self.neutral.iter().any(|neutral| path.starts_with(neutral))
    }
}

fn by_inode(releases_dir: &Utf8Path) -> HashMap<(u64, u64), String> {
    let entries = releases_dir.read_dir_utf8().into_iter().flatten().flatten();
    let inode = |entry: camino::Utf8DirEntry| {
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_dir)?;
        let name = entry.file_name().to_owned();
        Some(((metadata.dev(), metadata.ino()), name))
    };
    entries.filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::process;

    struct Site {
        _keep: tempfile::TempDir,
        root: Utf8PathBuf,
    }

    fn site() -> Site {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().canonicalize().unwrap()).unwrap();
        fs_err::create_dir_all(root.join("real/releases/1/app/deep")).unwrap();
        fs_err::create_dir_all(root.join("real/releases-old/1")).unwrap();
        fs_err::os::unix::fs::symlink("real", root.join("link")).unwrap();
        Site { _keep: keep, root }
    }

    #[test]
    fn a_path_is_compared_as_written_and_as_resolved() {
        let Site { root, _keep } = &site();
        let releases = Releases::new(
            &root.join("link/releases"),
            Some(&root.join("link/current")),
            &[root.join("real/releases/1/cache")],
        );
        let release = |path: &str| {
            releases
                .of_path(&root.join(path))
                .map(|place| place.release)
        };
        assert_eq!(release("link/releases/1/x").as_deref(), Some("1"));
        assert_eq!(release("real/releases/pruned/x").as_deref(), Some("pruned"));
        assert_eq!(release("real/releases"), None);
        assert_eq!(release("real/releases-old/1"), None);
        assert_eq!(release("real/releases/1/cache/x.so"), None);
        assert!(releases.is_through_current(&root.join("link/current/bin/app")));
        assert!(releases.is_through_current(&root.join("real/current")));
        assert!(!releases.is_through_current(&root.join("real/current-old/x")));
    }

    #[test]
    fn a_working_directory_under_another_name_is_known_by_its_inode() {
        let Site { root, _keep } = &site();
        let releases = Releases::new(&root.join("real/releases"), None, &[]);
        let mut child = std::process::Command::new("sleep")
            .arg("5")
            .current_dir(root.join("real/releases/1/app/deep"))
            .spawn()
            .unwrap();
        let pid = child.id();
        let namespace = process::mount_namespace(pid).seen().unwrap();
        let elsewhere = Utf8Path::new("/bound/elsewhere/app/deep");
        let place = releases.of_cwd(pid, elsewhere, &namespace);
        let unrelated = releases.of_file(pid, Utf8Path::new("/etc/hosts"), &namespace);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(place.unwrap().release, "1");
        assert_eq!(unrelated, None);
    }
}
