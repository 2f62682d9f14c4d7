//! The one error of zdd. An `Err` means that nothing was changed for users; once steps have run,
//! the result is an outcome instead (see `saga`).

use std::fmt;

use serde::Serialize;

use crate::exit_code::ExitCode;

/// The result of everything that can be refused or fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Decides the exit code and the `outcome` field of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// A precondition does not hold, or a step failed.
    Failed,
    /// The arguments or the configuration are wrong.
    Usage,
    /// Another zdd holds the lock.
    Locked,
    /// A signal asked zdd to stop.
    Interrupted,
    /// What was interrupted could not be recovered; a human must look.
    NeedsHuman,
}

/// One mistake in the configuration or one unmet precondition; all are reported at once.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file the finding is about, as the user would name it.
    pub file: Option<String>,
    /// Line in that file, counted from 1.
    pub line: Option<usize>,
    /// Column in that line, in characters, counted from 1.
    pub column: Option<usize>,
    /// What is wrong: a lower-case fragment without a final period.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The whole finding as a compiler would print it, without colours: message, place, the source
    /// text with the offending part underlined, and hint. To print it is enough; not in the JSON.
    #[serde(skip)]
    pub excerpt: Option<String>,
}

impl Finding {
    /// A finding without a place in a file.
    pub fn new(message: impl Into<String>) -> Self {
        Finding {
            message: message.into(),
            ..Finding::default()
        }
    }

    /// The same finding with advice.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Error> for Finding {
    /// What stands alone elsewhere, as one finding among others.
    fn from(error: Error) -> Finding {
        Finding {
            hint: error.hint.clone(),
            ..Finding::new(error.to_string())
        }
    }
}

/// What failed, why, and what to do next.
///
/// The text follows one form: a lower-case fragment, no final period, names and paths in
/// backticks, numbers with units.
#[derive(Debug)]
pub struct Error {
    /// Which exit code this ends in.
    pub kind: ErrorKind,
    /// What failed.
    pub what: String,
    /// The innermost fact: an operating system error, the last answer of a health check.
    pub cause: Option<String>,
    /// The tail of a hook's output or of the unit's journal, oldest line first.
    pub tail: Vec<String>,
    /// The whole text of what to write where, when a line is not enough.
    pub change: Option<String>,
    /// One command to run, or one line to change.
    pub hint: Option<String>,
    /// All mistakes found together, when there can be several.
    pub findings: Vec<Finding>,
}

impl Error {
    /// An error of the given kind.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Error {
            kind,
            what: what.into(),
            cause: None,
            tail: Vec::new(),
            change: None,
            hint: None,
            findings: Vec::new(),
        }
    }

    /// A precondition that does not hold, or a step that failed.
    pub fn failed(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::Failed, what)
    }

    /// A mistake in the arguments or the configuration.
    pub fn usage(what: impl Into<String>) -> Self {
        Error::new(ErrorKind::Usage, what)
    }

    /// The same error with its innermost fact.
    pub fn cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The same error with the last lines of what a command printed.
    pub fn tail(mut self, tail: Vec<String>) -> Self {
        self.tail = tail;
        self
    }

    /// The same error with what to write where.
    pub fn change(mut self, change: impl fmt::Display) -> Self {
        self.change = Some(change.to_string());
        self
    }

    /// The same error with what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Several findings as one error. A single finding speaks for itself.
    pub fn from_findings(kind: ErrorKind, findings: Vec<Finding>) -> Self {
        let (what, hint) = match findings.as_slice() {
            [only] => (only.message.clone(), only.hint.clone()),
            many => (format!("{} things are wrong", many.len()), None),
        };
        Error {
            findings,
            hint,
            ..Error::new(kind, what)
        }
    }

    /// The exit code of a command that ends with this error before anything was changed.
    pub fn exit_code(&self) -> ExitCode {
        match self.kind {
            ErrorKind::Failed => ExitCode::Refused,
            ErrorKind::Usage => ExitCode::Usage,
            ErrorKind::Locked => ExitCode::Locked,
            ErrorKind::Interrupted => ExitCode::Interrupted,
            ErrorKind::NeedsHuman => ExitCode::NeedsHuman,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Adds what was being attempted to a lower-level error, whose text becomes the cause.
pub trait Context<T> {
    /// Wraps the error: `what` says what failed, the error itself why.
    fn context(self, what: impl Into<String>) -> Result<T>;
}

impl<T, E: fmt::Display> Context<T> for std::result::Result<T, E> {
    fn context(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|error| Error::failed(what).cause(error))
    }
}

impl From<std::io::Error> for Error {
    /// `fs_err` already names the path in the text of its errors.
    fn from(error: std::io::Error) -> Self {
        Error::failed(error.to_string())
    }
}
