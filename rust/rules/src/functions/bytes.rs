//! Bytes: the numbers that are packed in them, and their parts.

use super::results::{array, finite, text_or_bytes, whole, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Bits and bytes";

const ENDIAN: [&str; 2] = ["big", "little"];
const SIGNED: [&str; 2] = ["unsigned", "signed"];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "subbits(bytes, start = 1, length, type = 'integer', sign = 'unsigned', endian = 'big')",
        what: "So many bits from a place on, which is counted from 1, as an 'integer', a 'float' or, filled up with \
               zeros, as 'bits'; null beyond the end.",
        examples: &[
            ("subbits('abc', 8)", "97"),
            ("subbits('abc', 9, 8)", "98"),
            ("subbits('abc', 9, 16, 'integer', 'signed', 'little')", "25442"),
            ("subbits('abc', 17, 16)", "null"),
        ],
        least: 2,
        most: 6,
        ..Function::new("subbits", GROUP, subbits)
    },
    Function {
        usage: "bitsize(x)",
        what: "The number of bits of a text or bytes.",
        examples: &[("bitsize('abc')", "24"), ("bitsize('')", "0")],
        ..Function::new("bitsize", GROUP, |_, args| whole(args.bytes(0)?.len() as i128 * 8))
    },
    Function {
        usage: "bytes_to_int(bytes, endian = 'big', sign = 'unsigned')",
        what: "The whole number that up to 8 bytes are.",
        examples: &[
            ("bytes_to_int(hex_decode('0102'))", "258"),
            ("bytes_to_int(hex_decode('0102'), 'little')", "513"),
            ("bytes_to_int(hex_decode('ff38'), 'big', 'signed')", "-200"),
        ],
        most: 3,
        ..Function::new("bytes_to_int", GROUP, |_, args| {
            let (endian, sign) = (args.word(1, &ENDIAN)?, args.word(2, &SIGNED)?);
            let bytes = args.bytes(0)?;
            integer(&bytes, bytes.len() * 8, sign, endian)
        })
    },
    Function {
        usage: "bytes_to_float(bytes, endian = 'big')",
        what: "The number that 4 or 8 bytes are in IEEE 754.",
        examples: &[
            ("bytes_to_float(hex_decode('41ac0000'))", "21.5"),
            ("bytes_to_float(hex_decode('0000ac41'), 'little')", "21.5"),
        ],
        most: 2,
        ..Function::new("bytes_to_float", GROUP, |_, args| {
            let endian = args.word(1, &ENDIAN)?;
            float(&args.bytes(0)?, endian)
        })
    },
    Function {
        usage: "int_to_bytes(x, length, endian = 'big')",
        what: "A whole number as so many bytes, 1 to 8.",
        examples: &[
            ("hex_encode(int_to_bytes(258, 2))", "\"0102\""),
            ("hex_encode(int_to_bytes(-2, 2, 'little'))", "\"feff\""),
        ],
        least: 2,
        most: 3,
        ..Function::new("int_to_bytes", GROUP, int_to_bytes)
    },
    Function {
        usage: "float_to_bytes(x, length = 4, endian = 'big')",
        what: "A number as 4 or 8 bytes in IEEE 754.",
        examples: &[
            ("hex_encode(float_to_bytes(21.5))", "\"41ac0000\""),
            ("hex_encode(float_to_bytes(21.5, 8, 'little'))", "\"0000000000803540\""),
        ],
        most: 3,
        ..Function::new("float_to_bytes", GROUP, float_to_bytes)
    },
    Function {
        usage: "byte_at(bytes, place)",
        what: "The byte at a place, which is counted from 0, as a number; null beyond the end.",
        examples: &[("byte_at('abc', 1)", "98"), ("byte_at('abc', 3)", "null")],
        least: 2,
        most: 2,
        ..Function::new("byte_at", GROUP, byte_at)
    },
    Function {
        usage: "byte_slice(bytes, start, length = all)",
        what: "So many bytes from a place on, which is counted from 0.",
        examples: &[
            ("byte_slice('abcdef', 2, 3)", "\"cde\""),
            ("hex_encode(byte_slice(hex_decode('00ff10'), 1))", "\"ff10\""),
        ],
        least: 2,
        most: 3,
        ..Function::new("byte_slice", GROUP, byte_slice)
    },
    Function {
        usage: "bytes_to_array(bytes)",
        what: "The bytes as an array of numbers from 0 to 255.",
        examples: &[("bytes_to_array('abc')", "[97, 98, 99]"), ("bytes_to_array('')", "[]")],
        ..Function::new("bytes_to_array", GROUP, bytes_to_array)
    },
    Function {
        usage: "array_to_bytes(array)",
        what: "An array of numbers from 0 to 255 as bytes, or as the text that they are.",
        examples: &[
            ("array_to_bytes([97, 98])", "\"ab\""),
            ("hex_encode(array_to_bytes([0, 255]))", "\"00ff\""),
        ],
        ..Function::new("array_to_bytes", GROUP, array_to_bytes)
    },
];

