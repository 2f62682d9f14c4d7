//! What the settings leave out: a unit that runs code of this site without being named, and a
//! question for the site after the switch.

use super::Trap;
use crate::commands::Context;
use crate::config::schema::{Kind, Role};
use crate::host::cgroup;
use crate::running::{self, trap::Level};
use crate::service::Unit;

/// Units that start what has its own say when it runs: jobs, and what systemd makes for a while.
const STARTERS: [&str; 7] = ["cron.", "crond.", "atd.", "ssh.", "sshd.", "run-", "zdd-"];

/// Both.
pub(super) fn traps(context: &Context<'_>) -> Vec<Trap> {
    let mut traps = units(context);
    traps.extend(no_health_check(context));
    traps
}

/// A worker that nobody tells of a release goes on with the old code. Where zdd or supervisor
/// start processes, theirs cannot be told from those of the unit that they are started in.
fn units(context: &Context<'_>) -> Vec<Trap> {
    let services = &context.config.service;
    let is_of_systemd = |kind| matches!(kind, Kind::Unit | Kind::Instance);
    if services.is_empty() || !services.iter().all(|it| is_of_systemd(it.kind())) {
        return Vec::new();
    }
    let in_use = running::in_use(&context.site.releases_dir());
    let pids = in_use.by_release.values().flatten().map(|user| user.pid);
    let mut names: Vec<String> = pids.filter_map(cgroup::unit_of).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !is_named(context, name));
    let trap = |name: String| Trap {
        level: Level::Warning,
        what: format!(
            "`{name}` runs code of this site and is not named: after a release it goes on with the \
             old code"
        ),
        place: file_of(context),
        change: Some(format!(
            "add:\n[[service]]\nunit = \"{name}\"\nswitch = \"restart\"\nrole = \"worker\""
        )),
    };
    names.into_iter().map(trap).collect()
}

fn is_named(context: &Context<'_>, name: &str) -> bool {
    let starts_others = STARTERS.iter().any(|starter| name.starts_with(starter));
    starts_others
        || context.config.service.iter().any(|service| {
            let unit = Unit::of(service).or_else(|| Unit::instance_of(service, ""));
            unit.is_some_and(|unit| match unit.name().split_once('@') {
                Some((prefix, _)) => name.split_once('@').is_some_and(|(it, _)| it == prefix),
                None => name == unit.name(),
            })
        })
}

/// A service that runs the new code may answer each request with 500.
fn no_health_check(context: &Context<'_>) -> Option<Trap> {
    let config = &context.config;
    let mut web = config.service.iter().filter(|it| it.role == Role::Web);
    let first = web.next()?;
    let is_asked = std::iter::once(first)
        .chain(web)
        .any(|it| it.health.is_some());
    (config.health.is_empty() && !is_asked).then(|| Trap {
        level: Level::Warning,
        what: "nothing is asked after the switch: a release that answers with errors stays live"
            .to_owned(),
        place: file_of(context),
        change: Some("add:\n[[health]]\nurl = \"http://127.0.0.1/health\"".to_owned()),
    })
}

/// The file that names the services.
pub(super) fn file_of(context: &Context<'_>) -> String {
    let file = context.config_file.as_ref();
    file.map_or("zdd.toml".to_owned(), ToString::to_string)
}
