//! Names of JSON fields.

use std::fmt;
use std::str::FromStr;

use crate::SyntaxError;

/// Nobody's payloads are deeper, and what walks along a path goes as deep.
const MOST_STEPS: usize = 64;

/// One step from a value into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// To a field of an object.
    Key(Box<str>),
    /// To an item of an array, counted from 0.
    Item(usize),
}

/// The way from a JSON value to one inside it: `sensor.values[0]`. A key that is no plain word stands in
/// brackets and quotes: `["flow rate"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

/// Whether a character may stand in a key without quotes.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_' || character == '$'
}

impl Path {
    /// Reads a path off the front of a text: it, and how many bytes it took.
    pub(crate) fn parse_front(text: &str) -> Result<(Self, usize), SyntaxError> {
        let wrong = |what: &str, rest: &str| {
            let at = text[..text.len() - rest.len()].chars().count() + 1;
            Err(SyntaxError { what: what.to_owned(), at })
        };
        let (mut steps, mut rest) = (Vec::new(), text);
        loop {
            if steps.len() == MOST_STEPS {
                return wrong("a path has at most 64 steps", rest);
            }
            if let Some(inner) = rest.strip_prefix('[') {
                let Some(end) = closing(inner) else { return wrong("a bracket is not closed", rest) };
                steps.push(match step_in_brackets(&inner[..end]) {
                    Some(step) => step,
                    None => return wrong("brackets hold a number or a key in quotes", rest),
                });
                rest = &inner[end + 1..];
            } else {
                let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
                if end == 0 {
                    return wrong("the name of a field is missing", rest);
                }
                steps.push(Step::Key(rest[..end].into()));
                rest = &rest[end..];
            }
            match rest.strip_prefix('.') {
                Some(after) => rest = after,
                None if rest.starts_with('[') => {}
                None => return Ok((Self(steps), text.len() - rest.len())),
            }
        }
    }
}

/// Where the bracket closes that was opened before this text.
fn closing(text: &str) -> Option<usize> {
    let mut quote = None;
    for (at, character) in text.char_indices() {
        match (quote, character) {
            (None, ']') => return Some(at),
            (None, '"' | '\'') => quote = Some(character),
            (Some(open), _) if open == character => quote = None,
            _ => {}
        }
    }
    None
}

fn step_in_brackets(text: &str) -> Option<Step> {
    let quoted = ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote));
    match quoted {
        Some(key) => Some(Step::Key(key.into())),
        None => text.parse().ok().map(Step::Item),
    }
}

impl FromStr for Path {
    type Err = SyntaxError;

    fn from_str(text: &str) -> Result<Self, SyntaxError> {
        let (path, length) = Self::parse_front(text)?;
        match length == text.len() {
            true => Ok(path),
            false => Err(SyntaxError {
                what: "a path ends here".to_owned(),
                at: text[..length].chars().count() + 1,
            }),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if !key.is_empty() && key.chars().all(is_word) => {
                    write!(f, "{}{key}", if index > 0 { "." } else { "" })?;
                }
                Step::Key(key) => write!(f, "[{key:?}]")?,
                Step::Item(item) => write!(f, "[{item}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written() {
        for text in ["level", "a.b.c", "values[0]", "a[1][2].b", "$x", "größe", r#"["flow rate"].x"#] {
            let path: Path = text.parse().unwrap();
            assert_eq!(path.to_string(), text);
        }
        assert_eq!("a['b.c']".parse::<Path>().unwrap().0[1], Step::Key("b.c".into()));
    }

    #[test]
    fn what_is_no_path_says_where() {
        for (text, at) in [("", 1), ("a.", 3), ("a[", 2), ("a[x]", 2), ("a b", 2), ("a..b", 3), ("a[-1]", 2)]
        {
            assert_eq!(text.parse::<Path>().unwrap_err().at, at, "{text}");
        }
    }
}
