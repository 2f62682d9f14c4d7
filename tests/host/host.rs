//! A throwaway host: systemd as PID 1 on an overlay of this machine's root, with its own network,
//! /tmp and /run. It ends with this value, with a panic, and with the test process.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::machine::{self, HOST_PREFIX, Stock};
use crate::program::{Output, Program};

/// A booted host.
pub struct Host {
    name: OsString,
    container: Child,
    pid: i32,
}

impl Host {
    /// Boots a host and waits until it is up, which takes about a second.
    pub fn boot() -> Self {
        static CLEAN: Once = Once::new();
        static COUNT: AtomicU32 = AtomicU32::new(1);

        let stock = machine::prepare();
        CLEAN.call_once(machine::remove_abandoned);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{HOST_PREFIX}{}-{number}", std::process::id());
        let mut console = tempfile::tempfile().expect("a temporary file");
        let container = start_container(&name, stock, &console);
        let mut host = Host {
            name: name.into(),
            container,
            pid: 0,
        };
        host.wait_until_up(&mut console);
        host.write(
            "/etc/pip.conf",
            "[global]\nno-index = true\nfind-links = /opt/wheels\n",
        );
        host
    }

    /// A program to be run in this host.
    pub fn program<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Program {
        Program::new(self.pid, arguments)
    }

    /// Runs a shell line as root, which must end in 0.
    pub fn sh(&self, line: &str) -> Output {
        self.program(["sh", "-euc", line]).succeed()
    }

    /// Lets it have no room for another copy of anything, as far as the kernel's own words go,
    /// until `umount /proc/meminfo`.
    pub fn have_little_memory(&self) {
        self.sh("
            sed 's/^MemAvailable:.*/MemAvailable: 1024 kB/; s/^SwapFree:.*/SwapFree: 512 kB/' \
                /proc/meminfo > /opt/meminfo
            mount --bind /opt/meminfo /proc/meminfo
        ");
    }

    /// Writes a file and the directories above it, as root.
    pub fn write(&self, path: &str, text: &str) {
        let mut nsenter = Command::new("nsenter")
            .arg(format!("--target={}", self.pid))
            .args(["--all", "install", "-D", "--mode=0644", "/dev/stdin", path])
            .stdin(Stdio::piped())
            .spawn()
            .expect("`nsenter` is installed");
        let mut stdin = nsenter.stdin.take().expect("stdin is a pipe");
        stdin.write_all(text.as_bytes()).expect("it is read");
        drop(stdin);
        let status = nsenter.wait().expect("it can be waited for");
        assert!(status.success(), "cannot write `{path}` in the host");
    }

    /// The text of a file, read as root.
    pub fn read(&self, path: &str) -> String {
        self.program(["cat", path]).succeed().stdout
    }

    /// Ends everything at once, as a power cut does, and boots again with what is on its disk.
    pub fn reboot(&mut self) {
        let old = self.pid;
        self.sh("sync");
        let _ = self
            .program(["systemctl", "reboot", "--force", "--force"])
            .run();
        let mut console = tempfile::tempfile().expect("a temporary file");
        let started = Instant::now();
        while init_of(self.container.id()).is_none_or(|pid| pid == old) {
            assert!(
                started.elapsed() < Duration::from_secs(30),
                "no second boot"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        self.wait_until_up(&mut console);
        self.sh("systemctl start multi-user.target");
    }

    /// The host's network, as a file for `setns`.
    pub fn network(&self) -> File {
        File::open(format!("/proc/{}/ns/net", self.pid)).expect("the host is up")
    }

    fn wait_until_up(&mut self, console: &mut File) {
        let started = Instant::now();
        loop {
            if let Some(pid) = init_of(self.container.id()) {
                self.pid = pid;
                let state = self.program(["systemctl", "is-system-running"]).run();
                if ["running", "degraded"].contains(&state.stdout.trim()) {
                    return;
                }
            }
            let ended = self.container.try_wait().expect("it is our child");
            if ended.is_some() || started.elapsed() > Duration::from_secs(60) {
                let mut log = String::new();
                let _ = std::io::Seek::rewind(console);
                let _ = console.read_to_string(&mut log);
                panic!("the host did not boot ({ended:?}):\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Host {
    /// The kernel ends everything in the container with its init, and the mounts with them.
    fn drop(&mut self) {
        match self.pid {
            0 => drop(self.container.kill()),
            init => drop(kill(Pid::from_raw(init), Signal::SIGKILL)),
        }
        let _ = self.container.wait();
        machine::remove_cgroups(&self.name);
        let _ = std::fs::remove_dir(mount_point(&self.name));
    }
}

/// Starts `boot.sh` so that it cannot outlive this process and its mounts cannot outlive it.
fn start_container(name: &str, stock: &Stock, console: &File) -> Child {
    let same = |file: &File| Stdio::from(file.try_clone().expect("a second handle"));
    let mount_point = mount_point(name.as_ref());
    std::fs::create_dir(&mount_point).expect("root can write to /run");
    Command::new("setpriv")
        .args(["--pdeathsig=TERM", "unshare", "--mount", "bash", "-c"])
        .args([include_str!("boot.sh"), "boot.sh", name])
        .arg(&mount_point)
        .arg(format!(
            "--bind-ro={}:/usr/local/bin/zdd",
            env!("CARGO_BIN_EXE_zdd")
        ))
        .arg(format!("--bind-ro={}:/opt/wheels", stock.wheels.display()))
        .arg(format!("--bind-ro={}:/opt/gunicorn", stock.venv.display()))
        .arg(format!(
            "--bind-ro={}/examples:/opt/examples",
            env!("CARGO_MANIFEST_DIR")
        ))
        .arg(format!(
            "--bind-ro={}/benches/cutover/apps:/opt/apps",
            env!("CARGO_MANIFEST_DIR")
        ))
        .stdin(Stdio::null())
        .stdout(same(console))
        .stderr(same(console))
        .spawn()
        .expect("`setpriv` and `unshare` are installed")
}

/// The process two steps below `boot.sh` that is PID 1 of its own process namespace.
fn init_of(boot: u32) -> Option<i32> {
    let children = |pid: u32| {
        let children = format!("/proc/{pid}/task/{pid}/children");
        std::fs::read_to_string(children).unwrap_or_default()
    };
    let containers = children(boot);
    let containers = containers
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    let children: String = containers.map(children).collect();
    let is_init = |pid: &&str| {
        std::fs::read_to_string(format!("/proc/{pid}/status")).is_ok_and(|status| {
            status
                .lines()
                .any(|line| line == format!("NSpid:\t{pid}\t1"))
        })
    };
    children.split_whitespace().find(is_init)?.parse().ok()
}

/// Where a host has its root, in a mount namespace of its own: for others it is an empty directory.
fn mount_point(name: &OsStr) -> PathBuf {
    Path::new("/run").join(name)
}
