//! What runs of a site that is released in place: its instances, by pid and port.

use serde::Serialize;

use super::{InPlace, recover};
use crate::commands::ending::SCHEMA;
use crate::config::deploy_conf::Service;
use crate::config::schema;
use crate::config::units::Span;
use crate::error::Result;
use crate::exit_code::ExitCode;
use crate::health::{Outcome, own};
use crate::host::signal::Patience;
use crate::proxy::nginx::Master;
use crate::report::stdout;
use crate::report::style::{BAD, GOOD, NOTE, STRONG, WARNING, paint};
use crate::report::table::{Cell, Column, Table};
use crate::report::text::labelled;
use crate::report::{Silent, style, time};
use crate::running::sockets::Address;
use crate::site::lock::{self, Holder};
use crate::step::in_place::{self, Instance, Known};
use crate::step::process::Process;

/// How long an instance may take to answer.
const ANSWER_TIMEOUT: Span = Span::secs(5);

/// One process of a service, as in the JSON.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    service: String,
    state: State,
    pid: Option<u32>,
    port: Option<u16>,
    #[serde(skip)]
    live: Option<Instance>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Users get it.
    Live,
    /// It was left, or taken back, and has not ended.
    Previous,
    /// None runs.
    Stopped,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            State::Live => "live",
            State::Previous => "previous",
            State::Stopped => "stopped",
        }
    }
}

#[derive(Debug, Serialize)]
struct Status {
    schema: u32,
    current: Option<()>,
    running: [(); 0],
    instances: Vec<Row>,
    nginx_pid: Option<u32>,
    health: Vec<Outcome>,
    lock: Option<Holder>,
    unfinished: Option<recover::Unfinished>,
}

#[derive(Debug, Serialize)]
struct List {
    schema: u32,
    site: String,
    current: Option<()>,
    previous: Option<()>,
    releases: [(); 0],
    instances: Vec<Row>,
}

/// The instances of every service: the live one, the one before it while it still runs, and those
/// that users could not be led away from.
pub(super) fn rows(site: &InPlace<'_>) -> Vec<Row> {
    let known = Known::of(&site.site);
    let looked = in_place::look(&site.site, &site.conf, &Silent);
    let mut rows = Vec::new();
    for (service, before) in site.conf.services.iter().zip(looked) {
        rows.push(match before.previous {
            None => Row::new(service, State::Stopped, None, None),
            Some(process) => {
                let known = known.services.get(&service.name).copied();
                let known = known.filter(|known| known.process == process);
                let instance = known.or_else(|| in_place::found(service, process));
                Row::new(service, State::Live, Some(process), instance)
            }
        });
        if let Some(old) = in_place::still_running(&before, service) {
            rows.push(Row::left(service, old));
        }
    }
    for left in known.left {
        if rows.iter().all(|row| row.pid != Some(left.process.pid)) {
            rows.push(Row::left(&left.service, left.process));
        }
    }
    rows
}

impl Row {
    fn new(
        service: &Service,
        state: State,
        process: Option<Process>,
        live: Option<Instance>,
    ) -> Row {
        Row {
            service: service.name.clone(),
            state,
            pid: process.map(|process| process.pid),
            port: live.map(|instance| instance.address.port()),
            live,
        }
    }

    fn left(service: &Service, old: Process) -> Row {
        let instance = in_place::found(service, old);
        Row::new(service, State::Previous, Some(old), instance)
    }
}

/// One line about what users get.
pub(super) fn state_line(site: &InPlace<'_>) -> String {
    let rows = rows(site).into_iter();
    let live = rows.filter(|row| row.state != State::Previous);
    let texts: Vec<String> = live
        .map(|row| match (row.pid, row.port) {
            (Some(pid), Some(port)) => format!("{} is pid {pid} on port {port}", row.service),
            (Some(pid), None) => format!("{} is pid {pid}", row.service),
            (None, _) => format!("{} does not run", row.service),
        })
        .collect();
    match texts.is_empty() {
        true => "there are no services".to_owned(),
        false => texts.join(", "),
    }
}

