//! Parts of texts: taken out, found, replaced, split and joined.

use std::borrow::Cow;

use super::results::{array, fitting, wrong};
use super::{Arguments, Function, Outcome, Surroundings};
use crate::value::Value;

const GROUP: &str = "Texts";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "substr(text, start, length = all)",
        what: "So many characters from a place on, which is counted from 0.",
        examples: &[
            ("substr('abcdef', 2)", "\"cdef\""),
            ("substr('abcdef', 2, 3)", "\"cde\""),
            ("substr('ab', 5)", "\"\""),
        ],
        least: 2,
        most: 3,
        ..Function::new("substr", GROUP, substr)
    },
    Function {
        usage: "substring(text, start, end = the end)",
        what: "The characters from one place up to, but without, another; both are counted from 0.",
        examples: &[("substring('012345', 2, 4)", "\"23\""), ("substring('012345', 4)", "\"45\"")],
        least: 2,
        most: 3,
        ..Function::new("substring", GROUP, substring)
    },
    Function {
        usage: "left(text, length)",
        what: "So many characters from the beginning.",
        examples: &[("left('abcdef', 2)", "\"ab\""), ("left('ab', 9)", "\"ab\"")],
        least: 2,
        most: 2,
        ..Function::new("left", GROUP, |_, args| Ok(Value::text(piece(&args.text(0)?, 0, args.int(1)?))))
    },
    Function {
        usage: "right(text, length)",
        what: "So many characters from the end.",
        examples: &[("right('abcdef', 2)", "\"ef\""), ("right('ab', 9)", "\"ab\"")],
        least: 2,
        most: 2,
        ..Function::new("right", GROUP, right)
    },
    Function {
        usage: "replace(text, part, replacement, which = 'all')",
        what: "The text with a part of it replaced wherever it is, or only the first ('leading') or last ('trailing') of \
               them.",
        examples: &[
            ("replace('a-b-c', '-', '/')", "\"a/b/c\""),
            ("replace('a-b-c', '-', '/', 'leading')", "\"a/b-c\""),
        ],
        least: 3,
        most: 4,
        ..Function::new("replace", GROUP, replace)
    },
    Function {
        usage: "split(text, separator = ' ', how = 'all')",
        what: "The parts between the separators, without those that are empty; at the first ('leading') or last \
               ('trailing') separator only; 'notrim', 'leading_notrim' and 'trailing_notrim' keep empty parts.",
        examples: &[
            ("split('a/b/ c', '/')", "[\"a\", \"b\", \" c\"]"),
            ("split('a/b/c', '/', 'leading')", "[\"a\", \"b/c\"]"),
            ("split('/a', '/', 'notrim')", "[\"\", \"a\"]"),
        ],
        most: 3,
        ..Function::new("split", GROUP, split)
    },
    Function {
        usage: "tokens(text, separators, line_ends = 'crlf')",
        what: "The parts between any of these characters, without those that are empty; with 'nocrlf' ends of lines \
               separate, too.",
        examples: &[
            ("tokens('a, b;c', ',; ')", "[\"a\", \"b\", \"c\"]"),
            ("tokens(concat('a', chr(10), 'b c'), ' ', 'nocrlf')", "[\"a\", \"b\", \"c\"]"),
        ],
        least: 2,
        most: 3,
        ..Function::new("tokens", GROUP, tokens)
    },
    Function {
        aliases: &["array_join"],
        usage: "join(array, separator = ', ')",
        what: "The items of an array as one text.",
        examples: &[("join(['a', 1, true], '-')", "\"a-1-true\""), ("join([1, 2])", "\"1, 2\"")],
        most: 2,
        ..Function::new("join", GROUP, |_, args| {
            let separator = args.text_or(1, ", ")?;
            joined(&mut args.array(0)?, &separator)
        })
    },
    Function {
        usage: "join_to_string(separator = ', ', array)",
        what: "The items of an array as one text; `join` with its arguments the other way around.",
        examples: &[("join_to_string('-', ['a', 'b'])", "\"a-b\""), ("join_to_string([1, 2])", "\"1, 2\"")],
        most: 2,
        ..Function::new("join_to_string", GROUP, |_, args| match args.has(1) {
            true => joined(&mut args.array(1)?, &args.text(0)?),
            false => joined(&mut args.array(0)?, ", "),
        })
    },
    Function {
        usage: "find(text, part, which = 'leading')",
        what: "The text from the first ('leading') or last ('trailing') place of a part on; an empty text if it is not \
               in it.",
        examples: &[
            ("find('a/b/c', '/')", "\"/b/c\""),
            ("find('a/b/c', '/', 'trailing')", "\"/c\""),
            ("find('abc', 'x')", "\"\""),
        ],
        least: 2,
        most: 3,
        ..Function::new("find", GROUP, find)
    },
    Function {
        usage: "indexof(text, part)",
        what: "Where a part first is in a text, counted in characters from 0; -1 if it is not in it.",
        examples: &[("indexof('abcd', 'bc')", "1"), ("indexof('abcd', 'x')", "-1")],
        least: 2,
        most: 2,
        ..Function::new("indexof", GROUP, |_, args| place(args, -1))
    },
    Function {
        aliases: &["instr"],
        usage: "strpos(text, part)",
        what: "Where a part first is in a text, counted in characters from 1; 0 if it is not in it.",
        examples: &[("strpos('abcd', 'bc')", "2"), ("strpos('abcd', 'x')", "0")],
        least: 2,
        most: 2,
        ..Function::new("strpos", GROUP, |_, args| place(args, 0))
    },
    Function {
        usage: "unescape(text)",
        what: "The text with what is written behind backslashes, as `n` for a line end or `x41` for a character by its \
               number, as the characters that are meant.",
        examples: &[
            ("unescape(concat('a', chr(92), 'tb'))", "\"a\\tb\""),
            ("unescape(concat(chr(92), 'x41'))", "\"A\""),
            ("unescape('plain')", "\"plain\""),
        ],
        ..Function::new("unescape", GROUP, unescape)
    },
];

