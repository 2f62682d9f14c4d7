//! The site of `examples/django-supervisor`, as its README installs it, on a host of its own; but
//! releases copy a virtualenv that is made once.

use std::ops::Deref;

use crate::host::Host;
use crate::load;
use crate::outcome::Outcome;

/// The root directory of the site.
pub const ROOT: &str = "/var/www/hc";
/// Where supervisor's files of programs are.
pub const CONF_DIR: &str = "/etc/supervisor/conf.d";
const EXAMPLE: &str = "/opt/examples/django-supervisor";

/// A host with the site's users, supervisor, proxy and `zdd.toml`, and no release yet.
pub struct Django {
    host: Host,
    owner: &'static str,
}

impl Deref for Django {
    type Target = Host;

    fn deref(&self) -> &Host {
        &self.host
    }
}

impl Django {
    /// Boots a host and installs the example. The hook `check` would find what is to be found by
    /// the program itself here.
    pub fn install() -> Self {
        let host = Host::boot();
        host.sh(&format!(
            "useradd --system --user-group --shell /usr/sbin/nologin hc
             useradd --system --no-user-group --gid hc --shell /usr/sbin/nologin hc-static
             usermod --append --groups hc www-data
             install -d -m 0755 /var/www/hc /var/www/hc/shared
             install -d -o hc -g hc -m 0750 /var/www/hc/shared/db
             echo not-very-secret > /var/www/hc/shared/secret_key
             chown root:hc /var/www/hc/shared/secret_key
             chmod 0640 /var/www/hc/shared/secret_key
             cd {EXAMPLE}
             install -m 0644 zdd.toml /var/www/hc/zdd.toml
             install -m 0644 tmpfiles.conf /etc/tmpfiles.d/hc.conf
             systemd-tmpfiles --create /etc/tmpfiles.d/hc.conf
             rm -f /etc/nginx/sites-enabled/default
             install -m 0644 nginx.conf /etc/nginx/conf.d/hc.conf
             mkdir -p /etc/supervisor/conf.d
             printf '[program:other]\\ncommand=sleep infinity\\n' > {CONF_DIR}/other.conf
             systemctl enable --now supervisor
             systemctl start nginx
             python3 -m venv --without-pip /opt/venv
             python3 -m pip --quiet --python /opt/venv/bin/python install -r requirements.txt"
        ));
        let site = Django {
            host,
            owner: "root",
        };
        site.configure(
            "[hooks]",
            "[hooks]\nbuild = \"cp -a /opt/venv .venv && hooks/place_static\"",
        );
        site.configure("hooks/check", "hooks/assets");
        site
    }

    /// The same, with this version released by zdd.
    pub fn serving(version: &str) -> Self {
        let site = Django::install();
        site.release(version).assert_exit(0);
        site
    }

    /// Makes the site `deploy`'s, who then runs zdd. What runs the code is `deploy` too.
    pub fn give_to_deploy(&mut self) {
        self.owner = "deploy";
        self.sh(&format!(
            "useradd --create-home --shell /bin/sh deploy
             usermod --append --groups deploy www-data
             chown -R deploy:deploy {ROOT} /run/hc
             sed -i 's/, user = \"hc[^\"]*\"//; s/^template/sudo = true\\ntemplate/' {ROOT}/zdd.toml
             systemctl restart nginx"
        ));
    }

    /// Each hook that has a user prints who runs it.
    pub fn let_hooks_name_their_users(&self) {
        self.configure("{ run = \"", "{ run = \"id -un; ");
    }

    /// Releases a version, and kills zdd as soon as a line of the journal has this in it.
    #[track_caller]
    pub fn kill_at(&self, version: &str, line: &str) {
        let source = self.source(version);
        let script = format!(
            "rm -f /tmp/ended /tmp/killed; cd {ROOT}
             (zdd release {source} >/tmp/said 2>&1; touch /tmp/ended) &
             while [ ! -e /tmp/ended ]; do
                 grep -q '\"event\":\"{line}' .zdd/journal.jsonl 2>/dev/null || continue
                 pkill -KILL -x zdd && touch /tmp/killed; break
             done; wait; [ -e /tmp/killed ] || {{ cat /tmp/said; exit 1; }}"
        );
        self.sh(&script);
    }

