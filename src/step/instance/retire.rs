//! Ending an instance whose release is left: not to be started at boot any more, nobody talking to
//! it, then stopped.

use std::collections::BTreeSet;
use std::time::Duration;

use camino::Utf8PathBuf;

use super::Instance;
use crate::config::schema::Role;
use crate::error::Result;
use crate::host::signal::Patience;
use crate::report::{Event, Report};
use crate::running::front::{Front, Fronts};
use crate::running::sockets::{self, Address, DrainLimits, Drained, Ended, Traffic};

/// Disables it, lets it finish what it began, and stops it. Right for one that does not run, too.
///
/// # Errors
/// When it cannot be disabled, or does not end.
pub fn retire(instance: &Instance, report: &dyn Report, patience: &Patience) -> Result<()> {
    let disabled = disable(instance, patience);
    drain_and_stop(instance, report, patience)?;
    disabled
}

/// Lets it finish what it began, and stops it.
///
/// # Errors
/// When it does not end.
pub fn drain_and_stop(instance: &Instance, report: &dyn Report, patience: &Patience) -> Result<()> {
    end(instance, true, report, patience)
}

/// The same for one that nobody should meet any longer: requests are answered, but nothing that
/// may be a WebSocket is waited for.
///
/// # Errors
/// When it does not end.
pub fn stop_soon(instance: &Instance, report: &dyn Report, patience: &Patience) -> Result<()> {
    end(instance, false, report, patience)
}

fn end(
    instance: &Instance,
    spares_websockets: bool,
    report: &dyn Report,
    patience: &Patience,
) -> Result<()> {
    let mut grace = Duration::ZERO;
    // A worker listens nowhere: it finishes its jobs by its own graceful stop.
    if instance.service.role == Role::Web && instance.is_there()? {
        let limits = DrainLimits {
            spares_websockets,
            ..DrainLimits::within(instance.service.drain.duration())
        };
        grace = drain(instance, &limits, report, patience);
    }
    instance.stop(grace, report, patience)
}

/// Lets it not be started at boot.
///
/// # Errors
/// When systemd refuses, or a file cannot be removed.
pub fn disable(instance: &Instance, patience: &Patience) -> Result<()> {
    instance.disable(patience)
}

/// Stops it as it is.
///
/// # Errors
/// When it does not end.
pub fn stop_at_once(instance: &Instance, report: &dyn Report, patience: &Patience) -> Result<()> {
    instance.stop(Duration::ZERO, report, patience)
}

/// Waits until nobody talks to it any more: what still sits in its socket's queue would be lost
/// with it (`field/cutover.md` §1c: 6 requests lost half a second after the flip, none after the
/// sockets were empty). Says what is left, and returns what is left of the time: a connection that
/// looks idle may have a request in work.
fn drain(
    instance: &Instance,
    limits: &DrainLimits,
    report: &dyn Report,
    patience: &Patience,
) -> Duration {
    let name = instance.name();
    let addresses = match instance.address() {
        Some(address) => vec![address],
        None => instance.listening(),
    };
    let Some(first) = addresses.first() else {
        let text = format!("{name}: who talks to it cannot be told, it is stopped at once");
        report.warning(&text);
        return limits.drain;
    };
    report.started("Draining", &name);
    let fronts = instance.fronts(first);
    let mut is_seen = false;
    let on_progress = &mut |traffic: &Traffic| {
        is_seen |= traffic.listeners > 0;
        let (open, waiting) = (traffic.connections.len(), traffic.waiting);
        let text = format!("{open} connections open, {waiting} waiting");
        report.event(Event::Progress(&text));
    };
    match sockets::drain(&addresses, limits, &fronts, patience, on_progress) {
        Ok(_) if !is_seen => report.warning(&format!(
            "{name}: its listening socket is not in this network: who talks to it cannot be told"
        )),
        Ok(drained) => {
            tell(&name, instance, &drained, report);
            return drained.grace(limits);
        }
        Err(error) => report.warning(&format!("{name}: who talks to it cannot be told: {error}")),
    }
    limits.drain
}

fn tell(name: &str, instance: &Instance, drained: &Drained, report: &dyn Report) {
    let left: Vec<String> = drained.left.iter().map(ToString::to_string).collect();
    let left = left.join(", ");
    match drained.ended {
        Ended::Empty => report.finished("Drained", name, Some(drained.took)),
        Ended::IdleOnly => {
            report.finished(
                "Drained",
                &format!("{name}, but for {left}"),
                Some(drained.took),
            );
        }
        Ended::Late | Ended::Interrupted => {
            let took = instance.service.drain;
            let waiting = match drained.waiting {
                0 => String::new(),
                some => format!(", {some} not even accepted"),
            };
            report.warning(&format!(
                "{name} is told to stop after {took} with {left}{waiting}: what it does not finish \
                 by itself is cut"
            ));
        }
    }
}

impl Instance {
    /// Whoever is connected to it now.
    pub fn connected_fronts(&self) -> BTreeSet<Front> {
        let Some(address) = self.address() else {
            return BTreeSet::new();
        };
        let fronts = self.fronts(&address);
        let connections = sockets::look(&[address]).map(|traffic| traffic.connections);
        let connections = connections.unwrap_or_default();
        connections.iter().map(|it| fronts.of(&it.client)).collect()
    }

    /// Waits until nobody is connected to it, but no longer than this. It goes on running.
    ///
    /// # Errors
    /// When the kernel does not tell its sockets.
    pub fn await_left(&self, within: Duration, patience: &Patience) -> Result<()> {
        let Some(address) = self.address() else {
            return Ok(());
        };
        let fronts = self.fronts(&address);
        let limits = DrainLimits::within(within);
        sockets::drain(&[address], &limits, &fronts, patience, &mut |_| ()).map(drop)
    }

    /// What is known of the fronts of its address.
    pub fn fronts(&self, address: &Address) -> Fronts {
        let through = self.path_through_current().map(Utf8PathBuf::into_string);
        let names: Vec<String> = through.into_iter().collect();
        Fronts::new(std::slice::from_ref(address), &names)
    }
}
