//! Numbers.

use super::results::{finite, whole, wrong};
use super::{Arguments, Function, Outcome, Surroundings};
use crate::value::Value;

const GROUP: &str = "Numbers";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "abs(x)",
        what: "The number without its sign.",
        examples: &[("abs(-3)", "3"), ("abs('-1.5')", "1.5"), ("abs(null)", "null")],
        ..Function::new("abs", GROUP, abs)
    },
    Function {
        aliases: &["ceiling"],
        usage: "ceil(x)",
        what: "The next whole number that is not smaller.",
        examples: &[("ceil(1.2)", "2"), ("ceil(-1.2)", "-1")],
        ..Function::new("ceil", GROUP, |_, args| to_whole(args, f64::ceil))
    },
    Function {
        usage: "floor(x)",
        what: "The next whole number that is not greater.",
        examples: &[("floor(1.8)", "1"), ("floor(-1.2)", "-2")],
        ..Function::new("floor", GROUP, |_, args| to_whole(args, f64::floor))
    },
    Function {
        usage: "round(x, digits = 0)",
        what: "The nearest number with so many decimal digits; halves go away from zero.",
        examples: &[("round(2.5)", "3"), ("round(21.456, 1)", "21.5"), ("round(1234, -2)", "1200")],
        most: 2,
        ..Function::new("round", GROUP, |_, args| to_digits(args, f64::round))
    },
    Function {
        aliases: &["truncate"],
        usage: "trunc(x, digits = 0)",
        what: "The number with the decimal digits after so many cut off.",
        examples: &[("trunc(-2.9)", "-2"), ("trunc(21.456, 1)", "21.4")],
        most: 2,
        ..Function::new("trunc", GROUP, |_, args| to_digits(args, f64::trunc))
    },
    Function {
        aliases: &["quantize"],
        usage: "round_to(x, step)",
        what: "The nearest multiple of a step.",
        examples: &[("round_to(21.3, 0.5)", "21.5"), ("round_to(47, 15)", "45")],
        least: 2,
        most: 2,
        ..Function::new("round_to", GROUP, round_to)
    },
    Function {
        aliases: &["signum"],
        usage: "sign(x)",
        what: "-1 for numbers below zero, 0 for zero, 1 for those above.",
        examples: &[("sign(-2.5)", "-1"), ("sign(0)", "0")],
        ..Function::new("sign", GROUP, sign)
    },
    Function {
        usage: "sqrt(x)",
        what: "The square root.",
        examples: &[("sqrt(9)", "3"), ("sqrt(6.25)", "2.5")],
        ..Function::new("sqrt", GROUP, |_, args| finite(args.number(0)?.sqrt()))
    },
    Function {
        usage: "cbrt(x)",
        what: "The cube root.",
        examples: &[("cbrt(27)", "3"), ("cbrt(-8)", "-2")],
        ..Function::new("cbrt", GROUP, |_, args| finite(args.number(0)?.cbrt()))
    },
    Function {
        usage: "exp(x)",
        what: "The number e to the power of x.",
        examples: &[("exp(0)", "1"), ("round(exp(1), 4)", "2.7183")],
        ..Function::new("exp", GROUP, |_, args| finite(args.number(0)?.exp()))
    },
    Function {
        aliases: &["log"],
        usage: "ln(x)",
        what: "The natural logarithm; that to the base of ten is `log10`.",
        examples: &[("ln(1)", "0"), ("round(ln(10), 4)", "2.3026")],
        ..Function::new("ln", GROUP, |_, args| finite(args.number(0)?.ln()))
    },
    Function {
        usage: "log10(x)",
        what: "The logarithm to the base of ten.",
        examples: &[("log10(1000)", "3"), ("log10(0.01)", "-2")],
        ..Function::new("log10", GROUP, |_, args| finite(args.number(0)?.log10()))
    },
    Function {
        usage: "log2(x)",
        what: "The logarithm to the base of two.",
        examples: &[("log2(1024)", "10"), ("log2(0.5)", "-1")],
        ..Function::new("log2", GROUP, |_, args| finite(args.number(0)?.log2()))
    },
    Function {
        aliases: &["pow"],
        usage: "power(x, exponent)",
        what: "The number to the power of another.",
        examples: &[("power(2, 10)", "1024"), ("power(9, 0.5)", "3")],
        least: 2,
        most: 2,
        ..Function::new("power", GROUP, power)
    },
    Function {
        aliases: &["fmod", "remainder"],
        usage: "mod(x, y)",
        what: "What remains of x divided by y; it has the sign of x.",
        examples: &[("mod(7, 3)", "1"), ("mod(-32, 5)", "-2"), ("mod(5.5, 2)", "1.5")],
        least: 2,
        most: 2,
        ..Function::new("mod", GROUP, modulo)
    },
    Function {
        usage: "div(x, y)",
        what: "How many times y goes into x, as a whole number.",
        examples: &[("div(7, 2)", "3"), ("div(-7, 2)", "-3")],
        least: 2,
        most: 2,
        ..Function::new("div", GROUP, div)
    },
    Function {
        usage: "clamp(x, low, high)",
        what: "The number, or the bound of the range that it is beyond.",
        examples: &[("clamp(120, 0, 100)", "100"), ("clamp(50, 0, 100)", "50")],
        least: 3,
        most: 3,
        ..Function::new("clamp", GROUP, clamp)
    },
    Function {
        aliases: &["map_range"],
        usage: "scale(x, in_low, in_high, out_low, out_high)",
        what: "The number carried from one range into another, as from 4..20 mA to 0..100 %.",
        examples: &[("scale(12, 4, 20, 0, 100)", "50"), ("scale(0, 0, 10, 32, 212)", "32")],
        least: 5,
        most: 5,
        ..Function::new("scale", GROUP, scale)
    },
    Function {
        usage: "interpolate(x, points)",
        what: "What a curve of straight lines through points `[x, y]`, in the order of x, has at x; the first and the \
               last y outside of it. For tables of calibration.",
        examples: &[
            ("interpolate(5, [[0, 0], [10, 100]])", "50"),
            ("interpolate(12, [[0, 0], [10, 100]])", "100"),
        ],
        least: 2,
        most: 2,
        ..Function::new("interpolate", GROUP, interpolate)
    },
    Function {
        usage: "polynomial(x, coefficients)",
        what: "The polynomial with these coefficients, that of the power of zero first.",
        examples: &[("polynomial(2, [1, 0, 3])", "13"), ("polynomial(5, [])", "0")],
        least: 2,
        most: 2,
        ..Function::new("polynomial", GROUP, polynomial)
    },
    Function {
        usage: "hypot(x, y)",
        what: "The length of the vector (x, y).",
        examples: &[("hypot(3, 4)", "5"), ("hypot(0, -2)", "2")],
        least: 2,
        most: 2,
        ..Function::new("hypot", GROUP, |_, args| finite(args.number(0)?.hypot(args.number(1)?)))
    },
    Function {
        usage: "greatest(x, …)",
        what: "The greatest of its arguments; those that are null do not count.",
        examples: &[
            ("greatest(3, 7.5, 2)", "7.5"),
            ("greatest(null, 1)", "1"),
            ("greatest('a', 'b')", "\"b\""),
        ],
        most: usize::MAX,
        takes_null: true,
        ..Function::new("greatest", GROUP, |_, args| extreme(args, true))
    },
    Function {
        usage: "least(x, …)",
        what: "The least of its arguments; those that are null do not count.",
        examples: &[("least(3, 7.5, 2)", "2"), ("least(null, null)", "null")],
        most: usize::MAX,
        takes_null: true,
        ..Function::new("least", GROUP, |_, args| extreme(args, false))
    },
    Function {
        aliases: &["rand"],
        usage: "random()",
        what: "A random number from 0 up to, but without, 1.",
        examples: &[("random() < 1", "true"), ("floor(random())", "0")],
        least: 0,
        most: 0,
        ..Function::new("random", GROUP, random)
    },
];

