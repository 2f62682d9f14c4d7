//! Why nginx could not be switched, before anything is begun.

use camino::Utf8Path;

use super::Before;
use crate::config::Config;
use crate::config::schema::Proxy;
use crate::error::{Error, Finding, Result};
use crate::host::signal::Patience;
use crate::host::user;
use crate::proxy::nginx::{Master, Reads};
use crate::service::systemctl::Verb;
use crate::site::{History, Site};
use crate::step::nginx::{self, Front};

/// Why nginx could not be switched.
pub fn findings(config: &Config) -> Vec<Finding> {
    let Some(proxy) = &config.proxy else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    findings.extend(unwritable(proxy.output()));
    findings.extend(unreachable(proxy).err().map(Finding::from));
    findings
}

/// That nginx goes on reading settings that no release will write any more: they lead to the one
/// that is live, which is about to be left.
pub fn abandoned(site: &Site, config: &Config, history: &History) -> Option<Finding> {
    let live = history.live()?.config.as_ref()?;
    let proxy = live.proxy.as_ref().filter(|_| config.proxy.is_none())?;
    let front = Before::of(proxy)
        .and_then(|before| before.front(proxy))
        .ok()?;
    let master = front.master_before?;
    let reads = front.nginx.reads(Some(&master), &Patience::of_command());
    if matches!(reads, Ok(Reads::Not { .. })) {
        return None;
    }
    let (pid, settings) = (master.pid, proxy.output());
    let what = format!(
        "nginx (pid {pid}) reads `{settings}`, which leads to the release that is live, and there is \
         no `[proxy]` any more"
    );
    let hint = format!(
        "let nginx connect to {}, and read `{settings}` no more; or write `[proxy]` again",
        site.current_socket_path("app.sock")
    );
    Some(Finding::new(what).hint(hint))
}

/// That nginx does not run, does not read what is written, or may not be told.
fn unreachable(proxy: &Proxy) -> Result<()> {
    let before = Before::of(proxy)?;
    let front = before.front(proxy)?;
    let unit = front.unit.as_ref();
    let Some(master) = &front.master_before else {
        // Without a unit it is started, unless that needs another user.
        return match unit.is_some() || proxy.sudo {
            true => Err(not_running(&front)),
            false => Ok(()),
        };
    };
    if proxy.sudo {
        let user = user::Owner::of_process().name;
        let mut lines = front.nginx.refused_by_sudo(master, &user, unit.is_none());
        let of_unit = unit.and_then(|unit| unit.refused_verbs(&user, &[Verb::Reload]));
        lines.extend(of_unit.unwrap_or_default());
        if !lines.is_empty() {
            let what = "sudo does not allow to switch nginx without a password";
            let hint = format!("add to /etc/sudoers.d/zdd:\n{}", lines.join("\n"));
            return Err(Error::failed(what).hint(hint));
        }
    }
    refuse_unread(&front, master)
}

/// That it does not run, with the command that starts it.
pub(super) fn not_running(front: &Front<'_>) -> Error {
    let (name, command) = match &front.unit {
        Some(unit) => (unit.name(), format!("systemctl start {}", unit.name())),
        None => ("nginx", "nginx".to_owned()),
    };
    Error::failed(format!("`{name}` of `[proxy]` does not run")).hint(command)
}

/// Fails when the nginx that runs does not read what is written, with the line to include.
pub(super) fn refuse_unread(front: &Front<'_>, master: &Master) -> Result<()> {
    let settings = front.nginx.settings;
    let reads = front.nginx.reads(Some(master), &Patience::of_command())?;
    match (&reads, &front.unit) {
        (Reads::Not { main }, Some(_)) => {
            let what = format!("nginx (pid {}) does not read `{settings}`", master.pid);
            let hint = format!("let a file that it reads have: include {settings};");
            Err(Error::failed(what)
                .cause(format!("`{main}` does not include it"))
                .hint(hint))
        }
        _ => nginx::refuse_others(settings, Some(*master), &reads),
    }
}

/// A file is replaced by another one beside it.
fn unwritable(output: &Utf8Path) -> Option<Finding> {
    let real = output.canonicalize_utf8();
    let real = real.unwrap_or_else(|_| output.to_owned());
    let directory = real.parent()?;
    let is_there = directory.is_dir();
    let can_write = nix::unistd::access(directory.as_std_path(), nix::unistd::AccessFlags::W_OK);
    let why = match (is_there, can_write) {
        (true, Ok(())) => return None,
        (true, Err(error)) => error.desc().to_lowercase(),
        (false, _) => "there is no such directory".to_owned(),
    };
    let what = format!("`{output}` of `[proxy]` cannot be written: `{directory}`: {why}");
    let hint = "write it below the root, and let nginx include it from there";
    Some(Finding::new(what).hint(hint))
}
