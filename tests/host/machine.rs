//! The machine the tests run on: whether it can boot hosts, and what is installed and downloaded
//! once for all of them.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::program::CLEAN_PATH;

/// Why no host can boot here; `None` when one can.
pub fn obstacle() -> Option<String> {
    if !nix::unistd::geteuid().is_root() {
        return Some("only root can boot a host (run them as root)".to_owned());
    }
    let is_there = |program: &str| {
        CLEAN_PATH
            .split(':')
            .any(|dir| Path::new(dir).join(program).exists())
    };
    if !is_there("apt-get") && !is_there("systemd-nspawn") {
        return Some("systemd-nspawn is not installed, and there is no apt-get".to_owned());
    }
    let may_mount = Command::new("unshare")
        .args(["--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"])
        .output();
    match may_mount {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("`unshare`: {error}")),
    }
}

/// What hosts share, read-only.
pub struct Stock {
    /// The wheels that `pip` installs from there.
    pub wheels: PathBuf,
    /// A virtualenv with gunicorn and nothing else, for releases to copy.
    pub venv: PathBuf,
}

/// Installs and downloads what hosts need, once a test run.
pub fn prepare() -> &'static Stock {
    static STOCK: OnceLock<Stock> = OnceLock::new();
    STOCK.get_or_init(|| {
        must_succeed(Command::new(
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/packages"),
        ));
        let wheels = download_wheels();
        let venv = make_venv(&wheels);
        Stock { wheels, venv }
    })
}

/// What is installed in hosts by `pip`.
const PYTHON_PACKAGES: [&str; 10] = [
    "alembic",
    "celery",
    "django~=5.2",
    "flask",
    "gunicorn",
    "pytest",
    "setproctitle",
    "twisted",
    "uvicorn",
    "websockets",
];

/// Hosts have no network: their `pip install` reads this directory.
fn download_wheels() -> PathBuf {
    let wheels = Path::new(env!("CARGO_TARGET_TMPDIR")).join("wheels");
    let complete = wheels.join(".complete");
    let all = PYTHON_PACKAGES.join(" ");
    if std::fs::read_to_string(&complete).unwrap_or_default() != all {
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--dest"])
            .arg(&wheels)
            .args(PYTHON_PACKAGES)
            .env("PATH", CLEAN_PATH);
        must_succeed(pip);
        std::fs::write(&complete, all).expect("the target directory is writable");
    }
    wheels
}

/// Made by the Python that hosts have, too.
fn make_venv(wheels: &Path) -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("venv");
    let complete = venv.join(".complete");
    if !complete.exists() {
        let _ = std::fs::remove_dir_all(&venv);
        let python = |words: &[&str]| {
            let mut python = Command::new("python3");
            python.args(words).env("PATH", CLEAN_PATH);
            python
        };
        let mut make = python(&["-m", "venv", "--without-pip"]);
        make.arg(&venv);
        must_succeed(make);
        let mut pip = python(&["-m", "pip", "--quiet", "--python"]);
        pip.arg(venv.join("bin/python"));
        pip.args(["install", "--no-index", "--find-links"])
            .arg(wheels);
        pip.arg("gunicorn");
        must_succeed(pip);
        std::fs::write(&complete, "").expect("the target directory is writable");
    }
    venv
}

/// Runs a command that has to work, and shows what it printed when it does not.
fn must_succeed(mut command: Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Removes the control groups and mount points, all empty, that a test run left when it was
/// killed: their names hold its process id.
pub fn remove_abandoned() {
    for dir in cgroup_roots().into_iter().chain([PathBuf::from("/run")]) {
        for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let owner = name.to_str().and_then(|name| {
                let pid = name.strip_prefix(HOST_PREFIX)?.split('-').next()?;
                pid.parse::<u32>().ok()
            });
            if owner.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
                remove_cgroups(&name);
                let _ = std::fs::remove_dir(entry.path());
            }
        }
    }
}

/// The names of hosts, machine-wide: prefix, the test run's process id, a number.
pub const HOST_PREFIX: &str = "zdd-host-";

/// Removes the control groups of a host; those that still hold a process stay.
pub fn remove_cgroups(name: &OsStr) {
    for dir in cgroup_roots() {
        let tree = walkdir::WalkDir::new(dir.join(name)).contents_first(true);
        for entry in tree.into_iter().flatten() {
            if entry.file_type().is_dir() {
                let _ = std::fs::remove_dir(entry.path());
            }
        }
    }
}

/// Where this process's control group lies in the hierarchies that systemd uses.
fn cgroup_roots() -> Vec<PathBuf> {
    let memberships = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let place = |line: &str| {
        let mut fields = line.splitn(3, ':').skip(1);
        let mounts: &[&str] = match fields.next()? {
            "name=systemd" => &["/sys/fs/cgroup/systemd"],
            "" => &["/sys/fs/cgroup/unified", "/sys/fs/cgroup"],
            _ => return None,
        };
        let mount = mounts
            .iter()
            .map(Path::new)
            .find(|mount| mount.join("cgroup.procs").exists())?;
        Some(mount.join(fields.next()?.trim_start_matches('/')))
    };
    memberships.lines().filter_map(place).collect()
}
