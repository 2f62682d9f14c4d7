//! The scratch site: its files, and its end, however the demo ends.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

/// What a socket's path may need, within the kernel's 107 bytes, besides the scratch directory.
const ROOM_FOR_PATHS: usize = 60;

/// A directory with the site, and the source of the app beside it.
pub struct Scratch {
    /// None once it is cleared.
    dir: Option<TempDir>,
    path: PathBuf,
}

impl Scratch {
    /// Makes the site's settings, and the source of the app: this very program under another name.
    pub fn new() -> io::Result<Scratch> {
        let dir = tempfile::Builder::new()
            .prefix("zdd-")
            .rand_bytes(4)
            .tempdir_in(parent())?;
        let path = dir.path().canonicalize()?;
        let scratch = Scratch {
            dir: Some(dir),
            path,
        };
        fs::create_dir(scratch.app_dir())?;
        fs::create_dir(scratch.site_dir())?;
        fs::copy(std::env::current_exe()?, scratch.app_dir().join("server"))?;
        fs::write(scratch.menu(), "tea 2.40\ncake 3.10\n")?;
        fs::write(scratch.site_dir().join("zdd.toml"), scratch.settings())?;
        Ok(scratch)
    }

    /// The root of the site.
    pub fn site_dir(&self) -> PathBuf {
        self.path.join("www")
    }

    /// Where users come in, whatever release is live.
    pub fn socket(&self) -> PathBuf {
        self.site_dir().join("current/run/app.sock")
    }

    /// Makes the source another version of the app.
    pub fn write_version(&self, version: &str) -> io::Result<()> {
        fs::write(self.app_dir().join("REVISION"), format!("{version}\n"))
    }

    /// The mistake of the broken version.
    pub fn forget_menu(&self) -> io::Result<()> {
        fs::remove_file(self.menu())
    }

    /// Ends what still runs, and removes every file.
    pub fn clear(mut self) -> io::Result<()> {
        end_processes_of(&self.path);
        self.dir.take().map_or(Ok(()), TempDir::close)
    }

    fn app_dir(&self) -> PathBuf {
        self.path.join("app")
    }

    fn menu(&self) -> PathBuf {
        self.app_dir().join("menu.txt")
    }

    fn settings(&self) -> String {
        let socket = self.socket();
        let socket = socket.display();
        format!(
            r#"name = "demo"

[hooks]
build = 'echo "Hello from $(cat REVISION)" > index.html'

[[service]]
start = "./server"
socket = "run/app.sock"
health = "/health"

[[health]]
url = "http://unix:{socket}:/"
contains = "Hello"

[[health]]
url = "http://unix:{socket}:/menu"
within = "1s"
"#
        )
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.dir.is_some() {
            end_processes_of(&self.path);
        }
    }
}

/// The directory for temporary files, unless it is too deep for a socket.
fn parent() -> PathBuf {
    let usual = std::env::temp_dir();
    if usual.as_os_str().len() <= 107 - ROOM_FOR_PATHS {
        usual
    } else {
        PathBuf::from("/tmp")
    }
}

/// TERM to every process whose program lies in the scratch site; KILL for what stays.
fn end_processes_of(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(3);
    let mut signal = Signal::SIGTERM;
    loop {
        let left = processes_of(path);
        for pid in &left {
            let _ = kill(*pid, signal);
        }
        if left.is_empty() || signal == Signal::SIGKILL {
            return;
        }
        while Instant::now() < deadline && !processes_of(path).is_empty() {
            thread::sleep(Duration::from_millis(20));
        }
        signal = Signal::SIGKILL;
    }
}

fn processes_of(path: &Path) -> Vec<Pid> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return Vec::new();
    };
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|program| program.starts_with(path))
    })
    .map(Pid::from_raw)
    .collect()
}
