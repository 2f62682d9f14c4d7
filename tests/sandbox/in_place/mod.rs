//! A site as the original zddeploy has it, with a real nginx of its own and a small server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::sandbox::load::{self, Load};
use crate::sandbox::{Output, Program, processes, site};

pub struct Place {
    _scratch: TempDir,
    pub root: PathBuf,
    pub port: u16,
}

impl Place {
    /// None where there is no nginx: there is nothing to try then.
    pub fn new() -> Option<Place> {
        if !load::has_nginx() {
            return None;
        }
        let scratch = TempDir::with_prefix("zdd-").unwrap();
        let root = scratch.path().canonicalize().unwrap();
        let port = load::free_port();
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
        self.serves_at("/")
    }

    /// Waits until this is served.
    pub fn await_version(&self, version: &str) {
        let began = Instant::now();
        while self.serves().as_deref() != Some(version) {
            assert!(began.elapsed() < Duration::from_secs(20), "never {version}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is served at a path.
    pub fn serves_at(&self, path: &str) -> Option<String> {
        load::ask_at(self.port, path)
    }

    /// A request that takes some seconds, now on its way.
    pub fn request_of(&self, seconds: u32) -> JoinHandle<Option<String>> {
        let port = self.port;
        let request = std::thread::spawn(move || load::ask_at(port, &format!("/slow/{seconds}")));
        // Through nginx to the server, before anything else happens.
        std::thread::sleep(Duration::from_millis(300));
        request
    }

    /// Whether the journal of the run that is at work has this text.
    pub fn journal_has(&self, text: &str) -> bool {
        let journal = self.read(".zdd/in-place.jsonl");
        journal.is_some_and(|journal| journal.contains(text))
    }

    /// Writes a program of the shell.
    pub fn script(&self, name: &str, text: &str) {
        self.file(name, &format!("#!/bin/sh\n{text}\n"));
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(self.root.join(name), mode).unwrap();
    }

    /// Adds a section to `deploy.conf`.
    pub fn service(&self, name: &str, start: &str) {
        let text = self.read("deploy.conf").unwrap();
        let section =
            format!("[service:{name}]\npid_file: ./{name}.pid\nstart: {start}\nstop: kill -TERM\n");
        self.file("deploy.conf", &format!("{text}\n{section}"));
    }

    /// Replaces a piece of a file, which must be there.
    pub fn edit(&self, name: &str, from: &str, to: &str) {
        let text = self.read(name).unwrap();
        assert!(text.contains(from), "`{from}` is not in `{name}`:\n{text}");
        self.file(name, &text.replace(from, to));
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

    /// Starts nginx with these settings.
    pub fn start_nginx(&self, settings: &str) {
        // What it prints would keep a pipe of whoever runs the tests open.
        let mut nginx = Command::new("nginx");
        nginx.arg("-c").arg(self.root.join(settings));
        nginx.stdout(Stdio::null()).stderr(Stdio::null());
        assert!(nginx.status().unwrap().success());
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
        Load::on(self.port)
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
