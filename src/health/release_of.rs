//! Which release an answer names. A health check says where the name stands (`release =
//! "header:X-Release"`, `"body"` or `"json:/version"`); it is compared with the release's id and
//! its REVISION. This decides where `/proc` cannot be read or proves nothing.

use std::fmt;

use serde::{Deserialize, Serialize};
use ureq::http::HeaderName;

use crate::error::{Error, Result};
use crate::host::signal::Patience;

use super::check::Check;
use super::http::Answer;
use super::plain_text::plain;

/// The shortest abbreviation of a revision that is taken for it; git's own default length.
const SHORTEST_REVISION: usize = 7;

/// How many different foreign names are remembered.
const OTHERS_SHOWN: usize = 4;

/// Where an answer names its release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In this header.
    Header(HeaderName),
    /// The whole body, blanks around it aside.
    Body,
    /// At this JSON pointer of the body.
    Json(String),
}

impl Place {
    /// Reads the value of the key `release`.
    ///
    /// # Errors
    /// When it is none of the three forms.
    pub fn parse(text: &str) -> Result<Self> {
        let place = match text.split_once(':') {
            None if text == "body" => Some(Place::Body),
            Some(("header", name)) => name.trim().parse().ok().map(Place::Header),
            Some(("json", pointer)) if pointer.is_empty() || pointer.starts_with('/') => {
                Some(Place::Json(pointer.to_owned()))
            }
            _ => None,
        };
        place.ok_or_else(|| {
            Error::usage(format!(
                "`{}` does not say where a release is named",
                plain(text)
            ))
            .hint("write `header:X-Release`, `body` or `json:/version`")
        })
    }

    /// The name in an answer, fit to be shown.
    pub fn read(&self, answer: &Answer) -> Option<String> {
        let name = match self {
            Place::Header(header) => answer.header(header.as_str())?,
            Place::Body => plain(&String::from_utf8_lossy(answer.body())),
            Place::Json(pointer) => {
                let body: serde_json::Value = serde_json::from_slice(answer.body()).ok()?;
                match body.pointer(pointer)? {
                    serde_json::Value::String(text) => plain(text),
                    serde_json::Value::Number(number) => number.to_string(),
                    _ => return None,
                }
            }
        };
        (!name.is_empty()).then_some(name)
    }
}

/// The names a release answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// Its id, for instance `20261122014228`.
    pub id: String,
    /// What its REVISION file says, when it has one.
    pub revision: Option<String>,
}

impl Names {
    /// Whether a name is one of them: the id, the revision, or the revision cut to seven or more
    /// characters.
    pub fn include(&self, name: &str) -> bool {
        let is_revision = |revision: &str| {
            revision == name || (name.len() >= SHORTEST_REVISION && revision.starts_with(name))
        };
        name == self.id
            || self
                .revision
                .as_deref()
                .map(str::trim)
                .is_some_and(is_revision)
    }
}

/// What was named over a number of new connections.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answers {
    /// How many connections were made.
    pub asked: u32,
    /// How many answers named the wanted release.
    pub new: u32,
    /// How many named another one.
    pub old: u32,
    /// The other names, each once, in the order seen; the first four.
    pub old_names: Vec<String>,
    /// How many answers named nothing, or did not come.
    pub unnamed: u32,
    /// What the last of those was.
    pub unnamed_detail: Option<String>,
}

impl Answers {
    /// Whether every answer came from the wanted release.
    pub fn are_all_new(&self) -> bool {
        self.asked > 0 && self.new == self.asked
    }
}

impl fmt::Display for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} of {} answers name the new release",
            self.new, self.asked
        )?;
        if self.old > 0 {
            write!(f, ", {} name `{}`", self.old, self.old_names.join("`, `"))?;
        }
        match &self.unnamed_detail {
            Some(detail) => write!(f, ", {} name none ({detail})", self.unnamed),
            None => Ok(()),
        }
    }
}

/// Asks the check over so many new connections (the number of workers plus two is a good choice)
/// which release answers. Ends early when the patience is over.
pub fn ask(check: &Check, names: &Names, connections: u32, patience: &Patience) -> Answers {
    let mut answers = Answers::default();
    for _ in 0..connections {
        if patience.is_over() {
            break;
        }
        let attempt = check.attempt(patience);
        answers.asked += 1;
        match attempt.answered {
            Some(name) if names.include(&name) => answers.new += 1,
            Some(name) => {
                answers.old += 1;
                if answers.old_names.len() < OTHERS_SHOWN && !answers.old_names.contains(&name) {
                    answers.old_names.push(name);
                }
            }
            None => {
                answers.unnamed += 1;
                answers.unnamed_detail = Some(attempt.detail);
            }
        }
    }
    answers
}
