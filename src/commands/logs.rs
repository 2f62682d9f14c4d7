//! `zdd logs [RELEASE] [STEP]`: what hooks and own processes printed.

use fs_err as fs;
use serde::Serialize;

use super::{Context, show};
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::report::text::harmless;
use crate::site::{History, ReleaseId};

/// What was printed, as in the JSON.
#[derive(Debug, Serialize)]
struct Logs<'a> {
    schema: u32,
    release: &'a ReleaseId,
    logs: &'a [Log],
}

/// What one step printed.
#[derive(Debug, Serialize)]
struct Log {
    step: String,
    text: String,
}

/// Prints the logs of a release: of one step, or of all in the order they were begun.
///
/// # Errors
/// When there is no such release or log, or it may not be read.
pub fn run(context: &Context<'_>, id: Option<&ReleaseId>, step: Option<&str>) -> Result<ExitCode> {
    let history = History::load(&context.site)?;
    let record = show::record(&history, id)?;
    let mut logs = logs_of(context, &record.id)?;
    if let Some(step) = step {
        logs.retain(|log| log.step == step || log.step.strip_prefix("hook_") == Some(step));
        if logs.is_empty() {
            let what = format!("release `{}` has no log of `{step}`", record.id);
            return Err(Error::failed(what).hint(format!("zdd logs {}", record.id)));
        }
    }
    let object = Logs {
        schema: super::ending::SCHEMA,
        release: &record.id,
        logs: &logs,
    };
    context.print(&object, || {
        if logs.is_empty() {
            return format!("release {} printed nothing\n", record.id);
        }
        logs.iter()
            .map(|Log { step, text }| format!("==> {step}\n{}\n", harmless(text)))
            .collect()
    })
}

/// The logs by the time they were last written to.
fn logs_of(context: &Context<'_>, id: &ReleaseId) -> Result<Vec<Log>> {
    let directory = context.site.logs_dir(id);
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let mut logs = Vec::new();
    for entry in fs::read_dir(&directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(step) = name.strip_suffix(".log") else {
            continue;
        };
        let written = fs::metadata(entry.path())?.modified()?;
        let text = String::from_utf8_lossy(&fs::read(entry.path())?).into_owned();
        logs.push((written, step.to_owned(), text));
    }
    logs.sort();
    Ok(logs
        .into_iter()
        .map(|(_, step, text)| Log { step, text })
        .collect())
}
