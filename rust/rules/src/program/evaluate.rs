//! Running an expression.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::environment::{Environment, Failure, Step};
use super::matching::{like, matches_filter};
use super::node::{Node, NodeKind, WindowField};
use crate::functions::{Surroundings, Wrong};
use crate::occasion::Attribute;
use crate::sql::Operator;
use crate::value::{Object, Value};

/// The longest text that `||` makes, in bytes: as long as a payload may be.
const LONGEST_TEXT: usize = 16 << 20;

/// How much of payloads may be copied for one message, in bytes: an array that is looked into for each of its items would be
/// copied as often.
const MOST_COPIED: usize = 256 << 20;

type Evaluated<'a> = Result<Value<'a>, Failure>;

impl Node {
    /// What it gives.
    pub(crate) fn evaluate<'a>(&'a self, env: &mut Environment<'a, '_>) -> Evaluated<'a> {
        let value = self.kind.evaluate(env, self)?;
        if let Some(trace) = &mut env.trace
            && !matches!(self.kind, NodeKind::Constant(_))
        {
            trace.push(Step { span: self.span.clone(), value: value.clone().into_owned() });
        }
        Ok(value)
    }

    /// Whether it is true. `null` is not.
    pub(crate) fn holds<'a>(&'a self, env: &mut Environment<'a, '_>) -> Result<bool, Failure> {
        Ok(self.truth(env)? == Some(true))
    }

    /// Whether it is true, if that can be said.
    fn truth<'a>(&'a self, env: &mut Environment<'a, '_>) -> Result<Option<bool>, Failure> {
        match self.evaluate(env)? {
            Value::Bool(value) => Ok(Some(value)),
            Value::Missing | Value::Null => Ok(None),
            Value::Text(text) if text == "true" || text == "false" => Ok(Some(text == "true")),
            other => Err(self.failure(format!("{}, true or false was expected", other.kind()))),
        }
    }

    fn failure(&self, what: impl Into<String>) -> Failure {
        Failure { what: what.into(), span: self.span.clone() }
    }

    fn wrong(&self, Wrong(what): Wrong) -> Failure {
        self.failure(what)
    }
}

/// A constant without a copy of its text.
fn borrowed<'a>(value: &'a Value<'static>) -> Value<'a> {
    match value {
        Value::Text(text) => Value::Text(Cow::Borrowed(text)),
        Value::Bytes(bytes) => Value::Bytes(Cow::Borrowed(bytes)),
        other => other.clone(),
    }
}

