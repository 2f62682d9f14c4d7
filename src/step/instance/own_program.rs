//! Instances that supervisor runs: each release has a program of its own, with its own file. The
//! file is what lets it start at boot.

use std::time::Duration;

use camino::Utf8PathBuf;
use fs_err as fs;

use super::{Instance, last_words};
use crate::config::schema::Role;
use crate::error::{Context, Error, Finding, Result};
use crate::host::signal::Patience;
use crate::host::user::Owner;
use crate::report::Report;
use crate::running::Processes;
use crate::service::Program;
use crate::service::supervisor::{Facts, log_paths, render};

/// How long supervisor may take to stop a program beyond `drain`: its `stopwaitsecs` is 10 s by
/// default.
const STOP_TIMEOUT: Duration = Duration::from_secs(150);

/// Writes its file, and starts it unless it runs. It need not run when this returns.
pub(super) fn begin(
    instance: &Instance,
    program: &Program,
    is_running: bool,
    patience: &Patience,
) -> Result<()> {
    let limit = instance.switch_timeout();
    refuse_strangers(instance, program)?;
    let text = text(instance, program)?;
    if is_running {
        return program.write(&text);
    }
    // What an earlier command left may wait to be started again, by another file.
    program.stop(limit, instance.service.drain.duration(), patience)?;
    instance.remove_dead_socket();
    program.write(&text)?;
    program.start(limit, patience)
}

/// Removes its file. It goes on running.
pub(super) fn disable(instance: &Instance, program: &Program) -> Result<()> {
    match program.is_of_another_site(instance.site.root()) {
        true => Ok(()),
        false => program.remove_file(),
    }
}

/// Stops it and everything it started.
pub(super) fn stop(
    instance: &Instance,
    program: &Program,
    report: &dyn Report,
    patience: &Patience,
) -> Result<()> {
    if program.is_of_another_site(instance.site.root()) {
        return Ok(());
    }
    let was_running = !program.state()?.is_ended();
    let drain = instance.service.drain.duration();
    let stopped = program.stop(drain + STOP_TIMEOUT, drain, patience)?;
    if let Some(words) = &stopped.last_words {
        last_words::keep(instance, words);
    }
    let name = program.name();
    let hint = "let supervisor end all it started: `stopasgroup=true` and `killasgroup=true`";
    let pids = |pids: &[u32]| {
        pids.iter()
            .map(u32::to_string)
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !stopped.left.is_empty() {
        let what = format!(
            "`{name}` is stopped, but pid {} goes on",
            pids(&stopped.left)
        );
        if instance.service.role == Role::Worker {
            return Err(Error::failed(what).hint(hint));
        }
        report.warning(&format!("{what}; {hint}"));
    } else if !stopped.told.is_empty() {
        let pids = pids(&stopped.told);
        report.warning(&format!(
            "{name}: pid {pids} went on and was told to end; {hint}"
        ));
    }
    if let Some(socket) = instance.told_socket().filter(|_| stopped.left.is_empty()) {
        let _ = fs::remove_file(socket);
    }
    if was_running {
        report.finished("Stopped", program.name(), None);
    }
    Ok(())
}

/// The logs that its file names.
pub(super) fn logs(instance: &Instance, program: &Program) -> Vec<Utf8PathBuf> {
    // A file that cannot be made is refused where it is written.
    let text = text(instance, program).unwrap_or_default();
    log_paths(&text, program.name())
}

/// All its processes now.
pub(super) fn processes(program: &Program) -> Result<Processes> {
    let state = program.state()?;
    let mains = state.pids();
    if mains.is_empty() {
        let what = format!("`{}` does not run", program.name());
        return Err(Error::failed(what).cause(state.in_words()));
    }
    Ok(Processes {
        main: mains.first().copied(),
        all: state.processes(),
    })
}

/// Why it cannot be started here.
pub(super) fn obstacles(instance: &Instance, program: &Program) -> Vec<Finding> {
    let mut findings = program.obstacles(&Owner::of_process().name);
    findings.extend(refuse_strangers(instance, program).err().map(Finding::from));
    findings
}

/// A program of that name may belong to another site.
fn refuse_strangers(instance: &Instance, program: &Program) -> Result<()> {
    if !program.is_of_another_site(instance.site.root()) {
        return Ok(());
    }
    let what = format!("`{}` was not written for this site", program.file_path());
    Err(Error::failed(what).hint("give this site another `program` name in zdd.toml"))
}

/// The text of its file, made from the template of its own release.
fn text(instance: &Instance, program: &Program) -> Result<String> {
    let (site, service) = (&instance.site, &instance.service);
    let template = service
        .template
        .as_deref()
        .unwrap_or("supervisor.conf".into());
    let path = instance.directory().join(template);
    let text = fs::read_to_string(&path).context(format!(
        "cannot make the file of `{}`: no template",
        program.name()
    ))?;
    let socket = instance.told_socket();
    let facts = Facts {
        program: program.name().to_owned(),
        texts: vec![
            ("release", instance.release.to_string()),
            ("release_path", instance.directory().to_string()),
            ("socket", socket.map(String::from).unwrap_or_default()),
            ("root", site.root().to_string()),
            ("current_path", site.current_path().to_string()),
            ("shared_path", site.shared_dir().to_string()),
        ],
        values: service.values.clone(),
    };
    render(&text, &path, site.root(), &facts)
}
