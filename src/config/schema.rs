//! The keys of `zdd.toml` and their defaults. The JSON Schema that editors use is generated from
//! these types, and so is the list of known keys.

use camino::Utf8PathBuf;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::git_url;
use super::units::{Size, Span};

mod proxy;
mod service;

pub use proxy::Proxy;
pub use service::{Kind, OnStale, Role, Scope, Service, SwitchWay};

/// Everything that can be set for a site. Every key is optional.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name of the site in messages. Default: the last part of `root`.
    pub name: Option<String>,
    /// The directory that holds `current`, `releases` and `shared`. Default: the directory of
    /// this file.
    #[schemars(with = "Option<String>")]
    pub root: Option<Utf8PathBuf>,
    /// How many good releases are kept, the current one included.
    #[schemars(range(min = 1))]
    pub keep: u32,
    /// How many failed and bad releases are kept for a look.
    pub keep_failed: u32,
    /// A file of `KEY=value` lines given to the hooks. Its values are masked in all output.
    #[schemars(with = "Option<String>")]
    pub env_file: Option<Utf8PathBuf>,
    /// Where the files of a release come from.
    pub source: Source,
    /// Files and directories that all releases share.
    pub shared: Shared,
    /// What must hold before anything is built.
    pub require: Require,
    /// Programs run at the named points of a release.
    pub hooks: Hooks,
    /// What runs the code, in the order in which it is switched.
    pub service: Vec<Service>,
    /// The nginx that is told of each release by settings of its own.
    pub proxy: Option<Proxy>,
    /// What is asked after the switch.
    pub health: Vec<HealthCheck>,
    /// Steady requests during the switch, and the watch after it.
    pub probe: Probe,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            name: None,
            root: None,
            keep: 5,
            keep_failed: 1,
            env_file: None,
            source: Source::default(),
            shared: Shared::default(),
            require: Require::default(),
            hooks: Hooks::default(),
            service: Vec::new(),
            proxy: None,
            health: Vec::new(),
            probe: Probe::default(),
        }
    }
}

impl Config {
    /// The settings as they may be recorded: no password or token of an address in them.
    pub fn without_credentials(&self) -> Config {
        let mut config = self.clone();
        config.source.git = config.source.git.map(|url| git_url::masked(&url));
        config
    }
}

/// Where the files of a release come from, when no SOURCE argument is given.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Source {
    /// A directory on this host.
    #[schemars(with = "Option<String>")]
    pub path: Option<Utf8PathBuf>,
    /// A git repository: a path on this host, `https://…`, `ssh://…`, `git://…` or
    /// `user@host:path`.
    pub git: Option<String>,
    /// With `git`: the branch, tag or commit. Default: the branch that the repository calls `HEAD`.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// With `git`: the directory of the repository that becomes the release. Default: all of it.
    #[schemars(with = "Option<String>")]
    pub subdir: Option<Utf8PathBuf>,
    /// With `git`: whether submodules are fetched too, at the commits that are recorded.
    pub submodules: bool,
    /// What is left out, in the syntax of gitignore. `.git`, `.hg` and `.svn` are left out in any
    /// case, unless a line like `!.git` brings one back.
    pub exclude: Vec<String>,
}

/// Paths below `shared/` that are linked into each release.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Shared {
    /// Files; each must exist below `shared/`.
    #[serde(alias = "linked_files")]
    #[schemars(with = "Vec<String>", extend("x-alias" = "linked_files"))]
    pub files: Vec<Utf8PathBuf>,
    /// Directories; made below `shared/` when they are not there.
    #[serde(alias = "linked_dirs")]
    #[schemars(with = "Vec<String>", extend("x-alias" = "linked_dirs"))]
    pub dirs: Vec<Utf8PathBuf>,
    /// Directories of the release, for instance of hashed assets, in which files of the previous
    /// release stay to be found: pages that users loaded before the switch still ask for them.
    #[schemars(with = "Vec<String>")]
    pub bridge: Vec<Utf8PathBuf>,
}

/// What must hold before anything is built.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Require {
    /// Variables that must be set and not empty in `env_file` or the environment.
    pub env: Vec<String>,
    /// Programs that must be found on the PATH.
    pub commands: Vec<String>,
    /// Free space on the file system of the root.
    pub free_space: Option<Size>,
    /// Memory that is available without swapping. Default: where two copies run for a while, as
    /// much as the running one has.
    pub free_memory: Option<Size>,
}

