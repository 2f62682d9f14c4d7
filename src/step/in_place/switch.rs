//! The switch: nginx is given settings with the ports of the new instances, and proved to use
//! them. The settings that were good before are kept, and put back when it does not.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fs_err as fs;

use super::{Deployment, Stage};
use crate::error::{Context, Error, Result};
use crate::host::atomic_file;
use crate::host::signal::Patience;
use crate::proxy::nginx::{Master, Reads};

/// The fact that the settings are about to be replaced.
const PLACING: &str = "placing";

/// The fact that nginx is about to be told: users may meet the new instances from then on.
pub(super) const TELLING: &str = "telling";

/// The variable of the template that is the pid file of nginx.
const NGINX_PID: &str = "nginx_pid_filename";

/// A variable of older templates: the directory of the settings.
const CONF_DIR: &str = "conf_dir";

/// How long an nginx that zdd started may take to end.
const QUIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether it has.
const LOOK_INTERVAL: Duration = Duration::from_millis(20);

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let began = Instant::now();
    still_runs(stage)?;
    let text = render(stage.deployment, &|place| {
        stage.instance(place).map(|it| it.address.port())
    });
    let nginx = stage.deployment.nginx();
    let master = nginx.master();
    let patience = stage.patience();
    let reads = nginx.reads(master.as_ref(), &patience);
    refuse_others(stage.deployment, master, &reads)?;
    stage.report.started("Switching", "nginx");
    nginx.test(&text, &reads, &patience)?;
    keep_last_good(stage)?;
    stage.fact(PLACING, true)?;
    nginx.place(text.as_bytes())?;
    nginx.test_placed(&reads, &patience)?;
    stage.fact(TELLING, true)?;
    // Whether it took the settings must be known, whatever signal arrives.
    let master = match master {
        Some(master) => {
            let text = format!("sending HUP to nginx (pid {})", master.pid);
            stage.report.detail(&text);
            nginx.reload(&master)?;
            master
        }
        None => {
            let settings = nginx.settings;
            stage
                .report
                .detail(&format!("running `nginx -c {settings}`"));
            nginx.start(&stage.site.in_place_log_path("nginx"), &Patience::endless())?
        }
    };
    still_runs(stage)?;
    let what = format!("nginx (pid {}) to the new instances", master.pid);
    stage
        .report
        .finished("Switched", &what, Some(began.elapsed()));
    Ok(())
}

pub(super) fn undo(stage: &mut Stage<'_>) -> Result<()> {
    if stage.known(PLACING) != Some(true) {
        return Ok(());
    }
    let nginx = stage.deployment.nginx();
    match last_before(stage) {
        Some(settings) => nginx.place(&settings)?,
        None => {
            let what = format!("cannot remove `{}`", nginx.settings);
            atomic_file::remove(nginx.settings).context(what)?;
        }
    }
    if !stage.was_switched() {
        return Ok(());
    }
    match (stage.deployment.master, nginx.master()) {
        (Some(_), Some(master)) => nginx.reload(&master),
        (Some(_), None) => {
            let said = stage.site.in_place_log_path("nginx");
            nginx.start(&said, &Patience::endless()).map(drop)
        }
        (None, Some(master)) => quit(&master),
        (None, None) => Ok(()),
    }
}

/// The settings of nginx before this run; none when there were none.
pub fn last_before(stage: &Stage<'_>) -> Option<Vec<u8>> {
    let kept = fs::read(stage.site.last_good_path()).ok();
    kept.filter(|_| stage.deployment.had_settings)
}

/// Fills the ports of the services into the template. As in the original, each name in braces is
/// replaced wherever it stands, in the order of the names, and all other braces stay.
pub fn render(deployment: &Deployment, port_of: &dyn Fn(usize) -> Option<u16>) -> String {
    let conf = &deployment.conf;
    let mut values = BTreeMap::from([(CONF_DIR, conf.directory.to_string())]);
    for (place, service) in conf.services.iter().enumerate() {
        if let Some(port) = port_of(place) {
            values.insert(&service.name, port.to_string());
        }
    }
    values.insert(NGINX_PID, conf.nginx.pid_file.to_string());
    let mut text = deployment.template.clone();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), &value);
    }
    text
}

/// Lets nginx look at the template before anything is started, with ports that stand for those of
/// the instances to come.
///
/// # Errors
/// What nginx has against it, or that the nginx that runs does not read what zdd writes.
pub fn refused_template(deployment: &Deployment, patience: &Patience) -> Result<()> {
    let nginx = deployment.nginx();
    let master = deployment.master;
    let reads = nginx.reads(master.as_ref(), patience);
    refuse_others(deployment, master, &reads)?;
    let text = render(deployment, &|place| u16::try_from(place + 1).ok());
    nginx.test(&text, &reads, patience).map_err(|error| Error {
        what: format!("nginx refuses `{}`", deployment.conf.nginx.template),
        ..error
    })
}

/// A reload would change nothing, and the old instances be stopped under their users.
fn refuse_others(deployment: &Deployment, master: Option<Master>, reads: &Reads) -> Result<()> {
    let (Some(master), Reads::Not { main }) = (master, reads) else {
        return Ok(());
    };
    let settings = &deployment.conf.nginx.output;
    let what = format!("nginx (pid {}) does not read `{settings}`", master.pid);
    let cause = format!("it was started with `{main}`, which does not include it");
    let hint = format!(
        "include it there, or end that nginx and let zdd start one: kill -QUIT {}",
        master.pid
    );
    Err(Error::failed(what).cause(cause).hint(hint))
}

fn still_runs(stage: &Stage<'_>) -> Result<()> {
    for (place, service) in stage.services().iter().enumerate() {
        let instance = stage.instance(place);
        if let Some(ended) = instance.filter(|instance| !instance.process.is_running()) {
            let what = format!("`{}` did not stay up", service.name);
            let cause = format!("its process {} ended", ended.process.pid);
            let error = Error::failed(what).cause(cause);
            return Err(error.tail(super::start::last_lines(stage, place)));
        }
    }
    Ok(())
}

fn keep_last_good(stage: &Stage<'_>) -> Result<()> {
    if !stage.deployment.had_settings {
        return Ok(());
    }
    let settings = &stage.deployment.conf.nginx.output;
    let what = "cannot keep the last good settings of nginx";
    let text = fs::read(settings).context(what)?;
    atomic_file::replace(&stage.site.last_good_path(), &text, 0o600).context(what)
}

/// Ends an nginx that did not run before.
fn quit(master: &Master) -> Result<()> {
    let what = || format!("nginx (pid {}) does not end", master.pid);
    master.quit().context(what())?;
    let deadline = Instant::now() + QUIT_TIMEOUT;
    while master.is_running() {
        if Instant::now() >= deadline {
            return Err(Error::failed(what()));
        }
        std::thread::sleep(LOOK_INTERVAL);
    }
    Ok(())
}
