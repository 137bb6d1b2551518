//! What functions say and give in the end.

use super::{Outcome, Wrong};
use crate::value::{LONGEST, Value};

/// What is wrong, in words.
pub(super) fn wrong<T>(what: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong(what.into()))
}

/// A text as messages repeat it: the beginning tells enough.
pub(super) fn shown(text: &str) -> &str {
    text.char_indices().nth(40).map_or(text, |(end, _)| &text[..end])
}

/// A number, if it is one: nothing ever holds "not a number" or infinity.
pub(super) fn finite<'a>(number: f64) -> Outcome<'a> {
    match number.is_finite() {
        true => Ok(Value::number(number)),
        false => wrong("the result is no number: it is too large, or not defined for these arguments"),
    }
}

/// A whole number of whatever size, if 64 bits hold it.
pub(super) fn whole<'a>(number: i128) -> Outcome<'a> {
    match i64::try_from(number) {
        Ok(whole) => Ok(Value::Int(whole)),
        Err(_) => wrong(format!("the result, {number}, does not fit into 64 bits")),
    }
}

/// A length, if a result may be that long beside what came in.
pub(super) fn fitting(length: usize, came_in: usize) -> Result<usize, Wrong> {
    match length <= LONGEST.saturating_add(came_in) {
        true => Ok(length),
        false => {
            wrong(format!("the result would be longer than {LONGEST}, which is the most that a call makes"))
        }
    }
}

/// An array, if it may have so many items: a text may have more parts than memory holds as values.
pub(super) fn array<'a>(items: impl Iterator<Item = Value<'a>>) -> Outcome<'a> {
    let items: Vec<_> = items.take(LONGEST + 1).collect();
    fitting(items.len(), 0)?;
    Ok(Value::Array(items))
}

/// Bytes as a text if they are one.
pub(super) fn text_or_bytes<'a>(bytes: Vec<u8>) -> Value<'a> {
    match String::from_utf8(bytes) {
        Ok(text) => Value::text(text),
        Err(error) => Value::Bytes(error.into_bytes().into()),
    }
}