fn abs<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match args[0] {
        Value::Int(whole) => Ok(whole.checked_abs().map_or(Value::Float((whole as f64).abs()), Value::Int)),
        _ => finite(args.number(0)?.abs()),
    }
}

fn to_whole<'a>(args: &mut [Value<'a>], how: fn(f64) -> f64) -> Outcome<'a> {
    match args[0] {
        Value::Int(whole) => Ok(Value::Int(whole)),
        _ => finite(how(args.number(0)?)),
    }
}

fn to_digits<'a>(args: &mut [Value<'a>], how: fn(f64) -> f64) -> Outcome<'a> {
    let digits = args.int_or(1, 0)?.clamp(-300, 300) as i32;
    if let (Value::Int(whole), 0..) = (&args[0], digits) {
        return Ok(Value::Int(*whole));
    }
    let scale = 10f64.powi(digits.abs());
    let number = args.number(0)?;
    if digits < 0 {
        return finite(how(number / scale) * scale);
    }
    let scaled = number * scale;
    finite(if scaled.is_finite() { how(scaled) / scale } else { number })
}

fn round_to<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match args.number(1)? {
        0.0 => wrong("the step is 0, another number was expected"),
        step => finite((args.number(0)? / step).round() * step),
    }
}

fn sign<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let number = args.number(0)?;
    Ok(Value::Int(i64::from(number > 0.0) - i64::from(number < 0.0)))
}

