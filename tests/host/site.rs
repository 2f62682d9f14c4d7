//! A site of `examples/`, as its README installs it, on a host of its own: `examples/gunicorn-reload`,
//! whose unit is reloaded, or `examples/instance`, each release of which runs its own instance.

use std::ops::Deref;

use crate::host::Host;
use crate::load;
use crate::outcome::Outcome;
use crate::program::{Output, Program};

/// The root directory of the site.
pub const ROOT: &str = "/var/www/myapp";
/// The unit that runs it.
pub const UNIT: &str = "/etc/systemd/system/gunicorn.service";
/// How the example starts its server.
pub const EXEC_START: &str = "/var/www/myapp/current/.venv/bin/python -m gunicorn --chdir /var/www/myapp/current --bind unix:/run/myapp/app.sock --workers 3 app:app";

/// Files `.reached` and `.open` that gated hooks and tests meet at.
const GATE: &str = "/home/deploy/gate";

/// A host with the site's user, unit, proxy and `zdd.toml`, and no release yet.
pub struct Site {
    host: Host,
    example: &'static str,
}

impl Deref for Site {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Site {
    /// Boots a host and installs the example as it is.
    pub fn install() -> Self {
        let host = Host::boot();
        host.sh("
            useradd --create-home --shell /bin/sh --groups systemd-journal deploy
            install -d -o deploy -g deploy /var/www/myapp
            cd /opt/examples/gunicorn-reload
            install -o deploy -g deploy -m 0644 zdd.toml /var/www/myapp/zdd.toml
            install -m 0644 gunicorn.service /etc/systemd/system/gunicorn.service
            install -m 0440 sudoers /etc/sudoers.d/myapp
            rm -f /etc/nginx/sites-enabled/default
            install -m 0644 nginx.conf /etc/nginx/conf.d/myapp.conf
            systemctl daemon-reload
            systemctl start nginx
        ");
        let site = Site {
            host,
            example: "/opt/examples/gunicorn-reload",
        };
        assert!(
            site.read(UNIT)
                .contains(&format!("ExecStart={EXEC_START}\n"))
        );
        site
    }

    /// The same, with this version released by zdd.
    pub fn serving(version: &str) -> Self {
        let site = Site::install();
        site.release(version).assert_exit(0);
        site
    }

    /// Boots a host and installs `examples/instance` as it is, but for the build: releases copy a
    /// virtualenv that is there.
    pub fn of_instances() -> Self {
        let host = Host::boot();
        host.sh("
            useradd --create-home --shell /bin/sh --groups systemd-journal deploy
            usermod -aG deploy www-data
            install -d -o deploy -g deploy /var/www/myapp
            cd /opt/examples/instance
            install -o deploy -g deploy -m 0644 zdd.toml /var/www/myapp/zdd.toml
            install -m 0644 myapp@.service zdd-recover@myapp.service /etc/systemd/system
            install -m 0440 sudoers /etc/sudoers.d/myapp
            rm -f /etc/nginx/sites-enabled/default
            install -m 0644 nginx.conf /etc/nginx/conf.d/myapp.conf
            systemctl daemon-reload
            systemctl enable --quiet zdd-recover@myapp
            systemctl start nginx
        ");
        let site = Site {
            host,
            example: "/opt/examples/instance",
        };
        site.add_settings("[hooks]\nbuild = \"cp -a /opt/gunicorn .venv\"\n");
        site
    }

    /// Lets gunicorn give up soon on a worker that hangs: by itself it waits for half a minute.
    pub fn give_up_soon(&self) {
        self.edit(
            "/etc/systemd/system/myapp@.service",
            "--no-control-socket",
            "--no-control-socket --graceful-timeout 3",
        );
        self.sh("systemctl daemon-reload");
    }

    /// The same, with this version released by zdd.
    pub fn of_instances_serving(version: &str) -> Self {
        let site = Site::of_instances();
        site.release(version).assert_exit(0);
        site
    }

    /// The same site on node.
    pub fn of_node_instances() -> Self {
        let site = Site::of_instances();
        site.sh("
            install -m 0644 /opt/apps/node/myapp@.service /etc/systemd/system/myapp@.service
            systemctl daemon-reload
        ");
        site.configure("cp -a /opt/gunicorn .venv", "true");
        Site {
            example: "/opt/apps/node",
            ..site
        }
    }

    /// See [`Host::reboot`].
    pub fn reboot_host(&mut self) {
        self.host.reboot();
    }

    /// What users are answered as soon as they are after a boot; nothing within ten seconds.
    pub fn first_answer(&self) -> String {
        let ask = "for i in $(seq 100); do curl -sf http://127.0.0.1/ && exit; sleep 0.1; done";
        self.sh(ask).stdout.trim().to_owned()
    }

    /// Adds lines to the end of `zdd.toml`.
    pub fn add_settings(&self, lines: &str) {
        let path = format!("{ROOT}/zdd.toml");
        self.write(&path, &format!("{}\n{lines}", self.read(&path)));
    }

    /// The instances that run now, by their releases.
    pub fn instances(&self) -> Vec<String> {
        let list = "systemctl list-units --plain --no-legend --state=active,activating,deactivating \
                    'myapp@*'";
        let listed = self.sh(list).stdout;
        let names = listed
            .lines()
            .filter_map(|line| line.split(['@', '.']).nth(1));
        names.map(str::to_owned).collect()
    }

    /// The instances that a boot would start, by their releases.
    pub fn enabled_instances(&self) -> Vec<String> {
        let listed = self
            .sh("ls /etc/systemd/system/multi-user.target.wants")
            .stdout;
        let links = listed.lines().filter(|name| name.starts_with("myapp@"));
        let names = links.filter_map(|line| line.split(['@', '.']).nth(1));
        names.map(str::to_owned).collect()
    }

    /// Makes a checkout of the example in this version, unless there is one, and returns its path.
    pub fn source(&self, version: &str) -> String {
        let (path, example) = (format!("/home/deploy/{version}"), self.example);
        self.sh(&format!(
            "[ -d {path} ] || {{ cp -r {example} {path}
             echo {version} > {path}/VERSION; chown -R deploy: {path}; }}"
        ));
        path
    }

    /// Adds Python to the end of a version's `app.py`.
    pub fn append_code(&self, version: &str, python: &str) {
        let file = format!("{}/app.py", self.source(version));
        self.write(&file, &format!("{}\n\n{python}\n", self.read(&file)));
    }

    /// Writes a hook of a version: an executable shell script.
    pub fn write_hook(&self, version: &str, point: &str, script: &str) {
        let file = format!("{}/hooks/{point}", self.source(version));
        self.write(&file, &format!("#!/bin/sh\nset -eu\n{script}\n"));
        self.sh(&format!("chmod 0755 {file}"));
    }

    /// Makes a hook of a version stop at a gate before it does its work, as often as it is run.
    pub fn gate_hook(&self, version: &str, point: &str) {
        let file = format!("{}/hooks/{point}", self.source(version));
        let present = self.program(["cat", &file]).run().stdout;
        let work = present.trim_start_matches("#!/bin/sh\n");
        self.write_hook(
            version,
            point,
            &format!(
                "echo {point} at the gate; touch {GATE}.reached\n\
                 while [ ! -e {GATE}.open ]; do sleep 0.02; done\n{work}"
            ),
        );
        self.sh(&format!("rm -f {GATE}.*"));
    }

    /// Waits until a gated hook has begun.
    #[track_caller]
    pub fn wait_for_gate(&self) {
        let wait = format!("while [ ! -e {GATE}.reached ]; do sleep 0.02; done");
        let waited = self.program(["timeout", "60", "sh", "-c", &wait]).run();
        assert!(waited.status.success(), "no hook has come to its gate");
    }

    /// Lets gated hooks go on, now and later.
    pub fn open_gate(&self) {
        self.sh(&format!("touch {GATE}.open"));
    }

    /// Replaces a piece of a file of the host, which must be there.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = self.read(path);
        assert!(text.contains(from), "`{path}` has no `{from}`:\n{text}");
        self.write(path, &text.replace(from, to));
    }

