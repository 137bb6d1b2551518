//! Whole texts: their letters, spaces and lengths. What is counted is characters, unless a name says bytes.

use std::collections::HashMap;

use super::parts::joined;
use super::results::{fitting, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Texts";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["lcase"],
        usage: "lower(text)",
        what: "The text in small letters.",
        examples: &[("lower('Roof')", "\"roof\""), ("lower('ÄÖ')", "\"äö\"")],
        ..Function::new("lower", GROUP, |_, args| Ok(Value::text(args.text(0)?.to_lowercase())))
    },
    Function {
        aliases: &["ucase"],
        usage: "upper(text)",
        what: "The text in capital letters.",
        examples: &[("upper('Roof')", "\"ROOF\""), ("upper(null)", "null")],
        ..Function::new("upper", GROUP, |_, args| Ok(Value::text(args.text(0)?.to_uppercase())))
    },
    Function {
        aliases: &["capitalize"],
        usage: "initcap(text)",
        what: "The text with a capital letter at the beginning of each word, and small ones in it.",
        examples: &[
            ("initcap('tank north')", "\"Tank North\""),
            ("initcap('LIVING-ROOM')", "\"Living-Room\""),
        ],
        ..Function::new("initcap", GROUP, initcap)
    },
    Function {
        usage: "trim(text, characters = white space)",
        what: "The text without white space, or without these characters, at both ends.",
        examples: &[("trim('  a b ')", "\"a b\""), ("trim('/a/b/', '/')", "\"a/b\"")],
        most: 2,
        ..Function::new("trim", GROUP, |_, args| trim(args, true, true))
    },
    Function {
        usage: "ltrim(text, characters = white space)",
        what: "The text without white space, or without these characters, at its beginning.",
        examples: &[("ltrim('  a ')", "\"a \""), ("ltrim('0042', '0')", "\"42\"")],
        most: 2,
        ..Function::new("ltrim", GROUP, |_, args| trim(args, true, false))
    },
    Function {
        usage: "rtrim(text, characters = white space)",
        what: "The text without white space, or without these characters, at its end.",
        examples: &[("rtrim(' a  ')", "\" a\""), ("rtrim('1.500', '0')", "\"1.5\"")],
        most: 2,
        ..Function::new("rtrim", GROUP, |_, args| trim(args, false, true))
    },
    Function {
        aliases: &["rm_prefix"],
        usage: "remove_prefix(text, prefix)",
        what: "The text without this beginning, or as it is if it begins otherwise.",
        examples: &[
            ("remove_prefix('dev-17', 'dev-')", "\"17\""),
            ("remove_prefix('x17', 'dev-')", "\"x17\""),
        ],
        least: 2,
        most: 2,
        ..Function::new("remove_prefix", GROUP, remove_prefix)
    },
    Function {
        usage: "remove_suffix(text, suffix)",
        what: "The text without this end, or as it is if it ends otherwise.",
        examples: &[("remove_suffix('21.5C', 'C')", "\"21.5\""), ("remove_suffix('21.5', 'C')", "\"21.5\"")],
        least: 2,
        most: 2,
        ..Function::new("remove_suffix", GROUP, remove_suffix)
    },
    Function {
        usage: "lpad(text, length, filling = ' ')",
        what: "The text, filled up at its beginning, or cut, to this length.",
        examples: &[
            ("lpad('7', 3, '0')", "\"007\""),
            ("lpad('ab', 4)", "\"  ab\""),
            ("lpad('abcd', 2)", "\"ab\""),
        ],
        least: 2,
        most: 3,
        ..Function::new("lpad", GROUP, |_, args| sql_pad(args, "leading"))
    },
    Function {
        usage: "rpad(text, length, filling = ' ')",
        what: "The text, filled up at its end, or cut, to this length.",
        examples: &[("rpad('ab', 4, '.')", "\"ab..\""), ("rpad('abcd', 2)", "\"ab\"")],
        least: 2,
        most: 3,
        ..Function::new("rpad", GROUP, |_, args| sql_pad(args, "trailing"))
    },
    Function {
        usage: "pad(text, length, where = 'trailing', filling = ' ')",
        what: "The text, filled up to this length at its end ('trailing'), its beginning ('leading') or both ends \
               ('both'); longer ones stay as they are.",
        examples: &[("pad('abc', 5, 'both', '*')", "\"*abc*\""), ("pad('abc', 5)", "\"abc  \"")],
        least: 2,
        most: 4,
        ..Function::new("pad", GROUP, emqx_pad)
    },
    Function {
        usage: "reverse(x)",
        what: "A text, or an array, from its end to its beginning.",
        examples: &[("reverse('abc')", "\"cba\""), ("reverse([1, 2, 3])", "[3, 2, 1]")],
        ..Function::new("reverse", GROUP, reverse)
    },
    Function {
        aliases: &["replicate"],
        usage: "repeat(text, times)",
        what: "The text, so many times.",
        examples: &[("repeat('ab', 3)", "\"ababab\""), ("repeat('ab', 0)", "\"\"")],
        least: 2,
        most: 2,
        ..Function::new("repeat", GROUP, repeat)
    },
    Function {
        usage: "concat(x, …)",
        what: "Its arguments, texts, numbers and booleans, as one text.",
        examples: &[("concat('t', 1, '/', true)", "\"t1/true\""), ("concat('a', null)", "null")],
        most: usize::MAX,
        ..Function::new("concat", GROUP, |_, args| joined(args, ""))
    },
    Function {
        usage: "concat_ws(separator, x, …)",
        what: "Its arguments after the first as one text, with the first between them; those that are null are left out.",
        examples: &[("concat_ws('-', 'a', 1)", "\"a-1\""), ("concat_ws('-', 'a', null, 'b')", "\"a-b\"")],
        least: 2,
        most: usize::MAX,
        takes_null: true,
        ..Function::new("concat_ws", GROUP, concat_ws)
    },
    Function {
        aliases: &["char_length", "character_length"],
        usage: "strlen(text)",
        what: "The number of characters of a text.",
        examples: &[("strlen('hello')", "5"), ("strlen('温度')", "2")],
        ..Function::new("strlen", GROUP, |_, args| Ok(Value::Int(args.text(0)?.chars().count() as i64)))
    },
    Function {
        aliases: &["numbytes", "bytesize", "octet_length"],
        usage: "byte_size(x)",
        what: "The number of bytes of a text in UTF-8, or of bytes.",
        examples: &[("byte_size('hello')", "5"), ("byte_size('温度')", "6")],
        ..Function::new("byte_size", GROUP, |_, args| Ok(Value::Int(args.bytes(0)?.len() as i64)))
    },
    Function {
        aliases: &["starts_with"],
        usage: "startswith(text, prefix)",
        what: "Whether a text begins with another.",
        examples: &[
            ("startswith('sensors/roof', 'sensors')", "true"),
            ("startswith('roof', 'sensors')", "false"),
        ],
        least: 2,
        most: 2,
        ..Function::new("startswith", GROUP, |_, args| {
            Ok(Value::Bool(args.text(0)?.starts_with(&*args.text(1)?)))
        })
    },
    Function {
        aliases: &["ends_with"],
        usage: "endswith(text, suffix)",
        what: "Whether a text ends with another.",
        examples: &[("endswith('roof/temp', 'temp')", "true"), ("endswith('roof/temp', 'roof')", "false")],
        least: 2,
        most: 2,
        ..Function::new("endswith", GROUP, |_, args| {
            Ok(Value::Bool(args.text(0)?.ends_with(&*args.text(1)?)))
        })
    },
    Function {
        aliases: &["ord"],
        usage: "ascii(text)",
        what: "The number of the first character in Unicode, which is that in ASCII for those that ASCII has; null if \
               there is none.",
        examples: &[("ascii('A')", "65"), ("ascii('')", "null")],
        ..Function::new("ascii", GROUP, ascii)
    },
    Function {
        usage: "chr(number)",
        what: "The character with this number in Unicode.",
        examples: &[("chr(65)", "\"A\""), ("chr(8451)", "\"℃\"")],
        ..Function::new("chr", GROUP, chr)
    },
    Function {
        usage: "translate(text, from, to)",
        what: "The text with each character of the second argument changed into that at the same place of the third, or \
               left out if there is none.",
        examples: &[("translate('1,5', ',', '.')", "\"1.5\""), ("translate('(12)', '()', '')", "\"12\"")],
        least: 3,
        most: 3,
        ..Function::new("translate", GROUP, translate)
    },
];

