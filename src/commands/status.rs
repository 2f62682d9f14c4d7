//! `zdd status`: what `current` names, what each service really runs, health now, who holds the
//! lock, what is unfinished.

use serde::Serialize;
use time::OffsetDateTime;

use super::unfinished::{self, Unfinished};
use super::{Context, ending};
use crate::config::schema::Service;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::health::{Outcome, outcome};
use crate::host::signal::Patience;
use crate::report::stdout;
use crate::report::style::{BAD, GOOD, NOTE, STRONG, WARNING, paint};
use crate::report::text::labelled;
use crate::report::time::duration;
use crate::running::Verdict;
use crate::service::Unit;
use crate::site::lock::{self, Holder};
use crate::site::{History, ReleaseId, Site, State};
use crate::step::instance::Instance;
use crate::step::outcome::Running;
use crate::step::{advice, before, in_force, name_of, proxy};

/// Everything about the site now, as in the JSON.
#[derive(Debug, Serialize)]
struct Status {
    schema: u32,
    current: Option<ReleaseId>,
    running: Vec<Running>,
    proxy: Option<proxy::State>,
    health: Vec<Outcome>,
    lock: Option<Holder>,
    unfinished: Option<Unfinished>,
    standby: Option<Standby>,
    problems: Vec<String>,
}

/// A release whose instances are kept running for a rollback.
#[derive(Debug, Serialize)]
struct Standby {
    release: ReleaseId,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
}

/// Prints the state of the site. Ends in 0 when all is as it should be, else in 1.
///
/// # Errors
/// When it cannot be told or printed.
pub fn run(context: &Context<'_>) -> Result<ExitCode> {
    let status = look(context)?;
    context.print(&status, || text(context, &status))?;
    let is_well = status.current.is_some()
        && status.problems.is_empty()
        && status.health.iter().all(|check| check.ok)
        && status.unfinished.is_none();
    Ok(if is_well {
        ExitCode::Done
    } else {
        ExitCode::Refused
    })
}

fn look(context: &Context<'_>) -> Result<Status> {
    let history = History::load(&context.site)?;
    let current = history.current().release().cloned();
    let mut problems = history.oddities.clone();
    match history.current().usable(&context.site) {
        Ok(_) => {}
        Err(error) => problems.push(error.to_string()),
    }
    if let Some(live) = history.live().filter(|live| live.state != State::Live) {
        let (id, word) = (&live.id, live.state.word());
        problems.push(format!(
            "`current` names {id}, whose record says {word}: the link counts"
        ));
    }
    let mut running = Vec::new();
    let config = in_force::of_live(&history, &context.config);
    for (place, service) in config.service.iter().enumerate() {
        let name = name_of(service);
        let state = match Unit::of(service).map(|unit| unit.state()).transpose() {
            Ok(state) => state,
            Err(error) => {
                problems.push(error.to_string());
                continue;
            }
        };
        if let Some(state) = state.as_ref().filter(|state| !state.is_active()) {
            problems.push(format!("`{name}` is {}", state.active_state));
        }
        let seen = before::observation_of(
            &context.site,
            service,
            place,
            state.as_ref(),
            current.as_ref(),
        );
        let Some(seen) = seen else {
            let live = current.as_ref().filter(|_| service.has_instances());
            problems.extend(live.map(|live| absence(&context.site, live, place, service)));
            continue;
        };
        if seen.verdict.is_failure() {
            problems.push(advice::accusation(service, &seen));
        }
        let live = current
            .as_ref()
            .map(|live| Instance::new(&context.site, live, place, service));
        problems.extend(live.and_then(|live| live.complaint()));
        running.push(Running::new(&name, &seen));
    }
    let proxy = config.proxy.as_ref().filter(|_| current.is_some());
    let proxy = proxy.and_then(|proxy| {
        let state = proxy::State::of(proxy);
        let problem = state
            .as_ref()
            .map_or_else(Some, |state| state.problem.as_ref());
        problems.extend(problem.map(Error::to_string));
        state.ok()
    });
    let lock = lock::holder(&context.site);
    let unfinished = unfinished::look(context).unwrap_or_else(|error| {
        problems.push(format!("an interrupted command: {error}"));
        None
    });
    let health = match current {
        Some(_) => outcome::of_all(&context.config.health, &Patience::of_command()),
        None => Vec::new(),
    };
    let now = context.clock.now();
    let mut kept = history.releases().iter().filter_map(|record| {
        let until = record.standby_until.filter(|until| *until > now)?;
        let release = record.id.clone();
        Some(Standby { release, until })
    });
    Ok(Status {
        standby: kept.next(),
        schema: ending::SCHEMA,
        current,
        running,
        proxy,
        health,
        lock,
        unfinished,
        problems,
    })
}

/// Why nothing is known to run of a service that has to.
fn absence(site: &Site, live: &ReleaseId, place: usize, service: &Service) -> String {
    match Instance::new(site, live, place, service).processes() {
        Ok(_) => format!("`{}` does not run", name_of(service)),
        Err(error) => error.to_string(),
    }
}

fn text(context: &Context<'_>, status: &Status) -> String {
    let mut text = String::new();
    let width = stdout::columns();
    let mut line = |style, label: &str, value: &str| {
        text += &labelled(&paint(style, format!("{label:<8}")), value, width);
    };
    match &status.current {
        Some(current) => line(STRONG, "current", current.as_str()),
        None => line(BAD, "current", &ending::state_line(&context.site)),
    }
    for running in &status.running {
        let style = match running.verdict {
            Verdict::Proved => GOOD,
            Verdict::Unproved | Verdict::Unreadable => WARNING,
            Verdict::Mixed | Verdict::Stale => BAD,
        };
        let release = running.release.as_deref().unwrap_or("unknown code");
        let verdict = paint(style, running.verdict);
        let service = &running.service;
        line(
            STRONG,
            "running",
            &format!("{service} runs {release} ({verdict})"),
        );
    }
    if let Some(proxy::State { settings, pid, .. }) = &status.proxy {
        let nginx = match pid {
            Some(pid) => format!("nginx (pid {pid}) by {settings}"),
            None => "nginx does not run".to_owned(),
        };
        line(STRONG, "proxy", &nginx);
    }
    for Outcome { check, ok, detail } in &status.health {
        let word = if *ok {
            paint(GOOD, "good")
        } else {
            paint(BAD, "bad ")
        };
        line(STRONG, "health", &format!("{word} {check} ({detail})"));
    }
    if let Some(Holder {
        pid,
        user,
        command,
        since,
    }) = &status.lock
    {
        let since = crate::report::time::ago(*since, context.clock.now());
        let holder = format!("`{command}` of {user} (pid {pid}), begun {since}");
        line(NOTE, "lock", &holder);
    }
    if let Some(Standby { release, until }) = &status.standby {
        let left = (*until - context.clock.now()).unsigned_abs();
        let text = format!("{release} runs for {} more, for a rollback", duration(left));
        line(NOTE, "standby", &text);
    }
    if let Some(unfinished) = &status.unfinished {
        line(WARNING, "pending", &unfinished.to_string());
    }
    for problem in &status.problems {
        line(BAD, "problem", problem);
    }
    text
}
