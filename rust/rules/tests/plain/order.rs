//! Which of two values comes first, and which are the same.

use std::cmp::Ordering;

use serde_json::Value as Json;

/// Which comes first, if that can be said. A text is compared with a number as the number that it says, with a boolean as
/// that.
pub(super) fn order(left: &Json, right: &Json) -> Option<Ordering> {
    match (left, right) {
        (Json::Null, Json::Null) => Some(Ordering::Equal),
        (Json::Bool(left), Json::Bool(right)) => Some(left.cmp(right)),
        (Json::Number(one), Json::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(left), Some(right)) => Some(left.cmp(&right)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        (Json::String(left), Json::String(right)) => Some(left.as_bytes().cmp(right.as_bytes())),
        (Json::String(text), Json::Number(_)) => order(&said(text)?, right),
        (Json::Number(_), Json::String(text)) => order(left, &said(text)?),
        (Json::String(text), Json::Bool(right)) => Some(text.parse::<bool>().ok()?.cmp(right)),
        (Json::Bool(left), Json::String(text)) => Some(left.cmp(&text.parse().ok()?)),
        (Json::Array(left), Json::Array(right)) => {
            let first = left.iter().zip(right).map(|(left, right)| order(left, right));
            let different = first.into_iter().find(|order| *order != Some(Ordering::Equal));
            different.unwrap_or_else(|| Some(left.len().cmp(&right.len())))
        }
        _ => None,
    }
}

/// Whether two are the same.
pub(super) fn same(left: &Json, right: &Json) -> bool {
    match (left, right) {
        (Json::Array(left), Json::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Json::Object(left), Json::Object(right)) => {
            let has = |(key, value)| right.get(key).is_some_and(|other| same(value, other));
            left.len() == right.len() && left.iter().all(has)
        }
        _ => order(left, right) == Some(Ordering::Equal),
    }
}

/// The number that a text says.
pub(super) fn said(text: &str) -> Option<Json> {
    let text = text.trim_matches(|one: char| one.is_ascii_whitespace());
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if !digits.starts_with(|one: char| one.is_ascii_digit() || one == '.') {
        return None;
    }
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Json::from),
    }
}
