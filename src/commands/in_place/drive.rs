//! A release in place from the lock to its end: forward to the commit, or back.

use std::time::{Duration, Instant};

use super::{InPlace, recover};
use crate::commands::ending::{self, Outcome, SCHEMA, STUCK, value_of};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::host::signal::Patience;
use crate::host::ticks::Ticks;
use crate::report::Event;
use crate::saga::journal::{self, Journal};
use crate::saga::{self, Reversible, Stopped, millis_since};
use crate::site::record::StepTime;
use crate::step::in_place::{self, Deployment, Stage, Step};
use crate::step::outcome::Ending;

/// Takes the lock, recovers what is unfinished, looks at everything, and drives the steps.
pub(super) fn release(site: &InPlace<'_>, wait: Duration) -> Result<Outcome> {
    let began = Instant::now();
    let _lock = site.take_lock(wait)?;
    recover::settle(site)?;
    let deployment = prepare(site)?;
    in_place::refused_template(&deployment, &Patience::of_command())?;
    let path = site.site.in_place_journal_path();
    let journal = Journal::begin(&path, value_of(&deployment))?;
    let report = site.surface.report;
    let mut stage = Stage::new(&site.site, &deployment, report, journal, Vec::new());
    stage.steps.push(StepTime {
        name: "preconditions".to_owned(),
        ms: millis_since(began),
        ok: true,
    });
    let steps = deployment.steps();
    let result = saga::advance(&steps, 0, &mut stage);
    Ok(end(&steps, stage, result))
}

/// Everything that must be known before anything is started. The template is read here, too.
fn prepare(site: &InPlace<'_>) -> Result<Deployment> {
    let conf = &site.conf;
    for service in &conf.services {
        if !service.cwd.is_dir() {
            let what = format!("`{}` is no directory", service.cwd);
            let hint = format!("correct `cwd` in `[service:{}]`", service.name);
            return Err(Error::failed(what).hint(hint));
        }
    }
    let template = fs_err::read_to_string(&conf.nginx.template);
    let template = template
        .context("the template of nginx cannot be read")
        .map_err(|error| error.hint("correct `template` in `[nginx]`"))?;
    let mut deployment = Deployment {
        services: in_place::look(&site.site, conf, site.surface.report),
        template,
        mark: format!("{}-{}", std::process::id(), Ticks::now().0),
        begun: Ticks::fence(),
        master: None,
        had_settings: conf.nginx.output.exists(),
        conf: conf.clone(),
    };
    deployment.master = deployment.nginx().master();
    Ok(deployment)
}

/// Prints what a release would do.
pub(super) fn show_plan(site: &InPlace<'_>) -> Result<()> {
    let deployment = prepare(site)?;
    let steps: Vec<String> = deployment
        .steps()
        .into_iter()
        .map(|step| step.name)
        .collect();
    let json = serde_json::json!({ "schema": SCHEMA, "steps": steps });
    let text = || {
        let conf = &deployment.conf;
        let mut text = String::new();
        for (service, before) in conf.services.iter().zip(&deployment.services) {
            let line = service.start.join(" ");
            text += &format!("start {}: `{line}` in {}\n", service.name, service.cwd);
            if let Some(old) = before.previous {
                let stop = service.stop.join(" ");
                text += &format!("  then drain the old one and run `{stop} {}`\n", old.pid);
            }
        }
        let (output, template) = (&conf.nginx.output, &conf.nginx.template);
        text += &format!("write {output} from {template}\n");
        text += &match deployment.master {
            Some(master) => format!("reload nginx (pid {})\n", master.pid),
            None => format!("start nginx -c {output}\n"),
        };
        text
    };
    site.print(&json, text)
}

/// After the last step, or after the one that failed.
pub(super) fn end(
    steps: &[Step],
    mut stage: Stage<'_>,
    result: Result<(), Box<Stopped>>,
) -> Outcome {
    let committed = result.and_then(|()| {
        let written = saga::Stage::journal(&mut stage).write(&journal::Event::Committed);
        written.map_err(|error| Stopped::between(steps.len(), error))
    });
    match committed {
        Ok(()) => live(stage),
        Err(stopped) => taken_back(steps, stage, *stopped),
    }
}

