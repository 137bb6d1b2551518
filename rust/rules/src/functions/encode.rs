//! Bytes and texts in the guise of other texts.

use base64ct::{Base64, Base64Url, Encoding};

use super::results::{text_or_bytes, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Encodings";

/// The encodings that `encode` and `decode` know.
const SCHEMES: [&str; 4] = ["base64", "base64url", "hex", "url"];

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["to_base64"],
        usage: "base64_encode(x)",
        what: "A text or bytes in Base64.",
        examples: &[("base64_encode('some val')", "\"c29tZSB2YWw=\""), ("base64_encode('')", "\"\"")],
        ..Function::new("base64_encode", GROUP, |_, args| encoded("base64", &args.bytes(0)?))
    },
    Function {
        aliases: &["from_base64"],
        usage: "base64_decode(text)",
        what: "What is in a text of Base64, as a text or, if it is none, as bytes. The alphabet for URLs is understood, \
               too, and `=` at the end may be missing.",
        examples: &[
            ("base64_decode('c29tZSB2YWw=')", "\"some val\""),
            ("base64_decode('c29tZSB2YWw')", "\"some val\""),
        ],
        ..Function::new("base64_decode", GROUP, |_, args| decoded("base64", &args.text(0)?))
    },
    Function {
        usage: "base64url_encode(x)",
        what: "A text or bytes in Base64 with the alphabet for URLs, without `=` at the end.",
        examples: &[
            ("base64url_encode('some val')", "\"c29tZSB2YWw\""),
            ("base64url_encode('??>')", "\"Pz8-\""),
        ],
        ..Function::new("base64url_encode", GROUP, |_, args| encoded("base64url", &args.bytes(0)?))
    },
    Function {
        usage: "hex_encode(x)",
        what: "A text or bytes in hexadecimal digits, with small letters.",
        examples: &[("hex_encode('Az')", "\"417a\""), ("hex_encode('')", "\"\"")],
        ..Function::new("hex_encode", GROUP, |_, args| encoded("hex", &args.bytes(0)?))
    },
    Function {
        usage: "bin2hexstr(x)",
        what: "A text or bytes in hexadecimal digits, with capital letters.",
        examples: &[("bin2hexstr('Az')", "\"417A\""), ("bin2hexstr(hexstr2bin('ABEF12'))", "\"ABEF12\"")],
        ..Function::new("bin2hexstr", GROUP, |_, args| Ok(Value::text(hex(&args.bytes(0)?).to_uppercase())))
    },
    Function {
        aliases: &["hexstr2bin", "unhex"],
        usage: "hex_decode(text)",
        what: "What is in a text of hexadecimal digits, as a text or, if it is none, as bytes. A zero is put before an \
               odd number of digits.",
        examples: &[("hex_decode('417a')", "\"Az\""), ("hex_encode(hex_decode('FF0'))", "\"0ff0\"")],
        ..Function::new("hex_decode", GROUP, |_, args| decoded("hex", &args.text(0)?))
    },
    Function {
        usage: "url_encode(text)",
        what: "The text with what has a meaning in URLs written as `%` and two hexadecimal digits.",
        examples: &[("url_encode('a b/c')", "\"a%20b%2Fc\""), ("url_encode('ü')", "\"%C3%BC\"")],
        ..Function::new("url_encode", GROUP, |_, args| encoded("url", &args.bytes(0)?))
    },
    Function {
        usage: "url_decode(text)",
        what: "What is in a text of a URL; `+` is a space.",
        examples: &[("url_decode('a%20b%2Fc')", "\"a b/c\""), ("url_decode('a+b')", "\"a b\"")],
        ..Function::new("url_decode", GROUP, |_, args| decoded("url", &args.text(0)?))
    },
    Function {
        usage: "encode(x, encoding)",
        what: "A text or bytes in an encoding: 'base64', 'base64url', 'hex' or 'url'.",
        examples: &[
            ("encode('Az', 'hex')", "\"417a\""),
            ("encode('some val', 'base64')", "\"c29tZSB2YWw=\""),
        ],
        least: 2,
        most: 2,
        ..Function::new("encode", GROUP, |_, args| encoded(args.word(1, &SCHEMES)?, &args.bytes(0)?))
    },
    Function {
        usage: "decode(text, encoding)",
        what: "What is in a text of an encoding: 'base64', 'base64url', 'hex' or 'url'.",
        examples: &[
            ("decode('417a', 'hex')", "\"Az\""),
            ("decode('c29tZSB2YWw=', 'base64')", "\"some val\""),
        ],
        least: 2,
        most: 2,
        ..Function::new("decode", GROUP, |_, args| decoded(args.word(1, &SCHEMES)?, &args.text(0)?))
    },
    Function {
        usage: "html_escape(text)",
        what: "The text as it is written in HTML and XML, for e-mails and pages.",
        examples: &[
            ("html_escape('a < b & c')", "\"a &lt; b &amp; c\""),
            ("html_escape('plain')", "\"plain\""),
        ],
        ..Function::new("html_escape", GROUP, html_escape)
    },
];

/// Hexadecimal digits with small letters.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]).collect()
}

fn encoded<'a>(scheme: &str, bytes: &[u8]) -> Outcome<'a> {
    let text = match scheme {
        "base64" => Base64::encode_string(bytes),
        "base64url" => Base64Url::encode_string(bytes).trim_end_matches('=').to_owned(),
        "hex" => hex(bytes),
        _ => percent(bytes),
    };
    Ok(Value::text(text))
}

fn decoded<'a>(scheme: &str, text: &str) -> Outcome<'a> {
    let bytes = match scheme {
        "base64" | "base64url" => from_base64(text),
        "hex" => from_hex(text),
        _ => from_percent(text),
    };
    bytes.map(text_or_bytes)
}

fn from_base64(text: &str) -> Result<Vec<u8>, Wrong> {
    let standard = |character| match character {
        '-' => '+',
        '_' => '/',
        other => other,
    };
    let text = text.trim_end_matches('=');
    let text: String =
        text.chars().filter(|character| !character.is_ascii_whitespace()).map(standard).collect();
    base64ct::Base64Unpadded::decode_vec(&text).or_else(|_| wrong("the text is not in Base64"))
}

fn from_hex(text: &str) -> Result<Vec<u8>, Wrong> {
    let mut digits = Vec::with_capacity(text.len() + 1);
    if text.len() % 2 == 1 {
        digits.push(0);
    }
    for character in text.chars() {
        match character.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None => return wrong(format!("{character:?} is no hexadecimal digit")),
        }
    }
    Ok(digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

fn percent(bytes: &[u8]) -> String {
    let mut result = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_' | b'.' | b'~' => {
                result.push(char::from(*byte))
            }
            _ => {
                result.push('%');
                result.push_str(&hex(&[*byte]).to_uppercase());
            }
        }
    }
    result
}

fn from_percent(text: &str) -> Result<Vec<u8>, Wrong> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        let (byte, length) = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => ((high << 4 | low) as u8, 3),
            (b'%', ..) => return wrong("after `%` two hexadecimal digits were expected"),
            (b'+', ..) => (b' ', 1),
            _ => (*first, 1),
        };
        bytes.push(byte);
        rest = &rest[length..];
    }
    Ok(bytes)
}

fn html_escape<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let text = args.text(0)?;
    let mut result = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => result.push_str("&amp;"),
            '<' => result.push_str("&lt;"),
            '>' => result.push_str("&gt;"),
            '"' => result.push_str("&quot;"),
            '\'' => result.push_str("&#39;"),
            _ => result.push(character),
        }
    }
    Ok(Value::text(result))
}
