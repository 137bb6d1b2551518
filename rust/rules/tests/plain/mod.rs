//! The language of expressions once more, without any cleverness: what the real one is compared with.
//!
//! # Layout
//! - `expression`: what an expression is, and how it is written; `strategy`: any expressions and payloads
//! - `evaluate`: what an expression gives; `order`: which of two values comes first; `functions`: some functions

mod evaluate;
mod expression;
mod functions;
mod order;
mod strategy;

pub(crate) use evaluate::evaluate;
pub(crate) use expression::written;
pub(crate) use strategy::{any_expression, any_payload};

use serde_json::Value as Json;

/// A value; `None` is not there at all.
pub(crate) type Value = Option<Json>;

/// There is no value, because something is wrong.
#[derive(Debug, PartialEq)]
pub(crate) struct Fails;

/// Whether it is null or not there.
fn is_null(value: &Value) -> bool {
    value.as_ref().is_none_or(Json::is_null)
}

/// A number: whole if it is, and exact as such.
fn number(number: f64) -> Result<Value, Fails> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if !number.is_finite() {
        return Err(Fails);
    }
    Ok(Some(match number.fract() == 0.0 && number.abs() <= EXACT {
        true => Json::from(number as i64),
        false => Json::from(number),
    }))
}
