//! A site in a folder of its own, and what zdd leaves there.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;

/// Answers `/` with 200, and `/public` with the number in the file `status`.
const SERVER: &str = r#"#!/usr/bin/env python3
import os, http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"hello"
        code = int(open("status").read()) if self.path == "/public" else 200
        self.send_response(code)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self): return "unix"
    def log_message(self, *words): pass
class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer): pass
Server(os.environ["ZDD_SOCKET"], Handler).serve_forever()
"#;

/// A site with its source, in a folder of its own.
pub struct Place {
    pub guard: tempfile::TempDir,
}

/// What a command left.
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Place {
    pub fn new() -> Place {
        let place = Place {
            guard: tempfile::Builder::new().prefix("zdd").tempdir().unwrap(),
        };
        fs::create_dir(place.path("src")).unwrap();
        fs::write(place.path("src/server"), SERVER).unwrap();
        fs::set_permissions(place.path("src/server"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(place.path("src/status"), "200").unwrap();
        place.configure("");
        place
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.guard.path().join(below)
    }

    /// Writes a `zdd.toml` with the web server, and `more` at its top.
    pub fn configure(&self, more: &str) {
        let here = self.guard.path().display();
        let text = format!(
            "root = \"{here}/site\"\n{more}\n[source]\npath = \"src\"\n\
             [[service]]\nstart = \"./server\"\nhealth = \"/\"\ndrain = \"1s\"\nstop_timeout = \"2s\"\n\
             [[health]]\nurl = \"http://unix:{here}/site/current/run/app.sock:/public\"\n\
             within = \"1s\"\ninterval = \"100ms\"\n"
        );
        fs::write(self.path("zdd.toml"), text).unwrap();
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zdd"));
        command.args(words).current_dir(self.guard.path());
        command
    }

    pub fn zdd(&self, words: &[&str]) -> Ended {
        let output = self.command(words).output().unwrap();
        Ended {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs to a good end.
    pub fn good(&self, words: &[&str]) -> Ended {
        let ended = self.zdd(words);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        ended
    }

    /// Begins a release whose hook `verify` hangs, and kills zdd in it, or zdd and the hook.
    pub fn killed_in_verify(&self, with_hook: bool) {
        self.configure("hooks.verify = \"echo $$ >hook_pid; exec sleep 30\"");
        let mut child = self.started(&["release"]);
        let pid_file = self.path("site/current/hook_pid");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !fs::read_to_string(&pid_file).is_ok_and(|text| text.ends_with('\n')) {
            assert!(Instant::now() < deadline, "the hook was not reached");
            thread::sleep(Duration::from_millis(20));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        if with_hook {
            kill(&fs::read_to_string(pid_file).unwrap());
        }
        self.configure("");
    }

    pub fn started(&self, words: &[&str]) -> Child {
        let mut command = self.command(words);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    pub fn current(&self) -> String {
        let target = fs::read_link(self.path("site/current")).unwrap();
        target.file_name().unwrap().to_str().unwrap().to_owned()
    }

    pub fn state_of(&self, id: &str) -> String {
        let list: Value = serde_json::from_str(&self.good(&["list", "--json"]).stdout).unwrap();
        let rows = list["releases"].as_array().unwrap();
        let row = rows.iter().find(|row| row["id"] == id).unwrap();
        row["state"].as_str().unwrap().to_owned()
    }

    pub fn has_journal(&self) -> bool {
        self.path("site/.zdd/journal.jsonl").exists()
    }

    /// The processes that zdd keeps for releases.
    pub fn instances(&self) -> Vec<PathBuf> {
        files_in(&self.path("site/.zdd/instances"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for file in self.instances() {
            let text = fs::read_to_string(file).unwrap_or_default();
            kill(text.split(' ').next().unwrap_or_default());
        }
    }
}

pub fn files_in(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// Kills one process, named by its pid.
pub fn kill(pid: &str) {
    let pid = nix::unistd::Pid::from_raw(pid.trim().parse().unwrap());
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
}
