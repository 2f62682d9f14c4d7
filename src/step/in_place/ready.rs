//! Waiting until a new instance has named its process and its port, and answers there.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::config::schema::Service;
use crate::config::units::Span;
use crate::error::{Error, ErrorKind, Result};
use crate::health::own;
use crate::report::Event;
use crate::running::sockets::Address;
use crate::step::answer::{self, Speech, Started};
use crate::step::pid_file::{number_in, put_back, unnamed, write_number};
use crate::step::process::{Process, address_of, listening};

use super::instance::Instance;
use super::{Stage, start};

/// How long an instance may take: as long as the original gave it.
const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How often it is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// For how long a port must be the only one until it counts, where none was written down.
const SOLE_TIME: Duration = Duration::from_secs(1);

pub(super) fn run(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let began = Instant::now();
    let service = &stage.services()[place];
    let deadline = began + READY_TIMEOUT;
    let ready = await_address(stage, place, deadline)
        .and_then(|instance| await_answer(stage, place, instance, deadline));
    let instance = ready.map_err(|error| match error.tail.is_empty() {
        true => error.tail(start::last_lines(stage, place)),
        false => error,
    })?;
    stage.fact(Instance::key(place), instance)?;
    let pid = instance.process.pid;
    write_number(&service.current_pid_file(), pid)?;
    let what = format!(
        "{} (pid {pid}, port {})",
        service.name,
        instance.address.port()
    );
    stage
        .report
        .finished("Started", &what, Some(began.elapsed()));
    Ok(())
}

pub(super) fn undo(stage: &mut Stage<'_>, place: usize) -> Result<()> {
    let before = &stage.deployment.services[place];
    let path = stage.services()[place].current_pid_file();
    put_back(&path, before.current.as_ref())
}

/// What is still missing, and what is there, of an instance that is not ready.
enum Seen {
    Ready(Instance),
    Missing { what: String, hint: String },
}

fn await_address(stage: &mut Stage<'_>, place: usize, deadline: Instant) -> Result<Instance> {
    let name = stage.services()[place].name.clone();
    let mut main = None;
    let mut sole = None;
    let mut said = String::new();
    loop {
        let found = main_of(stage, place);
        if found.is_some() && found != main {
            stage.fact(Instance::main_key(place), found)?;
        }
        let (what, hint) = match look(stage, place, found, &mut sole)? {
            Seen::Ready(instance) => return Ok(instance),
            Seen::Missing { what, hint } => (what, hint),
        };
        if what != said {
            stage.report.event(Event::Progress(&what));
            said.clone_from(&what);
        }
        if let Some(text) = death(stage, place, found, main) {
            return Err(Error::failed(format!("`{name}` did not start")).cause(text));
        }
        main = found.or(main);
        if Instant::now() >= deadline {
            let limit = READY_TIMEOUT.as_secs();
            let error = Error::failed(format!("`{name}` is not ready within {limit} s"));
            return Err(error.cause(what).hint(hint));
        }
        if !stage.patience().sleep(LOOK_INTERVAL) {
            let what = format!("interrupted while waiting for `{name}`");
            return Err(Error::new(ErrorKind::Interrupted, what));
        }
    }
}

/// The process that the pid file names since the new instance was started.
fn main_of(stage: &Stage<'_>, place: usize) -> Option<Process> {
    let previous = stage.deployment.services[place].previous;
    let found = number_in(&stage.services()[place].pid_file).and_then(Process::of);
    found.filter(|found| Some(*found) != previous)
}

/// Looks for the port of an instance: in its port file, as the original did, else in the kernel's
/// own table. What listens for the instance may belong to somebody else, and not be seen.
fn look(
    stage: &Stage<'_>,
    place: usize,
    main: Option<Process>,
    sole: &mut Option<(u16, Instant)>,
) -> Result<Seen> {
    let service = &stage.services()[place];
    let missing = |what: String, hint: &str| {
        let hint = hint.to_owned();
        Ok(Seen::Missing { what, hint })
    };
    let Some(process) = main else {
        let (what, hint) = unnamed(&service.pid_file);
        return missing(what, hint);
    };
    let heard = listening(stage.deployment.everything(place, main));
    let ports: BTreeSet<u16> = heard.iter().map(SocketAddr::port).collect();
    let file = service.port_file(process.pid);
    let written = process.port_in(&file);
    let ready = |port| {
        let address = address_of(port, &heard);
        Ok(Seen::Ready(Instance::at(process, address)))
    };
    match (written, ports.iter().next()) {
        (Some(port), None) => ready(port),
        (Some(port), Some(_)) if ports.contains(&port) => ready(port),
        (None, Some(&port)) if ports.len() == 1 => {
            let (known, since) = *sole.get_or_insert((port, Instant::now()));
            if known != port {
                *sole = None;
            } else if since.elapsed() >= SOLE_TIME {
                write_number(&file, port.into())?;
                return ready(port);
            }
            missing(format!("it listens on port {port}"), "try again")
        }
        (None, None) => missing(
            format!("no port in `{file}`, and it listens on none that zdd can see"),
            "let the service listen on a TCP port",
        ),
        _ => {
            let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
            let ports = ports.join(", ");
            let written = written.map(|port| format!(", not on {port} of `{file}`"));
            let written = written.unwrap_or_default();
            missing(
                format!("it listens on {ports}{written}"),
                "let the service write its port into its port file",
            )
        }
    }
}

/// Why there is nothing to wait for any more.
fn death(
    stage: &mut Stage<'_>,
    place: usize,
    found: Option<Process>,
    main: Option<Process>,
) -> Option<String> {
    let is_alive = found.is_some() || !stage.deployment.processes_of(place).is_empty();
    if is_alive {
        return None;
    }
    if let Some(main) = main {
        return Some(format!("its process {} ended", main.pid));
    }
    let mut own = stage.children.iter_mut().filter(|(of, _)| *of == place);
    let (_, child) = own.next()?;
    // One that ended well may have told somebody else to start it.
    let status = child.try_wait().ok()??;
    (!status.success()).then(|| format!("its command ended with {status}"))
}

/// An answer is readiness: a listening master accepts before any worker lives.
fn await_answer(
    stage: &Stage<'_>,
    place: usize,
    instance: Instance,
    deadline: Instant,
) -> Result<Instance> {
    let left = deadline.saturating_duration_since(Instant::now());
    let left = Span::millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX).max(1));
    let address = Address::Tcp(instance.address);
    let check = own::readiness(&address, &Service::default(), left)?;
    let main = instance.process;
    let died = || {
        let has_ended = !main.is_running();
        has_ended.then(|| format!("its process {} ended", main.pid))
    };
    let started = Started {
        name: &stage.services()[place].name,
        check: &check,
        died: &died,
        processes: &|| stage.deployment.everything(place, Some(main)),
        must_speak_http: false,
    };
    let speech = answer::wait(&started, stage.report, &stage.patience())?;
    Ok(Instance {
        is_mute: speech == Speech::Other,
        ..instance
    })
}
