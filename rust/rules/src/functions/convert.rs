//! From one kind of value to another, and which kind one is.

use super::results::{finite, shown, text_or_bytes, wrong};
use super::{Arguments, Function, Outcome, Surroundings};
use crate::value::{Value, parse_number};

const GROUP: &str = "Kinds and conversions";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["string", "to_string", "str_utf8"],
        usage: "str(x)",
        what: "A number, a boolean or bytes as a text; what is no UTF-8 in bytes is replaced by `�`.",
        examples: &[("str(1234)", "\"1234\""), ("str(true)", "\"true\""), ("str(null)", "null")],
        ..Function::new("str", GROUP, str)
    },
    Function {
        usage: "float2str(x, digits)",
        what: "A number as a text with at most so many decimal digits, without zeros at the end.",
        examples: &[("float2str(20.2, 10)", "\"20.2\""), ("float2str(2, 3)", "\"2\"")],
        least: 2,
        most: 2,
        ..Function::new("float2str", GROUP, float2str)
    },
    Function {
        aliases: &["number", "to_number"],
        usage: "num(x)",
        what: "The number that a text says; `true` is 1 and `false` 0.",
        examples: &[("num('21.5')", "21.5"), ("num(' 7 ')", "7"), ("num(true)", "1")],
        ..Function::new("num", GROUP, |_, args| num(args))
    },
    Function {
        aliases: &["to_float"],
        usage: "float(x, digits = all)",
        what: "The number that a text says, rounded to so many decimal digits.",
        examples: &[("float('3.14')", "3.14"), ("float(21.456, 1)", "21.5")],
        most: 2,
        ..Function::new("float", GROUP, float)
    },
    Function {
        aliases: &["integer", "to_int"],
        usage: "int(x)",
        what: "A number or what a text says as a whole number, rounded down; `true` is 1 and `false` 0.",
        examples: &[("int('1234')", "1234"), ("int(3.9)", "3"), ("int(-1.5)", "-2")],
        ..Function::new("int", GROUP, int)
    },
    Function {
        aliases: &["boolean", "to_bool"],
        usage: "bool(x)",
        what: "True for 'true', 'on', 'yes' and numbers other than 0; false for 'false', 'off', 'no' and 0.",
        examples: &[("bool('true')", "true"), ("bool(0)", "false"), ("bool('OFF')", "false")],
        ..Function::new("bool", GROUP, bool)
    },
    Function {
        aliases: &["type"],
        usage: "typeof(x)",
        what: "What kind a value is: 'null', 'boolean', 'integer', 'float', 'text', 'bytes', 'array' or 'object'.",
        examples: &[("typeof(1)", "\"integer\""), ("typeof([])", "\"array\""), ("typeof(null)", "\"null\"")],
        takes_null: true,
        ..Function::new("typeof", GROUP, |_, args| Ok(Value::text(kind(&args[0]))))
    },
    Function {
        aliases: &["isnull", "is_null_var"],
        usage: "is_null(x)",
        what: "Whether a value is null or not there.",
        examples: &[("is_null(null)", "true"), ("is_null(0)", "false")],
        takes_null: true,
        ..Function::new("is_null", GROUP, |_, args| is(args, Value::is_null))
    },
    Function {
        aliases: &["is_not_null_var"],
        usage: "is_not_null(x)",
        what: "Whether a value is there and not null.",
        examples: &[("is_not_null(1)", "true"), ("is_not_null(null)", "false")],
        takes_null: true,
        ..Function::new("is_not_null", GROUP, |_, args| is(args, |value| !value.is_null()))
    },
    Function {
        aliases: &["isundefined"],
        usage: "is_missing(x)",
        what: "Whether a value is not there at all; one that is null is there.",
        examples: &[("is_missing(null)", "false"), ("is_missing(1)", "false")],
        takes_null: true,
        ..Function::new("is_missing", GROUP, |_, args| is(args, |value| matches!(value, Value::Missing)))
    },
    Function {
        usage: "is_empty(x)",
        what: "Whether a value is null, or a text, bytes, an array or an object with nothing in it.",
        examples: &[("is_empty('')", "true"), ("is_empty([0])", "false"), ("is_empty(null)", "true")],
        takes_null: true,
        ..Function::new("is_empty", GROUP, |_, args| is(args, is_empty))
    },
    Function {
        aliases: &["is_number"],
        usage: "is_num(x)",
        what: "Whether a value is a number; a text that says one is none.",
        examples: &[("is_num(2.3)", "true"), ("is_num('2.3')", "false")],
        takes_null: true,
        ..Function::new("is_num", GROUP, |_, args| {
            is(args, |value| matches!(value, Value::Int(_) | Value::Float(_)))
        })
    },
    Function {
        usage: "is_numeric(x)",
        what: "Whether a value is a number, or a text that says one.",
        examples: &[("is_numeric('2.3')", "true"), ("is_numeric('2.3C')", "false")],
        takes_null: true,
        ..Function::new("is_numeric", GROUP, |_, args| is(args, |value| value.as_number().is_some()))
    },
    Function {
        usage: "is_int(x)",
        what: "Whether a value is a whole number.",
        examples: &[("is_int(1)", "true"), ("is_int(1.5)", "false")],
        takes_null: true,
        ..Function::new("is_int", GROUP, |_, args| is(args, |value| matches!(value, Value::Int(_))))
    },
    Function {
        usage: "is_float(x)",
        what: "Whether a value is a number that is not whole.",
        examples: &[("is_float(1.234)", "true"), ("is_float(1)", "false")],
        takes_null: true,
        ..Function::new("is_float", GROUP, |_, args| is(args, |value| matches!(value, Value::Float(_))))
    },
    Function {
        aliases: &["is_string", "is_text"],
        usage: "is_str(x)",
        what: "Whether a value is a text.",
        examples: &[("is_str('val')", "true"), ("is_str(1)", "false")],
        takes_null: true,
        ..Function::new("is_str", GROUP, |_, args| is(args, |value| matches!(value, Value::Text(_))))
    },
    Function {
        usage: "is_bytes(x)",
        what: "Whether a value is bytes that are no text.",
        examples: &[("is_bytes(hex_decode('ff'))", "true"), ("is_bytes('val')", "false")],
        takes_null: true,
        ..Function::new("is_bytes", GROUP, |_, args| is(args, |value| matches!(value, Value::Bytes(_))))
    },
    Function {
        usage: "is_bool(x)",
        what: "Whether a value is true or false.",
        examples: &[("is_bool(true)", "true"), ("is_bool('true')", "false")],
        takes_null: true,
        ..Function::new("is_bool", GROUP, |_, args| is(args, |value| matches!(value, Value::Bool(_))))
    },
    Function {
        usage: "is_array(x)",
        what: "Whether a value is an array.",
        examples: &[("is_array([1, 2])", "true"), ("is_array('1,2')", "false")],
        takes_null: true,
        ..Function::new("is_array", GROUP, |_, args| is(args, |value| matches!(value, Value::Array(_))))
    },
    Function {
        aliases: &["is_object"],
        usage: "is_map(x)",
        what: "Whether a value is an object.",
        examples: &[("is_map({'a': 1})", "true"), ("is_map([1])", "false")],
        takes_null: true,
        ..Function::new("is_map", GROUP, |_, args| is(args, |value| matches!(value, Value::Object(_))))
    },
    Function {
        aliases: &["hexstr_to_int"],
        usage: "hex2dec(text)",
        what: "The number that hexadecimal digits say; `0x` may stand before them.",
        examples: &[("hex2dec('ff')", "255"), ("hex2dec('0x1F')", "31")],
        ..Function::new("hex2dec", GROUP, |_, args| from_digits(args, 16, ["0x", "0X"]))
    },
    Function {
        usage: "dec2hex(x)",
        what: "A whole number in hexadecimal digits.",
        examples: &[("dec2hex(255)", "\"ff\""), ("dec2hex(-16)", "\"-10\"")],
        ..Function::new("dec2hex", GROUP, |_, args| to_digits(args, |size| format!("{size:x}")))
    },
    Function {
        usage: "bin2dec(text)",
        what: "The number that binary digits say; `0b` may stand before them.",
        examples: &[("bin2dec('1010')", "10"), ("bin2dec('0b11')", "3")],
        ..Function::new("bin2dec", GROUP, |_, args| from_digits(args, 2, ["0b", "0B"]))
    },
    Function {
        usage: "dec2bin(x)",
        what: "A whole number in binary digits.",
        examples: &[("dec2bin(10)", "\"1010\""), ("dec2bin(0)", "\"0\"")],
        ..Function::new("dec2bin", GROUP, |_, args| to_digits(args, |size| format!("{size:b}")))
    },
    Function {
        aliases: &["celsius_to_fahrenheit"],
        usage: "c_to_f(celsius)",
        what: "A temperature in degrees Fahrenheit that is given in degrees Celsius.",
        examples: &[("c_to_f(100)", "212"), ("c_to_f(-40)", "-40")],
        ..Function::new("c_to_f", GROUP, |_, args| finite(args.number(0)? * 1.8 + 32.0))
    },
    Function {
        aliases: &["fahrenheit_to_celsius"],
        usage: "f_to_c(fahrenheit)",
        what: "A temperature in degrees Celsius that is given in degrees Fahrenheit.",
        examples: &[("f_to_c(212)", "100"), ("f_to_c(-40)", "-40")],
        ..Function::new("f_to_c", GROUP, |_, args| finite((args.number(0)? - 32.0) / 1.8))
    },
];