impl NodeKind {
    fn evaluate<'a>(&'a self, env: &mut Environment<'a, '_>, node: &Node) -> Evaluated<'a> {
        Ok(match self {
            Self::Constant(value) => borrowed(value),
            Self::Attribute(attribute) => get(env, *attribute),
            Self::Payload(index) => {
                let value = env.field(*index);
                if matches!(value, Value::Array(_) | Value::Object(_)) {
                    env.copied += value.weight();
                    if env.copied > MOST_COPIED {
                        return Err(node.failure("the payload is too large to be looked through so often"));
                    }
                }
                value
            }
            Self::TopicLevel(index) => match index.evaluate(env)? {
                Value::Int(level) => topic_level(env.topic(), level),
                Value::Null | Value::Missing => Value::Null,
                other => return Err(node.failure(format!("a level is a whole number, not {}", other.kind()))),
            },
            Self::Item => env.item.clone(),
            Self::Member(inner, key) => member(inner.evaluate(env)?, key),
            Self::Index(inner, index) => {
                // A payload is not copied for one of its items.
                let inner = match &inner.kind {
                    Self::Payload(index) => Err(*index),
                    _ => Ok(inner.evaluate(env)?),
                };
                let index = match index.evaluate(env)? {
                    Value::Float(number) => Value::number(number),
                    index => index,
                };
                match index {
                    Value::Int(index) => match inner {
                        Ok(inner) => item(inner, index),
                        Err(field) => item_of(env.field_ref(field), index).cloned().unwrap_or_default(),
                    },
                    Value::Text(key) => match inner {
                        Ok(inner) => member(inner, &key),
                        Err(field) => match env.field_ref(field) {
                            Value::Object(object) => object.get(&key).cloned().unwrap_or_default(),
                            _ => Value::Missing,
                        },
                    },
                    Value::Null | Value::Missing => Value::Null,
                    other => {
                        return Err(
                            node.failure(format!("an index is a number or a key, not {}", other.kind()))
                        );
                    }
                }
            }
            Self::Array(items) => {
                Value::Array(items.iter().map(|item| item.evaluate(env)).collect::<Result<_, _>>()?)
            }
            Self::Object(entries) => {
                let mut object = Object::default();
                for (key, value) in entries {
                    object.0.push((Cow::Borrowed(key), value.evaluate(env)?));
                }
                object.dedup();
                Value::Object(object)
            }
            Self::Negative(inner) => match inner.evaluate(env)? {
                Value::Int(whole) => whole.checked_neg().map_or(Value::Float(-(whole as f64)), Value::Int),
                value if value.is_null() => Value::Null,
                value => match value.as_number() {
                    Some(number) => Value::number(-number),
                    None => return Err(node.failure(format!("{} has no negative", value.kind()))),
                },
            },
            Self::Not(inner) => truth(inner.truth(env)?.map(|value| !value)),
            Self::And(all) => {
                let mut known = true;
                for one in all {
                    match one.truth(env)? {
                        Some(false) => return Ok(Value::Bool(false)),
                        Some(true) => {}
                        None => known = false,
                    }
                }
                truth(known.then_some(true))
            }
            Self::Or(all) => {
                let (mut known, mut found) = (true, false);
                for (one, remembers) in all {
                    if found && !remembers {
                        continue;
                    }
                    match one.truth(env)? {
                        Some(true) => found = true,
                        Some(false) => {}
                        None => known = false,
                    }
                }
                truth(if found { Some(true) } else { known.then_some(false) })
            }
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.evaluate(env)?, right.evaluate(env)?);
                if left.is_null() || right.is_null() {
                    return Ok(Value::Null);
                }
                binary(left, *operator, right).map_err(|wrong| node.wrong(wrong))?
            }
            Self::IsNull(inner) => Value::Bool(inner.evaluate(env)?.is_null()),
            Self::In(inner, all) => {
                let value = inner.evaluate(env)?;
                if value.is_null() {
                    return Ok(Value::Null);
                }
                let mut known = true;
                for one in all {
                    let one = one.evaluate(env)?;
                    known &= !one.is_null();
                    if !one.is_null() && value.same(&one) {
                        return Ok(Value::Bool(true));
                    }
                }
                truth(known.then_some(false))
            }
            Self::InArray(inner, array) => {
                let value = inner.evaluate(env)?;
                match array.evaluate(env)? {
                    _ if value.is_null() => Value::Null,
                    Value::Array(items) => Value::Bool(items.iter().any(|item| value.same(item))),
                    Value::Null | Value::Missing => Value::Null,
                    other => return Err(node.failure(format!("IN needs an array, not {}", other.kind()))),
                }
            }
            Self::Between(inner, low, high) => {
                let (value, low, high) = (inner.evaluate(env)?, low.evaluate(env)?, high.evaluate(env)?);
                if value.is_null() || low.is_null() || high.is_null() {
                    return Ok(Value::Null);
                }
                let from = value.order(&low).is_some_and(Ordering::is_ge);
                Value::Bool(from && value.order(&high).is_some_and(Ordering::is_le))
            }
            Self::Like(inner, pattern) => match (inner.evaluate(env)?, pattern.evaluate(env)?) {
                (Value::Text(text), Value::Text(pattern)) => match like(&text, &pattern) {
                    Some(alike) => Value::Bool(alike),
                    None => return Err(node.failure("the text and the pattern are too long for LIKE")),
                },
                (left, right) if left.is_null() || right.is_null() => Value::Null,
                (left, right) => {
                    let what = format!("LIKE compares texts, not {} with {}", left.kind(), right.kind());
                    return Err(node.failure(what));
                }
            },
            Self::Case(subject, branches, otherwise) => {
                let subject = subject.as_ref().map(|subject| subject.evaluate(env)).transpose()?;
                for (when, then) in branches {
                    let chosen = match &subject {
                        Some(subject) => !subject.is_null() && subject.same(&when.evaluate(env)?),
                        None => when.holds(env)?,
                    };
                    if chosen {
                        return then.evaluate(env);
                    }
                }
                match otherwise {
                    Some(otherwise) => otherwise.evaluate(env)?,
                    None => Value::Null,
                }
            }
            Self::Call(function, arguments) => {
                let mut values = evaluate_all(arguments, env)?;
                if !function.takes_null && values.iter().any(Value::is_null) {
                    return Ok(Value::Null);
                }
                let around = Surroundings { now: env.now, topic: env.topic() };
                (function.body)(&around, &mut values).map_err(|wrong| node.wrong(wrong))?
            }
            Self::Extern(number, arguments) => {
                let values = evaluate_all(arguments, env)?.into_vec();
                match env.externs {
                    Some(externs) => externs.call(*number, values).map_err(|wrong| node.wrong(wrong))?,
                    None => return Err(node.failure("Python's functions cannot be called here")),
                }
            }
            Self::State(slot, kind, arguments) => {
                let mut values = evaluate_all(arguments, env)?;
                let now = env.now;
                match env.memory.as_mut().and_then(|memory| memory.get_mut(*slot)) {
                    Some(memory) => kind.run(memory, &mut values, now).map_err(|wrong| node.wrong(wrong))?,
                    None => return Err(node.failure("there is nothing before it here")),
                }
            }
            Self::Shared(place, inner) => {
                if let Some(Some(value)) = env.shared.get(*place) {
                    return Ok(value.clone());
                }
                let value = inner.evaluate(env)?;
                if env.shared.len() <= *place {
                    env.shared.resize(*place + 1, None);
                }
                env.shared[*place] = Some(value.clone());
                value
            }
            Self::Aggregate(index) => {
                env.group.and_then(|group| group.aggregates.get(*index)).cloned().unwrap_or_default()
            }
            Self::Kept(index) => {
                env.group.and_then(|group| group.kept.get(*index)).cloned().unwrap_or_default()
            }
            Self::Window(field) => match (env.group, field) {
                (None, _) => Value::Null,
                (Some(group), WindowField::Start) => millis(group.start),
                (Some(group), WindowField::End) => millis(group.end),
                (Some(group), WindowField::LastSeen) => millis(group.last_seen),
                (Some(group), WindowField::SilentFor) => {
                    Value::number(env.now.saturating_sub(group.last_seen) as f64 / 1000.0)
                }
            },
        })
    }
}

