//! `[proxy]`: the settings of nginx that lead to one release, made from a template. They are tested
//! before the flip, when nothing has changed for users, and take effect after it.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use camino::Utf8Path;
use fs_err as fs;
use minijinja::Value;
use serde::{Deserialize, Serialize};

use super::instance::Instance;
use super::nginx::{self, Front, Ground};
use super::{Mission, Stage};
use crate::config::Config;
use crate::config::schema::{Proxy, Role, Service};
use crate::config::template::{self, Names};
use crate::error::{Context, Error, Finding, Result};
use crate::host::signal::Patience;
use crate::host::socket::Address;
use crate::host::user;
use crate::proxy::nginx::{Master, Nginx, Pid, Reads};
use crate::report::Report;
use crate::running::front;
use crate::service::Unit;
use crate::service::systemctl::Verb;
use crate::site::{History, ReleaseId, Site};

/// The key of the journal for the nginx that ran before.
const BEFORE: &str = "proxy";

/// The variable of the template that is the pid file of nginx.
const NGINX_PID: &str = "nginx_pid_filename";

/// How often it is looked whether an instance listens.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// The nginx before the command.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Before {
    master: Option<Master>,
    had_settings: bool,
}

/// Writes the settings for the release that is to become live, once nginx has tested them.
///
/// # Errors
/// When the template cannot be filled in, or nginx refuses what comes out.
pub fn place(stage: &mut Stage<'_>) -> Result<()> {
    let mission = stage.mission;
    let Some(proxy) = &mission.config.proxy else {
        return Ok(());
    };
    let (config, release) = (&mission.config, &mission.release);
    let text = text_for(stage.site, proxy, config, release, Some(mission))?;
    let before = Before::of(proxy)?;
    stage.fact(BEFORE, before)?;
    nginx::place(stage, &before.front(proxy)?, &text)
}

/// Lets nginx use them. From now on users meet the new release.
///
/// # Errors
/// When nginx does not use them, or an instance has ended meanwhile.
pub fn take_effect(stage: &mut Stage<'_>) -> Result<()> {
    let mission = stage.mission;
    let (Some(proxy), Some(before)) = (&mission.config.proxy, stage.known::<Before>(BEFORE)) else {
        return Ok(());
    };
    let began = Instant::now();
    stage.report.started("Switching", "nginx");
    let master = nginx::take_effect(stage, &before.front(proxy)?)?;
    for (place, service) in mission.services_of(Role::Web) {
        let instance = Instance::of_mission(stage, place);
        if service.has_instances() && !instance.is_running()? {
            return Err(Error::failed(format!(
                "`{}` did not stay up",
                instance.name()
            )));
        }
    }
    let what = format!("nginx (pid {}) to {}", master.pid, mission.release);
    stage
        .report
        .finished("Switched", &what, Some(began.elapsed()));
    Ok(())
}

/// Gives nginx back the settings that it had.
///
/// # Errors
/// When it does not use them again.
pub fn undo(stage: &mut Stage<'_>) -> Result<()> {
    let proxy = stage.mission.config.proxy.as_ref();
    match (proxy, stage.known::<Before>(BEFORE)) {
        (Some(proxy), Some(before)) => nginx::put_back(stage, &before.front(proxy)?),
        _ => Ok(()),
    }
}

/// Lets nginx follow the live release, whose ports are others after a boot.
///
/// # Errors
/// When it cannot. The settings are then what they were.
pub fn follow(site: &Site, config: &Config, history: &History, report: &dyn Report) -> Result<()> {
    let (Some(proxy), Some(live)) = (&config.proxy, history.current().release()) else {
        return Ok(());
    };
    await_addresses(site, config, live);
    let text = text_for(site, proxy, config, live, None)?;
    let before = Before::of(proxy)?;
    let front = before.front(proxy)?;
    let is_in_place = fs::read(proxy.output()).is_ok_and(|there| there == text.as_bytes());
    // What is started by its unit finds the settings there.
    let is_used = front.master_before.is_some() || front.unit.is_some();
    if is_in_place && is_used {
        return Ok(());
    }
    let mut boot = Boot {
        site,
        report,
        facts: BTreeSet::new(),
    };
    let followed = nginx::place(&mut boot, &front, &text).and_then(|()| {
        if front.master_before.is_some() || front.unit.is_none() {
            nginx::take_effect(&mut boot, &front)?;
        }
        Ok(())
    });
    if followed.is_err() {
        nginx::put_back(&boot, &front)?;
    }
    followed
}

/// Waits until it is known where the instances of a release answer, each within its
/// `switch_timeout`.
fn await_addresses(site: &Site, config: &Config, release: &ReleaseId) {
    for (place, service) in config.service.iter().enumerate() {
        let instance = Instance::new(site, release, place, service);
        let deadline = Instant::now() + service.switch_timeout.duration();
        let is_awaited = service.has_instances() && service.role == Role::Web;
        while is_awaited
            && instance.address().is_none()
            && Instant::now() < deadline
            && Patience::fresh().sleep(LOOK_INTERVAL)
        {}
    }
}

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