/// After the commit.
pub(super) fn live(mut stage: Stage<'_>) -> Outcome {
    let began = Instant::now();
    stage.renew_patience();
    let report = stage.report;
    let finished = in_place::finish(&mut stage).and_then(|()| stage.journal.end());
    if let Err(error) = finished {
        report.warning(&error.to_string());
    }
    saga::Stage::took(&mut stage, "finish", millis_since(began), true);
    outcome(stage, Ending::Live)
}

fn taken_back(steps: &[Step], mut stage: Stage<'_>, stopped: Stopped) -> Outcome {
    let text = match &stopped.step {
        Some(step) => format!("step {step}: {}", stopped.error.what),
        None => stopped.error.what.clone(),
    };
    let (verb, what) = ("Failed", text.as_str());
    stage.report.event(Event::Failed { verb, what });
    stage.renew_patience();
    let failures = saga::unwind(steps, stopped.started, &mut stage);
    let Stopped { step, error, .. } = stopped;
    let switch = steps.last().map(Reversible::<Stage<'_>>::name);
    let is_stuck = failures
        .iter()
        .any(|(step, _)| Some(step.as_str()) == switch);
    let gone: Vec<&str> = lost(&stage).collect();
    let ending = match (&error.kind, stage.was_switched()) {
        _ if is_stuck || !gone.is_empty() => Ending::RollbackFailed,
        (_, true) if has_previous(&stage) => Ending::RolledBack,
        (ErrorKind::Interrupted, false) => Ending::Interrupted,
        _ => Ending::Failed,
    };
    let mut error = error;
    for (step, failure) in &failures {
        let text = format!("undo of step {step} failed: {failure}");
        error.tail.push(text);
    }
    for name in gone {
        error
            .tail
            .push(format!("the old {name} does not run any more"));
    }
    if failures.is_empty() {
        if let Err(error) = stage.journal.end() {
            stage.report.warning(&error.to_string());
        }
    } else {
        error = error.hint("zdd recover");
    }
    if stage.is_stuck {
        error = error.hint(STUCK);
    } else if ending == Ending::RollbackFailed {
        error = error.hint("zdd status");
    }
    Outcome {
        error: Some(ending::failure(step, &error)),
        errors: error.findings.clone(),
        cause: Some(error),
        ..outcome(stage, ending)
    }
}

/// The services whose instances ran before and do not any more.
fn lost<'a>(stage: &Stage<'a>) -> impl Iterator<Item = &'a str> {
    let services = stage.deployment.conf.services.iter();
    let both = services.zip(&stage.deployment.services);
    both.filter(|(_, before)| before.previous.is_some_and(|old| !old.is_running()))
        .map(|(service, _)| service.name.as_str())
}

fn has_previous(stage: &Stage<'_>) -> bool {
    let mut services = stage.deployment.services.iter();
    services.any(|before| before.previous.is_some())
}

fn outcome(stage: Stage<'_>, ending: Ending) -> Outcome {
    Outcome {
        schema: SCHEMA,
        outcome: ending,
        release: None,
        from: None,
        serving: None,
        error: None,
        errors: Vec::new(),
        steps: stage.steps,
        cutover: None,
        running: Vec::new(),
        replaced: Vec::new(),
        queues: Vec::new(),
        complaints: Vec::new(),
        migrations: Vec::new(),
        restored: Vec::new(),
        cause: None,
        already: None,
        doubt: None,
        notes: Vec::new(),
    }
}

/// What the site serves, with what the end of the command means for its users.
pub(super) fn state_of(ending: Ending, state: &str) -> String {
    match ending {
        Ending::RolledBack => format!("{state}, as before the command: users are served"),
        Ending::RollbackFailed => format!("{state}; a human must look"),
        Ending::Failed | Ending::Refused | Ending::Interrupted | Ending::Locked => {
            format!("{state}; nothing changed for users")
        }
        Ending::Live | Ending::Unchanged => state.to_owned(),
    }
}
