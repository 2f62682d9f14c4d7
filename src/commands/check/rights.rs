//! What sudo must allow.

use super::Trap;
use crate::commands::Context;
use crate::config::schema::{Scope, Service};
use crate::error::Result;
use crate::host::user;
use crate::running::trap::Level;
use crate::service::timer::{self, Timer};
use crate::service::{Unit, sudo};
use crate::step::name_of;

/// Any release: the lines are for all.
const EXAMPLE: &str = "20260101000000";

/// Without `sudo`, systemd asks for a password unless a rule of polkit says otherwise.
pub(super) fn password_trap(service: &Service) -> Option<Trap> {
    let may_be_asked = !service.sudo && service.scope == Scope::System;
    let caller = user::Owner::of_process();
    let unit = Unit::of(service).or_else(|| Unit::instance_of(service, EXAMPLE));
    let unit = unit.filter(|_| may_be_asked && !caller.uid.is_root())?;
    let (user, name) = (&caller.name, name_of(service));
    Some(Trap {
        level: Level::Warning,
        what: format!("systemd may ask `{user}` for a password to switch `{name}`"),
        place: "/etc/sudoers.d/zdd".to_owned(),
        change: Some(format!(
            "set `sudo = true` for it in zdd.toml, with these lines:\n{}",
            unit.sudoers_lines(user).join("\n")
        )),
    })
}

/// Without its timer, what is kept for a rollback goes on until the next command.
pub(super) fn timer_trap(context: &Context<'_>) -> Result<Option<Trap>> {
    let services = &context.config.service;
    let (user, root) = (user::Owner::of_process().name, context.site.root());
    let program = timer::this_program()?;
    let timer = Timer::of(services);
    let line = timer.sudoers_line(&user, root, &program);
    let is_kept = services.iter().any(|service| !service.standby.is_zero());
    let Some(line) = line.filter(|_| is_kept) else {
        return Ok(None);
    };
    if timer.is_allowed(&user, root)? {
        return Ok(None);
    }
    let change = match sudo::too_old() {
        Some(version) => format!("its line needs sudo 1.9.10, and this is {version}"),
        None => format!("add to /etc/sudoers.d/zdd:\n{line}"),
    };
    Ok(Some(Trap {
        level: Level::Warning,
        what: "no timer can be made that ends a standby: the next command will".to_owned(),
        place: "/etc/sudoers.d/zdd".to_owned(),
        change: Some(change),
    }))
}
