//! What must not be seen: which values of `env_file` are secrets (DESIGN §8), and how they are
//! taken out of text. In which forms a secret shows up is in `secret`.

use std::collections::BTreeSet;
use std::ops::Range;

use aho_corasick::AhoCorasick;
use camino::Utf8Path;

use super::secret;
use crate::config::schema::Hooks;
use crate::error::{Context, Result};

/// What stands in the place of a secret.
const STARS: &str = "***";

/// A key with one of these words in it names a secret.
const SECRET_WORDS: [&str; 6] = ["SECRET", "TOKEN", "PASSWORD", "KEY", "DSN", "URL"];

/// From how many bytes on the value of such a key is masked.
const NAMED_SECRET_BYTES: usize = 4;

/// From how many bytes on any other value is masked.
const UNNAMED_SECRET_BYTES: usize = 8;

/// Knows the secrets of a site.
#[derive(Debug, Clone)]
pub struct Mask {
    forms: AhoCorasick,
    longest: usize,
}

impl Mask {
    /// Masks the secrets among the variables, as the key, the value and the lists `mask` and
    /// `no_mask` decide. `mask` wins over `no_mask`.
    ///
    /// # Errors
    /// When there are too many.
    pub fn new(variables: &[(String, String)], hooks: &Hooks) -> Result<Mask> {
        let mut forms = BTreeSet::new();
        for (key, value) in variables {
            if let Some(shortest) = secret_bytes(key, value, hooks) {
                forms.extend(secret::forms(value, shortest));
            }
        }
        Ok(Mask {
            longest: forms.iter().map(String::len).max().unwrap_or(0),
            forms: AhoCorasick::new(&forms).context("cannot mask the values of `env_file`")?,
        })
    }

    /// The text with every secret in it replaced.
    pub fn apply(&self, text: &str) -> String {
        with_stars(text, &self.spans(text, 0))
    }

    /// A mask for a text that comes in pieces.
    pub(super) fn pieces(&self) -> MaskedPieces<'_> {
        MaskedPieces {
            mask: self,
            held: String::new(),
            hidden: 0,
        }
    }

    /// Where secrets are, touching ones as one, and the first `hidden` bytes in any case.
    fn spans(&self, text: &str, hidden: usize) -> Vec<Range<usize>> {
        let found = self.forms.find_overlapping_iter(text);
        let mut spans: Vec<_> = found.map(|found| found.range()).collect();
        spans.extend((hidden > 0).then_some(0..hidden));
        spans.sort_by_key(|span| span.start);
        let mut merged: Vec<Range<usize>> = Vec::new();
        for span in spans {
            match merged.last_mut() {
                Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                _ => merged.push(span),
            }
        }
        merged
    }
}

/// Masks one line after the other, also where a line was cut inside a secret: the end of a piece
/// that goes on is held back until it is known what follows.
pub(super) struct MaskedPieces<'a> {
    mask: &'a Mask,
    held: String,
    /// How much of `held` is the end of a secret whose beginning was already replaced.
    hidden: usize,
}

impl MaskedPieces<'_> {
    /// Takes the next piece and returns what can be shown.
    pub(super) fn take(&mut self, piece: &str, goes_on: bool) -> String {
        let text = std::mem::take(&mut self.held) + piece;
        let spans = self.mask.spans(&text, std::mem::take(&mut self.hidden));
        let end = if goes_on {
            self.safe_end(&text)
        } else {
            text.len()
        };
        let over_the_end = spans.iter().find(|span| span.contains(&end));
        self.hidden = over_the_end.map_or(0, |span| span.end - end);
        self.held = text[end..].to_owned();
        let shown = spans.into_iter().filter(|span| span.start < end);
        let shown: Vec<_> = shown.map(|span| span.start..span.end.min(end)).collect();
        with_stars(&text[..end], &shown)
    }

    /// A secret that begins before this place ends within the text.
    fn safe_end(&self, text: &str) -> usize {
        let mut end = text.len() - text.len().min(self.mask.longest.saturating_sub(1));
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        end
    }
}

fn with_stars(text: &str, spans: &[Range<usize>]) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut end = 0;
    for span in spans {
        masked.push_str(&text[end..span.start]);
        masked.push_str(STARS);
        end = span.end;
    }
    masked + &text[end..]
}

/// From how many bytes on parts of the value are secret, or nothing when it is none.
fn secret_bytes(key: &str, value: &str, hooks: &Hooks) -> Option<usize> {
    let is_in = |list: &[String]| list.iter().any(|listed| listed == key);
    if is_in(&hooks.mask) {
        return Some(NAMED_SECRET_BYTES.min(value.len()));
    }
    if is_in(&hooks.no_mask) || is_boolean(value) {
        return None;
    }
    let key = key.to_ascii_uppercase();
    if SECRET_WORDS.iter().any(|word| key.contains(word)) {
        return (value.len() >= NAMED_SECRET_BYTES).then_some(NAMED_SECRET_BYTES);
    }
    let is_plain = value.trim().parse::<f64>().is_ok() || is_existing_path(value);
    (value.len() >= UNNAMED_SECRET_BYTES && !is_plain).then_some(UNNAMED_SECRET_BYTES)
}

/// Masking the word `true` would make every log unreadable and protect nothing.
fn is_boolean(value: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "none", "null"];
    words.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// Only absolute ones: a relative one would depend on where zdd was called.
fn is_existing_path(value: &str) -> bool {
    let path = Utf8Path::new(value);
    path.is_absolute() && path.exists()
}

#[cfg(test)]
mod tests;
