//! As whom a hook runs: the caller, or the user that `user = …` names.

use std::ffi::CString;

use nix::unistd::{User, geteuid, getgrouplist};

use super::Point;
use crate::config::schema::{Hook, Hooks};
use crate::error::{Context, Error, Finding, Result};
use crate::host::command::Identity;

/// A user of this host that hooks can run as.
#[derive(Debug, Clone)]
pub struct Account {
    /// The login name.
    pub name: String,
    /// The home directory.
    pub home: String,
    /// What a process of this user has; `None` for the caller's own account.
    pub identity: Option<Identity>,
}

impl Account {
    /// The account of that name.
    ///
    /// # Errors
    /// When there is none, and when it is not the caller's own and the caller is not root.
    pub fn named(name: &str) -> Result<Account> {
        let found = User::from_name(name).context(format!("cannot look up user `{name}`"))?;
        let Some(user) = found else {
            let error = Error::usage(format!("hooks cannot run as `{name}`"));
            return Err(error.cause("there is no such user on this host"));
        };
        let is_caller = user.uid == geteuid();
        if !is_caller && !geteuid().is_root() {
            return Err(not_allowed(name));
        }
        Ok(Account {
            identity: (!is_caller).then(|| identity_of(&user)).transpose()?,
            home: user.dir.to_string_lossy().into_owned(),
            name: user.name,
        })
    }

    /// Whether a program run with this account is run by root.
    pub(super) fn is_root(account: Option<&Account>) -> bool {
        let identity = account.and_then(|account| account.identity.as_ref());
        identity
            .map_or_else(geteuid, |identity| identity.uid)
            .is_root()
    }
}

/// The users named in `[hooks]` that hooks cannot run as; to be asked before anything is built.
pub fn user_findings(hooks: &Hooks) -> Vec<Finding> {
    let tables = Point::ALL.iter().filter_map(|point| point.setting(hooks));
    let users = tables.filter_map(|setting| match setting {
        Hook::Table(table) => table.user.as_ref(),
        Hook::Line(_) => None,
    });
    let mut users: Vec<_> = users.chain(&hooks.user).collect();
    users.sort();
    users.dedup();
    let errors = users
        .into_iter()
        .filter_map(|user| Account::named(user).err());
    let finding = |error: Error| Finding {
        hint: error.hint.clone(),
        ..Finding::new(error.to_string())
    };
    errors.map(finding).collect()
}

fn not_allowed(name: &str) -> Error {
    let caller = User::from_uid(geteuid()).ok().flatten();
    let caller = caller.map_or_else(|| geteuid().to_string(), |user| user.name);
    Error::usage(format!("hooks cannot run as `{name}`"))
        .cause(format!(
            "only root can run programs as another user, and this is `{caller}`"
        ))
        .hint(format!(
            "take `user = \"{name}\"` out of `[hooks]`, or run zdd as root"
        ))
}

fn identity_of(user: &User) -> Result<Identity> {
    let name = CString::new(user.name.as_str()).context("a user name contains a NUL byte")?;
    let groups = getgrouplist(&name, user.gid);
    let groups = groups.context(format!("cannot look up the groups of `{}`", user.name))?;
    Ok(Identity {
        uid: user.uid,
        gid: user.gid,
        groups,
    })
}