fn is<'a>(args: &[Value<'a>], so: fn(&Value<'a>) -> bool) -> Outcome<'a> {
    Ok(Value::Bool(so(&args[0])))
}

fn is_empty(value: &Value<'_>) -> bool {
    match value {
        Value::Missing | Value::Null => true,
        Value::Text(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.0.is_empty(),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => false,
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Missing | Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Int(_) => "integer",
        Value::Float(_) => "float",
        Value::Text(_) => "text",
        Value::Bytes(_) => "bytes",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn str<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match args.take(0) {
        Value::Bytes(bytes) => Ok(match text_or_bytes(bytes.into_owned()) {
            Value::Bytes(bytes) => Value::text(String::from_utf8_lossy(&bytes)),
            text => text,
        }),
        Value::Array(_) | Value::Object(_) => {
            wrong("an array or object becomes a text by `json_encode` only")
        }
        other => Ok(Value::Text([other].text(0)?)),
    }
}

fn float2str<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let digits = args.int(1)?.clamp(0, 100) as usize;
    let text = format!("{:.digits$}", args.number(0)?);
    match text.contains('.') {
        true => Ok(Value::text(text.trim_end_matches('0').trim_end_matches('.'))),
        false => Ok(Value::text(text)),
    }
}

fn num<'a>(args: &mut [Value<'a>]) -> Outcome<'a> {
    match args.take(0) {
        Value::Bool(value) => Ok(Value::Int(i64::from(value))),
        Value::Int(number) => Ok(Value::Int(number)),
        Value::Float(number) => finite(number),
        Value::Text(text) => match parse_number(&text) {
            Some(number) => Ok(number),
            None => wrong(format!("'{}' says no number", shown(&text))),
        },
        other => wrong(format!("{} is no number and no text that says one", other.kind())),
    }
}

