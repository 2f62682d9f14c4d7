//! What was there of a service before a run: the process that its pid files name, when it is
//! really that, and those files.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::{Instance, Known};
use crate::config::deploy_conf::{DeployConf, Service};
use crate::host::process;
use crate::report::Report;
use crate::site::Site;
use crate::step::pid_file::Kept;
use crate::step::process::{Process, address_of, listening};

/// A service before a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// The instance that is live.
    pub previous: Option<Process>,
    /// `web.pid`
    pub pid_file: Option<Kept>,
    /// `web.current.pid`
    pub current: Option<Kept>,
    /// `web.previous.pid`
    pub previous_file: Option<Kept>,
}

/// Looks at all services. Pid files that name somebody else's process are told of.
pub fn look(site: &Site, conf: &DeployConf, report: &dyn Report) -> Vec<Before> {
    let known = Known::of(site);
    let look = |service| look_at(service, &known, report);
    conf.services.iter().map(look).collect()
}

fn look_at(service: &Service, known: &Known, report: &dyn Report) -> Before {
    let pid_file = Kept::of(&service.pid_file);
    let current = Kept::of(&service.current_pid_file());
    let known = known.services.get(&service.name).map(|it| it.process);
    let named = [
        (&service.pid_file, &pid_file),
        (&service.current_pid_file(), &current),
    ];
    let mut previous = None;
    for (path, kept) in named {
        let Some(kept) = kept else { continue };
        let Some(pid) = kept.number() else { continue };
        let Some(found) = Process::of(pid) else {
            continue;
        };
        if is_meant(kept, found, known) {
            previous = previous.or(Some(found));
        } else if previous.is_none() {
            let command = process::command(pid).unwrap_or_default();
            report.warning(&format!(
                "`{path}` names pid {pid}, which is another process by now (`{command}`): it is left \
                 alone"
            ));
        }
    }
    Before {
        previous,
        pid_file,
        current,
        previous_file: Kept::of(&service.previous_pid_file()),
    }
}

/// Whether the process is the one that was meant when the file was written: the one zdd itself
/// wrote down, else one that started before the file was written.
fn is_meant(kept: &Kept, found: Process, known: Option<Process>) -> bool {
    if let Some(known) = known.filter(|known| known.pid == found.pid) {
        return known.started == found.started;
    }
    kept.is_written_since(found.started)
}

/// The instance that was left, when it still runs: by its pid file, and not the live one.
pub fn still_running(before: &Before, service: &Service) -> Option<Process> {
    let kept = before.previous_file.as_ref()?;
    let found = kept.number().and_then(Process::of)?;
    let is_old = before.previous != Some(found) && is_meant(kept, found, None);
    // While a release goes on, the live one is named there, too, and no other yet.
    (is_old && service.pid_file.exists()).then_some(found)
}

/// Where a process of a service answers, by its port file or the kernel's table.
pub fn found(service: &Service, process: Process) -> Option<Instance> {
    let heard = listening(process.tree());
    let written = process.port_in(&service.port_file(process.pid));
    let sole = heard.iter().next().map(SocketAddr::port);
    let port = written.or_else(|| sole.filter(|_| heard.len() == 1))?;
    let address = address_of(port, &heard);
    Some(Instance::at(process, address))
}