fn initcap<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let text = args.text(0)?;
    let mut result = String::with_capacity(text.len());
    let mut inside = false;
    for character in text.chars() {
        match inside {
            true => result.extend(character.to_lowercase()),
            false => result.extend(character.to_uppercase()),
        }
        inside = character.is_alphanumeric() || character == '\'';
    }
    Ok(Value::text(result))
}

fn trim<'a>(args: &mut [Value<'a>], start: bool, end: bool) -> Outcome<'a> {
    let text = args.text(0)?;
    let set: Option<Vec<char>> = if args.has(1) {
        let mut set: Vec<char> = args.text(1)?.chars().collect();
        set.sort_unstable();
        Some(set)
    } else {
        None
    };
    let goes = |character: char| match &set {
        Some(set) => set.binary_search(&character).is_ok(),
        None => character.is_whitespace(),
    };
    let mut rest = &*text;
    if start {
        rest = rest.trim_start_matches(goes);
    }
    if end {
        rest = rest.trim_end_matches(goes);
    }
    Ok(Value::text(rest))
}

fn remove_prefix<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let text = args.text(0)?;
    let rest = text.strip_prefix(&*args.text(1)?).map(str::to_owned);
    Ok(rest.map_or(Value::Text(text), Value::text))
}

fn remove_suffix<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let text = args.text(0)?;
    let rest = text.strip_suffix(&*args.text(1)?).map(str::to_owned);
    Ok(rest.map_or(Value::Text(text), Value::text))
}