/// `zdd list`: the instances.
///
/// # Errors
/// When they cannot be printed.
pub fn list(site: &InPlace<'_>) -> Result<ExitCode> {
    if let Some(unfinished) = recover::look(site)? {
        site.surface.report.note(&unfinished.to_string());
    }
    let list = List {
        schema: SCHEMA,
        site: site.site.root().file_name().unwrap_or_default().to_owned(),
        current: None,
        previous: None,
        releases: [],
        instances: rows(site),
    };
    site.print(&list, || {
        let mut table = Table::new([
            Column::text("SERVICE"),
            Column::text("STATE"),
            Column::number("PID"),
            Column::number("PORT"),
        ]);
        for row in &list.instances {
            let style = match row.state {
                State::Live => style::GOOD,
                State::Previous => style::WARNING,
                State::Stopped => style::BAD,
            };
            let number = |number: Option<u32>| number.map(|it| it.to_string()).unwrap_or_default();
            table.row([
                Cell::from(row.service.as_str()),
                Cell::styled(style, row.state.word()),
                Cell::from(number(row.pid)),
                Cell::from(number(row.port.map(u32::from))),
            ]);
        }
        table.render(stdout::columns())
    })?;
    Ok(ExitCode::Done)
}

/// `zdd status`: the instances, whether each answers, nginx, the lock, what is unfinished.
///
/// # Errors
/// When it cannot be told or printed.
pub fn status(site: &InPlace<'_>) -> Result<ExitCode> {
    let instances = rows(site);
    let live = instances.iter().filter(|row| row.state == State::Live);
    let status = Status {
        schema: SCHEMA,
        current: None,
        running: [],
        health: live.filter_map(answer).collect(),
        nginx_pid: Master::of_pid_file(&site.conf.nginx.pid_file).map(|master| master.pid),
        lock: lock::holder(&site.site),
        unfinished: recover::look(site)?,
        instances,
    };
    let is_well = status.nginx_pid.is_some()
        && status.unfinished.is_none()
        && status.health.iter().all(|check| check.ok)
        && status.instances.iter().all(|row| row.state == State::Live);
    site.print(&status, || text(site, &status))?;
    Ok(match is_well {
        true => ExitCode::Done,
        false => ExitCode::Refused,
    })
}

/// Asks an instance once.
fn answer(row: &Row) -> Option<Outcome> {
    let Instance {
        address, is_mute, ..
    } = row.live?;
    let check = match is_mute {
        true => own::acceptance(address, ANSWER_TIMEOUT),
        false => own::readiness(
            &Address::Tcp(address),
            &schema::Service::default(),
            ANSWER_TIMEOUT,
        ),
    };
    let check = check.ok()?;
    let attempt = check.attempt(&Patience::of_command());
    Some(Outcome {
        check: check.name(),
        ok: attempt.ok,
        detail: attempt.detail,
    })
}

fn text(site: &InPlace<'_>, status: &Status) -> String {
    let mut text = String::new();
    let width = stdout::columns();
    let mut line = |style, label: &str, value: &str| {
        text += &labelled(&paint(style, format!("{label:<8}")), value, width);
    };
    for row in &status.instances {
        let style = match row.state {
            State::Live => STRONG,
            State::Previous => WARNING,
            State::Stopped => BAD,
        };
        let pid = row.pid.map(|pid| format!(", pid {pid}"));
        let port = row.port.map(|port| format!(", port {port}"));
        let (pid, port) = (pid.unwrap_or_default(), port.unwrap_or_default());
        let value = format!("{}{pid}{port}", row.service);
        line(style, row.state.word(), &value);
    }
    match status.nginx_pid {
        Some(pid) => line(STRONG, "nginx", &format!("pid {pid}")),
        None => line(BAD, "nginx", "does not run"),
    }
    for Outcome { check, ok, detail } in &status.health {
        let word = match ok {
            true => paint(GOOD, "good"),
            false => paint(BAD, "bad "),
        };
        line(STRONG, "health", &format!("{word} {check} ({detail})"));
    }
    if let Some(holder) = &status.lock {
        let since = time::ago(holder.since, site.surface.clock.now());
        let (command, user, pid) = (&holder.command, &holder.user, holder.pid);
        let value = format!("`{command}` of {user} (pid {pid}), begun {since}");
        line(NOTE, "lock", &value);
    }
    if let Some(unfinished) = &status.unfinished {
        line(WARNING, "pending", &unfinished.to_string());
    }
    text
}
