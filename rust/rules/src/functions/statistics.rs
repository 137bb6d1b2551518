//! Numbers out of arrays of numbers; the aggregates over messages are others.

use super::results::{finite, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Arrays";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["sum_of"],
        usage: "array_sum(array)",
        what: "The sum of the numbers; items that are null do not count.",
        examples: &[("array_sum([1, 2.5, null])", "3.5"), ("array_sum([])", "0")],
        ..Function::new("array_sum", GROUP, array_sum)
    },
    Function {
        aliases: &["avg_of"],
        usage: "array_avg(array)",
        what: "The average of the numbers; null without any.",
        examples: &[("array_avg([1, 2, 6])", "3"), ("array_avg([])", "null")],
        ..Function::new("array_avg", GROUP, |_, args| over(args, |numbers| mean(&numbers)))
    },
    Function {
        aliases: &["min_of"],
        usage: "array_min(array)",
        what: "The least of the numbers; null without any.",
        examples: &[("array_min([3, 1, 2])", "1"), ("array_min([])", "null")],
        ..Function::new("array_min", GROUP, |_, args| over(args, |numbers| quantile(numbers, 0.0)))
    },
    Function {
        aliases: &["max_of"],
        usage: "array_max(array)",
        what: "The greatest of the numbers; null without any.",
        examples: &[("array_max([3, 1, '12'])", "12"), ("array_max([null])", "null")],
        ..Function::new("array_max", GROUP, |_, args| over(args, |numbers| quantile(numbers, 1.0)))
    },
    Function {
        usage: "array_median(array)",
        what: "The number in the middle, or halfway between the two there; null without any.",
        examples: &[("array_median([5, 1, 9])", "5"), ("array_median([1, 2])", "1.5")],
        ..Function::new("array_median", GROUP, |_, args| over(args, |numbers| quantile(numbers, 0.5)))
    },
    Function {
        usage: "array_percentile(array, percent)",
        what: "The number that so many per cent of the numbers are not above, on the line between the two nearest ones.",
        examples: &[("array_percentile([1, 2, 3, 4, 5], 75)", "4"), ("array_percentile([10, 20], 50)", "15")],
        least: 2,
        most: 2,
        ..Function::new("array_percentile", GROUP, array_percentile)
    },
    Function {
        usage: "array_stddev(array)",
        what: "The standard deviation of the numbers as a sample; null for less than two.",
        examples: &[("array_stddev([2, 4, 4, 4, 5, 5, 7, 9, 5])", "2"), ("array_stddev([1])", "null")],
        ..Function::new("array_stddev", GROUP, |_, args| over(args, |numbers| deviation(&numbers)))
    },
    Function {
        aliases: &["any_true"],
        usage: "array_any(array)",
        what: "Whether one of the booleans is true.",
        examples: &[("array_any([false, true])", "true"), ("array_any([])", "false")],
        ..Function::new("array_any", GROUP, |_, args| Ok(Value::Bool(booleans(args)?.contains(&true))))
    },
    Function {
        aliases: &["all_true"],
        usage: "array_all(array)",
        what: "Whether all of the booleans are true.",
        examples: &[("array_all([true, true])", "true"), ("array_all([true, false])", "false")],
        ..Function::new("array_all", GROUP, |_, args| Ok(Value::Bool(!booleans(args)?.contains(&false))))
    },
];

/// An array without what is null in it.
fn given<'a>(args: &mut [Value<'a>]) -> Result<Vec<Value<'a>>, Wrong> {
    let mut items = args.array(0)?;
    items.retain(|item| !item.is_null());
    Ok(items)
}

fn numbers(args: &mut [Value<'_>]) -> Result<Vec<f64>, Wrong> {
    let items = given(args)?;
    let number = |(place, item): (usize, &Value<'_>)| match item.as_number() {
        Some(number) => Ok(number),
        None => wrong(format!("item {} is {}, a number was expected", place + 1, item.kind())),
    };
    items.iter().enumerate().map(number).collect()
}

fn booleans(args: &mut [Value<'_>]) -> Result<Vec<bool>, Wrong> {
    let items = given(args)?;
    (0..items.len()).map(|index| items.bool(index)).collect()
}

fn over<'a>(args: &mut [Value<'a>], body: fn(Vec<f64>) -> Option<f64>) -> Outcome<'a> {
    body(numbers(args)?).map_or(Ok(Value::Null), finite)
}

fn array_sum<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    if let Some(Value::Array(items)) = args.first() {
        let add = |sum: i64, item: &Value<'_>| match item {
            Value::Int(number) => sum.checked_add(*number),
            _ => None,
        };
        // As long as everything is whole, the sum is exact.
        if let Some(sum) = items.iter().try_fold(0, add) {
            return Ok(Value::Int(sum));
        }
    }
    finite(numbers(args)?.iter().sum())
}

/// Divided first, so that no sum is too large.
fn mean(numbers: &[f64]) -> Option<f64> {
    let count = numbers.len() as f64;
    let sum: f64 = numbers.iter().sum();
    match sum.is_finite() {
        true => (!numbers.is_empty()).then_some(sum / count),
        false => Some(numbers.iter().map(|number| number / count).sum()),
    }
}

fn quantile(mut numbers: Vec<f64>, part: f64) -> Option<f64> {
    numbers.sort_by(f64::total_cmp);
    let place = part * numbers.len().checked_sub(1)? as f64;
    let (low, high) = (numbers[place.floor() as usize], numbers[place.ceil() as usize]);
    let share = place.fract();
    Some(if low == high { low } else { low * (1.0 - share) + high * share })
}

fn array_percentile<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let percent = args.number(1)?;
    if !(0.0..=100.0).contains(&percent) {
        return wrong(format!("argument 2 is {percent}, a number from 0 to 100 was expected"));
    }
    quantile(numbers(args)?, percent / 100.0).map_or(Ok(Value::Null), finite)
}

fn deviation(numbers: &[f64]) -> Option<f64> {
    let mean = mean(numbers)?;
    let squares: f64 = numbers.iter().map(|number| (number - mean).powi(2)).sum();
    (numbers.len() > 1).then(|| (squares / (numbers.len() - 1) as f64).sqrt())
}