fn subbits<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let kind = args.word(3, &["integer", "float", "bits"])?;
    let (sign, endian) = (args.word(4, &SIGNED)?, args.word(5, &ENDIAN)?);
    let (start, length) = if args.has(2) { (args.int(1)?, args.int(2)?) } else { (1, args.int(1)?) };
    let bytes = args.bytes(0)?;
    let total = bytes.len().saturating_mul(8);
    let (Ok(start @ 1..), Ok(length)) = (usize::try_from(start), usize::try_from(length)) else {
        return wrong("bits are counted from 1, and their number is not below 0");
    };
    if start - 1 > total || length > total - (start - 1) {
        return Ok(Value::Null);
    }
    if kind == "integer" && length > 64 {
        return wrong(format!("a whole number has 64 bits at most, not {length}"));
    }
    let mut cut = cut(&bytes, start - 1, length);
    match kind {
        "float" if length % 8 == 0 => float(&cut, endian),
        "float" => wrong(format!("a float has 32 or 64 bits, not {length}")),
        "bits" => Ok(text_or_bytes(cut)),
        _ if endian == "little" && length % 8 != 0 => {
            wrong(format!("{length} bits have no little end; a multiple of 8 was expected"))
        }
        _ => {
            // What stands behind the bits in the last byte is no part of the number.
            let rest = (8 - length % 8) % 8;
            if rest > 0 {
                shift_right(&mut cut, rest);
            }
            integer(&cut, length, sign, endian)
        }
    }
}

/// Bits of bytes, at the beginning of bytes of their own, which zeros fill up.
fn cut(bytes: &[u8], start: usize, length: usize) -> Vec<u8> {
    let (first, shift) = (start / 8, start % 8);
    let byte = |index: usize| u16::from(bytes.get(first + index).copied().unwrap_or(0));
    let pair = |index: usize| byte(index) << 8 | byte(index + 1);
    let mut cut: Vec<u8> = (0..length.div_ceil(8)).map(|index| (pair(index) >> (8 - shift)) as u8).collect();
    if let (Some(last), 1..) = (cut.last_mut(), length % 8) {
        *last &= 0xff << (8 - length % 8);
    }
    cut
}

fn shift_right(bytes: &mut [u8], count: usize) {
    let mut before = 0;
    for byte in bytes {
        let pair = u16::from(before) << 8 | u16::from(*byte);
        (before, *byte) = (*byte, (pair >> count) as u8);
    }
}

fn integer<'a>(bytes: &[u8], bits: usize, sign: &str, endian: &str) -> Outcome<'a> {
    if bytes.len() > 8 {
        return wrong(format!("a whole number has 8 bytes at most, not {}", bytes.len()));
    }
    let add = |sum: i128, byte: &u8| sum << 8 | i128::from(*byte);
    let number = match endian {
        "little" => bytes.iter().rev().fold(0, add),
        _ => bytes.iter().fold(0, add),
    };
    let negative = sign == "signed" && bits > 0 && number >> (bits - 1) & 1 == 1;
    whole(if negative { number - (1 << bits) } else { number })
}

fn float<'a>(bytes: &[u8], endian: &str) -> Outcome<'a> {
    let mut bytes = bytes.to_vec();
    if endian == "little" {
        bytes.reverse();
    }
    let number = match (<[u8; 4]>::try_from(&*bytes), <[u8; 8]>::try_from(&*bytes)) {
        (Ok(short), _) => f64::from(f32::from_be_bytes(short)),
        (_, Ok(long)) => f64::from_be_bytes(long),
        _ => return wrong(format!("a float has 4 or 8 bytes, not {}", bytes.len())),
    };
    match number.is_finite() {
        true => finite(number),
        // A device says so of a sensor that is broken.
        false => Ok(Value::Null),
    }
}

fn int_to_bytes<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let endian = args.word(2, &ENDIAN)?;
    let number = args.int(0)?;
    let length = match args.int(1)? {
        length @ 1..=8 => length as usize,
        length => return wrong(format!("a whole number has 1 to 8 bytes, not {length}")),
    };
    let range = -(1i128 << (8 * length - 1))..1i128 << (8 * length);
    if !range.contains(&i128::from(number)) {
        return wrong(format!("{number} does not fit into {length} bytes"));
    }
    ended(number.to_be_bytes()[8 - length..].to_vec(), endian)
}

fn float_to_bytes<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let endian = args.word(2, &ENDIAN)?;
    let number = args.number(0)?;
    match args.int_or(1, 4)? {
        4 if (number as f32).is_finite() => ended((number as f32).to_be_bytes().to_vec(), endian),
        4 => wrong(format!("{number:e} does not fit into 4 bytes")),
        8 => ended(number.to_be_bytes().to_vec(), endian),
        length => wrong(format!("a float has 4 or 8 bytes, not {length}")),
    }
}

fn ended<'a>(mut bytes: Vec<u8>, endian: &str) -> Outcome<'a> {
    if endian == "little" {
        bytes.reverse();
    }
    Ok(text_or_bytes(bytes))
}

fn byte_at<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let place = usize::try_from(args.int(1)?);
    let bytes = args.bytes(0)?;
    Ok(place.ok().and_then(|place| bytes.get(place)).map_or(Value::Null, |byte| Value::Int(i64::from(*byte))))
}

fn byte_slice<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let bound = |number: i64| usize::try_from(number.max(0)).unwrap_or(usize::MAX);
    let (start, length) = (bound(args.int(1)?), bound(args.int_or(2, i64::MAX)?));
    let bytes = args.bytes(0)?;
    let rest = &bytes[start.min(bytes.len())..];
    Ok(text_or_bytes(rest[..length.min(rest.len())].to_vec()))
}

fn bytes_to_array<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let bytes = args.bytes(0)?;
    array(bytes.iter().map(|byte| Value::Int(i64::from(*byte))))
}

fn array_to_bytes<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let items = args.array(0)?;
    let byte = |index| match items.int(index).map(u8::try_from) {
        Ok(Ok(byte)) => Ok(byte),
        _ => wrong(format!("item {} is no whole number from 0 to 255", index + 1)),
    };
    let bytes: Result<Vec<u8>, Wrong> = (0..items.len()).map(byte).collect();
    bytes.map(text_or_bytes)
}
