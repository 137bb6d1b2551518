//! Some functions, as their documentation has them.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::order::{order, said};
use super::strategy::Kind::{self, Any, Array, Bool, Number, Text};
use super::{Fails, Value, is_null, number};

/// Their names, how many arguments they take at least, of which kinds all of them are, and what they give.
pub(super) const FUNCTIONS: &[(&str, usize, &[Kind], Kind)] = &[
    ("abs", 1, &[Number], Number),
    ("ceil", 1, &[Number], Number),
    ("floor", 1, &[Number], Number),
    ("round", 1, &[Number], Number),
    ("sign", 1, &[Number], Number),
    ("sqrt", 1, &[Number], Number),
    ("mod", 2, &[Number, Number], Number),
    ("div", 2, &[Number, Number], Number),
    ("clamp", 3, &[Number, Number, Number], Number),
    ("greatest", 1, &[Number, Number, Number, Number], Number),
    ("least", 1, &[Number, Number, Number, Number], Number),
    ("strlen", 1, &[Text], Number),
    ("strpos", 2, &[Text, Text], Number),
    ("length", 1, &[Array], Number),
    ("nth", 2, &[Number, Array], Number),
    ("first", 1, &[Array], Number),
    ("last", 1, &[Array], Number),
    ("num", 1, &[Text], Number),
    ("lower", 1, &[Text], Text),
    ("upper", 1, &[Text], Text),
    ("trim", 1, &[Text], Text),
    ("reverse", 1, &[Text], Text),
    ("concat", 1, &[Text, Text, Number], Text),
    ("left", 2, &[Text, Number], Text),
    ("right", 2, &[Text, Number], Text),
    ("substr", 2, &[Text, Number, Number], Text),
    ("replace", 3, &[Text, Text, Text], Text),
    ("typeof", 1, &[Any], Text),
    ("str", 1, &[Number], Text),
    ("startswith", 2, &[Text, Text], Bool),
    ("endswith", 2, &[Text, Text], Bool),
    ("is_null", 1, &[Any], Bool),
    ("is_num", 1, &[Any], Bool),
    ("is_numeric", 1, &[Text], Bool),
    ("is_int", 1, &[Number], Bool),
    ("is_str", 1, &[Any], Bool),
    ("is_bool", 1, &[Any], Bool),
    ("is_array", 1, &[Any], Bool),
    ("is_map", 1, &[Any], Bool),
    ("is_empty", 1, &[Any], Bool),
    ("array_concat", 1, &[Array, Array, Array], Array),
    ("coalesce", 1, &[Any, Any, Any], Any),
    ("if_null", 2, &[Any, Any], Any),
    ("iif", 2, &[Bool, Any, Any], Any),
];

/// What a call gives.
pub(super) fn call(name: &str, args: &[Value]) -> Result<Value, Fails> {
    let is = |told: bool| Ok(Some(Json::from(told)));
    let present = || args.iter().flatten().filter(|value| !value.is_null());
    // Those that are called whatever their arguments are.
    match name {
        "coalesce" | "if_null" => return Ok(Some(present().next().cloned().unwrap_or_default())),
        "greatest" => return extreme(present(), Ordering::Greater),
        "least" => return extreme(present(), Ordering::Less),
        "iif" => {
            let yes = match &args[0] {
                None | Some(Json::Null) => false,
                Some(value) => value.as_bool().ok_or(Fails)?,
            };
            return Ok(args.get(if yes { 1 } else { 2 }).cloned().flatten());
        }
        "typeof" => return Ok(Some(kind(args[0].as_ref()).into())),
        "is_null" => return is(is_null(&args[0])),
        "is_missing" => return is(args[0].is_none()),
        "is_num" => return is(args[0].as_ref().is_some_and(Json::is_number)),
        "is_numeric" => {
            return is(args[0].as_ref().is_some_and(|value| !value.is_boolean() && number_of(value).is_ok()));
        }
        "is_int" => return is(args[0].as_ref().is_some_and(Json::is_i64)),
        "is_str" => return is(args[0].as_ref().is_some_and(Json::is_string)),
        "is_bool" => return is(args[0].as_ref().is_some_and(Json::is_boolean)),
        "is_array" => return is(args[0].as_ref().is_some_and(Json::is_array)),
        "is_map" => return is(args[0].as_ref().is_some_and(Json::is_object)),
        "is_empty" => {
            return is(match &args[0] {
                None | Some(Json::Null) => true,
                Some(Json::String(text)) => text.is_empty(),
                Some(Json::Array(items)) => items.is_empty(),
                Some(Json::Object(object)) => object.is_empty(),
                Some(_) => false,
            });
        }
        _ => {}
    }
    let all: Vec<&Json> = present().collect();
    if all.len() < args.len() {
        return Ok(Some(Json::Null));
    }
    of_values(name, &all)
}

