//! After the commit: the old instances finish what they began, and are told to stop. Nothing is
//! undone any more, so all of it can only warn.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fs_err as fs;

use super::start::program_in;
use super::{Known, Stage};
use crate::config::deploy_conf::Service;
use crate::error::Result;
use crate::host::command::Command;
use crate::report::Event;
use crate::running::front::Fronts;
use crate::running::sockets::{self, Address, DrainLimits, Ended, Traffic};
use crate::step::process::{Process, listening};

/// How long an old instance may go on answering what it began to answer.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the command that stops it may run, and how long it may then take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// How often it is looked whether it has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// Writes down what is live, then drains and stops the old instances, in the order of the file, and
/// those that users could not be led away from before.
///
/// # Errors
/// When what is live cannot be written down.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    let mut known = Known {
        left: Known::of(stage.site).left,
        ..Known::default()
    };
    for (place, service) in stage.services().iter().enumerate() {
        if let Some(instance) = stage.instance(place) {
            known.services.insert(service.name.clone(), instance);
        }
    }
    let saved = known.save(stage.site);
    for (service, before) in stage.services().iter().zip(&stage.deployment.services) {
        if let Some(previous) = before.previous {
            retire(stage, service, previous);
        }
    }
    for left in known.left {
        retire(stage, &left.service, left.process);
    }
    saved
}

fn retire(stage: &Stage<'_>, service: &Service, previous: Process) {
    let name = format!("the old {} (pid {})", service.name, previous.pid);
    drain(stage, &name, &previous.tree().into_iter().collect());
    if !previous.is_running() {
        stage.report.note(&format!("{name} ended by itself"));
        return;
    }
    tell_to_stop(stage, service, previous);
    let deadline = Instant::now() + STOP_TIMEOUT;
    while previous.is_running() {
        if Instant::now() >= deadline || !stage.patience().sleep(LOOK_INTERVAL) {
            let stop = service.stop.join(" ");
            stage.report.warning(&format!(
                "{name} still runs: `{stop} {pid}` did not end it; `kill -TERM {pid}` may",
                pid = previous.pid
            ));
            return;
        }
    }
    // Who is given its number next must not be given its port, too.
    let _ = fs::remove_file(service.port_file(previous.pid));
    stage.report.finished("Stopped", &name, None);
}

/// Runs `stop` with the pid behind its words.
pub(super) fn tell_to_stop(stage: &Stage<'_>, service: &Service, process: Process) {
    let command = Command::new(program_in(&service.cwd, &service.stop[0]))
        .args(&service.stop[1..])
        .arg(process.pid.to_string())
        .cwd(&service.cwd)
        .timeout(STOP_TIMEOUT);
    let text = format!("running `{}` in {}", command.line(), service.cwd);
    stage.report.detail(&text);
    // Between this look and the command lies a moment that no signal by another program can close.
    if !process.is_running() {
        return;
    }
    match command.capture(&stage.patience()) {
        Ok(finished) if finished.ending.is_success() => {}
        Ok(finished) => {
            let last = finished.tail.last().map(|line| format!(": {line}"));
            stage.report.warning(&format!(
                "`{}` ended with {}{}",
                command.line(),
                finished.ending,
                last.unwrap_or_default()
            ));
        }
        Err(error) => {
            let text = format!("`{}` cannot be run: {error}", command.line());
            stage.report.warning(&text);
        }
    }
}

/// Waits until nobody talks to these processes any more, at most 30 s, and says what is left.
pub(super) fn drain(stage: &Stage<'_>, name: &str, processes: &BTreeSet<Process>) {
    let pids: Vec<u32> = processes.iter().map(|process| process.pid).collect();
    let mut addresses = sockets::listening(&pids);
    // Those that another instance shares never fall silent.
    let others: Vec<Process> = known_instances(stage)
        .filter(|it| !processes.contains(it))
        .collect();
    let shared = listening(others);
    addresses.retain(|it| !matches!(it, Address::Tcp(address) if shared.contains(address)));
    if addresses.is_empty() {
        return;
    }
    let report = stage.report;
    report.started("Draining", name);
    let limits = DrainLimits::within(DRAIN_TIMEOUT);
    let fronts = Fronts::new(&addresses, &[]);
    let on_progress = &mut |traffic: &Traffic| {
        let (open, waiting) = (traffic.connections.len(), traffic.waiting);
        let text = format!("{open} connections open, {waiting} waiting");
        report.event(Event::Progress(&text));
    };
    let patience = stage.patience();
    match sockets::drain(&addresses, &limits, &fronts, &patience, on_progress) {
        Ok(drained) => {
            let left: Vec<String> = drained.left.iter().map(ToString::to_string).collect();
            let left = left.join(", ");
            match drained.ended {
                Ended::Empty => report.finished("Drained", name, Some(drained.took)),
                Ended::IdleOnly => {
                    let what = format!("{name}, but for {left}");
                    report.finished("Drained", &what, Some(drained.took));
                }
                Ended::Late | Ended::Interrupted => report.warning(&format!(
                    "{name} is told to stop with {left}: what it does not finish by itself is cut"
                )),
            }
        }
        Err(error) => report.warning(&format!("{name}: who talks to it cannot be told: {error}")),
    }
}

/// The main processes of the new instances.
fn known_instances(stage: &Stage<'_>) -> impl Iterator<Item = Process> {
    let places = 0..stage.services().len();
    places.filter_map(|place| Some(stage.instance(place)?.process))
}
