//! The command line: words and flags, turned into calls of `commands`. The man page and the
//! completions are generated from here.

mod global;
mod in_place;
mod zddeploy;

use std::io::Write as _;

use camino::Utf8PathBuf;
use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::commands::{self, Context, Surface, ending};
use crate::config::discover::Request;
use crate::config::units::Span;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::hook::Point;
use crate::host::clock::Clock;
use crate::host::signal;
use crate::report::{self, Report, closing};
use crate::site::{History, ReleaseId, Site};

use global::Global;

/// Puts new code live on this server without losing a request, and takes it back by itself when it
/// is bad.
#[derive(Debug, Parser)]
#[command(name = "zdd", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Build a release, switch to it, prove that it runs; or put everything back
    Release {
        /// The directory of the new code [default: `git` or `path` of `[source]`]
        source: Option<Utf8PathBuf>,
        /// The branch, tag or commit of a git source [default: `ref` of `[source]`]
        #[arg(long = "ref", value_name = "REF")]
        reference: Option<String>,
        /// Do nothing when the live release already has this revision
        #[arg(long)]
        if_changed: bool,
        #[command(flatten)]
        switch: Switch,
    },
    /// Go back to the newest good release older than the current one, or to the named one
    Rollback {
        /// The release to go to, as `zdd list` shows it
        release: Option<ReleaseId>,
        /// Go past a release whose migration cannot be taken back
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        switch: Switch,
    },
    /// Show the releases
    List {
        /// Deleted ones too
        #[arg(long)]
        all: bool,
    },
    /// Delete old releases; never what is current, previous, pinned or still run
    Prune {
        /// How many good releases to keep [default: `keep` of the settings]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        keep: Option<u32>,
        /// Print what would go, and stop
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Show what the site serves and what each service really runs
    Status,
    /// Show everything known about a release
    Show {
        /// The release [default: the newest]
        release: Option<ReleaseId>,
    },
    /// Show what the hooks of a release printed
    Logs {
        /// The release [default: the newest]
        release: Option<ReleaseId>,
        /// The step, for instance `hook_build` or `build`
        step: Option<String>,
    },
    /// Find what stands against a release on this host, each with the line to change
    Check,
    /// Write zdd.toml, hooks, a systemd unit and a proxy snippet for a stack
    Init {
        /// What the project is made of [default: what its files show]
        #[arg(long, value_enum, value_name = "NAME")]
        stack: Option<commands::init::Stack>,
        /// A deploy.conf of zddeploy, to make a zdd.toml from, beside it
        #[arg(long, value_name = "FILE", conflicts_with_all = ["stack", "into", "name"])]
        from: Option<Utf8PathBuf>,
        /// The project, into which is written
        #[arg(long, value_name = "DIR", default_value = ".")]
        into: Utf8PathBuf,
        /// The name of the site [default: that in zdd.toml, else of the directory]
        #[arg(long)]
        name: Option<String>,
    },
    /// Finish or undo what was interrupted, and end instances that nobody needs
    Recover {
        /// Also start what `current` names, as the boot unit does
        #[arg(long)]
        boot: bool,
        /// Only end what is no longer kept for a rollback, as its timer does
        #[arg(long, conflicts_with = "boot")]
        standby: bool,
        #[command(flatten)]
        wait: Wait,
    },
    /// Keep a release whatever prune is told
    Pin {
        /// The release
        release: ReleaseId,
        #[command(flatten)]
        wait: Wait,
    },
    /// Let a pinned release be pruned again
    Unpin {
        /// The release
        release: ReleaseId,
        #[command(flatten)]
        wait: Wait,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the man page
    Man,
}

#[derive(Debug, Args)]
struct Switch {
    /// Print the plan and stop
    #[arg(long)]
    dry_run: bool,
    /// Leave out a hook, which is recorded and shown
    #[arg(long, value_enum, value_name = "POINT")]
    skip_hook: Vec<Point>,
    #[command(flatten)]
    wait: Wait,
}

#[derive(Debug, Args)]
struct Wait {
    /// Wait for another zdd to end, at most this long; an hour when no TIME is given
    #[arg(long, value_name = "TIME", num_args = 0..=1, default_missing_value = "1h")]
    wait: Option<Span>,
}

impl Wait {
    fn time(&self) -> std::time::Duration {
        self.wait.unwrap_or_default().duration()
    }
}

/// Runs a command line to its end and returns the number the process ends with. All output is done
/// then.
pub fn run(clock: &dyn Clock) -> u8 {
    let words = zddeploy::words(std::env::args().collect(), Cli::command);
    let cli = match Cli::try_parse_from(&words) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let report = report::for_stderr(cli.global.options());
    let ended =
        signal::install().and_then(|()| dispatch(&cli, &*report, clock, words[1..].join(" ")));
    ended
        .unwrap_or_else(|error| cli.tell_refusal(error, &*report))
        .number()
}

fn dispatch(
    cli: &Cli,
    report: &dyn Report,
    clock: &dyn Clock,
    command: String,
) -> Result<ExitCode> {
    let surface = Surface {
        report,
        clock,
        json: cli.global.json,
    };
    if let Some(file) = in_place::file_for(cli) {
        return in_place::dispatch(cli, &file, surface, command);
    }
    let on_site = |run: &dyn Fn(&Context<'_>) -> Result<ExitCode>| {
        let request = cli.place();
        let context = Context::open(surface, &request, command.clone())?;
        Ok(run(&context).unwrap_or_else(|error| ending::tell_error(&context, error)))
    };
    match &cli.verb {
        Verb::Release {
            source,
            reference,
            if_changed,
            switch,
        } => {
            let request = commands::release::Request {
                source: source.clone(),
                reference: reference.clone(),
                is_if_changed: *if_changed,
                switching: switch.request(),
            };
            on_site(&|context| commands::release::run(context, &request))
        }
        Verb::Rollback {
            release,
            force,
            switch,
        } => {
            let request = commands::rollback::Request {
                target: release.clone(),
                is_forced: *force,
                switching: switch.request(),
            };
            on_site(&|context| commands::rollback::run(context, &request))
        }
        Verb::List { all } => on_site(&|context| commands::list::run(context, *all)),
        Verb::Prune {
            keep,
            dry_run,
            wait,
        } => {
            let request = commands::prune::Request {
                keep: *keep,
                wait: wait.time(),
                is_dry_run: *dry_run,
            };
            on_site(&|context| commands::prune::run(context, &request))
        }
        Verb::Status => on_site(&commands::status::run),
        Verb::Show { release } => {
            on_site(&|context| commands::show::run(context, release.as_ref()))
        }
        Verb::Logs { release, step } => {
            on_site(&|context| commands::logs::run(context, release.as_ref(), step.as_deref()))
        }
        Verb::Check => on_site(&commands::check::run),
        Verb::Recover {
            boot,
            standby,
            wait,
        } => {
            let purpose = match (*boot, *standby) {
                (true, _) => commands::recover::Purpose::Boot,
                (_, true) => commands::recover::Purpose::Standby,
                _ => commands::recover::Purpose::Repair,
            };
            on_site(&|context| commands::recover::run(context, purpose, wait.time()))
        }
        Verb::Pin { release, wait } => {
            on_site(&|context| commands::pin::run(context, release, true, wait.time()))
        }
        Verb::Unpin { release, wait } => {
            on_site(&|context| commands::pin::run(context, release, false, wait.time()))
        }
        Verb::Init {
            stack,
            from,
            into,
            name,
        } => {
            let request = commands::init::Request {
                stack: *stack,
                name: name.clone(),
                root: cli.global.root.clone(),
                into: into.clone(),
            };
            match from {
                Some(file) => commands::init::zddeploy::run(surface, file, &request),
                None => commands::init::run(surface, &request),
            }
        }
        Verb::Completions { shell } => {
            print(&commands::completions::completions(Cli::command(), *shell))
        }
        Verb::Man => print(&commands::man::man(Cli::command())?),
    }
}

fn print(bytes: &[u8]) -> Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::Done),
    }
}