/// That nginx runs, reads what is written, and may be told.
fn unreachable(proxy: &Proxy) -> Result<()> {
    let before = Before::of(proxy)?;
    let front = before.front(proxy)?;
    let unit = front.unit.as_ref();
    let Some(master) = &front.master_before else {
        let (name, command) = match unit {
            Some(unit) => (unit.name(), format!("systemctl start {}", unit.name())),
            None if proxy.sudo => ("nginx", "nginx".to_owned()),
            // It is started.
            None => return Ok(()),
        };
        let what = format!("`{name}` of `[proxy]` does not run");
        return Err(Error::failed(what).hint(command));
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
    let reads = front.nginx.reads(Some(master), &Patience::of_command())?;
    match (&reads, unit) {
        (Reads::Not { main }, Some(_)) => {
            let settings = proxy.output();
            let what = format!("nginx (pid {}) does not read `{settings}`", master.pid);
            let hint = format!("let a file that it reads have: include {settings};");
            Err(Error::failed(what)
                .cause(format!("`{main}` does not include it"))
                .hint(hint))
        }
        _ => nginx::refuse_others(proxy.output(), Some(*master), &reads),
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

impl Before {
    fn of(proxy: &Proxy) -> Result<Before> {
        let had_settings = proxy.output().exists();
        let unknown = Before {
            master: None,
            had_settings,
        };
        let master = unknown.front(proxy)?.nginx.master();
        Ok(Before { master, ..unknown })
    }

    fn front<'a>(&self, proxy: &'a Proxy) -> Result<Front<'a>> {
        let unit = proxy.unit.as_deref();
        let unit = unit.map(|unit| Unit::shared(unit, proxy.sudo));
        let pid = match (&unit, &proxy.pid_file) {
            (None, Some(file)) => Pid::File(file),
            (Some(unit), _) => Pid::Known(unit.state()?.main_pid),
            (None, None) => Pid::Known(None),
        };
        Ok(Front {
            nginx: Nginx {
                settings: proxy.output(),
                pid,
                through_sudo: proxy.sudo,
            },
            unit,
            master_before: self.master,
            had_settings: self.had_settings,
        })
    }
}

/// The settings that lead to a release: its template, with the addresses of its instances, and of
/// those that are about to be left.
fn text_for(
    site: &Site,
    proxy: &Proxy,
    config: &Config,
    release: &ReleaseId,
    leaving: Option<&Mission>,
) -> Result<String> {
    let directory = site.release_dir(release);
    let path = directory.join(proxy.template());
    let text = fs::read_to_string(&path).context("there is no template for nginx");
    let text = text.map_err(|error| error.hint("correct `template` in `[proxy]`"))?;
    let texts = [
        ("release", release.to_string()),
        ("release_path", directory.to_string()),
        ("root", site.root().to_string()),
        ("current_path", site.current_path().to_string()),
        ("shared_path", site.shared_dir().to_string()),
        (
            NGINX_PID,
            proxy.pid_file.clone().unwrap_or_default().to_string(),
        ),
    ];
    let texts = texts.into_iter();
    let mut names: Names = texts
        .map(|(name, text)| (name.to_owned(), Value::from(text)))
        .collect();
    for (place, service) in config.service.iter().enumerate() {
        let Some(name) = service
            .name_in_template()
            .filter(|_| service.role == Role::Web)
        else {
            continue;
        };
        let instance = Instance::new(site, release, place, service);
        add_address(&mut names, &name, instance.address());
        let previous = leaving.and_then(|mission| previous_of(site, mission, place));
        let previous = previous
            .map(|address| front::as_server(&address))
            .unwrap_or_default();
        names.insert(format!("{name}_previous"), Value::from(previous));
    }
    let shown = path.strip_prefix(site.root()).unwrap_or(&path);
    template::render(&text, shown, &names)
}

fn add_address(names: &mut Names, name: &str, address: Option<Address>) {
    match address {
        Some(Address::Tcp(address)) => {
            let host = match address {
                std::net::SocketAddr::V4(address) => address.ip().to_string(),
                std::net::SocketAddr::V6(address) => format!("[{}]", address.ip()),
            };
            names.insert(name.to_owned(), Value::from(address.port()));
            names.insert(format!("{name}_host"), Value::from(host));
        }
        Some(Address::Unix(path)) => {
            names.insert(format!("{name}_socket"), Value::from(path.to_string()));
        }
        None => {}
    }
}

/// Where the same service of the release that is about to be left answers.
fn previous_of(site: &Site, mission: &Mission, place: usize) -> Option<Address> {
    let (from, leaving) = (mission.from.as_ref()?, &mission.leaving);
    let place = Service::counterpart(&mission.config.service, place, leaving)?;
    let instance = Instance::new(site, from, place, &leaving[place]);
    let is_running = instance.is_running().unwrap_or_default();
    instance.address().filter(|_| is_running)
}

/// A boot has no journal: what it does is repeated by the next.
struct Boot<'a> {
    site: &'a Site,
    report: &'a dyn Report,
    facts: BTreeSet<String>,
}

impl Ground for Boot<'_> {
    fn site(&self) -> &Site {
        self.site
    }

    fn report(&self) -> &dyn Report {
        self.report
    }

    fn patience(&self) -> Patience {
        Patience::fresh()
    }

    fn write_down(&mut self, fact: &str) -> Result<()> {
        self.facts.insert(fact.to_owned());
        Ok(())
    }

    fn is_written_down(&self, fact: &str) -> bool {
        self.facts.contains(fact)
    }
}
