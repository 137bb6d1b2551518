//! What an expression gives.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::expression::Expr;
use super::order::{order, said, same};
use super::{Fails, Value, functions, is_null, number};

/// What an expression gives for a payload.
pub(crate) fn evaluate(expr: &Expr, payload: &Json) -> Result<Value, Fails> {
    let value = |expr: &Expr| evaluate(expr, payload);
    let all = |exprs: &[Expr]| exprs.iter().map(value).collect::<Result<Vec<_>, _>>();
    // What a test says, or that it cannot say it.
    let told = |told: Option<bool>, negated: bool| {
        Ok(Some(told.map_or(Json::Null, |told| (told != negated).into())))
    };
    match expr {
        Expr::Literal(value) => Ok(Some(value.clone())),
        Expr::Field(key) => Ok(payload.get(key).cloned()),
        Expr::Member(inner, key) => Ok(member(value(inner)?, key)),
        Expr::Index(inner, index) => {
            let inner = value(inner)?;
            match value(index)? {
                None | Some(Json::Null) => Ok(Some(Json::Null)),
                Some(Json::String(key)) => Ok(member(inner, &key)),
                Some(Json::Number(index)) => match (index.as_i64(), index.as_f64()) {
                    (Some(index), _) => Ok(item(inner, index)),
                    (None, Some(index)) if index.fract() == 0.0 && index.abs() < 1e15 => {
                        Ok(item(inner, index as i64))
                    }
                    _ => Err(Fails),
                },
                Some(_) => Err(Fails),
            }
        }
        Expr::Array(items) => Ok(Some(all(items)?.into_iter().map(Option::unwrap_or_default).collect())),
        Expr::Object(entries) => {
            let mut object = serde_json::Map::new();
            for (key, one) in entries {
                object.insert((*key).to_owned(), value(one)?.unwrap_or_default());
            }
            Ok(Some(Json::Object(object)))
        }
        Expr::Negative(inner) => match value(inner)? {
            None | Some(Json::Null) => Ok(Some(Json::Null)),
            Some(Json::Number(whole)) if whole.is_i64() => match whole.as_i64().and_then(i64::checked_neg) {
                Some(negative) => Ok(Some(negative.into())),
                None => Ok(Some(Json::from(9_223_372_036_854_775_808.0))),
            },
            Some(other) => number(-as_number(&other)?),
        },
        Expr::Not(inner) => told(truth(&value(inner)?)?, true),
        Expr::Binary(left, operator @ ("AND" | "OR"), right) => {
            // The value that decides alone: what follows it is not asked.
            let decides = *operator == "OR";
            let left = truth(&value(left)?)?;
            if left == Some(decides) {
                return told(left, false);
            }
            let right = truth(&value(right)?)?;
            match (left, right) {
                _ if right == Some(decides) => told(right, false),
                (Some(_), Some(_)) => told(Some(!decides), false),
                _ => told(None, false),
            }
        }
        Expr::Binary(left, operator, right) => match (value(left)?, value(right)?) {
            (Some(left), Some(right)) if !left.is_null() && !right.is_null() => {
                binary(&left, operator, &right)
            }
            _ => Ok(Some(Json::Null)),
        },
        Expr::IsNull(inner, negated) => told(Some(is_null(&value(inner)?)), *negated),
        Expr::In(inner, list, negated) => {
            let inner = value(inner)?;
            if is_null(&inner) {
                return told(None, *negated);
            }
            let mut known = true;
            for one in list {
                let one = value(one)?;
                known &= !is_null(&one);
                if same(&inner.clone().unwrap_or_default(), &one.unwrap_or_default()) {
                    return told(Some(true), *negated);
                }
            }
            told(known.then_some(false), *negated)
        }
        Expr::InArray(inner, array, negated) => match (value(inner)?, value(array)?) {
            (None | Some(Json::Null), _) | (_, None | Some(Json::Null)) => told(None, *negated),
            (Some(inner), Some(Json::Array(items))) => {
                told(Some(items.iter().any(|one| same(&inner, one))), *negated)
            }
            _ => Err(Fails),
        },
        Expr::Between(parts, negated) => match all(&**parts)?.as_slice() {
            [Some(inner), Some(low), Some(high)] if ![inner, low, high].iter().any(|one| one.is_null()) => {
                let within = order(inner, low).is_some_and(Ordering::is_ge)
                    && order(inner, high).is_some_and(Ordering::is_le);
                told(Some(within), *negated)
            }
            _ => told(None, *negated),
        },
        Expr::Like(inner, pattern, negated) => match (value(inner)?, value(pattern)?) {
            (Some(Json::String(text)), Some(Json::String(pattern))) => {
                let (text, pattern): (Vec<_>, Vec<_>) = (text.chars().collect(), pattern.chars().collect());
                told(Some(like(&text, &pattern)), *negated)
            }
            (left, right) if is_null(&left) || is_null(&right) => told(None, *negated),
            _ => Err(Fails),
        },
        Expr::Case(subject, branches, otherwise) => {
            let subject = subject.as_deref().map(value).transpose()?;
            for (when, then) in branches {
                let chosen = match &subject {
                    Some(subject) if is_null(subject) => false,
                    Some(subject) => {
                        same(&subject.clone().unwrap_or_default(), &value(when)?.unwrap_or_default())
                    }
                    None => truth(&value(when)?)? == Some(true),
                };
                if chosen {
                    return value(then);
                }
            }
            otherwise.as_deref().map_or(Ok(Some(Json::Null)), value)
        }
        Expr::Call(name, arguments) => functions::call(name, &all(arguments)?),
    }
}