    /// See [`Host::reboot`].
    pub fn reboot_host(&mut self) {
        self.host.reboot();
    }

    /// Makes a checkout of the example in this version, unless there is one, and returns its path.
    pub fn source(&self, version: &str) -> String {
        let path = format!("/srv/{version}");
        let user = match self.owner {
            "root" => "hc",
            owner => owner,
        };
        self.sh(&format!(
            "[ -d {path} ] || {{ cp -r {EXAMPLE} {path}; echo {version} > {path}/VERSION
             sed -i 's/^user=.*/user={user}/' {path}/deploy/*.conf; }}"
        ));
        path
    }

    /// Adds lines to the end of a file of a version.
    pub fn append(&self, version: &str, file: &str, lines: &str) {
        let path = format!("{}/{file}", self.source(version));
        self.write(&path, &format!("{}\n\n{lines}\n", self.read(&path)));
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

    /// `zdd --json …`, as the site's owner in the site's root, run to its end.
    pub fn outcome<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Outcome {
        let zdd = self.program(["zdd", "--json"]).args(arguments);
        Outcome::of(zdd.user(self.owner).dir(ROOT).run())
    }

    /// `zdd --json release` of a version.
    pub fn release(&self, version: &str) -> Outcome {
        self.outcome(["release", &self.source(version)])
    }

    /// The name of the release that `current` names; empty without `current`.
    pub fn current(&self) -> String {
        let link = self.program(["readlink", &format!("{ROOT}/current")]);
        let target = link.run().stdout;
        let name = target.trim().rsplit('/').next();
        name.unwrap_or_default().to_owned()
    }

    /// The version that answers a user now, or what went wrong.
    pub fn version(&self) -> String {
        let answer = load::ask(self, "http://127.0.0.1/");
        match answer.status {
            Ok(200) => answer.version,
            other => format!("{other:?}"),
        }
    }

    /// Every program that supervisor knows, with its state; in order.
    pub fn programs(&self) -> Vec<String> {
        let listed = self.program(["supervisorctl", "status"]).run().stdout;
        let program = |line: &str| {
            line.split_whitespace()
                .take(2)
                .collect::<Vec<_>>()
                .join(" ")
        };
        let mut programs: Vec<String> = listed.lines().map(program).collect();
        programs.sort();
        programs
    }

    /// The process of a program of somebody else.
    pub fn pid_of_other(&self) -> String {
        let pid = self.program(["supervisorctl", "pid", "other"]).succeed();
        pid.stdout.trim().to_owned()
    }

    /// The current release runs, in both programs, and nothing else of this site does or would
    /// after a boot.
    #[track_caller]
    pub fn assert_only_current_runs(&self) {
        let id = self.current();
        let programs = [
            format!("hc-{id} RUNNING"),
            format!("hc-alerts-{id} RUNNING"),
            "other RUNNING".to_owned(),
        ];
        assert_eq!(self.programs(), programs);
        let files = self.sh(&format!("ls -A {CONF_DIR}")).stdout;
        let files: Vec<&str> = files.lines().collect();
        let wanted = [
            format!("hc-{id}.conf"),
            format!("hc-alerts-{id}.conf"),
            "other.conf".to_owned(),
        ];
        assert_eq!(files, wanted);
        let sockets = self.sh("ls /run/hc").stdout;
        assert_eq!(sockets.trim(), format!("{id}.sock"), "sockets");
    }

    /// The job never ran twice at once. Returns how often it was begun.
    #[track_caller]
    pub fn assert_job_ran_once_at_a_time(&self) -> usize {
        let log = self.read(&format!("{ROOT}/shared/db/alerts.log"));
        assert!(!log.contains("twice"), "the job ran twice at once:\n{log}");
        log.lines().filter(|line| line.ends_with("begin")).count()
    }
}