/// What a call gives whose arguments are all there.
fn of_values(name: &str, all: &[&Json]) -> Result<Value, Fails> {
    let text = |index: usize| text_of(all[index]);
    let some = |value: Json| Ok(Some(value));
    let part = |text: &str, start: usize, length: usize| -> Json {
        text.chars().skip(start).take(length).collect::<String>().into()
    };
    match name {
        "abs" if all[0].is_i64() => match all[0].as_i64().and_then(i64::checked_abs) {
            Some(whole) => some(whole.into()),
            None => some(9_223_372_036_854_775_808.0.into()),
        },
        "ceil" | "floor" | "round" if all[0].is_i64() => some(all[0].clone()),
        "abs" => number(number_of(all[0])?.abs()),
        "ceil" => number(number_of(all[0])?.ceil()),
        "floor" => number(number_of(all[0])?.floor()),
        "round" => number(number_of(all[0])?.round()),
        "sqrt" => number(number_of(all[0])?.sqrt()),
        "sign" => match number_of(all[0])? {
            above if above > 0.0 => some(1.into()),
            below if below < 0.0 => some((-1).into()),
            _ => some(0.into()),
        },
        "mod" | "div" => divided(name, all[0], all[1]),
        "clamp" => {
            let (value, low, high) = (number_of(all[0])?, number_of(all[1])?, number_of(all[2])?);
            match value {
                _ if low > high => Err(Fails),
                _ if value < low => some(all[1].clone()),
                _ if value > high => some(all[2].clone()),
                _ => some(all[0].clone()),
            }
        }
        "lower" => some(text(0)?.to_lowercase().into()),
        "upper" => some(text(0)?.to_uppercase().into()),
        "trim" => some(text(0)?.trim().into()),
        "reverse" => match all[0] {
            Json::Array(items) => some(items.iter().rev().cloned().collect()),
            _ => some(text(0)?.chars().rev().collect::<String>().into()),
        },
        "concat" => {
            let texts = all.iter().map(|one| text_of(one)).collect::<Result<Vec<_>, _>>()?;
            some(texts.concat().into())
        }
        "strlen" => some(text(0)?.chars().count().into()),
        "startswith" => some(text(0)?.starts_with(&text(1)?).into()),
        "endswith" => some(text(0)?.ends_with(&text(1)?).into()),
        "left" => some(part(&text(0)?, 0, whole_of(all[1])?.max(0) as usize)),
        "right" => {
            let (text, length) = (text(0)?, whole_of(all[1])?.max(0) as usize);
            some(part(&text, text.chars().count().saturating_sub(length), usize::MAX))
        }
        "substr" => {
            let length = if all.len() == 3 { whole_of(all[2])? } else { i64::MAX };
            some(part(&text(0)?, whole_of(all[1])?.max(0) as usize, length.max(0) as usize))
        }
        "strpos" => {
            let (text, part) = (text(0)?, text(1)?);
            some(text.find(&part).map_or(0, |at| text[..at].chars().count() + 1).into())
        }
        "replace" => {
            let (text, part, other) = (text(0)?, text(1)?, text(2)?);
            some(if part.is_empty() { text } else { text.replace(&part, &other) }.into())
        }
        "length" => match all[0] {
            Json::Array(items) => some(items.len().into()),
            Json::Object(object) => some(object.len().into()),
            _ => some(text(0)?.chars().count().into()),
        },
        "nth" => {
            let (place, items) = (whole_of(all[0])?, all[1].as_array().ok_or(Fails)?);
            let at = usize::try_from(place).ok().and_then(|place| place.checked_sub(1));
            some(at.and_then(|at| items.get(at)).cloned().unwrap_or_default())
        }
        "first" => some(all[0].as_array().ok_or(Fails)?.first().cloned().unwrap_or_default()),
        "last" => some(all[0].as_array().ok_or(Fails)?.last().cloned().unwrap_or_default()),
        "array_concat" => {
            let arrays = all.iter().map(|one| one.as_array().cloned().ok_or(Fails));
            some(arrays.collect::<Result<Vec<_>, _>>()?.concat().into())
        }
        "num" => match all[0] {
            Json::Bool(value) => some(i64::from(*value).into()),
            Json::Number(_) => match all[0].as_i64() {
                Some(_) => some(all[0].clone()),
                None => number(number_of(all[0])?),
            },
            Json::String(text) => said(text).map(Some).ok_or(Fails),
            _ => Err(Fails),
        },
        "str" => some(text(0)?.into()),
        _ => panic!("{name} is not known here"),
    }
}

