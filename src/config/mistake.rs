//! One mistake in the text of a `zdd.toml`, and how it is shown: like a compiler's error, with
//! the line it is about and the offending part underlined.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use camino::Utf8Path;

use super::git_url;
use crate::error::Finding;

/// So many columns of the source are shown around the underlined part.
const EXCERPT_WIDTH: usize = 100;

/// What is wrong with a part of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The offending part, in bytes.
    pub span: Range<usize>,
    /// A lower-case fragment without a final period.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

impl Mistake {
    /// A mistake without advice.
    pub fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Mistake {
            span,
            message: message.into(),
            hint: None,
        }
    }

    /// Adds advice.
    pub fn hint(&mut self, hint: impl Into<String>) {
        self.hint = Some(hint.into());
    }
}

/// A name from the file as it is safe and short enough to stand in a message.
pub(super) fn quoted(name: &str) -> String {
    const LONGEST: usize = 60;
    if name.is_empty() {
        return "`\"\"`".to_owned();
    }
    let mut shown = String::new();
    for c in name.chars().take(LONGEST) {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    let dots = if name.chars().nth(LONGEST).is_some() {
        "…"
    } else {
        ""
    };
    format!("`{}{dots}`", normalize_untrusted_str(&shown))
}

/// The text that the mistakes are in, with its lines counted once.
pub(super) struct SourceText<'a> {
    file: &'a Utf8Path,
    text: &'a str,
    /// Where each line starts, in bytes.
    line_starts: Vec<usize>,
}

impl<'a> SourceText<'a> {
    /// `file` is the name under which the user knows the text.
    pub fn new(file: &'a Utf8Path, text: &'a str) -> Self {
        let after_breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        SourceText {
            file,
            text,
            line_starts: std::iter::once(0).chain(after_breaks).collect(),
        }
    }

    /// The line a byte lies in, counted from 0. What lies behind the end is in the last line.
    pub fn line(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset) - 1
    }

    /// The text of a line, without its line break.
    pub fn line_text(&self, line: usize) -> &'a str {
        let end = self.line_starts.get(line + 1);
        let whole = &self.text[self.line_starts[line]..end.copied().unwrap_or(self.text.len())];
        whole.trim_end_matches(['\r', '\n'])
    }

    /// The mistake with its place and its picture.
    pub fn finding(&self, mistake: Mistake) -> Finding {
        let line = self.line(mistake.span.start);
        let shown = self.line_text(line);
        // Only the first line of what spans several.
        let within = |offset: usize| {
            let offset = offset
                .saturating_sub(self.line_starts[line])
                .min(shown.len());
            (0..=offset)
                .rev()
                .find(|at| shown.is_char_boundary(*at))
                .unwrap_or(0)
        };
        let start = within(mistake.span.start);
        let end = within(mistake.span.end).max(start);
        Finding {
            file: Some(self.file.to_string()),
            line: Some(line + 1),
            column: Some(shown[..start].chars().count() + 1),
            excerpt: Some(self.picture(line, start..end, &mistake)),
            message: mistake.message,
            hint: mistake.hint,
        }
    }

    fn picture(&self, line: usize, span: Range<usize>, mistake: &Mistake) -> String {
        let snippet = Snippet::source(git_url::blotted(self.line_text(line)))
            .path(self.file.as_str())
            .line_start(line + 1)
            .annotation(AnnotationKind::Primary.span(span));
        let error = Level::ERROR
            .primary_title(mistake.message.as_str())
            .element(snippet);
        let help = mistake
            .hint
            .as_deref()
            .map(|hint| Group::with_title(Level::HELP.secondary_title(hint)));
        let report: Vec<_> = std::iter::once(error).chain(help).collect();
        Renderer::plain()
            .term_width(EXCERPT_WIDTH)
            .render(&report)
            .to_string()
    }
}
