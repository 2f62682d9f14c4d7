//! A site with releases behind an nginx of its own, which `[proxy]` leads from port to port.

use std::fs;
use std::path::PathBuf;

use nix::unistd::Pid;

use crate::sandbox::load::{self, Load};
use crate::sandbox::{Output, Program, Site, processes};

/// A service that writes its port, and the nginx before it.
pub const SETTINGS: &str = "[[service]]
name = \"web\"
start = \"python3 server.py\"
port_file = \"port\"
switch_timeout = \"15s\"

[proxy]
template = \"nginx.conf.template\"
output = \"nginx.conf\"
pid_file = \"nginx.pid\"
";

pub struct Place {
    pub site: Site,
    pub port: u16,
}

impl Place {
    /// None where there is no nginx: there is nothing to try then.
    pub fn new(settings: &str) -> Option<Place> {
        if !load::has_nginx() {
            return None;
        }
        let place = Place {
            site: Site::new(settings),
            port: load::free_port(),
        };
        place.site.file(
            "server.py",
            include_str!("../../sandbox/in_place/server.py"),
        );
        place.template(place.port, "");
        Some(place)
    }

    /// The same, with a first release that serves `v1`.
    pub fn released(settings: &str) -> Option<Place> {
        let place = Place::new(settings)?;
        place.release("v1", "good").exits(0);
        assert_eq!(place.serves().as_deref(), Some("v1"));
        Some(place)
    }

    /// The template of nginx, with more at its end.
    pub fn template(&self, port: u16, more: &str) {
        let text = include_str!("../../sandbox/in_place/nginx.conf.template");
        let text = text.replace("TEMP", self.site.scratch().to_str().unwrap());
        let text = text.replace("PORT", &port.to_string());
        let text = text.replace("{nginx_pid_filename}", "{{ nginx_pid_filename }}");
        let backup = "{% if web_previous %}server {{ web_previous }} backup;{% endif %}";
        let server = format!("server {{{{ web_host }}}}:{{{{ web }}}}; {backup}");
        let text = text.replace("server 127.0.0.1:{web};", &server);
        self.site
            .file("nginx.conf.template", &format!("{text}{more}"));
    }

    /// `zdd release` of a version in which something is wrong, not yet run.
    pub fn releasing(&self, version: &str, mode: &str) -> Program {
        self.site.file("mode", mode);
        self.site.releasing(version)
    }

    pub fn release(&self, version: &str, mode: &str) -> Output {
        self.releasing(version, mode).run()
    }

    /// What is served through nginx.
    pub fn serves(&self) -> Option<String> {
        load::ask(self.port)
    }

    pub fn load(&self) -> Load {
        Load::on(self.port)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.site.root.join(name)
    }

    pub fn conf(&self) -> String {
        fs::read_to_string(self.path("nginx.conf")).unwrap()
    }

    pub fn nginx(&self) -> Option<Pid> {
        let text = fs::read_to_string(self.path("nginx.pid")).ok()?;
        Some(Pid::from_raw(text.trim().parse().ok()?))
    }

    pub fn end_nginx(&self) {
        load::end_nginx(&self.path("nginx.pid"));
        while self.path("nginx.pid").exists() {
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// The servers that run: one for each release that does.
    pub fn servers(&self) -> Vec<u32> {
        let all = processes::inside(&self.site.root.join("releases")).into_iter();
        all.map(|(pid, _)| pid).collect()
    }

    /// Everything that tells what users get.
    pub fn state(&self) -> (Option<String>, String, Vec<u32>) {
        (self.site.current(), self.conf(), self.servers())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        load::end_nginx(&self.path("nginx.pid"));
    }
}
