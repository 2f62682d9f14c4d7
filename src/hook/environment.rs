//! The clean environment of hooks: what is listed in DESIGN §8 and nothing else of the caller's.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;

use camino::{Utf8Path, Utf8PathBuf};
use nix::unistd::{User, geteuid};
use serde::{Deserialize, Serialize};

use super::account::Account;
use super::env_file::EnvFile;
use super::point::Point;
use crate::config::schema::Hooks;
use crate::host::socket::Address;

/// Where programs are looked for, whatever the caller's PATH says.
const SYSTEM_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Which command a hook is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// `zdd release`.
    Release,
    /// `zdd rollback`.
    Rollback,
}

impl Verb {
    /// The word of the command line.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Release => "release",
            Verb::Rollback => "rollback",
        }
    }
}

/// What a hook is told of the site and the release it runs in.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The root of the site.
    pub root: Utf8PathBuf,
    /// The id of the release the hook runs in.
    pub release: String,
    /// Its directory, which is also where the hook runs.
    pub release_path: Utf8PathBuf,
    /// Where a plain `rollback` would go.
    pub previous: Option<String>,
    /// The directory of that release.
    pub previous_path: Option<Utf8PathBuf>,
    /// The link to what users get.
    pub current_path: Utf8PathBuf,
    /// What all releases share.
    pub shared_path: Utf8PathBuf,
    /// The revision of the source.
    pub revision: Option<String>,
    /// Which command the hook is part of.
    pub command: Verb,
    /// Where the new instance listens, or is to listen: for itself and for `warm`.
    pub address: Option<Address>,
}

/// What hooks see of the caller's environment and of `env_file`. The same for all hooks of a
/// command.
#[derive(Debug, Clone)]
pub struct Environment {
    base: Variables,
    from_file: Variables,
}

/// Names and values; names are in order.
pub type Variables = BTreeMap<String, OsString>;

impl Environment {
    /// Takes what is allowed of the environment of this process.
    pub fn new(hooks: &Hooks, env_file: &EnvFile) -> Self {
        let mut base = Variables::from([("PATH".into(), SYSTEM_PATH.into())]);
        base.insert("LANG".into(), variable_or("LANG", "C.UTF-8"));
        base.insert("TERM".into(), variable_or("TERM", "dumb"));
        base.extend(caller());
        let passed = hooks.pass_env.iter();
        base.extend(passed.filter_map(|key| Some((key.clone(), env::var_os(key)?))));
        let from_file = env_file.variables().iter();
        let from_file = from_file.map(|(key, value)| (key.clone(), value.into()));
        Environment {
            base,
            from_file: from_file.collect(),
        }
    }

    /// Everything that is the same at every point. Later sources win: the caller, the account,
    /// `env_file`, the facts.
    pub fn variables(&self, account: Option<&Account>, facts: &Facts) -> Variables {
        let mut variables = self.base.clone();
        if let Some(account) = account {
            variables.insert("HOME".into(), account.home.clone().into());
            variables.insert("USER".into(), account.name.clone().into());
        }
        variables.extend(self.from_file.clone());
        variables.extend(facts.variables());
        variables
    }

    /// The same with what one hook is told about itself.
    pub(super) fn of_hook(
        &self,
        account: Option<&Account>,
        facts: &Facts,
        point: Point,
        output_path: &Utf8Path,
    ) -> Variables {
        let mut variables = self.variables(account, facts);
        variables.insert("ZDD_HOOK".into(), point.name().into());
        variables.insert("ZDD_OUTPUT".into(), output_path.as_str().into());
        variables
    }
}

impl Facts {
    /// What is not known is empty, so that a script under `set -u` can ask for it. Only the
    /// address is left out.
    fn variables(&self) -> Variables {
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        let previous_path = self.previous_path.as_ref().map(ToString::to_string);
        let mut facts = vec![
            ("ZDD_ROOT", self.root.to_string()),
            ("ZDD_RELEASE", self.release.clone()),
            ("ZDD_RELEASE_PATH", self.release_path.to_string()),
            ("ZDD_PREVIOUS", text(&self.previous)),
            ("ZDD_PREVIOUS_PATH", text(&previous_path)),
            ("ZDD_CURRENT_PATH", self.current_path.to_string()),
            ("ZDD_SHARED_PATH", self.shared_path.to_string()),
            ("ZDD_REVISION", text(&self.revision)),
            ("ZDD_COMMAND", self.command.word().to_owned()),
        ];
        facts.extend(self.address.iter().map(|address| match address {
            Address::Unix(path) => ("ZDD_SOCKET", path.to_string()),
            Address::Tcp(address) => ("ZDD_PORT", address.port().to_string()),
        }));
        let owned = |(key, value): (&str, String)| (key.to_owned(), value.into());
        facts.into_iter().map(owned).collect()
    }
}

/// HOME and USER of the caller. HOME is believed, as everywhere; USER is asked of the system.
fn caller() -> Variables {
    let user = User::from_uid(geteuid()).ok().flatten();
    let home = user.as_ref().map(|user| user.dir.clone().into_os_string());
    let name = user.map(|user| user.name.into());
    let values = [
        ("HOME", env::var_os("HOME").or(home)),
        ("USER", name.or_else(|| env::var_os("USER"))),
    ];
    let known = values.into_iter();
    known
        .filter_map(|(key, value)| Some((key.to_owned(), value?)))
        .collect()
}

fn variable_or(key: &str, default: &str) -> OsString {
    env::var_os(key).unwrap_or_else(|| default.into())
}
