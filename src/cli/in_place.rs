//! The words of a command about a site with a `deploy.conf`.

use camino::Utf8PathBuf;

use super::{Cli, Switch, Verb};
use crate::commands::Surface;
use crate::commands::in_place::{self, InPlace, Request};
use crate::config::discover;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;

/// The `deploy.conf` that holds for the command, when it is about a site.
pub(super) fn file_for(cli: &Cli) -> Option<Utf8PathBuf> {
    let is_about_site = !matches!(
        cli.verb,
        Verb::Init { .. } | Verb::Completions { .. } | Verb::Man
    );
    is_about_site.then(|| discover::deploy_conf(&cli.place()))?
}

/// A command about a site that is released in place by a `deploy.conf`.
pub(super) fn dispatch(
    cli: &Cli,
    file: &Utf8PathBuf,
    surface: Surface<'_>,
    command: String,
) -> Result<ExitCode> {
    let site = InPlace::open(surface, file, command)?;
    let verb = match &cli.verb {
        Verb::Release {
            source,
            reference,
            if_changed,
            switch,
        } => {
            if reference.is_some() || *if_changed {
                return Err(meaningless("`--ref` and `--if-changed`"));
            }
            refuse_for_in_place(cli, source.as_ref(), switch)?;
            let request = Request {
                wait: switch.wait.time(),
                is_dry_run: switch.dry_run,
            };
            return in_place::release(&site, request);
        }
        Verb::Status => return in_place::status(&site),
        Verb::List { .. } => return in_place::list(&site),
        Verb::Recover { wait, .. } => {
            let recovered = in_place::recover(&site, wait.time());
            return Ok(recovered.unwrap_or_else(|error| in_place::tell_error(&site, error)));
        }
        Verb::Rollback { .. } => "rollback",
        Verb::Prune { .. } => "prune",
        Verb::Pin { .. } => "pin",
        Verb::Unpin { .. } => "unpin",
        Verb::Show { .. } => "show",
        Verb::Logs { .. } => "logs",
        _ => "check",
    };
    let error = in_place::without_releases(&site, verb);
    Ok(in_place::tell_error(&site, error))
}

/// What can be asked of a release elsewhere and means nothing here.
fn refuse_for_in_place(cli: &Cli, source: Option<&Utf8PathBuf>, switch: &Switch) -> Result<()> {
    let what = match (source, &cli.global.root) {
        (Some(_), _) => "SOURCE",
        (_, Some(_)) => "`--root`",
        _ if !switch.skip_hook.is_empty() => "`--skip-hook`",
        _ => return Ok(()),
    };
    Err(meaningless(what))
}

fn meaningless(what: &str) -> Error {
    let text = format!("{what} means nothing with a `deploy.conf`: its code runs where it lies");
    Error::usage(text).hint("leave it out, or write a `zdd.toml`: docs/migrating.md")
}
