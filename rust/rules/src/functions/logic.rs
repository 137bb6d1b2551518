//! Choices between values.

use super::order::equal;
use super::results::wrong;
use super::{Arguments, Function, Outcome, Surroundings};
use crate::value::Value;

const GROUP: &str = "Choices";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "coalesce(x, …)",
        what: "The first of its arguments that is not null.",
        examples: &[("coalesce(null, 2, 3)", "2"), ("coalesce(null, null)", "null")],
        most: usize::MAX,
        takes_null: true,
        ..Function::new("coalesce", GROUP, |_, args| Ok(first(args, |value| !value.is_null())))
    },
    Function {
        usage: "coalesce_ne(x, …)",
        what: "The first of its arguments that is neither null nor an empty text.",
        examples: &[("coalesce_ne(null, '', 'c')", "\"c\""), ("coalesce_ne('', '')", "null")],
        most: usize::MAX,
        takes_null: true,
        ..Function::new("coalesce_ne", GROUP, |_, args| {
            Ok(first(args, |value| !value.is_null() && !blank(value)))
        })
    },
    Function {
        aliases: &["ifnull", "nvl", "default", "get_or_default", "nanvl"],
        usage: "if_null(x, otherwise)",
        what: "The value, or the other one if it is null or not there.",
        examples: &[("if_null(null, 0)", "0"), ("if_null(7, 0)", "7")],
        least: 2,
        most: 2,
        takes_null: true,
        ..Function::new("if_null", GROUP, |_, args| Ok(first(args, |value| !value.is_null())))
    },
    Function {
        usage: "nullif(x, y)",
        what: "Null if both are the same, otherwise the first.",
        examples: &[("nullif(-999, -999)", "null"), ("nullif(21.5, -999)", "21.5")],
        least: 2,
        most: 2,
        takes_null: true,
        ..Function::new("nullif", GROUP, nullif)
    },
    Function {
        aliases: &["ifelse", "if_else"],
        usage: "iif(condition, yes, no = null)",
        what: "The second argument if the first is true, otherwise the third; a condition that is null is not true.",
        examples: &[
            ("iif(3 > 2, 'hot', 'cold')", "\"hot\""),
            ("iif(null, 1, 2)", "2"),
            ("iif(false, 1)", "null"),
        ],
        least: 2,
        most: 3,
        takes_null: true,
        ..Function::new("iif", GROUP, iif)
    },
    Function {
        usage: "between(x, low, high)",
        what: "Whether a value is from the lower bound to the upper one; both belong to the range.",
        examples: &[("between(20, 18, 22)", "true"), ("between('m', 'a', 'f')", "false")],
        least: 3,
        most: 3,
        ..Function::new("between", GROUP, between)
    },
    Function {
        usage: "one_of(x, y, …)",
        what: "Whether the first is the same as one of the others.",
        examples: &[("one_of('b', 'a', 'b')", "true"), ("one_of(3, 1, 2)", "false")],
        least: 2,
        most: usize::MAX,
        ..Function::new("one_of", GROUP, one_of)
    },
    Function {
        usage: "switch(x, value, result, …, otherwise = null)",
        what: "The result that stands after the value which is the same as the first argument, or the last argument if \
               none is.",
        examples: &[
            ("switch(2, 1, 'low', 2, 'high', 'unknown')", "\"high\""),
            ("switch(9, 1, 'low', 'unknown')", "\"unknown\""),
            ("switch(9, 1, 'low')", "null"),
        ],
        least: 3,
        most: usize::MAX,
        takes_null: true,
        ..Function::new("switch", GROUP, switch)
    },
    Function {
        aliases: &["elt"],
        usage: "choose(n, x, …)",
        what: "The nth of the arguments after the first, counted from 1; null if there is none.",
        examples: &[("choose(2, 'off', 'on')", "\"on\""), ("choose(3, 'off', 'on')", "null")],
        least: 2,
        most: usize::MAX,
        takes_null: true,
        ..Function::new("choose", GROUP, choose)
    },
];

fn first<'a>(args: &mut [Value<'a>], fits: fn(&Value<'a>) -> bool) -> Value<'a> {
    args.iter_mut().find(|value| fits(value)).map_or(Value::Null, std::mem::take)
}

fn blank(value: &Value<'_>) -> bool {
    matches!(value, Value::Text(text) if text.is_empty())
}

fn nullif<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    Ok(if equal(&args[0], &args[1]) { Value::Null } else { args.take(0) })
}

fn iif<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let yes = args.has(0) && args.bool(0)?;
    Ok(args.take(if yes { 1 } else { 2 }))
}

fn between<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match (args[0].order(&args[1]), args[0].order(&args[2])) {
        (Some(low), Some(high)) => Ok(Value::Bool(low.is_ge() && high.is_le())),
        _ => wrong(format!(
            "{} cannot be compared with {} and {}",
            args[0].kind(),
            args[1].kind(),
            args[2].kind()
        )),
    }
}

fn one_of<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bool(args[1..].iter().any(|value| equal(&args[0], value))))
}

fn switch<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let pairs = (args.len() - 1) / 2;
    let hit = (0..pairs).find(|pair| equal(&args[0], &args[1 + 2 * pair])).map(|pair| 2 + 2 * pair);
    // An argument that is left over after the pairs is for everything else.
    Ok(args.take(hit.unwrap_or(1 + 2 * pairs)))
}

fn choose<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    if !args.has(0) {
        return Ok(Value::Null);
    }
    match usize::try_from(args.int(0)?) {
        Ok(index @ 1..) => Ok(args.take(index)),
        _ => Ok(Value::Null),
    }
}
