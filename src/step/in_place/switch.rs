//! The switch: nginx is given settings with the ports of the new instances, and proved to use
//! them.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Deployment, Stage};
use crate::error::{Error, Result};
use crate::host::signal::Patience;
use crate::step::nginx;

/// The variable of the template that is the pid file of nginx.
const NGINX_PID: &str = "nginx_pid_filename";

/// A variable of older templates: the directory of the settings.
const CONF_DIR: &str = "conf_dir";

pub(super) fn run(stage: &mut Stage<'_>) -> Result<()> {
    let began = Instant::now();
    still_runs(stage)?;
    let deployment = stage.deployment;
    let text = render(deployment, &|place| {
        stage.instance(place).map(|it| it.address.port())
    });
    let front = deployment.front();
    stage.report.started("Switching", "nginx");
    nginx::place(stage, &front, &text)?;
    let master = nginx::take_effect(stage, &front)?;
    still_runs(stage)?;
    let what = format!("nginx (pid {}) to the new instances", master.pid);
    stage
        .report
        .finished("Switched", &what, Some(began.elapsed()));
    Ok(())
}

pub(super) fn undo(stage: &mut Stage<'_>) -> Result<()> {
    let led_back = nginx::put_back(stage, &stage.deployment.front());
    stage.is_stuck = led_back.is_err();
    led_back
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
    let reads = nginx.reads(master.as_ref(), patience)?;
    nginx::refuse_others(nginx.settings, master, &reads)?;
    let text = render(deployment, &|place| u16::try_from(place + 1).ok());
    nginx.test(&text, &reads, patience).map_err(|error| Error {
        what: format!("nginx refuses `{}`", deployment.conf.nginx.template),
        ..error
    })
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