fn evaluate_all<'a>(
    nodes: &'a [Node],
    env: &mut Environment<'a, '_>,
) -> Result<smallvec::SmallVec<[Value<'a>; 4]>, Failure> {
    nodes.iter().map(|node| node.evaluate(env)).collect()
}

fn millis(time: u64) -> Value<'static> {
    Value::Int(i64::try_from(time).unwrap_or(i64::MAX))
}

fn truth<'a>(value: Option<bool>) -> Value<'a> {
    value.map_or(Value::Null, Value::Bool)
}

/// What is known on this occasion.
pub(crate) fn get<'a>(env: &Environment<'a, '_>, attribute: Attribute) -> Value<'a> {
    match (env.occasion, attribute) {
        (Some(occasion), Attribute::Event) => Value::Text(Cow::Borrowed(occasion.event().name())),
        (Some(occasion), Attribute::Payload) if occasion.event().has_message() => {
            Value::from_bytes(occasion.payload())
        }
        (Some(occasion), attribute) => occasion.get(attribute),
        (None, Attribute::Timestamp) => millis(env.now),
        (None, _) => Value::Missing,
    }
}

fn member<'a>(value: Value<'a>, key: &str) -> Value<'a> {
    match value {
        Value::Object(object) => object.take(key).unwrap_or_default(),
        _ => Value::Missing,
    }
}

