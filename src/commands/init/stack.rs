//! The kinds of projects, and which files each one gets. The texts lie beside this file and in the
//! `hooks/` folder of this repository.

use camino::Utf8Path;
use clap::ValueEnum;
use serde::Serialize;

use super::project;

/// A kind of project that zdd has files for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stack {
    /// A Flask or other WSGI app behind gunicorn
    #[value(alias = "python")]
    Flask,
    /// A Django project behind gunicorn
    Django,
    /// A node server
    Node,
    /// A Rails or other Rack app on puma
    Rails,
    /// PHP behind php-fpm
    Php,
    /// Pages that nginx serves as files
    Static,
    /// A Flask or Django app behind gunicorn that supervisor runs
    Supervisor,
    /// A program that chooses its port, behind an nginx of its own: no systemd, no root
    Zddeploy,
}

/// A path, in which placeholders are filled in too, and the text of a file.
pub(super) type File = (&'static str, &'static str);

/// A text that lies beside this file.
macro_rules! text {
    ($path:literal) => {
        include_str!($path)
    };
}

/// The text of one of the hooks that zdd ships.
macro_rules! hook {
    ($path:literal) => {
        include_str!(concat!("../../../hooks/", $path))
    };
}

/// The hooks that every stack gets; they do nothing without NOTIFY_URL.
pub(super) const NOTIFY: &[File] = &[
    ("finish", hook!("notify/finish")),
    ("failed", hook!("notify/failed")),
];

const FLASK_HOOKS: &[File] = &[
    ("build", hook!("python/build")),
    ("check", hook!("python/check")),
];
const DJANGO_HOOKS: &[File] = &[
    ("build", hook!("django/build")),
    ("check", hook!("django/check")),
    ("migrate", hook!("django/migrate")),
];

const PROXY: File = ("deploy/@NAME@.nginx", text!("proxy.nginx"));
const DJANGO_PROXY: File = ("deploy/@NAME@.nginx", text!("django.nginx"));
const GUNICORN: File = ("zdd.toml", text!("gunicorn.toml"));
const GUNICORN_UNIT: File = ("deploy/@NAME@@.service", text!("gunicorn@.service"));
const SUDOERS: File = ("deploy/@NAME@.sudoers", text!("sudoers"));
/// The whole name: the template of two sites would be one file.
pub(super) const RECOVER_UNIT: File = (
    "deploy/zdd-recover@@NAME@.service",
    text!("recover.service"),
);

const PYTHON_CODE: &str = "\
#   requirements.txt (or pyproject.toml) names gunicorn.
#   gunicorn serves `@APP@`; another name is changed in @RUNNER@.";
const DJANGO_CODE: &str = "\
#   In the settings: STATIC_ROOT = BASE_DIR / \"static_root\"
#   and ALLOWED_HOSTS with your domain and with \"localhost\", by which zdd asks.";
const NODE_CODE: &str = "\
#   server.js listens where it is told to: server.listen(process.env.PORT)
#   and finishes what it began when stopped: process.on(\"SIGTERM\", () => server.close())
#   package-lock.json is there: npm ci installs what it names.";
const RAILS_CODE: &str = "\
#   The Gemfile names puma, and Gemfile.lock is there.";

impl Stack {
    /// `zdd.toml`, and what belongs elsewhere on the server.
    pub(super) fn settings(self, project: &Utf8Path) -> Vec<File> {
        let of_instances = |files: [File; 3]| {
            let [settings, unit, proxy] = files;
            vec![settings, unit, proxy, SUDOERS, RECOVER_UNIT]
        };
        match self {
            Stack::Flask => of_instances([GUNICORN, GUNICORN_UNIT, PROXY]),
            Stack::Django => of_instances([GUNICORN, GUNICORN_UNIT, DJANGO_PROXY]),
            Stack::Node => of_instances([
                ("zdd.toml", text!("node.toml")),
                ("deploy/@NAME@@.service", text!("node@.service")),
                PROXY,
            ]),
            Stack::Rails => of_instances([
                ("zdd.toml", text!("rails.toml")),
                ("deploy/@NAME@@.service", text!("rails@.service")),
                ("deploy/@NAME@.nginx", text!("rails.nginx")),
            ]),
            Stack::Php => vec![
                ("zdd.toml", text!("php.toml")),
                ("deploy/@NAME@.nginx", text!("php.nginx")),
                ("deploy/@NAME@.pool.conf", text!("php.pool.conf")),
                ("deploy/release.php", text!("release.php")),
            ],
            Stack::Static => vec![
                ("zdd.toml", text!("static.toml")),
                ("deploy/@NAME@.nginx", text!("static.nginx")),
            ],
            Stack::Supervisor => {
                let is_django = project::is_django(project);
                vec![
                    ("zdd.toml", text!("supervisor.toml")),
                    ("deploy/@NAME@.supervisor", text!("program.supervisor")),
                    if is_django { DJANGO_PROXY } else { PROXY },
                    ("deploy/@NAME@.tmpfiles", text!("run.tmpfiles")),
                    RECOVER_UNIT,
                ]
            }
            Stack::Zddeploy => vec![
                ("zdd.toml", text!("zddeploy.toml")),
                ("deploy/nginx.conf.template", text!("zddeploy.nginx")),
                RECOVER_UNIT,
            ],
        }
    }

    /// Points and scripts.
    pub(super) fn hooks(self, project: &Utf8Path) -> &'static [File] {
        match self {
            Stack::Supervisor if project::is_django(project) => DJANGO_HOOKS,
            Stack::Flask | Stack::Supervisor => FLASK_HOOKS,
            Stack::Django => DJANGO_HOOKS,
            Stack::Node => &[("build", hook!("node/build"))],
            Stack::Rails => &[
                ("build", hook!("rails/build")),
                ("migrate", hook!("rails/migrate")),
            ],
            Stack::Php => &[("build", hook!("php/build")), ("check", hook!("php/check"))],
            Stack::Static => &[("build", hook!("static/build"))],
            Stack::Zddeploy => &[],
        }
    }

    /// What is still to be done: remarks, and the commands for the server.
    pub(super) fn steps(self, project: &Utf8Path) -> String {
        let is_django = self == Stack::Django || project::is_django(project);
        let code = match self {
            Stack::Node => NODE_CODE.to_owned(),
            Stack::Rails => RAILS_CODE.to_owned(),
            _ if is_django => format!("{PYTHON_CODE}\n{DJANGO_CODE}"),
            _ => PYTHON_CODE.to_owned(),
        };
        let (steps, runner) = match self {
            Stack::Php => (text!("php.steps"), ""),
            Stack::Static => (text!("static.steps"), ""),
            Stack::Zddeploy => (text!("zddeploy.steps"), ""),
            Stack::Supervisor => (text!("supervisor.steps"), "deploy/@NAME@.supervisor"),
            _ => (text!("instances.steps"), "deploy/@NAME@@.service"),
        };
        steps.replace("@CODE@", &code).replace("@RUNNER@", runner)
    }

    /// What gunicorn is asked to serve: the module by the customs of the framework.
    pub(super) fn app(self, project: &Utf8Path, name: &str) -> String {
        if self == Stack::Django || project::is_django(project) {
            return project::django_app(project, name);
        }
        "app:app".to_owned()
    }

    /// Who runs zdd, and owns the site.
    pub(super) fn owner(self) -> &'static str {
        match self {
            // Who may write supervisor's files decides what runs as root.
            Stack::Supervisor => "root",
            _ => super::USER,
        }
    }

    /// The word on the command line.
    pub fn word(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
