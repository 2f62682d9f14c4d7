//! How `release` and `rollback` end: the JSON object, the record, the closing lines, the exit code.

use serde::Serialize;
use serde_json::Value;

use super::Context;
use crate::error::{Error, ErrorKind, Finding, Result};
use crate::exit_code::ExitCode;
use crate::health::Figures;
use crate::report::{closing, stdout};
use crate::site::record::{Failure, StepTime};
use crate::site::{Migration, ReleaseId, Site, link};
use crate::step::complaints::Complaints;
use crate::step::outcome::{Ending, Running};
use crate::step::replaced::Replaced;
use crate::step::worker::Queue;

/// What to do where users could not be led back to what served before.
pub const STUCK: &str = "mend what the undo of step switch failed of, then: zdd recover";

/// The version of the JSON.
pub const SCHEMA: u32 = 1;

/// Everything about the end of a command that switches. Its fields are those of the JSON.
#[derive(Debug, Serialize)]
pub struct Outcome {
    /// The version of the format.
    pub schema: u32,
    /// How it ended.
    pub outcome: Ending,
    /// The release it was about.
    pub release: Option<ReleaseId>,
    /// What served before.
    pub from: Option<ReleaseId>,
    /// What serves now.
    pub serving: Option<ReleaseId>,
    /// Why it did not end well.
    pub error: Option<Failure>,
    /// What is wrong with the settings or the preconditions.
    pub errors: Vec<Finding>,
    /// The steps with their times.
    pub steps: Vec<StepTime>,
    /// The figures of the probe.
    pub cutover: Option<Figures>,
    /// What each service runs.
    pub running: Vec<Running>,
    /// What became of the processes that ran before the switch.
    pub replaced: Vec<Replaced>,
    /// What waited for the workers, before and after they were told.
    pub queues: Vec<Queue>,
    /// What the logs complained of since the switch.
    pub complaints: Vec<Complaints>,
    /// What the releases that a rollback left did to the data.
    pub migrations: Vec<Migration>,
    /// What the services run after they were put back.
    #[serde(skip)]
    pub restored: Vec<Running>,
    /// What went wrong, whole; the JSON has it in `error`.
    #[serde(skip)]
    pub cause: Option<Error>,
    /// What the live release is already, when nothing was to be done.
    #[serde(skip)]
    pub already: Option<String>,
    /// Why a live release is not proved to run.
    #[serde(skip)]
    pub doubt: Option<String>,
    /// More to say at the end, each a line.
    #[serde(skip)]
    pub notes: Vec<String>,
}

/// Why a command that switches nothing failed. Its fields are those of the JSON.
#[derive(Debug, Serialize)]
struct Refusal {
    schema: u32,
    error: Failure,
    errors: Vec<Finding>,
}

impl Outcome {
    /// The end of a command that began nothing; without a site when not even that was found.
    pub fn refused(site: Option<&Site>, error: Error) -> Outcome {
        let ending = match error.kind {
            ErrorKind::Locked => Ending::Locked,
            ErrorKind::Interrupted => Ending::Interrupted,
            ErrorKind::NeedsHuman => Ending::RollbackFailed,
            ErrorKind::Failed | ErrorKind::Usage => Ending::Refused,
        };
        let serving = site.and_then(serving);
        let step = StepTime {
            name: "preconditions".to_owned(),
            ms: 0,
            ok: false,
        };
        Outcome {
            schema: SCHEMA,
            outcome: ending,
            release: None,
            from: serving.clone(),
            serving,
            error: Some(failure(None, &error)),
            errors: error.findings.clone(),
            steps: if ending == Ending::Refused {
                vec![step]
            } else {
                Vec::new()
            },
            cutover: None,
            running: Vec::new(),
            replaced: Vec::new(),
            queues: Vec::new(),
            complaints: Vec::new(),
            migrations: Vec::new(),
            restored: Vec::new(),
            cause: Some(error),
            already: None,
            doubt: None,
            notes: Vec::new(),
        }
    }

    /// The end of a command that found nothing to do. `already` says what is live.
    pub fn unchanged(site: &Site, already: String, preconditions: StepTime) -> Outcome {
        let serving = serving(site);
        Outcome {
            schema: SCHEMA,
            outcome: Ending::Unchanged,
            release: None,
            from: serving.clone(),
            serving,
            error: None,
            errors: Vec::new(),
            steps: vec![preconditions],
            cutover: None,
            running: Vec::new(),
            replaced: Vec::new(),
            queues: Vec::new(),
            complaints: Vec::new(),
            migrations: Vec::new(),
            restored: Vec::new(),
            cause: None,
            already: Some(already),
            doubt: None,
            notes: Vec::new(),
        }
    }