/// An item, counted from 0, or from the end with -1.
fn item(value: Value<'_>, index: i64) -> Value<'_> {
    let Value::Array(mut items) = value else { return Value::Missing };
    match place(items.len(), index) {
        Some(index) => items.swap_remove(index),
        None => Value::Missing,
    }
}

fn item_of<'v, 'a>(value: &'v Value<'a>, index: i64) -> Option<&'v Value<'a>> {
    let Value::Array(items) = value else { return None };
    items.get(place(items.len(), index)?)
}

fn place(length: usize, index: i64) -> Option<usize> {
    let index = if index < 0 { index.saturating_add(length as i64) } else { index };
    usize::try_from(index).ok().filter(|index| *index < length)
}

/// A level of a topic, counted from 1, or from the end with -1.
fn topic_level(topic: &str, level: i64) -> Value<'_> {
    let away = usize::try_from(level.unsigned_abs()).unwrap_or(usize::MAX);
    let found = match level {
        0 => None,
        1.. => topic.split('/').nth(away - 1),
        _ => topic.rsplit('/').nth(away - 1),
    };
    found.map_or(Value::Null, |level| Value::Text(Cow::Borrowed(level)))
}

/// A comparison, arithmetic or `||` of two values that are there.
fn binary<'a>(left: Value<'a>, operator: Operator, right: Value<'a>) -> Result<Value<'a>, Wrong> {
    use Operator::*;
    Ok(Value::Bool(match operator {
        Equal => left.same(&right),
        Unequal => !left.same(&right),
        Less => left.order(&right).is_some_and(Ordering::is_lt),
        LessOrEqual => left.order(&right).is_some_and(Ordering::is_le),
        Greater => left.order(&right).is_some_and(Ordering::is_gt),
        GreaterOrEqual => left.order(&right).is_some_and(Ordering::is_ge),
        Matches => match (&left, &right) {
            (Value::Text(topic), Value::Text(filter)) => matches_filter(topic, filter),
            _ => {
                return Err(Wrong(format!(
                    "=~ compares a topic with a filter, not {} with {}",
                    left.kind(),
                    right.kind()
                )));
            }
        },
        Concat => return concat(&left, &right),
        Add => match (&left, &right) {
            // As in EMQX: two texts are joined.
            (Value::Text(_), Value::Text(_)) => return concat(&left, &right),
            _ => return arithmetic(&left, operator, &right),
        },
        _ => return arithmetic(&left, operator, &right),
    }))
}

fn concat<'a>(left: &Value<'a>, right: &Value<'a>) -> Result<Value<'a>, Wrong> {
    let mut text = String::new();
    for value in [left, right] {
        match value {
            Value::Text(part) => text.push_str(part),
            Value::Bytes(bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
            other => text.push_str(&crate::format::to_json(other)),
        }
    }
    match text.len() <= LONGEST_TEXT {
        true => Ok(Value::text(text)),
        false => Err(Wrong("the text becomes too long".to_owned())),
    }
}

fn arithmetic<'a>(left: &Value<'a>, operator: Operator, right: &Value<'a>) -> Result<Value<'a>, Wrong> {
    let sign = match operator {
        Operator::Add => "+",
        Operator::Subtract => "-",
        Operator::Multiply => "*",
        Operator::DivideWhole => "div",
        Operator::Modulo => "mod",
        _ => "/",
    };
    let wrong = |value: &Value<'_>| Wrong(format!("{sign} needs numbers, not {}", value.kind()));
    let whole = |value: &Value<'a>| match value {
        Value::Int(whole) => Some(*whole),
        _ => None,
    };
    if let (Some(left), Some(right)) = (whole(left), whole(right)) {
        let exact = match operator {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            Operator::DivideWhole => left.checked_div(right),
            Operator::Modulo => left.checked_rem(right),
            _ => None,
        };
        if let Some(exact) = exact {
            return Ok(Value::Int(exact));
        }
    }
    let (left, right) =
        (left.as_number().ok_or_else(|| wrong(left))?, right.as_number().ok_or_else(|| wrong(right))?);
    let result = match operator {
        Operator::Add => left + right,
        Operator::Subtract => left - right,
        Operator::Multiply => left * right,
        _ if right == 0.0 => return Err(Wrong("nothing can be divided by 0".to_owned())),
        Operator::DivideWhole => (left / right).trunc(),
        Operator::Modulo => left % right,
        _ => left / right,
    };
    match result.is_finite() {
        true => Ok(Value::number(result)),
        false => Err(Wrong("the result is too large a number".to_owned())),
    }
}