fn power<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    if let (Value::Int(base), Value::Int(exponent)) = (&args[0], &args[1])
        && let Some(result) = u32::try_from(*exponent).ok().and_then(|exponent| base.checked_pow(exponent))
    {
        return Ok(Value::Int(result));
    }
    finite(args.number(0)?.powf(args.number(1)?))
}

fn modulo<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match (&args[0], &args[1]) {
        (_, Value::Int(0)) => wrong("nothing can be divided by 0"),
        (Value::Int(left), Value::Int(right)) => Ok(Value::Int(left.wrapping_rem(*right))),
        _ => finite(args.number(0)? % args.number(1)?),
    }
}

fn div<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match (&args[0], &args[1]) {
        (_, Value::Int(0)) => wrong("nothing can be divided by 0"),
        (Value::Int(left), Value::Int(right)) => whole(i128::from(*left) / i128::from(*right)),
        _ => finite((args.number(0)? / args.number(1)?).trunc()),
    }
}

fn clamp<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (number, low, high) = (args.number(0)?, args.number(1)?, args.number(2)?);
    match number {
        _ if low > high => {
            wrong(format!("the range from {low} to {high} is empty, the lower bound comes first"))
        }
        _ if number < low => Ok(args.take(1)),
        _ if number > high => Ok(args.take(2)),
        _ => Ok(args.take(0)),
    }
}

fn scale<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (in_low, in_high) = (args.number(1)?, args.number(2)?);
    if in_low == in_high {
        return wrong(format!(
            "the range of the input is from {in_low} to {in_high}, two numbers were expected"
        ));
    }
    let (out_low, out_high) = (args.number(3)?, args.number(4)?);
    finite(out_low + (args.number(0)? - in_low) / (in_high - in_low) * (out_high - out_low))
}

fn interpolate<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let x = args.number(0)?;
    let mut before: Option<(f64, f64)> = None;
    for mut point in args.array(1)? {
        let mut pair = std::slice::from_mut(&mut point).array(0)?;
        let (at, y) = (pair.as_mut_slice().number(0)?, pair.as_mut_slice().number(1)?);
        match before {
            Some((left, _)) if left >= at => {
                return wrong(format!("the x of points must grow, but {at} follows {left}"));
            }
            Some((left, low)) if x < at => return finite(low + (x - left) / (at - left) * (y - low)),
            None if x < at => return finite(y),
            _ => before = Some((at, y)),
        }
    }
    match before {
        Some((_, y)) => finite(y),
        None => wrong("there are no points, at least one `[x, y]` was expected"),
    }
}

fn polynomial<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let x = args.number(0)?;
    let coefficients = args.array(1)?;
    let mut sum = 0.0;
    for index in (0..coefficients.len()).rev() {
        sum = sum * x + coefficients.number(index)?;
    }
    finite(sum)
}

fn extreme<'a>(args: &mut [Value<'a>], greatest: bool) -> Outcome<'a> {
    let mut best = Value::Null;
    for value in args.iter_mut().map(std::mem::take).filter(|value| !value.is_null()) {
        let better = match value.order(&best) {
            _ if best.is_null() => true,
            Some(order) => order.is_gt() == greatest && order.is_ne(),
            None => return wrong(format!("{} and {} cannot be compared", best.kind(), value.kind())),
        };
        if better {
            best = value;
        }
    }
    Ok(best)
}

fn random<'a>(_: &Surroundings<'_>, _: &mut [Value<'a>]) -> Outcome<'a> {
    // 53 bits are as many as a float holds.
    match getrandom::u64() {
        Ok(bits) => finite((bits >> 11) as f64 / (1u64 << 53) as f64),
        Err(error) => wrong(format!("the system gives no random numbers: {error}")),
    }
}
