//! Bits of whole numbers.

use super::results::{whole, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Bits and bytes";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "bitand(x, y)",
        what: "The bits that both whole numbers have.",
        examples: &[("bitand(12, 10)", "8"), ("bitand(255, 15)", "15")],
        least: 2,
        most: 2,
        ..Function::new("bitand", GROUP, |_, args| Ok(Value::Int(args.int(0)? & args.int(1)?)))
    },
    Function {
        usage: "bitor(x, y)",
        what: "The bits that one of the whole numbers has.",
        examples: &[("bitor(12, 10)", "14"), ("bitor(0, 5)", "5")],
        least: 2,
        most: 2,
        ..Function::new("bitor", GROUP, |_, args| Ok(Value::Int(args.int(0)? | args.int(1)?)))
    },
    Function {
        usage: "bitxor(x, y)",
        what: "The bits that just one of the whole numbers has.",
        examples: &[("bitxor(12, 10)", "6"), ("bitxor(7, 7)", "0")],
        least: 2,
        most: 2,
        ..Function::new("bitxor", GROUP, |_, args| Ok(Value::Int(args.int(0)? ^ args.int(1)?)))
    },
    Function {
        usage: "bitnot(x)",
        what: "The bits that the whole number does not have.",
        examples: &[("bitnot(10)", "-11"), ("bitnot(-1)", "0")],
        ..Function::new("bitnot", GROUP, |_, args| Ok(Value::Int(!args.int(0)?)))
    },
    Function {
        aliases: &["shift_left"],
        usage: "bitsl(x, count)",
        what: "The bits of the whole number, so many places to the left.",
        examples: &[("bitsl(1, 4)", "16"), ("bitsl(-3, 1)", "-6")],
        least: 2,
        most: 2,
        ..Function::new("bitsl", GROUP, bitsl)
    },
    Function {
        aliases: &["shift_right"],
        usage: "bitsr(x, count)",
        what: "The bits of the whole number, so many places to the right; the sign stays.",
        examples: &[("bitsr(16, 4)", "1"), ("bitsr(-8, 1)", "-4"), ("bitsr(7, 64)", "0")],
        least: 2,
        most: 2,
        ..Function::new("bitsr", GROUP, |_, args| Ok(Value::Int(args.int(0)? >> places(args)?.min(63))))
    },
    Function {
        aliases: &["get_bit"],
        usage: "bit_test(x, place)",
        what: "Whether the bit at a place of the whole number is set; that of the lowest bit is 0.",
        examples: &[("bit_test(5, 2)", "true"), ("bit_test(5, 1)", "false")],
        least: 2,
        most: 2,
        ..Function::new("bit_test", GROUP, |_, args| {
            Ok(Value::Bool(args.int(0)? >> places(args)?.min(63) & 1 == 1))
        })
    },
    Function {
        aliases: &["set_bit"],
        usage: "bit_set(x, place, on = true)",
        what: "The whole number with the bit at a place set, or cleared; that of the lowest bit is 0.",
        examples: &[("bit_set(4, 0)", "5"), ("bit_set(5, 0, false)", "4")],
        least: 2,
        most: 3,
        ..Function::new("bit_set", GROUP, bit_set)
    },
    Function {
        usage: "bit_count(x)",
        what: "How many bits of the whole number are set.",
        examples: &[("bit_count(7)", "3"), ("bit_count(0)", "0")],
        ..Function::new("bit_count", GROUP, |_, args| Ok(Value::Int(i64::from(args.int(0)?.count_ones()))))
    },
];

fn places(args: &[Value<'_>]) -> Result<u32, Wrong> {
    match args.int(1)? {
        count @ 0.. => Ok(u32::try_from(count).unwrap_or(u32::MAX)),
        count => wrong(format!("argument 2 is {count}, a number of bits was expected")),
    }
}

fn bitsl<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match (args.int(0)?, places(args)?) {
        (0, _) => Ok(Value::Int(0)),
        (number, count @ ..64) => whole(i128::from(number) << count),
        (number, count) => {
            wrong(format!("{number} does not fit into 64 bits when it is {count} places to the left"))
        }
    }
}

fn bit_set<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let on = !args.has(2) || args.bool(2)?;
    match (args.int(0)?, places(args)?) {
        (number, place @ ..64) if on => Ok(Value::Int(number | 1 << place)),
        (number, place @ ..64) => Ok(Value::Int(number & !(1 << place))),
        (_, place) => wrong(format!("there is no bit {place}, the highest one is 63")),
    }
}