/// Programs run at the named points of a release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Where the executables lie, relative to the release.
    #[schemars(with = "String")]
    pub dir: Utf8PathBuf,
    /// How long a hook may take before its whole process group is killed.
    pub timeout: Span,
    /// The user that hooks run as. Default: the caller.
    pub user: Option<String>,
    /// Variables of the caller's environment that hooks may see.
    pub pass_env: Vec<String>,
    /// Keys of `env_file` whose values are masked in any case.
    pub mask: Vec<String>,
    /// Keys of `env_file` whose values are never masked.
    pub no_mask: Vec<String>,
    /// Install and compile.
    pub build: Option<Hook>,
    /// Run the tests, look at the configuration.
    pub check: Option<Hook>,
    /// Migrate the database.
    pub migrate: Option<Hook>,
    /// Warm the new code up, before the switch.
    pub warm: Option<Hook>,
    /// The last veto, after the switch: failing rolls back.
    pub verify: Option<Hook>,
    /// After the commit.
    pub finish: Option<Hook>,
    /// In a release that is left, when its `migrate` had started.
    pub revert: Option<Hook>,
    /// Last, after every failed release.
    pub failed: Option<Hook>,
}

impl Default for Hooks {
    fn default() -> Self {
        Hooks {
            dir: "hooks".into(),
            timeout: Span::secs(15 * 60),
            user: None,
            pass_env: Vec::new(),
            mask: Vec::new(),
            no_mask: Vec::new(),
            build: None,
            check: None,
            migrate: None,
            warm: None,
            verify: None,
            finish: None,
            revert: None,
            failed: None,
        }
    }
}

/// A hook written in `zdd.toml`: a shell line, or a table with its own user and timeout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Hook {
    /// A line for `/bin/sh -c`.
    Line(String),
    /// A line with its own settings.
    Table(HookTable),
}

/// A hook with its own user and timeout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HookTable {
    /// A line for `/bin/sh -c`. Default: the executable in `[hooks] dir`.
    #[serde(default)]
    pub run: Option<String>,
    /// The user it runs as. Default: `[hooks] user`.
    #[serde(default)]
    pub user: Option<String>,
    /// How long it may take. Default: `[hooks] timeout`.
    #[serde(default)]
    pub timeout: Option<Span>,
}

/// One health check. Exactly one of `url`, `tcp` and `command` says what is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HealthCheck {
    /// `http://…`, `https://…` or `http://unix:/path/app.sock:/health`.
    pub url: Option<String>,
    /// `host:port` that must accept a connection.
    pub tcp: Option<String>,
    /// A shell line that must end in 0.
    pub command: Option<String>,
    /// Which answers are good.
    pub status: Statuses,
    /// Text that the body must contain.
    pub contains: Option<String>,
    /// Where the answer names its release: `header:X-Release`, `body` or `json:/version`.
    pub release: Option<String>,
    /// The `Host` header that is sent.
    pub host: Option<String>,
    /// With `https://`: a file of certificates in PEM, the only ones that are then trusted.
    /// Default: what the system trusts.
    #[schemars(with = "Option<String>")]
    pub ca: Option<Utf8PathBuf>,
    /// Pause between two attempts.
    pub interval: Span,
    /// How long one attempt may take.
    pub timeout: Span,
    /// How long the check may take to become good.
    pub within: Span,
    /// How many good answers in a row are wanted.
    #[schemars(range(min = 1))]
    pub successes: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        HealthCheck {
            url: None,
            tcp: None,
            command: None,
            status: Statuses::default(),
            contains: None,
            release: None,
            host: None,
            ca: None,
            interval: Span::millis(500),
            timeout: Span::secs(5),
            within: Span::secs(30),
            successes: 1,
        }
    }
}

/// Which HTTP answers are good: one, or a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Statuses {
    /// One status or class.
    One(Status),
    /// Any of them.
    Any(Vec<Status>),
}

impl Default for Statuses {
    fn default() -> Self {
        Statuses::One(Status::Code(200))
    }
}

/// One HTTP status, or a class of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Status {
    /// For instance 204.
    Code(#[schemars(range(min = 100, max = 599))] u16),
    /// For instance `2xx`.
    Class(#[schemars(regex(pattern = "^[1-5]xx$"))] String),
}

/// Steady requests during the switch, and the watch after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Probe {
    /// What is asked. Default: the first http health check on a unix socket or loopback address.
    pub url: Option<String>,
    /// Requests a second at most; 0 switches the probe off.
    pub rate: u32,
    /// How long the new release is watched after the switch before it is committed.
    pub watch: Span,
    /// How many failures of a check the watch bears; one more, in a row or in half of its last
    /// attempts, rolls back.
    #[schemars(range(min = 1))]
    pub max_failures: u32,
    /// Files that are read from the switch on for complaints. Default: the logs in which nginx
    /// writes about the site, by its settings.
    #[schemars(with = "Option<Vec<String>>")]
    pub logs: Option<Vec<Utf8PathBuf>>,
}

impl Default for Probe {
    fn default() -> Self {
        Probe {
            url: None,
            rate: 10,
            watch: Span::secs(0),
            max_failures: 3,
            logs: None,
        }
    }
}