fn extreme<'j>(values: impl Iterator<Item = &'j Json>, wanted: Ordering) -> Result<Value, Fails> {
    let mut best: Option<&Json> = None;
    for value in values {
        match best {
            None => best = Some(value),
            Some(before) if order(value, before).ok_or(Fails)? == wanted => best = Some(value),
            Some(_) => {}
        }
    }
    Ok(Some(best.cloned().unwrap_or_default()))
}

fn divided(name: &str, left: &Json, right: &Json) -> Result<Value, Fails> {
    if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
        let (left, right) = (i128::from(left), i128::from(right));
        let result = match name {
            _ if right == 0 => return Err(Fails),
            "mod" => left % right,
            _ => left / right,
        };
        return i64::try_from(result).map(|result| Some(result.into())).map_err(|_| Fails);
    }
    let (left, right) = (number_of(left)?, number_of(right)?);
    match name {
        "mod" => number(left % right),
        _ => number((left / right).trunc()),
    }
}

fn kind(value: Option<&Json>) -> &'static str {
    match value {
        None | Some(Json::Null) => "null",
        Some(Json::Bool(_)) => "boolean",
        Some(Json::Number(number)) if number.is_i64() => "integer",
        Some(Json::Number(_)) => "float",
        Some(Json::String(_)) => "text",
        Some(Json::Array(_)) => "array",
        Some(Json::Object(_)) => "object",
    }
}

/// An argument as a number.
fn number_of(value: &Json) -> Result<f64, Fails> {
    match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => said(text).and_then(|number| number.as_f64()),
        _ => None,
    }
    .ok_or(Fails)
}

/// An argument as a whole number.
fn whole_of(value: &Json) -> Result<i64, Fails> {
    let whole = match value {
        Json::Number(one) if one.is_i64() => Some(value.clone()),
        Json::Number(one) => number(one.as_f64().ok_or(Fails)?)?,
        Json::String(text) => said(text),
        _ => None,
    };
    whole.and_then(|whole| whole.as_i64()).ok_or(Fails)
}

/// An argument as a text.
fn text_of(value: &Json) -> Result<String, Fails> {
    match value {
        Json::String(text) => Ok(text.clone()),
        Json::Bool(value) => Ok(value.to_string()),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Ok(whole.to_string()),
            None => Ok(number.as_f64().ok_or(Fails)?.to_string()),
        },
        _ => Err(Fails),
    }
}
