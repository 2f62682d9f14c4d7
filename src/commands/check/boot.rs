//! What brings a site back after a reboot.

use camino::Utf8Path;

use super::Trap;
use crate::commands::{Context, init};
use crate::config::schema::{Kind, Scope, Service};
use crate::host::user::Owner;
use crate::running::trap::Level;
use crate::service::{Unit, timer};

/// Whether what a reboot interrupts or forgets is put right by the boot itself.
pub(super) fn is_recovered(context: &Context<'_>) -> bool {
    let state = unit(context).state();
    state.is_ok_and(|state| state.is_found() && state.is_enabled())
}

/// What is missing for that, where a site has instances.
pub(super) fn traps(context: &Context<'_>, is_recovered: bool) -> Vec<Trap> {
    let has_instances = |service: &Service| service.kind() == Kind::Instance;
    if !context.config.service.iter().any(has_instances) {
        return Vec::new();
    }
    let mut traps = Vec::new();
    traps.extend((!is_recovered).then(|| no_recovery(context)));
    traps.extend(no_lingering(context));
    traps
}

fn no_recovery(context: &Context<'_>) -> Trap {
    let unit = unit(context);
    let (name, is_user) = (unit.name(), unit.scope() == Scope::User);
    let flag = if is_user { " --user" } else { "" };
    let enable = format!("systemctl{flag} daemon-reload && systemctl{flag} enable {name}");
    let place = match is_user {
        true => format!("~/.config/systemd/user/{name}"),
        false => format!("/etc/systemd/system/{name}"),
    };
    let change = match unit.state() {
        Ok(state) if state.is_found() => enable,
        _ => format!("write it:\n\n{}\nthen: {enable}", text(context, is_user)),
    };
    Trap {
        level: Level::Note,
        what: "a command that a reboot interrupts is recovered by the next command only: until \
               then both releases may run"
            .to_owned(),
        place,
        change: Some(change),
    }
}

/// The unit as `zdd init` writes it, for this site, without the lines about where it belongs.
fn text(context: &Context<'_>, is_user: bool) -> String {
    let program = timer::this_program().unwrap_or_else(|_| "zdd".into());
    let root = context.site.root();
    let owner = Owner::of_path(root).unwrap_or_else(|_| Owner::of_process());
    let text = init::recover_unit(&site_name(context), root, &owner.name, &program);
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines = lines.filter(|line| !is_user || !line.starts_with("User="));
    let lines: Vec<&str> = lines.collect();
    let text = lines.join("\n") + "\n";
    match is_user {
        true => text.replace("multi-user.target", "default.target"),
        false => text,
    }
}

/// A user's systemd ends with the last login of that user, and starts with the first.
fn no_lingering(context: &Context<'_>) -> Option<Trap> {
    let mut services = context.config.service.iter();
    services.find(|it| it.kind() == Kind::Instance && it.scope == Scope::User)?;
    let owner = Owner::of_path(context.site.root()).ok()?;
    let mark = Utf8Path::new("/var/lib/systemd/linger").join(&owner.name);
    (!mark.exists()).then(|| Trap {
        level: Level::Warning,
        what: format!(
            "what `{}` runs ends with the last login of that user",
            owner.name
        ),
        place: mark.to_string(),
        change: Some(format!("loginctl enable-linger {}", owner.name)),
    })
}

fn unit(context: &Context<'_>) -> Unit {
    let mut services = context.config.service.iter();
    let instance = services.find(|service| service.kind() == Kind::Instance);
    let scope = instance.map_or(Scope::System, |service| service.scope);
    Unit::at_boot(&site_name(context), scope)
}

fn site_name(context: &Context<'_>) -> String {
    let last = || context.site.root().file_name().map(str::to_owned);
    let name = context.config.name.clone().or_else(last);
    name.unwrap_or_default()
}
