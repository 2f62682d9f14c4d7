//! Services with one worker that no unit tells of: processes that zdd starts, and programs of
//! supervisor, by the file of the live one.

use camino::Utf8PathBuf;

use super::Trap;
use super::unnamed::file_of;
use crate::commands::Context;
use crate::config::schema::{Role, Service};
use crate::running::trap::{Level, workers};
use crate::service::Program;
use crate::site::{History, ReleaseId};
use crate::step::name_of;

/// How such a service is started.
struct Start {
    words: Vec<String>,
    environment: Vec<String>,
    place: String,
}

/// What is to be said of them.
pub(super) fn traps(context: &Context<'_>) -> Vec<Trap> {
    let history = History::load(&context.site).ok();
    let live = history.as_ref().and_then(|all| all.current().release());
    let services = context.config.service.iter();
    let web = services.filter(|service| service.role == Role::Web);
    web.filter_map(|service| trap(context, service, live))
        .collect()
}

fn trap(context: &Context<'_>, service: &Service, live: Option<&ReleaseId>) -> Option<Trap> {
    let start = match &service.start {
        Some(line) => Start {
            words: line.split_whitespace().map(str::to_owned).collect(),
            environment: Vec::new(),
            place: file_of(context),
        },
        None => of_program(&Program::of(service, live?.as_str())?)?,
    };
    let cwd = service.cwd.clone().unwrap_or_default();
    let files: Vec<Utf8PathBuf> = context.config.env_file.iter().cloned().collect();
    let (what, change) = workers::single(&workers::Start {
        words: &start.words,
        environment: &start.environment,
        environment_files: &files,
        directory: Some(&context.site.current_path().join(cwd)),
    })?;
    Some(Trap {
        level: Level::Note,
        what: format!("`{}`: {what}", name_of(service)),
        place: start.place,
        change: Some(change),
    })
}

fn of_program(program: &Program) -> Option<Start> {
    let value = |key| program.value(key);
    let environment = value("environment").unwrap_or_default();
    Some(Start {
        words: value("command")?
            .split_whitespace()
            .map(str::to_owned)
            .collect(),
        environment: environment
            .split(',')
            .map(|it| it.trim().to_owned())
            .collect(),
        place: program.file_path().into_string(),
    })
}
