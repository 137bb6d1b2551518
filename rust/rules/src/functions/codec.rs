//! Values inside texts and bytes: JSON, CBOR, MessagePack.

use std::borrow::Cow;

use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::format::{self, Format};
use crate::value::Value;

const GROUP: &str = "JSON, CBOR and MessagePack";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["to_json"],
        usage: "json_encode(x)",
        what: "The value as a JSON text; bytes are in Base64.",
        examples: &[
            (r#"json_encode({"a": [1, null]})"#, r#""{\"a\":[1,null]}""#),
            ("json_encode('x')", r#""\"x\"""#),
            ("json_encode(null)", "\"null\""),
        ],
        takes_null: true,
        ..Function::new("json_encode", GROUP, json_encode)
    },
    Function {
        aliases: &["from_json", "parse_json"],
        usage: "json_decode(text)",
        what: "The value that a JSON text says.",
        examples: &[
            (r#"json_decode('{"a": [1]}')"#, r#"{"a":[1]}"#),
            ("json_decode('1.50')", "1.5"),
            ("json_decode(null)", "null"),
        ],
        ..Function::new("json_decode", GROUP, json_decode)
    },
    Function {
        usage: "cbor_encode(x)",
        what: "The value as CBOR.",
        examples: &[
            ("hex_encode(cbor_encode([1, 'a']))", "\"82016161\""),
            ("hex_encode(cbor_encode(null))", "\"f6\""),
        ],
        takes_null: true,
        ..Function::new("cbor_encode", GROUP, cbor_encode)
    },
    Function {
        usage: "cbor_decode(bytes)",
        what: "The value in CBOR. `payload.x` reads CBOR by itself.",
        examples: &[("cbor_decode(hex_decode('82016161'))", r#"[1,"a"]"#), ("cbor_decode(null)", "null")],
        ..Function::new("cbor_decode", GROUP, cbor_decode)
    },
    Function {
        aliases: &["messagepack_encode"],
        usage: "msgpack_encode(x)",
        what: "The value as MessagePack.",
        examples: &[
            ("hex_encode(msgpack_encode([1, 'a']))", "\"9201a161\""),
            ("hex_encode(msgpack_encode(null))", "\"c0\""),
        ],
        takes_null: true,
        ..Function::new("msgpack_encode", GROUP, msgpack_encode)
    },
    Function {
        aliases: &["messagepack_decode"],
        usage: "msgpack_decode(bytes)",
        what: "The value in MessagePack. `payload.x` reads MessagePack by itself.",
        examples: &[
            ("msgpack_decode(hex_decode('9201a161'))", r#"[1,"a"]"#),
            ("msgpack_decode(null)", "null"),
        ],
        ..Function::new("msgpack_decode", GROUP, msgpack_decode)
    },
];

fn json_encode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(format::to_json(&args[0])))
}

fn json_decode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    decode(args, Format::Json, "JSON")
}

fn cbor_encode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bytes(Cow::Owned(format::to_cbor(&args[0]))))
}

fn cbor_decode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    decode(args, Format::Cbor, "CBOR")
}

fn msgpack_encode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    Ok(Value::Bytes(Cow::Owned(format::to_message_pack(&args[0]))))
}

fn msgpack_decode<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    decode(args, Format::MessagePack, "MessagePack")
}

fn decode<'a>(args: &mut [Value<'a>], format: Format, name: &str) -> Outcome<'a> {
    let wrong = || Wrong(format!("this is no {name}, or nested too deeply"));
    match args.bytes(0)? {
        Cow::Borrowed(bytes) => format::decode(bytes, format).ok_or_else(wrong),
        Cow::Owned(bytes) => format::decode(&bytes, format).map(Value::into_owned).ok_or_else(wrong),
    }
}