fn member(value: Value, key: &str) -> Value {
    value.and_then(|value| value.as_object()?.get(key).cloned())
}

/// Counted from 0, or from the end.
fn item(value: Value, index: i64) -> Value {
    let value = value?;
    let items = value.as_array()?;
    let index = if index < 0 { index.checked_add(items.len() as i64)? } else { index };
    items.get(usize::try_from(index).ok()?).cloned()
}

fn truth(value: &Value) -> Result<Option<bool>, Fails> {
    match value {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Bool(value)) => Ok(Some(*value)),
        Some(Json::String(text)) => text.parse().map(Some).map_err(|_| Fails),
        Some(_) => Err(Fails),
    }
}

/// The number that a value is, or that its text says.
fn as_number(value: &Json) -> Result<f64, Fails> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => said(text).and_then(|number| number.as_f64()),
        _ => None,
    }
    .ok_or(Fails)
}

fn binary(left: &Json, operator: &str, right: &Json) -> Result<Value, Fails> {
    let told = |told: bool| Ok(Some(told.into()));
    let ordered = |wanted: fn(Ordering) -> bool| told(order(left, right).is_some_and(wanted));
    match operator {
        "=" => told(same(left, right)),
        "<>" => told(!same(left, right)),
        "<" => ordered(Ordering::is_lt),
        "<=" => ordered(Ordering::is_le),
        ">" => ordered(Ordering::is_gt),
        ">=" => ordered(Ordering::is_ge),
        "||" => Ok(Some((shown(left) + &shown(right)).into())),
        "+" if left.is_string() && right.is_string() => Ok(Some((shown(left) + &shown(right)).into())),
        _ => arithmetic(left, operator, right),
    }
}

/// A value as a part of a text.
fn shown(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn arithmetic(left: &Json, operator: &str, right: &Json) -> Result<Value, Fails> {
    // Whole numbers, as far as 64 bits hold them.
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        let (left, right) = (i128::from(left), i128::from(right));
        let exact = match operator {
            "+" => Some(left + right),
            "-" => Some(left - right),
            "*" => Some(left * right),
            "div" if right != 0 => Some(left / right),
            "%" if right != 0 => Some(left % right),
            _ => None,
        };
        if let Some(exact) = exact.and_then(|exact| i64::try_from(exact).ok()) {
            return Ok(Some(exact.into()));
        }
    }
    let (left, right) = (as_number(left)?, as_number(right)?);
    match operator {
        "+" => number(left + right),
        "-" => number(left - right),
        "*" => number(left * right),
        _ if right == 0.0 => Err(Fails),
        "/" => number(left / right),
        "div" => number((left / right).trunc()),
        _ => number(left % right),
    }
}

fn like(text: &[char], pattern: &[char]) -> bool {
    match (text, pattern) {
        (_, []) => text.is_empty(),
        (_, ['%', rest @ ..]) => (0..=text.len()).any(|at| like(&text[at..], rest)),
        ([], _) => false,
        ([one, text @ ..], [other, rest @ ..]) => (*other == '_' || one == other) && like(text, rest),
    }
}