    /// Replaces a piece of the site's `zdd.toml`.
    pub fn configure(&self, from: &str, to: &str) {
        self.edit(&format!("{ROOT}/zdd.toml"), from, to);
    }

    /// Replaces the unit's `ExecStart`.
    pub fn write_exec_start(&self, command: &str) {
        self.edit(UNIT, EXEC_START, command);
        self.sh("systemctl daemon-reload");
    }

    /// The unit as most guides write it: the console script, and no `--chdir`.
    pub fn use_the_guides_unit(&self) {
        self.write_exec_start(&format!(
            "{ROOT}/current/.venv/bin/gunicorn --bind unix:/run/myapp/app.sock --workers 3 app:app\n\
             WorkingDirectory={ROOT}/current"
        ));
    }

    /// `zdd …`, as the site's owner in the site's root.
    pub fn zdd<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Program {
        self.program(["zdd"])
            .args(arguments)
            .user("deploy")
            .dir(ROOT)
    }

    /// `zdd --json …`, run to its end.
    pub fn outcome<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
        Outcome::of(self.zdd(["--json"]).args(arguments).run())
    }

    /// `zdd --json release` of a version.
    pub fn release(&self, version: &str) -> Outcome {
        self.outcome(["release", &self.source(version)])
    }

    /// The name of the release that `current` names; empty without `current`.
    pub fn current(&self) -> String {
        let link = self.program(["readlink", "-f", &format!("{ROOT}/current")]);
        let target = link.run().stdout;
        target
            .trim()
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    /// The version that answers a user now, or what went wrong.
    pub fn version(&self) -> String {
        let answer = load::ask(self, "http://127.0.0.1/");
        match answer.status {
            Ok(200) => answer.version,
            other => format!("{other:?}"),
        }
    }

    /// Releases a version, and also returns what zdd had said when the `build` hook began.
    pub fn release_heard_before_build(&self, version: &str) -> (String, Outcome) {
        self.gate_hook(version, "build");
        let mut command = self
            .zdd(["--json", "release", &self.source(version)])
            .spawn();
        self.wait_for_gate();
        let said = command.stderr_so_far();
        self.open_gate();
        (said, Outcome::of(command.wait()))
    }

    /// Puts a version into `releases/` and behind `current` as people do it today, without zdd.
    pub fn place_by_hand(&self, version: &str, release: &str) -> Output {
        let (source, dir) = (self.source(version), format!("{ROOT}/releases/{release}"));
        let line = format!(
            "mkdir -p {ROOT}/releases; cp -r {source} {dir}
             cd {dir}; hooks/build; ln -sfn {dir} {ROOT}/current"
        );
        let shell = self.program(["sh", "-euc", &line]).user("deploy");
        shell.succeed()
    }

    /// Nothing of an unfinished command lies about, and `current` names a complete release.
    #[track_caller]
    pub fn assert_tidy(&self) {
        let left = self.sh(&format!(
            "cd {ROOT}; find . -xdev -not -path './releases/*/*' -not -path './.zdd/logs/*' \
             '(' -name '*tmp*' -o -name 'journal*' -o -name 'current?*' -o -name '.current*' ')'"
        ));
        assert_eq!(left.stdout, "", "left behind in {ROOT}");
        let list = self.outcome(["list"]);
        list.assert_exit(0);
        let current = self.current();
        let releases = list.json["releases"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let live = releases.iter().find(|release| release["id"] == current);
        assert!(
            live.is_some_and(|release| release["state"] == "live"),
            "`{current}` is not a live release:\n{list}"
        );
    }

    /// One property of the unit.
    pub fn unit_property(&self, property: &str) -> String {
        let show = ["systemctl", "show", "--value", "--property", property];
        let value = self.program(show).args(["gunicorn.service"]).succeed();
        value.stdout.trim().to_owned()
    }
}
