//! Control groups: which processes systemd counts to a unit. Version 2, version 1 with systemd's
//! own hierarchy, and both side by side.

use std::fs;

use camino::{Utf8Path, Utf8PathBuf};

/// Where the hierarchies are mounted.
const MOUNT: &str = "/sys/fs/cgroup";

/// Below the mount: version 1, both side by side, version 2. On a host with both, systemd keeps
/// its own list in the first.
const HIERARCHIES: [&str; 3] = ["systemd", "unified", "."];

/// The processes of a group and its sub-groups, ascending. `group` is what systemd calls
/// `ControlGroup`, for instance `/system.slice/app.service`; an empty one has none.
pub fn processes(group: &str) -> Vec<u32> {
    processes_below(Utf8Path::new(MOUNT), group)
}

/// The service of systemd that a process belongs to, for instance `app.service`. None for one of a
/// login, or that may not be looked at.
pub fn unit_of(pid: u32) -> Option<String> {
    unit_in(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// `0::/system.slice/app.service`, or `1:name=systemd:/system.slice/app.service`
fn unit_in(table: &str) -> Option<String> {
    let of_systemd = |line: &&str| line.starts_with("0::") || line.contains(":name=systemd:");
    let mut groups = table.lines().filter(of_systemd);
    let is_service = |name: &&str| name.ends_with(".service");
    let found = groups.find_map(|line| line.rsplit('/').next().filter(is_service));
    found.map(str::to_owned)
}

fn processes_below(mount: &Utf8Path, group: &str) -> Vec<u32> {
    let group = group.trim_matches('/');
    if group.is_empty() {
        return Vec::new();
    }
    let directories = HIERARCHIES.map(|hierarchy| mount.join(hierarchy).join(group));
    let mut processes = Vec::new();
    if let Some(directory) = directories.iter().find(|directory| directory.is_dir()) {
        collect(directory, &mut processes);
    }
    processes.sort_unstable();
    processes.dedup();
    processes
}

/// A group that vanishes meanwhile has no processes.
fn collect(directory: &Utf8Path, processes: &mut Vec<u32>) {
    let list = fs::read_to_string(directory.join("cgroup.procs")).unwrap_or_default();
    processes.extend(list.lines().filter_map(|line| line.parse::<u32>().ok()));
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_group = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if let (true, Ok(path)) = (is_group, Utf8PathBuf::from_path_buf(entry.path())) {
            collect(&path, processes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_of_a_process_is_the_last_part_of_its_group() {
        for (table, unit) in [
            ("0::/system.slice/celery.service\n", Some("celery.service")),
            (
                "12:pids:/system.slice/x.service\n1:name=systemd:/system.slice/app@1.service\n",
                Some("app@1.service"),
            ),
            ("0::/user.slice/user-1000.slice/session-3.scope\n", None),
            ("0::/user.slice/user@1000.service/tmux.scope\n", None),
            ("", None),
        ] {
            assert_eq!(unit_in(table).as_deref(), unit, "{table}");
        }
    }

    /// A tree with the given groups and their processes.
    fn mount(groups: &[(&str, &str)]) -> (tempfile::TempDir, Utf8PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8PathBuf::from_path_buf(directory.path().to_owned()).unwrap();
        for (group, processes) in groups {
            fs::create_dir_all(root.join(group)).unwrap();
            fs::write(root.join(group).join("cgroup.procs"), processes).unwrap();
        }
        (directory, root)
    }

    #[test]
    fn version_2_counts_the_sub_groups() {
        let (_keep, root) = mount(&[
            ("system.slice/app.service", "12\n7\n"),
            ("system.slice/app.service/worker/deep", "30\n"),
            ("system.slice/application.service", "99\n"),
        ]);
        assert_eq!(
            processes_below(&root, "/system.slice/app.service"),
            [7, 12, 30]
        );
    }

    #[test]
    fn version_1_and_a_host_with_both_use_the_hierarchy_of_systemd() {
        let (_keep, root) = mount(&[
            ("systemd/system.slice/app.service", "5\n"),
            ("unified/system.slice/app.service", ""),
            ("memory/system.slice/app.service", "666\n"),
        ]);
        assert_eq!(processes_below(&root, "/system.slice/app.service"), [5]);
    }

    #[test]
    fn a_group_that_is_not_there_and_the_empty_name_have_no_processes() {
        let (_keep, root) = mount(&[(".", "1\n")]);
        assert!(processes_below(&root, "/system.slice/gone.service").is_empty());
        assert!(processes_below(&root, "").is_empty());
        assert!(processes_below(&root, "/").is_empty());
    }
}
