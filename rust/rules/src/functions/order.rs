//! An order of all values, for sorting and for telling equal ones apart: kinds after kinds, numbers by what they count.

use std::cmp::Ordering;

use crate::value::{Object, Value};

/// A value that has its place among all others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ordered<'v, 'a>(pub(super) &'v Value<'a>);

impl Ord for Ordered<'_, '_> {
    fn cmp(&self, other: &Self) -> Ordering {
        total(self.0, other.0)
    }
}

impl PartialOrd for Ordered<'_, '_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ordered<'_, '_> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ordered<'_, '_> {}

/// Which of two comes first. [`Value::order`] is for conditions and cannot always say; sorting needs an answer.
pub(super) fn total(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Int(left), Value::Int(right)) => left.cmp(right),
        (Value::Float(left), Value::Float(right)) => {
            left.partial_cmp(right).unwrap_or_else(|| right.is_nan().cmp(&left.is_nan()))
        }
        (Value::Int(left), Value::Float(right)) => whole_and_float(*left, *right),
        (Value::Float(left), Value::Int(right)) => whole_and_float(*right, *left).reverse(),
        (Value::Array(left), Value::Array(right)) => left.iter().map(Ordered).cmp(right.iter().map(Ordered)),
        (Value::Object(left), Value::Object(right)) => sorted(left).into_iter().cmp(sorted(right)),
        _ => match (raw(left), raw(right)) {
            (Some(left), Some(right)) => left.cmp(right),
            _ => rank(left).cmp(&rank(right)),
        },
    }
}

/// Whether two are the same as `=` says, in the time that sorting takes also for large objects.
pub(super) fn equal(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::Array(_) | Value::Object(_), Value::Array(_) | Value::Object(_)) => {
            total(left, right).is_eq()
        }
        _ => left.same(right),
    }
}

/// Exact, where a conversion of the whole number would not be, and with it an order that contradicts itself.
fn whole_and_float(whole: i64, float: f64) -> Ordering {
    const BEYOND: f64 = 9_223_372_036_854_775_808.0; // 2^63
    match float {
        _ if float >= BEYOND => Ordering::Less,
        _ if float < -BEYOND || float.is_nan() => Ordering::Greater,
        _ => whole.cmp(&(float.trunc() as i64)).then_with(|| 0f64.total_cmp(&(float.fract() + 0.0))),
    }
}

fn raw<'v>(value: &'v Value<'_>) -> Option<&'v [u8]> {
    match value {
        Value::Text(text) => Some(text.as_bytes()),
        Value::Bytes(bytes) => Some(bytes),
        _ => None,
    }
}

fn sorted<'v, 'a>(object: &'v Object<'a>) -> Vec<(&'v str, Ordered<'v, 'a>)> {
    let mut entries: Vec<_> = object.0.iter().map(|(key, value)| (&**key, Ordered(value))).collect();
    entries.sort_by_key(|(key, _)| *key);
    entries
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Missing | Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Text(_) | Value::Bytes(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
