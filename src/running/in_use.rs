//! Who still runs which release: one pass over all processes of the host, login shells included.

use std::collections::BTreeMap;
use std::thread;

use camino::Utf8Path;
use serde::Serialize;

use crate::host::process::{self, Look};

use super::evidence::Place;
use super::releases::Releases;

/// More would only wait for each other.
const MOST_THREADS: usize = 4;

/// A process that uses a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// The process.
    pub pid: u32,
    /// Its command line, shortened.
    pub command: String,
}

/// The processes that use releases.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct InUse {
    /// By the id of the release.
    pub by_release: BTreeMap<String, Vec<User>>,
    /// How many processes this user may not look at.
    pub unreadable: usize,
}

/// Finds the processes whose working directory, program or mapped files lie in a release. Most of
/// the time goes into the kernel's lists of mappings, so several threads ask for them.
pub fn in_use(releases_dir: &Utf8Path) -> InUse {
    let releases = Releases::new(releases_dir, None, &[]);
    let processes = process::all();
    let threads = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_THREADS);
    let share = processes.len().div_ceil(threads).max(1);
    let mut in_use = InUse::default();
    thread::scope(|scope| {
        let look = |pids| {
            let releases = releases.clone();
            scope.spawn(move || among(&releases, pids))
        };
        let lookers: Vec<_> = processes.chunks(share).map(look).collect();
        for looker in lookers {
            let found = looker.join();
            in_use.join(found.unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
    });
    in_use
}

fn among(releases: &Releases, pids: &[u32]) -> InUse {
    let mark = releases.mark();
    let own_namespace = process::mount_namespace(std::process::id())
        .seen()
        .unwrap_or_default();
    let mut in_use = InUse::default();
    for &pid in pids {
        match used_by(releases, &mark, &own_namespace, pid) {
            Look::Gone => {}
            Look::Denied if is_kernel_thread(pid) => {}
            Look::Denied => in_use.unreadable += 1,
            Look::Seen(places) => in_use.add(pid, places),
        }
    }
    in_use
}

impl InUse {
    fn join(&mut self, other: InUse) {
        self.unreadable += other.unreadable;
        for (release, users) in other.by_release {
            self.by_release.entry(release).or_default().extend(users);
        }
    }

    fn add(&mut self, pid: u32, places: Vec<Place>) {
        let mut ids: Vec<String> = places.into_iter().map(|place| place.release).collect();
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let command = process::command(pid).unwrap_or_default();
            self.by_release
                .entry(id)
                .or_default()
                .push(User { pid, command });
        }
    }
}

fn used_by(
    releases: &Releases,
    mark: &str,
    own_namespace: &Utf8Path,
    pid: u32,
) -> Look<Vec<Place>> {
    let (cwd, namespace) = match (process::cwd(pid), process::mount_namespace(pid)) {
        (Look::Seen(cwd), Look::Seen(namespace)) => (cwd, namespace),
        (Look::Denied, _) | (_, Look::Denied) => return Look::Denied,
        _ => return Look::Gone,
    };
    let mut places: Vec<Place> = releases.of_cwd(pid, &cwd, &namespace).into_iter().collect();
    let exe = process::exe(pid).seen();
    places.extend(exe.and_then(|exe| releases.of_file(pid, &exe, &namespace)));
    let Look::Seen(maps) = process::raw_maps(pid) else {
        return Look::Seen(places);
    };
    // Parsing every list of every process would take longer than all the rest.
    let is_own = namespace == own_namespace;
    if !is_own || contains(&maps, mark) {
        let files = process::files_of_maps(&maps);
        places.extend(
            files
                .iter()
                .filter_map(|file| releases.of_file(pid, file, &namespace)),
        );
    }
    Look::Seen(places)
}

/// A list that is not text is parsed whatever it contains.
fn contains(text: &[u8], part: &str) -> bool {
    std::str::from_utf8(text).map_or(true, |text| text.contains(part))
}

fn is_kernel_thread(pid: u32) -> bool {
    process::stat(pid)
        .seen()
        .is_some_and(|stat| stat.is_kernel_thread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use camino::Utf8PathBuf;
    use std::process::{Child, Command};

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    #[test]
    fn a_release_is_in_use_by_working_directory_and_by_program_even_after_its_deletion() {
        let keep = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(keep.path().canonicalize().unwrap()).unwrap();
        let releases = root.join("releases");
        for id in ["1", "2", "3"] {
            fs_err::create_dir_all(releases.join(id).join("bin")).unwrap();
        }
        let program = releases.join("2/bin/waiter");
        fs_err::copy("/bin/sleep", &program).unwrap();
        let shell = Command::new("sleep")
            .arg("30")
            .current_dir(releases.join("1/bin"))
            .spawn();
        let waiter = Command::new(&program).arg("30").current_dir("/").spawn();
        let (shell, waiter) = (Killed(shell.unwrap()), Killed(waiter.unwrap()));
        let pids = |id: &str| {
            let users = in_use(&releases).by_release.remove(id).unwrap_or_default();
            users.into_iter().map(|user| user.pid).collect::<Vec<_>>()
        };
        let is_there = |id: &str, child: &Killed| (0..100).any(|_| pids(id) == [child.0.id()]);
        assert!(is_there("1", &shell) && is_there("2", &waiter));
        assert!(pids("3").is_empty());
        fs_err::remove_dir_all(releases.join("2")).unwrap();
        assert_eq!(pids("2"), [waiter.0.id()]);
    }
}