/// A number of characters that is asked for, if it may be.
fn wanted(args: &[Value<'_>], index: usize) -> Result<usize, Wrong> {
    match usize::try_from(args.int(index)?) {
        Ok(length) => fitting(length, 0),
        Err(_) => wrong(format!("argument {} is below 0, which is no length", index + 1)),
    }
}

fn sql_pad<'a>(args: &mut [Value<'a>], place: &str) -> Outcome<'a> {
    let length = wanted(args, 1)?;
    let text = args.text(0)?;
    match text.char_indices().nth(length) {
        Some((end, _)) => Ok(Value::text(&text[..end])),
        None => filled(&text, length, place, &args.text_or(2, " ")?),
    }
}

fn emqx_pad<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (length, place) = (wanted(args, 1)?, args.word(2, &["trailing", "leading", "both"])?);
    filled(&args.text(0)?, length, place, &args.text_or(3, " ")?)
}

fn filled<'a>(text: &str, length: usize, place: &str, filling: &str) -> Outcome<'a> {
    let missing = length.saturating_sub(text.chars().count());
    if missing > 0 && filling.is_empty() {
        return wrong("the filling is an empty text, at least one character was expected");
    }
    let before = match place {
        "leading" => missing,
        "both" => missing / 2,
        _ => 0,
    };
    let fill = |count| filling.chars().cycle().take(count);
    Ok(Value::text(fill(before).chain(text.chars()).chain(fill(missing - before)).collect::<String>()))
}

fn reverse<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match args.take(0) {
        Value::Array(mut items) => {
            items.reverse();
            Ok(Value::Array(items))
        }
        other => Ok(Value::text([other].text(0)?.chars().rev().collect::<String>())),
    }
}

fn repeat<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let times = wanted(args, 1)?;
    let text = args.text(0)?;
    fitting(text.len().saturating_mul(times), 0)?;
    Ok(Value::text(text.repeat(times)))
}

fn concat_ws<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    if !args.has(0) {
        return Ok(Value::Null);
    }
    let separator = args.text(0)?;
    let mut given: Vec<_> =
        args[1..].iter_mut().map(std::mem::take).filter(|value| !value.is_null()).collect();
    joined(&mut given, &separator)
}

fn ascii<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let first = args.text(0)?.chars().next();
    Ok(first.map_or(Value::Null, |character| Value::Int(i64::from(u32::from(character)))))
}

fn chr<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let number = args.int(0)?;
    match u32::try_from(number).ok().and_then(char::from_u32) {
        Some(character) => Ok(Value::text(character)),
        None => wrong(format!("no character has the number {number}")),
    }
}

fn translate<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, from, to) = (args.text(0)?, args.text(1)?, args.text(2)?);
    let mut to = to.chars();
    let mut changes: HashMap<char, Option<char>> = HashMap::new();
    for character in from.chars() {
        let other = to.next();
        changes.entry(character).or_insert(other);
    }
    let change = |character| changes.get(&character).copied().unwrap_or(Some(character));
    Ok(Value::text(text.chars().filter_map(change).collect::<String>()))
}