/// What is wrong with the words, or the help that was asked for.
fn usage(error: &clap::Error) -> u8 {
    let _ = error.print();
    let code = if error.use_stderr() {
        ExitCode::Usage
    } else {
        ExitCode::Done
    };
    code.number()
}

impl Cli {
    /// What the command line says about the settings.
    fn place(&self) -> Request {
        Request {
            config: self.global.config.clone(),
            root: self.global.root.clone(),
            further: self.directories_of_code(),
        }
    }

    /// Where a `zdd.toml` may lie that travels inside the code: in the source of a release, in the
    /// target of a rollback, in what is live for everything else.
    fn directories_of_code(&self) -> Vec<Utf8PathBuf> {
        if let Verb::Release { source, .. } = &self.verb {
            return source.iter().cloned().collect();
        }
        let site = self.global.root.clone().map(Site::new);
        let directory = site.map(|site| match &self.verb {
            Verb::Rollback { release, .. } => {
                let previous = || Some(History::load(&site).ok()?.previous()?.id.clone());
                let target = release.clone().or_else(previous);
                target.map_or_else(|| site.current_path(), |id| site.release_dir(&id))
            }
            _ => site.current_path(),
        });
        directory.into_iter().collect()
    }

    /// Tells why nothing was begun, before there was a site to speak of.
    fn tell_refusal(&self, error: Error, report: &dyn Report) -> ExitCode {
        report.closing(&closing::failure(&error, ""));
        let code = error.exit_code();
        if self.global.json {
            let is_switching = matches!(self.verb, Verb::Release { .. } | Verb::Rollback { .. });
            ending::print_refusal(is_switching, error);
        }
        code
    }
}

impl Switch {
    fn request(&self) -> commands::switching::Request {
        commands::switching::Request {
            wait: self.wait.time(),
            is_dry_run: self.dry_run,
            skipped_hooks: self.skip_hook.clone(),
        }
    }
}