fn float<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let digits = args.has(1).then(|| args.int(1)).transpose()?;
    let number = num(args)?;
    match digits {
        Some(digits) => {
            let scale = 10f64.powi(digits.clamp(0, 100) as i32);
            let number = [number].number(0)?;
            let scaled = number * scale;
            finite(if scaled.is_finite() { scaled.round() / scale } else { number })
        }
        None => Ok(number),
    }
}

fn int<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match num(args)? {
        Value::Float(number) => match Value::number(number.floor()) {
            whole @ Value::Int(_) => Ok(whole),
            _ => wrong(format!("{number:e} is too large for a whole number")),
        },
        whole => Ok(whole),
    }
}

fn bool<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    const WORDS: [(&str, bool); 6] =
        [("true", true), ("false", false), ("on", true), ("off", false), ("yes", true), ("no", false)];
    if let Value::Bool(value) = args[0] {
        return Ok(Value::Bool(value));
    }
    if let Some(number) = args[0].as_number() {
        return Ok(Value::Bool(number != 0.0));
    }
    let text = args.text(0)?;
    match WORDS.iter().find(|(word, _)| text.trim().eq_ignore_ascii_case(word)) {
        Some((_, value)) => Ok(Value::Bool(*value)),
        None => wrong(format!("'{}' is neither true nor false", shown(&text))),
    }
}

fn from_digits<'a>(args: &mut [Value<'a>], radix: u32, prefixes: [&str; 2]) -> Outcome<'a> {
    let text = args.text(0)?;
    let text = text.trim();
    let digits = prefixes.iter().find_map(|prefix| text.strip_prefix(prefix)).unwrap_or(text);
    match i64::from_str_radix(digits, radix) {
        Ok(number) => Ok(Value::Int(number)),
        Err(_) => wrong(format!("the text is no number of 63 bits at most in digits to the base of {radix}")),
    }
}

fn to_digits<'a>(args: &mut [Value<'a>], digits: fn(u64) -> String) -> Outcome<'a> {
    let number = args.int(0)?;
    let sign = if number < 0 { "-" } else { "" };
    Ok(Value::text(format!("{sign}{}", digits(number.unsigned_abs()))))
}
