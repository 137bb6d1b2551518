//! Texts made by a format, as C's `sprintf` does.

use super::results::{fitting, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Texts";

/// What a width and a precision may be at most.
const WIDEST: usize = 1000;

pub(super) const FUNCTIONS: &[Function] = &[Function {
    aliases: &["format", "printf"],
    usage: "sprintf(format, x, …)",
    what: "The format with `%s` (text), `%d` (whole number), `%f`, `%e`, `%g` (number), `%x`, `%X`, `%o`, `%b` (whole \
           number in hexadecimal, octal, binary digits), `%c` (character by its number) replaced by the arguments; flags, \
           width and precision are C's; `%%` is a per cent sign.",
    examples: &[
        ("sprintf('%s is %.1f', 'roof', 21.46)", "\"roof is 21.5\""),
        ("sprintf('%05d|%-4s|%x', 42, 'ab', 255)", "\"00042|ab  |ff\""),
        ("sprintf('%d%%', 50)", "\"50%\""),
    ],
    most: usize::MAX,
    ..Function::new("sprintf", GROUP, sprintf)
}];

/// How a value is written: what stands between `%` and the letter.
#[derive(Debug, Default)]
struct Shape {
    left: bool,
    plus: bool,
    space: bool,
    zero: bool,
    alternate: bool,
    width: usize,
    precision: Option<usize>,
}

fn sprintf<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let format = args.text(0)?;
    let (mut result, mut rest, mut next, mut taken) = (String::new(), &*format, 1, format.len());
    while let Some((before, after)) = rest.split_once('%') {
        result.push_str(before);
        let (shape, letter, after) = parse(after)?;
        rest = after;
        if letter == '%' {
            result.push('%');
            continue;
        }
        if next >= args.len() {
            return wrong(format!("the format wants more than the {} arguments after it", args.len() - 1));
        }
        if let Value::Text(text) = &args[next] {
            taken += text.len();
        }
        result.push_str(&written(&shape, letter, args, next)?);
        fitting(result.len(), taken)?;
        next += 1;
    }
    match next == args.len() {
        true => Ok(Value::text(result + rest)),
        false => wrong(format!("the format uses {} of the {} arguments after it", next - 1, args.len() - 1)),
    }
}

fn parse(text: &str) -> Result<(Shape, char, &str), Wrong> {
    let mut shape = Shape::default();
    let mut rest = text;
    while let Some(flag) = rest.chars().next().filter(|flag| "-+ 0#".contains(*flag)) {
        match flag {
            '-' => shape.left = true,
            '+' => shape.plus = true,
            ' ' => shape.space = true,
            '0' => shape.zero = true,
            _ => shape.alternate = true,
        }
        rest = &rest[1..];
    }
    (shape.width, rest) = digits(rest)?;
    if let Some(after) = rest.strip_prefix('.') {
        let (precision, after) = digits(after)?;
        (shape.precision, rest) = (Some(precision), after);
    }
    match rest.chars().next() {
        Some(letter) if "sdifegxXobc%".contains(letter) => Ok((shape, letter, &rest[1..])),
        Some(letter) => wrong(format!("{letter:?} after % is none of s, d, i, f, e, g, x, X, o, b, c and %")),
        None => wrong("the format ends after %; a per cent sign is written as %%"),
    }
}

fn digits(text: &str) -> Result<(usize, &str), Wrong> {
    let end = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    match text[..end].parse() {
        _ if end == 0 => Ok((0, text)),
        Ok(number) if number <= WIDEST => Ok((number, &text[end..])),
        _ => wrong(format!("a width and a precision in a format are at most {WIDEST}")),
    }
}

fn written(shape: &Shape, letter: char, args: &mut [Value<'_>], index: usize) -> Result<String, Wrong> {
    let precision = shape.precision.unwrap_or(6);
    let (negative, digits) = match letter {
        's' => {
            let text = args.text(index)?;
            let most = shape.precision.unwrap_or(usize::MAX);
            return Ok(padded(shape, "", &text.chars().take(most).collect::<String>(), false));
        }
        'c' => {
            let number = args.int(index)?;
            return match u32::try_from(number).ok().and_then(char::from_u32) {
                Some(character) => Ok(padded(shape, "", &character.to_string(), false)),
                None => wrong(format!("no character has the number {number}")),
            };
        }
        'f' | 'e' | 'g' => {
            let number = args.number(index)?;
            let size = number.abs();
            let digits = match letter {
                'f' => format!("{size:.precision$}"),
                'e' => exponential(size, precision),
                _ => general(size, precision.max(1)),
            };
            (number.is_sign_negative() && number != 0.0, digits)
        }
        _ => {
            let number = args.int(index)?;
            let (size, least) = (number.unsigned_abs(), shape.precision.unwrap_or(1));
            // As in C, digits in other bases are those of the 64 bits.
            match (letter, shape.alternate) {
                ('x', false) => (false, format!("{number:0least$x}")),
                ('x', true) => (false, format!("0x{number:0least$x}")),
                ('X', false) => (false, format!("{number:0least$X}")),
                ('X', true) => (false, format!("0X{number:0least$X}")),
                ('o', _) => (false, format!("{number:0least$o}")),
                ('b', _) => (false, format!("{number:0least$b}")),
                _ => (number < 0, format!("{size:0least$}")),
            }
        }
    };
    let sign = match (negative, shape.plus, shape.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    Ok(padded(shape, sign, &digits, true))
}

fn padded(shape: &Shape, sign: &str, body: &str, number: bool) -> String {
    let missing = shape.width.saturating_sub(sign.len() + body.chars().count());
    match shape {
        Shape { left: true, .. } => format!("{sign}{body}{}", " ".repeat(missing)),
        Shape { zero: true, .. } if number => format!("{sign}{}{body}", "0".repeat(missing)),
        _ => format!("{}{sign}{body}", " ".repeat(missing)),
    }
}

/// With a sign and at least two digits in the exponent, as C writes it.
fn exponential(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None => format!("{digits}e+{exponent:0>2}"),
    }
}

/// The shorter of both ways, without zeros at the end.
fn general(number: f64, precision: usize) -> String {
    let text = exponential(number, precision - 1);
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let short = |digits: &str| match digits.contains('.') {
        true => digits.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => digits.to_owned(),
    };
    match exponent.parse::<i64>() {
        Ok(power) if power >= -4 && power < precision as i64 => {
            let decimals = (precision as i64 - 1 - power) as usize;
            short(&format!("{number:.decimals$}"))
        }
        _ => format!("{}e{exponent}", short(digits)),
    }
}
