//! A host with a site of one server behind one proxy.

use std::ops::Deref;

use crate::host::Host;
use crate::outcome::Outcome;
use crate::proxy::Proxy;
use crate::server::Server;

/// The root directory of the site.
pub const ROOT: &str = "/var/www/myapp";
const UNIT: &str = "/etc/systemd/system/myapp@.service";

/// A site as `examples/instance` installs it, and no release yet.
pub struct Site {
    host: Host,
    server: &'static Server,
}

impl Deref for Site {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Site {
    /// Boots a host and installs everything. The virtualenv is made once: releases copy it.
    pub fn install(server: &'static Server, proxy: &Proxy) -> Self {
        let host = Host::boot();
        host.sh(&format!(
            "
            useradd --create-home --shell /bin/sh --groups systemd-journal deploy
            install -d -o deploy -g deploy {ROOT}
            cd /opt/examples/instance
            install -o deploy -g deploy -m 0644 zdd.toml {ROOT}/zdd.toml
            install -m 0440 sudoers /etc/sudoers.d/myapp
            install -m 0644 {}/myapp@.service {UNIT}",
            server.dir
        ));
        let site = Site { host, server };
        if let Some((from, to)) = server.unit_edit {
            site.edit(UNIT, from, to);
        }
        site.configure(server);
        if server.is_python {
            site.sh("python3 -m venv --without-pip /opt/venv
                 pip='python3 -m pip --quiet --python /opt/venv/bin/python'
                 $pip install gunicorn uvicorn websockets
                 python3 -m compileall -q /opt/venv");
        }
        site.sh("systemctl daemon-reload");
        proxy.install(&site);
        site
    }

    /// Keeps all releases, gives up soon, and builds quickly.
    fn configure(&self, server: &Server) {
        let config = format!("{ROOT}/zdd.toml");
        self.edit(&config, "keep = 5", "keep = 50");
        self.edit(
            &config,
            "sudo = true\n",
            "sudo = true\nswitch_timeout = \"5s\"\n",
        );
        let build = match server.is_python {
            true => "cp -a /opt/venv .venv",
            false => "true",
        };
        let text = self.read(&config);
        let hooks = format!("\n[hooks]\nbuild = \"{build}\"\n");
        self.write(&config, &(text + &hooks));
    }

    /// Makes a checkout of the code in this version and returns its path.
    pub fn source(&self, version: &str, broken_by: Option<usize>) -> String {
        let (path, server) = (format!("/home/deploy/{version}"), self.server);
        let code = format!("{path}/{}", server.code);
        self.sh(&format!(
            "mkdir {path}; cp {}/{} {code}; echo {version} > {path}/VERSION; chown -R deploy: {path}",
            server.dir, server.code
        ));
        if let Some(how) = broken_by {
            let text = self.read(&code);
            self.write(&code, &format!("{text}\n{}\n", server.breaking_code[how]));
        }
        path
    }

    /// Replaces a piece of a file, which must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "`{path}` has no `{from}`:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    /// `zdd --json …`, as the site's owner in the site's root.
    pub fn zdd<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
        let program = self.program(["zdd", "--json"]).args(arguments);
        Outcome::of(program.user("deploy").dir(ROOT).run())
    }

    /// The version that `current` names.
    pub fn live_version(&self) -> String {
        let version = self.program(["cat", &format!("{ROOT}/current/VERSION")]);
        version.run().stdout.trim().to_owned()
    }

    /// The last lines of what nginx complained about.
    pub fn complaints_of_the_proxy(&self) -> String {
        let log = self.program(["tail", "--lines=5", "/var/log/nginx/error.log"]);
        log.run().stdout.trim().to_owned()
    }
}