    /// The exit code that tells this end.
    pub fn exit_code(&self) -> ExitCode {
        match &self.cause {
            Some(error) if self.outcome == Ending::Refused => error.exit_code(),
            _ => self.outcome.exit_code(),
        }
    }
}

/// Tells the end: the JSON on standard output, and the closing lines for people.
///
/// # Errors
/// When standard output cannot be written, after a command that changed nothing.
pub fn tell(context: &Context<'_>, outcome: &Outcome) -> Result<ExitCode> {
    if context.json {
        let printed = stdout::json(outcome);
        if matches!(outcome.outcome, Ending::Refused | Ending::Unchanged) {
            printed?;
        }
    }
    for note in &outcome.notes {
        context.report.note(note);
    }
    for text in outcome.complaints.iter().filter_map(Complaints::told) {
        context.report.warning(&text);
    }
    let text = match &outcome.cause {
        Some(error) => closing::failure(error, &state_of(context, outcome)),
        None => success(outcome),
    };
    context.report.closing(&text);
    Ok(outcome.exit_code())
}

/// Tells why a command that switches nothing failed.
pub fn tell_error(context: &Context<'_>, error: Error) -> ExitCode {
    let code = tell_failure(context, &error);
    if context.json {
        print_refusal(false, error);
    }
    code
}

/// The closing lines of a command that switches nothing.
pub fn tell_failure(context: &Context<'_>, error: &Error) -> ExitCode {
    let text = closing::failure(error, &context.state_line());
    context.report.closing(&text);
    error.exit_code()
}

/// The JSON of a command that began nothing: an outcome where it was to switch, else the error
/// alone. The exit code says the same, so that a broken pipe changes nothing.
pub fn print_refusal(is_switching: bool, error: Error) {
    let _ = if is_switching {
        stdout::json(&Outcome::refused(None, error))
    } else {
        stdout::json(&Refusal {
            schema: SCHEMA,
            error: failure(None, &error),
            errors: error.findings,
        })
    };
}

/// What `current` names, as far as it can be told.
pub fn serving(site: &Site) -> Option<ReleaseId> {
    link::read(site).ok()?.release().cloned()
}

/// One line about what users get.
pub fn state_line(site: &Site) -> String {
    match link::read(site) {
        Ok(current) => match current.release() {
            Some(id) => format!("`current` names release {id}"),
            None if current == link::Current::Missing => "no release is live yet".to_owned(),
            None => "`current` names no release of this site".to_owned(),
        },
        Err(error) => format!("what `current` names cannot be told: {error}"),
    }
}

/// The error as the record and the JSON have it.
pub fn failure(step: Option<String>, error: &Error) -> Failure {
    Failure {
        step,
        message: error.what.clone(),
        cause: error.cause.clone(),
        hint: error.change.clone().or_else(|| error.hint.clone()),
    }
}

fn success(outcome: &Outcome) -> String {
    if let Some(already) = &outcome.already {
        return closing::success("unchanged", already);
    }
    let release = outcome
        .release
        .as_ref()
        .map(ToString::to_string)
        .unwrap_or_default();
    let took: u64 = outcome.steps.iter().map(|step| step.ms).sum();
    let took = crate::report::time::duration(std::time::Duration::from_millis(took));
    let doubt = outcome
        .doubt
        .as_ref()
        .map(|doubt| format!(" ({doubt})"))
        .unwrap_or_default();
    let was = outcome
        .from
        .as_ref()
        .map(|from| format!(", was {from}"))
        .unwrap_or_default();
    closing::success("live", &format!("{release}{doubt} in {took}{was}"))
}

fn state_of(context: &Context<'_>, outcome: &Outcome) -> String {
    let state = state_line(&context.site);
    match outcome.outcome {
        Ending::RolledBack => format!("{state}, as before the command: users are served"),
        Ending::RollbackFailed => {
            let running = outcome.restored.iter().map(|running| {
                let release = running.release.as_deref().unwrap_or("unknown code");
                format!("; {} runs {release} ({})", running.service, running.verdict)
            });
            format!("{state}{}; a human must look", running.collect::<String>())
        }
        Ending::Failed | Ending::Refused | Ending::Interrupted | Ending::Locked => {
            format!("{state}; nothing changed for users")
        }
        Ending::Live | Ending::Unchanged => state,
    }
}

/// Any value as JSON; what cannot be written is null.
pub fn value_of(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}
