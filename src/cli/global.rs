//! The options of every command.

use camino::Utf8PathBuf;
use clap::Args;

use crate::report::{Color, Options, Verbosity};

#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(super) struct Global {
    /// The settings of the site [default: ./zdd.toml, else ./deploy.conf]
    #[arg(
        short,
        long,
        alias = "conf",
        global = true,
        value_name = "FILE",
        env = "ZDD_CONFIG"
    )]
    pub(super) config: Option<Utf8PathBuf>,
    /// The directory that holds `current` and `releases`
    #[arg(long, global = true, value_name = "DIR")]
    pub(super) root: Option<Utf8PathBuf>,
    /// Print the result as one JSON object
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Say only warnings and how it ended
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(super) quiet: bool,
    /// Say everything, each line of the hooks too
    #[arg(short, long, global = true)]
    pub(super) verbose: bool,
    /// Colours in the output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub(super) color: Color,
}

impl Global {
    /// How much is said, and in which colours.
    pub(super) fn options(&self) -> Options {
        let verbosity = match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        };
        Options {
            verbosity,
            color: self.color,
        }
    }
}
