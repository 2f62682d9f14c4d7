//! `[proxy]`: an nginx that is told of each release by settings of its own.

use camino::{Utf8Path, Utf8PathBuf};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An nginx whose settings are made from a template for each release, where a link cannot lead it:
/// services on ports, say. Exactly one of `pid_file` and `unit` says which nginx it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Proxy {
    /// What its settings are made from, in the language of Jinja: a file in the release, or
    /// anywhere by its whole path.
    #[schemars(with = "Option<String>")]
    pub template: Option<Utf8PathBuf>,
    /// The file that is written: what nginx was started with, or a file that it includes.
    #[schemars(with = "Option<String>")]
    pub output: Option<Utf8PathBuf>,
    /// Where nginx writes its pid. One that does not run is started with `output`.
    #[schemars(with = "Option<String>")]
    pub pid_file: Option<Utf8PathBuf>,
    /// The systemd unit of nginx, which is reloaded.
    pub unit: Option<String>,
    /// Call `nginx` and `systemctl` through `sudo -n`.
    pub sudo: bool,
}

impl Proxy {
    /// The template. A file of settings has one.
    pub fn template(&self) -> &Utf8Path {
        self.template.as_deref().unwrap_or(Utf8Path::new(""))
    }

    /// The file that is written. A file of settings names one.
    pub fn output(&self) -> &Utf8Path {
        self.output.as_deref().unwrap_or(Utf8Path::new(""))
    }
}