/// Characters by their place; what is beyond the text is not there.
fn piece(text: &str, start: i64, length: i64) -> &str {
    let count = |number: i64| usize::try_from(number.max(0)).unwrap_or(usize::MAX);
    let offset =
        |text: &str, characters| text.char_indices().nth(characters).map_or(text.len(), |(at, _)| at);
    let rest = &text[offset(text, count(start))..];
    &rest[..offset(rest, count(length))]
}

fn substr<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    Ok(Value::text(piece(&args.text(0)?, args.int(1)?, args.int_or(2, i64::MAX)?)))
}

fn substring<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (start, end) = (args.int(1)?.max(0), args.int_or(2, i64::MAX)?.max(0));
    Ok(Value::text(piece(&args.text(0)?, start, end.saturating_sub(start))))
}

fn right<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, length) = (args.text(0)?, args.int(1)?.max(0));
    let characters = text.chars().count() as i64;
    Ok(Value::text(piece(&text, characters.saturating_sub(length), i64::MAX)))
}

fn replace<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let which = args.word(3, &["all", "leading", "trailing"])?;
    let (text, part, replacement) = (args.text(0)?, args.text(1)?, args.text(2)?);
    if part.is_empty() {
        return Ok(Value::Text(text));
    }
    let at = match which {
        "leading" => text.find(&*part),
        "trailing" => text.rfind(&*part),
        _ => {
            let times = text.matches(&*part).count();
            fitting(times.saturating_mul(replacement.len()), text.len())?;
            return Ok(Value::text(text.replace(&*part, &replacement)));
        }
    };
    Ok(match at {
        Some(at) => Value::text([&text[..at], &replacement, &text[at + part.len()..]].concat()),
        None => Value::Text(text),
    })
}

fn split<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let known = ["all", "notrim", "leading", "leading_notrim", "trailing", "trailing_notrim"];
    let how = args.word(2, &known)?;
    let (text, separator) = (args.text(0)?, args.text_or(1, " ")?);
    if separator.is_empty() {
        return wrong("the separator is an empty text, at least one character was expected");
    }
    let kept = |part: &&str| how.ends_with("notrim") || !part.is_empty();
    let pair = match how {
        "leading" | "leading_notrim" => text.split_once(&*separator),
        "trailing" | "trailing_notrim" => text.rsplit_once(&*separator),
        _ => return array(text.split(&*separator).filter(kept).map(Value::text)),
    };
    match pair {
        Some((left, right)) => array([left, right].into_iter().filter(kept).map(Value::text)),
        None => array(std::iter::once(&*text).filter(kept).map(Value::text)),
    }
}

fn tokens<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let lines = args.word(2, &["crlf", "nocrlf"])? == "nocrlf";
    let text = args.text(0)?;
    let mut separators: Vec<char> = args.text(1)?.chars().collect();
    if lines {
        separators.extend(['\r', '\n']);
    }
    separators.sort_unstable();
    let parts = text.split(|character| separators.binary_search(&character).is_ok());
    array(parts.filter(|part| !part.is_empty()).map(Value::text))
}

/// Texts, numbers and booleans with a separator between them; what is null is an empty text.
pub(super) fn joined<'a>(items: &mut [Value<'a>], separator: &str) -> Outcome<'a> {
    let (mut result, mut came_in) = (String::new(), 0);
    for index in 0..items.len() {
        if index > 0 {
            result.push_str(separator);
        }
        let text = match items[index].is_null() {
            true => Cow::Borrowed(""),
            false => items.text(index)?,
        };
        result.push_str(&text);
        came_in += text.len();
        // The separator is what is multiplied.
        fitting(result.len(), came_in)?;
    }
    Ok(Value::text(result))
}

fn find<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let which = args.word(2, &["leading", "trailing"])?;
    let (text, part) = (args.text(0)?, args.text(1)?);
    let at = if which == "leading" { text.find(&*part) } else { text.rfind(&*part) };
    Ok(Value::text(at.map_or("", |at| &text[at..])))
}

/// The place of a part, counted from the number after that for "not in it".
fn place<'a>(args: &mut [Value<'a>], nowhere: i64) -> Outcome<'a> {
    let (text, part) = (args.text(0)?, args.text(1)?);
    let place = text.find(&*part).map(|at| text[..at].chars().count() as i64 + nowhere + 1);
    Ok(Value::Int(place.unwrap_or(nowhere)))
}

fn unescape<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let text = args.text(0)?;
    let mut result = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            result.push(character);
            continue;
        }
        result.push(match characters.next() {
            Some('n') => '\n',
            Some('t') => '\t',
            Some('r') => '\r',
            Some('b') => '\u{8}',
            Some('f') => '\u{c}',
            Some('v') => '\u{b}',
            Some('a') => '\u{7}',
            Some('0') => '\0',
            Some('x') => {
                let mut number = None;
                while let Some(digit) = characters.peek().and_then(|digit| digit.to_digit(16))
                    && let Some(larger) = number.unwrap_or(0u32).checked_mul(16)
                {
                    number = Some(larger + digit);
                    characters.next();
                }
                match number.and_then(char::from_u32) {
                    Some(character) => character,
                    None => return wrong("the digits behind a backslash and x are no number of a character"),
                }
            }
            Some(itself @ ('\\' | '\'' | '"' | '?')) => itself,
            Some(other) => return wrong(format!("a backslash before {other:?} means nothing")),
            None => return wrong("the text ends with a single backslash"),
        });
    }
    Ok(Value::text(result))
}
