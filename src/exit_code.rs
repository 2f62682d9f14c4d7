//! The exit codes of zdd, in the one place that defines them. The man page is generated from
//! [`ExitCode::ALL`] and a test compares the README with it.

/// What a command tells the shell about its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// The command did what was asked.
    Done = 0,
    /// Refused, or failed before the switch: nothing changed for users.
    Refused = 1,
    /// A mistake in the arguments or in `zdd.toml`.
    Usage = 2,
    /// Failed after the switch and rolled back: the site is as it was before the command.
    RolledBack = 3,
    /// The site is worse than before the command, or what serves cannot be told.
    NeedsHuman = 4,
    /// Another zdd holds the lock of this site.
    Locked = 5,
    /// Interrupted before the switch: nothing changed for users.
    Interrupted = 130,
}

impl ExitCode {
    /// Every code, in the order the documentation lists them.
    pub const ALL: [ExitCode; 7] = [
        ExitCode::Done,
        ExitCode::Refused,
        ExitCode::Usage,
        ExitCode::RolledBack,
        ExitCode::NeedsHuman,
        ExitCode::Locked,
        ExitCode::Interrupted,
    ];

    /// The number the process ends with.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// One sentence for the man page and the README.
    pub fn meaning(self) -> &'static str {
        match self {
            ExitCode::Done => "done",
            ExitCode::Refused => "refused, or failed before the switch: nothing changed for users",
            ExitCode::Usage => "usage or configuration error",
            ExitCode::RolledBack => {
                "failed after the switch and rolled back: the site is as it was before the command"
            }
            ExitCode::NeedsHuman => {
                "a human is needed: the site is worse than before, or what serves cannot be told"
            }
            ExitCode::Locked => "another zdd holds the lock",
            ExitCode::Interrupted => "interrupted before the switch: nothing changed for users",
        }
    }
}
