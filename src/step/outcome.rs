//! How a command ended, once steps had run: the facts that the JSON, the record and the closing
//! lines are made of.

use serde::{Deserialize, Serialize};

use crate::exit_code::ExitCode;
use crate::running::{Evidence, Observation, Verdict};

/// What one service runs, as in the JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// How messages name the service.
    pub service: String,
    /// The release its processes use, when they use one.
    pub release: Option<String>,
    /// How sure that is.
    pub verdict: Verdict,
    /// What it was told from.
    pub evidence: Vec<Evidence>,
    /// How many processes were judged; not part of the JSON.
    #[serde(skip)]
    pub judged: usize,
}

impl Running {
    /// What was observed of a service.
    pub fn new(service: &str, observation: &Observation) -> Self {
        Running {
            service: service.to_owned(),
            release: observation.release.clone(),
            verdict: observation.verdict,
            evidence: observation.evidence.clone(),
            judged: observation.judged,
        }
    }
}

/// The word of the JSON for how a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The release is live.
    Live,
    /// What is live is what was asked for; nothing was begun.
    Unchanged,
    /// A precondition does not hold; nothing was begun.
    Refused,
    /// It failed before users met it.
    Failed,
    /// It was taken back after the switch.
    RolledBack,
    /// It could not be taken back.
    RollbackFailed,
    /// Another zdd holds the lock.
    Locked,
    /// A signal ended it before the switch.
    Interrupted,
}

impl Ending {
    /// The exit code that belongs to it. A refusal for a usage error has its own.
    pub fn exit_code(self) -> ExitCode {
        match self {
            Ending::Live | Ending::Unchanged => ExitCode::Done,
            Ending::Refused | Ending::Failed => ExitCode::Refused,
            Ending::RolledBack => ExitCode::RolledBack,
            Ending::RollbackFailed => ExitCode::NeedsHuman,
            Ending::Locked => ExitCode::Locked,
            Ending::Interrupted => ExitCode::Interrupted,
        }
    }
}
