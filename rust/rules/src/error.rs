//! What is wrong with a rule's text, and where.

use std::ops::Range;

use crate::sql::nearest;

/// Characters of a line that are shown on either side of what is wrong, at most.
const WIDE: usize = 100;

/// What is wrong with the text of a rule. Places are bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct RuleError {
    /// What is wrong.
    pub what: String,
    /// Which part of the text is.
    pub span: Range<usize>,
    /// What might have been meant, or what to do.
    pub hint: Option<String>,
}

impl RuleError {
    /// An error at a place.
    pub(crate) fn new(what: impl Into<String>, span: Range<usize>) -> Self {
        Self { what: what.into(), span, hint: None }
    }

    /// The same with what to do about it.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// The same with the nearest of some names, if one is near.
    pub(crate) fn did_you_mean<'n>(self, name: &str, names: impl IntoIterator<Item = &'n str>) -> Self {
        match nearest(name, names) {
            Some(known) => self.hint(format!("did you mean `{known}`?")),
            None => self,
        }
    }

    /// Where it is, counted in lines and characters from 1, and how many characters are wrong.
    pub fn place(&self, text: &str) -> (usize, usize, usize) {
        let floor = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(self.span.start), floor(self.span.end));
        let before = &text[..start];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let wrong = text[start..end.max(start)].split('\n').next().unwrap_or_default().trim_end_matches('\r');
        (line, column, wrong.chars().count().max(1))
    }

    /// The error as people read it: the line with a caret under what is wrong.
    pub fn render(&self, text: &str) -> String {
        let (line, column, length) = self.place(text);
        let whole = text.split('\n').nth(line - 1).unwrap_or_default().trim_end();
        // Of a line that nobody would read to its end, what is about the place.
        let skipped = if column > WIDE { column - WIDE / 2 } else { 0 };
        let source: String = whole.chars().skip(skipped).take(2 * WIDE).collect();
        let (column_shown, length) = (column - skipped, length.min(2 * WIDE));
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        let indent: String =
            source.chars().take(column_shown - 1).map(|one| if one == '\t' { '\t' } else { ' ' }).collect();
        let hint = self.hint.as_deref().map(|hint| format!(" {hint}")).unwrap_or_default();
        let carets = "^".repeat(length);
        format!(
            "line {line}, column {column}: {}\n {number} | {source}\n {margin} | {indent}{carets}{hint}",
            self.what
        )
    }
}
