//! A site as the original zddeploy has it, with a real nginx of its own and a small server.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::sandbox::{Output, Program, processes, site};

pub struct Place {
    _scratch: TempDir,
    pub root: PathBuf,
    pub port: u16,
}

impl Place {
    /// None where there is no nginx: there is nothing to try then.
    pub fn new() -> Option<Place> {
        let places = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        if !places.iter().any(|place| Path::new(place).exists()) {
            return None;
        }
        let scratch = TempDir::with_prefix("zdd-").unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let port = free_port();
        let place = Place {
            _scratch: scratch,
            root,
            port,
        };
        place.file("server.py", include_str!("server.py"));
        place.template(port, "");
        place.file(
            "deploy.conf",
            "[nginx]\ntemplate: ./nginx.conf.template\npid_file: ./nginx.pid\n\n\
             [service:web]\npid_file: ./web.pid\nstart: python3 server.py\nstop: kill -TERM\n",
        );
        place.code("v1", "good");
        Some(place)
    }

    pub fn file(&self, name: &str, text: &str) {
        fs::write(self.root.join(name), text).unwrap();
    }

    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root.join(name)).ok()
    }

    /// The template of nginx, with more at its end.
    pub fn template(&self, port: u16, more: &str) {
        let text = include_str!("nginx.conf.template");
        let text = text.replace("TEMP", self.root.to_str().unwrap());
        let text = text.replace("PORT", &port.to_string());
        self.file("nginx.conf.template", &format!("{text}{more}"));
    }

    /// The code, and what is wrong with it.
    pub fn code(&self, version: &str, mode: &str) {
        self.file("version", version);
        self.file("mode", mode);
    }

    pub fn zdd(&self, words: &str) -> Program {
        site::zdd().words(words).dir(&self.root)
    }

    pub fn release(&self) -> Output {
        self.zdd("release").run()
    }

    pub fn pid(&self, name: &str) -> u32 {
        self.read(name).unwrap().trim().parse().unwrap()
    }

    /// What is served through nginx.
    pub fn serves(&self) -> Option<String> {
        ask(self.port)
    }

    /// Every file whose content tells what is live, but for logs.
    pub fn files(&self) -> Vec<(String, String)> {
        let names = site::names_in(&self.root).into_iter();
        let kept = names.filter(|name| {
            let ends = [".pid", ".port", ".conf"];
            ends.iter().any(|end| name.ends_with(end))
        });
        kept.map(|name| (name.clone(), self.read(&name).unwrap()))
            .collect()
    }

    /// The pids of the servers that run.
    pub fn servers(&self) -> Vec<u32> {
        let all = processes::inside(&self.root).into_iter();
        all.map(|(pid, _)| pid)
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains("server.py")
            })
            .collect()
    }

    /// Ends nginx and waits until it is gone.
    pub fn end_nginx(&self) {
        let pid = self.pid("nginx.pid");
        kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM).unwrap();
        while self.root.join("nginx.pid").exists() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Steady requests until they are ended.
    pub fn load(&self) -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let (good, bad) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let port = self.port;
        let client = || {
            let (over, good, bad) = (over.clone(), good.clone(), bad.clone());
            std::thread::spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let counter = if ask(port).is_some() { &good } else { &bad };
                    counter.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(3));
                }
            })
        };
        Load {
            clients: (0..4).map(|_| client()).collect(),
            over,
            good,
            bad,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let pid = self.read("nginx.pid").and_then(|it| it.trim().parse().ok());
        if let Some(pid) = pid.filter(|pid: &i32| *pid > 1) {
            let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&title).contains("nginx: master") {
                let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            }
        }
        processes::end_inside(&self.root);
    }
}

pub struct Load {
    clients: Vec<JoinHandle<()>>,
    over: Arc<AtomicBool>,
    good: Arc<AtomicUsize>,
    bad: Arc<AtomicUsize>,
}

impl Load {
    /// Ends the requests: there were some, and none failed.
    pub fn lost_none(self) {
        self.over.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        let (good, bad) = (
            self.good.load(Ordering::Relaxed),
            self.bad.load(Ordering::Relaxed),
        );
        assert!(good > 10, "{good} answered");
        assert_eq!(bad, 0, "failed, {good} answered");
    }
}

/// A port for nginx, below those that the kernel gives to the servers: none of them takes it while
/// nginx does not run.
fn free_port() -> u16 {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let first = std::process::id() as usize * 50;
    loop {
        let number = first + NEXT.fetch_add(1, Ordering::Relaxed);
        let port = u16::try_from(20_000 + number % 10_000).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

/// The body of a good answer.
fn ask(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .ok()?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    head.contains(" 200 ").then(|| body.to_owned())
}
