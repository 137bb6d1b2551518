//! Functions of what was before: change, hysteresis, how long something lasts.

use std::borrow::Cow;

use crate::duration::parse_duration;
use crate::functions::{Arguments as _, Wrong};
use crate::value::Value;

/// The longest value that is remembered, in bytes: what is larger is remembered by its hash.
const REMEMBERED: usize = 4096;

/// What one such function remembers for one group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory {
    /// The value of the last time.
    value: Option<Value<'static>>,
    /// When that was, or since when it lasts.
    at: u64,
    /// Whether it was true.
    on: bool,
}

/// Which function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StateKind {
    Changed,
    Previous,
    Delta,
    Rate,
    Became,
    Hysteresis,
    Lasting,
    Smooth,
}

impl StateKind {
    /// The function of this name, and how many arguments it takes.
    pub(crate) fn named(name: &str) -> Option<(Self, usize, usize)> {
        Some(match name.to_ascii_lowercase().as_str() {
            "changed" => (Self::Changed, 1, 2),
            "previous" | "lag" => (Self::Previous, 1, 1),
            "delta" => (Self::Delta, 1, 1),
            "rate" => (Self::Rate, 1, 1),
            "became" => (Self::Became, 1, 1),
            "hysteresis" => (Self::Hysteresis, 3, 3),
            "lasting" => (Self::Lasting, 2, 2),
            "smooth" => (Self::Smooth, 2, 2),
            _ => return None,
        })
    }

    /// What it gives now, and what it remembers for the next time.
    pub(crate) fn run<'a>(
        self,
        memory: &mut Memory,
        args: &mut [Value<'a>],
        now: u64,
    ) -> Result<Value<'a>, Wrong> {
        Ok(match self {
            // What is not there changes nothing.
            _ if args[0].is_null() && self != Self::Became && self != Self::Lasting => Value::Null,
            Self::Changed => {
                let by = if args.len() > 1 { Some((args.number(0)?, args.number(1)?)) } else { None };
                let next = remembered(args.take(0));
                let changed = match (&memory.value, by) {
                    (None, _) => true,
                    (Some(before), Some((number, by))) => {
                        before.as_number().is_none_or(|before| (number - before).abs() >= by)
                    }
                    (Some(before), None) => !before.same(&next),
                };
                if changed {
                    memory.value = Some(next);
                }
                Value::Bool(changed)
            }
            Self::Previous => {
                let before = memory.value.replace(remembered(args.take(0)));
                before.unwrap_or(Value::Null)
            }
            Self::Delta | Self::Rate => {
                let number = args.number(0)?;
                let before =
                    memory.value.replace(Value::number(number)).and_then(|before| before.as_number());
                let seconds = now.saturating_sub(std::mem::replace(&mut memory.at, now)) as f64 / 1000.0;
                match before {
                    None => Value::Null,
                    Some(before) if self == Self::Delta => finite(number - before)?,
                    Some(_) if seconds == 0.0 => Value::Null,
                    Some(before) => finite((number - before) / seconds)?,
                }
            }
            Self::Became => {
                let now_on = truth(&args[0])?;
                let was_on = std::mem::replace(&mut memory.on, now_on);
                Value::Bool(now_on && !was_on)
            }
            Self::Hysteresis => {
                let (value, on, off) = (args.number(0)?, args.number(1)?, args.number(2)?);
                // From which side it is switched on is told by the two bounds.
                let (above_on, above_off) = match on >= off {
                    true => (value >= on, value > off),
                    false => (value <= on, value < off),
                };
                memory.on = above_on || memory.on && above_off;
                Value::Bool(memory.on)
            }
            Self::Lasting => {
                let holds = truth(&args[0])?;
                let wanted = match &args[1] {
                    Value::Text(text) => parse_duration(text),
                    _ => None,
                };
                let Some(wanted) = wanted else {
                    return Err(Wrong("argument 2 is no time such as '30s'".to_owned()));
                };
                if holds && !memory.on {
                    memory.at = now;
                }
                memory.on = holds;
                Value::Bool(holds && now.saturating_sub(memory.at) >= wanted)
            }
            Self::Smooth => {
                let (value, weight) = (args.number(0)?, args.number(1)?);
                if !(0.0..=1.0).contains(&weight) {
                    return Err(Wrong("argument 2 is a weight from 0 to 1".to_owned()));
                }
                let before = memory.value.as_ref().and_then(Value::as_number).unwrap_or(value);
                let smoothed = finite(before + weight * (value - before))?;
                memory.value = Some(smoothed.clone().into_owned());
                smoothed
            }
        })
    }
}

fn truth(value: &Value<'_>) -> Result<bool, Wrong> {
    match value {
        Value::Bool(value) => Ok(*value),
        Value::Null | Value::Missing => Ok(false),
        other => Err(Wrong(format!("argument 1 is {}, true or false was expected", other.kind()))),
    }
}

fn finite<'a>(number: f64) -> Result<Value<'a>, Wrong> {
    match number.is_finite() {
        true => Ok(Value::number(number)),
        false => Err(Wrong("the result is too large a number".to_owned())),
    }
}

/// A value to be kept: one that is large by what tells it from others.
pub(crate) fn remembered(value: Value<'_>) -> Value<'static> {
    if value.weight() <= REMEMBERED {
        return value.into_owned();
    }
    let json = crate::format::to_json(&value);
    Value::Text(Cow::Owned(format!("crc32:{:08x}:{}", crc32fast::hash(json.as_bytes()), json.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(name: &str, all: &[(f64, u64)], more: &[Value<'static>]) -> Vec<String> {
        let (kind, ..) = StateKind::named(name).unwrap();
        let mut memory = Memory::default();
        let one = |(value, at): &(f64, u64)| {
            let mut args = vec![Value::number(*value)];
            args.extend(more.iter().cloned());
            crate::format::to_json(&kind.run(&mut memory, &mut args, *at).unwrap())
        };
        all.iter().map(one).collect()
    }

    #[test]
    fn they_remember_what_was_before() {
        let steps = [(1.0, 0), (1.0, 1000), (4.0, 3000), (4.5, 3000)];
        assert_eq!(run("changed", &steps, &[]), ["true", "false", "true", "true"]);
        assert_eq!(run("changed", &steps, &[Value::Int(3)]), ["true", "false", "true", "false"]);
        assert_eq!(run("previous", &steps, &[]), ["null", "1", "1", "4"]);
        assert_eq!(run("delta", &steps, &[]), ["null", "0", "3", "0.5"]);
        assert_eq!(run("rate", &steps, &[]), ["null", "0", "1.5", "null"]);
        assert_eq!(run("smooth", &steps, &[Value::Float(0.5)]), ["1", "1", "2.5", "3.5"]);
    }

    #[test]
    fn hysteresis_works_from_either_side() {
        let steps = [(20.0, 0), (30.0, 0), (29.0, 0), (28.0, 0), (29.0, 0)];
        let bounds = |on, off| [Value::Int(on), Value::Int(off)];
        assert_eq!(run("hysteresis", &steps, &bounds(30, 28)), ["false", "true", "true", "false", "false"]);
        let steps = [(5.0, 0), (2.0, 0), (3.0, 0), (4.0, 0), (3.0, 0)];
        assert_eq!(run("hysteresis", &steps, &bounds(2, 4)), ["false", "true", "true", "false", "false"]);
    }

    #[test]
    fn what_is_large_is_remembered_by_its_hash() {
        let large = Value::text("x".repeat(100_000));
        assert!(remembered(large.clone()).weight() < 100);
        assert!(remembered(large.clone()).same(&remembered(large)));
    }
}
