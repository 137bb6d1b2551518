//! Patterns: regular expressions, whose time grows with the text only, and SQL's and the shell's simpler ones.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

use regex::{Captures, Regex, RegexBuilder};

use super::results::{fitting, wrong};
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::Value;

const GROUP: &str = "Patterns";

/// How long a pattern may be, in bytes: patterns may come out of messages.
const LONGEST_PATTERN: usize = 4096;

/// Between what sizes compiled patterns are, in bytes; the smallest of the powers of two between them is looked for.
const SMALLEST_PROGRAM: usize = 1 << 14;
const LARGEST_PROGRAM: usize = 1 << 20;

/// What the size of a compiled pattern multiplied by that of a text may be. A search takes up to 60 ps for each: half a
/// second (measured with `[ab]*a[ab]{1597}c`, for which no automaton is small).
const MOST_WORK: usize = 1 << 33;

/// How many compiled patterns each thread keeps, and how large all of them together are at most.
const KEPT: usize = 32;
const KEPT_SIZE: usize = 4 << 20;

/// The memory that a search may use for its automaton.
const AUTOMATON: usize = 1 << 18;

/// How long all matches of a text are looked for. One search is linear, but a text may have as many matches as characters
/// and each search may run to its end.
const PATIENCE: Duration = Duration::from_millis(100);

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["regex_match", "regexp_like"],
        usage: "regexp_matches(text, pattern)",
        what: "Whether a regular expression matches somewhere in the text; `^` and `$` are its ends.",
        examples: &[
            ("regexp_matches('dev-17', '^dev-[0-9]+$')", "true"),
            ("regexp_matches('roof', '[0-9]')", "false"),
        ],
        least: 2,
        most: 2,
        ..Function::new("regexp_matches", GROUP, regexp_matches)
    },
    Function {
        aliases: &["regex_replace"],
        usage: "regexp_replace(text, pattern, replacement)",
        what: "The text with each match replaced; `$1` or `${name}` in the replacement is what a group matched, `$0` the \
               whole match and `$$` a dollar sign.",
        examples: &[
            ("regexp_replace('a1b22', '[0-9]+', '#')", "\"a#b#\""),
            ("regexp_replace('roof/temp', '([a-z]+)/([a-z]+)', '$2/$1')", "\"temp/roof\""),
        ],
        least: 3,
        most: 3,
        ..Function::new("regexp_replace", GROUP, regexp_replace)
    },
    Function {
        aliases: &["regex_extract"],
        usage: "regexp_extract(text, pattern)",
        what: "What the groups of the first match are, as an array; empty without a match. `regexp_substr` gives a text.",
        examples: &[
            ("regexp_extract('t=21.5C', 't=([0-9.]+)([CF])')", "[\"21.5\", \"C\"]"),
            ("regexp_extract('none', '([0-9]+)')", "[]"),
        ],
        least: 2,
        most: 2,
        ..Function::new("regexp_extract", GROUP, regexp_extract)
    },
    Function {
        aliases: &["regexp_find_all"],
        usage: "regexp_extract_all(text, pattern, group = 0)",
        what: "All matches, or what this group is in each, as an array.",
        examples: &[
            ("regexp_extract_all('a1b22', '[0-9]+')", "[\"1\", \"22\"]"),
            ("regexp_extract_all('a=1;b=2', '([a-z])=', 1)", "[\"a\", \"b\"]"),
            ("regexp_extract_all('none', '[0-9]')", "[]"),
        ],
        least: 2,
        most: 3,
        ..Function::new("regexp_extract_all", GROUP, regexp_extract_all)
    },
    Function {
        usage: "regexp_substr(text, pattern, group = 0)",
        what: "The first match, or what this group is in it; null without a match.",
        examples: &[
            ("regexp_substr('level: 42 cm', '[0-9]+')", "\"42\""),
            ("regexp_substr('id=7', 'id=([0-9])', 1)", "\"7\""),
            ("regexp_substr('none', '[0-9]+')", "null"),
        ],
        least: 2,
        most: 3,
        ..Function::new("regexp_substr", GROUP, regexp_substr)
    },
    Function {
        usage: "regexp_split(text, pattern)",
        what: "The parts of a text between the matches.",
        examples: &[
            ("regexp_split('a, b;c', '[,;] *')", "[\"a\", \"b\", \"c\"]"),
            ("regexp_split('abc', ',')", "[\"abc\"]"),
        ],
        least: 2,
        most: 2,
        ..Function::new("regexp_split", GROUP, regexp_split)
    },
    Function {
        usage: "regexp_count(text, pattern)",
        what: "How many matches there are, which do not overlap.",
        examples: &[("regexp_count('a1b22', '[0-9]')", "3"), ("regexp_count('aaa', 'aa')", "1")],
        least: 2,
        most: 2,
        ..Function::new("regexp_count", GROUP, regexp_count)
    },
    Function {
        usage: "like(text, pattern)",
        what: "SQL's LIKE: whether the whole text fits, where `%` stands for any characters and `_` for any one; a \
               backslash before them means the sign itself.",
        examples: &[("like('dev-17', 'dev-%')", "true"), ("like('dev-17', 'dev-_')", "false")],
        least: 2,
        most: 2,
        ..Function::new("like", GROUP, |_, args| wildcard(args, '%', '_', false))
    },
    Function {
        usage: "ilike(text, pattern)",
        what: "The same as `like`, whatever letters are small or capital.",
        examples: &[("ilike('DEV-17', 'dev-%')", "true"), ("ilike('roof', 'R__F')", "true")],
        least: 2,
        most: 2,
        ..Function::new("ilike", GROUP, |_, args| wildcard(args, '%', '_', true))
    },
    Function {
        usage: "glob(text, pattern)",
        what: "Whether the whole text fits, where `*` stands for any characters and `?` for any one.",
        examples: &[("glob('roof/temp', 'roof/*')", "true"), ("glob('dev-17', 'dev-?')", "false")],
        least: 2,
        most: 2,
        ..Function::new("glob", GROUP, |_, args| wildcard(args, '*', '?', false))
    },
];

/// A compiled pattern.
struct Pattern {
    regex: Regex,
    /// What it is smaller than, in bytes.
    size: usize,
}

thread_local! {
    static COMPILED: RefCell<VecDeque<Pattern>> = const { RefCell::new(VecDeque::new()) };
}

/// Does something with a compiled pattern and a text. Patterns are kept in the order of their last use.
fn with<T>(pattern: &str, text: &str, body: impl FnOnce(&Regex) -> Result<T, Wrong>) -> Result<T, Wrong> {
    COMPILED.with_borrow_mut(|kept| {
        let place = kept.iter().position(|known| known.regex.as_str() == pattern);
        let found = match place.and_then(|place| kept.remove(place)) {
            Some(found) => found,
            None => compile(pattern)?,
        };
        let most = MOST_WORK / found.size;
        kept.push_front(found);
        while kept.len() > KEPT || kept.iter().map(|known| known.size).sum::<usize>() > KEPT_SIZE {
            kept.pop_back();
        }
        match text.len() <= most {
            true => body(&kept[0].regex),
            false => wrong(format!(
                "the text has {} bytes, a pattern as large as this one is for {most}",
                text.len()
            )),
        }
    })
}

fn compile(pattern: &str) -> Result<Pattern, Wrong> {
    if pattern.len() > LONGEST_PATTERN {
        return wrong(format!("the pattern has {} bytes, it may have {LONGEST_PATTERN}", pattern.len()));
    }
    let mut size = SMALLEST_PROGRAM;
    loop {
        match RegexBuilder::new(pattern).size_limit(size).dfa_size_limit(AUTOMATON).build() {
            Ok(regex) => return Ok(Pattern { regex, size }),
            Err(regex::Error::CompiledTooBig(_)) if size < LARGEST_PROGRAM => size *= 2,
            Err(regex::Error::CompiledTooBig(_)) => {
                return wrong("the pattern is too large; shorten what it repeats");
            }
            // The last line says what is wrong, those above it repeat the pattern.
            Err(error) => {
                let text = error.to_string();
                let reason = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
                return wrong(format!("the pattern is no regular expression: {reason}"));
            }
        }
    }
}

/// Calls something with each match.
fn each(
    regex: &Regex,
    text: &str,
    mut body: impl FnMut(&Captures<'_>) -> Result<(), Wrong>,
) -> Result<(), Wrong> {
    let begun = Instant::now();
    for captures in regex.captures_iter(text) {
        body(&captures)?;
        if begun.elapsed() > PATIENCE {
            return wrong(format!(
                "all matches of the pattern take longer than {} ms to find",
                PATIENCE.as_millis()
            ));
        }
    }
    Ok(())
}

fn regexp_matches<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, pattern) = (args.text(0)?, args.text(1)?);
    with(&pattern, &text, |regex| Ok(Value::Bool(regex.is_match(&text))))
}

fn regexp_replace<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, pattern, replacement) = (args.text(0)?, args.text(1)?, args.text(2)?);
    with(&pattern, &text, |regex| {
        let (pieces, mut result, mut end) = (pieces(&replacement, regex), String::new(), 0);
        each(regex, &text, |captures| {
            let Some(all) = captures.get(0) else { return Ok(()) };
            result.push_str(&text[end..all.start()]);
            end = all.end();
            for piece in &pieces {
                result.push_str(match piece {
                    Piece::Text(text) => text,
                    Piece::Group(group) => captures.get(*group).map_or("", |group| group.as_str()),
                });
                // Groups and matches multiply each other.
                fitting(result.len(), text.len())?;
            }
            Ok(())
        })?;
        result.push_str(&text[end..]);
        Ok(Value::text(result))
    })
}

/// A piece of a replacement.
enum Piece<'t> {
    Text(&'t str),
    Group(usize),
}

/// `$12` is a group as far as there are groups of that number, and a backslash before a digit means the same.
fn pieces<'t>(replacement: &'t str, regex: &Regex) -> Vec<Piece<'t>> {
    let mut pieces = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find(['$', '\\']) {
        let (before, sign, after) = (&rest[..at], &rest[at..at + 1], &rest[at + 1..]);
        pieces.push(Piece::Text(before));
        let digits = (1..=after.len().min(4)).take_while(|end| after.as_bytes()[end - 1].is_ascii_digit());
        let group = |end: usize| after[..end].parse().ok().filter(|group| *group < regex.captures_len());
        let numbered = digits.filter_map(|end| Some((group(end)?, end))).last();
        let named = after.strip_prefix('{').and_then(|name| name.split_once('}')).filter(|_| sign == "$");
        rest = if let Some((group, end)) = numbered {
            pieces.push(Piece::Group(group));
            &after[end..]
        } else if let Some((name, after)) = named {
            let by_name = || regex.capture_names().position(|known| known == Some(name));
            // A group that is not there matches nothing.
            pieces.extend(name.parse().ok().or_else(by_name).map(Piece::Group));
            after
        } else {
            pieces.push(Piece::Text(sign));
            after.strip_prefix(sign).unwrap_or(after)
        };
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn regexp_extract<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, pattern) = (args.text(0)?, args.text(1)?);
    with(&pattern, &text, |regex| {
        let mut groups = Vec::new();
        let mut length = 0;
        for group in regex.captures(&text).iter().flat_map(|captures| captures.iter().skip(1)) {
            let group = group.map_or("", |group| group.as_str());
            length = fitting(length + group.len(), text.len())?;
            groups.push(Value::text(group));
        }
        Ok(Value::Array(groups))
    })
}

/// The number of a group that is asked for, if the pattern has it.
fn group(regex: &Regex, number: i64) -> Result<usize, Wrong> {
    match usize::try_from(number) {
        Ok(group) if group < regex.captures_len() => Ok(group),
        _ => wrong(format!("the pattern has {} groups, none is number {number}", regex.captures_len() - 1)),
    }
}

fn regexp_extract_all<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, pattern, number) = (args.text(0)?, args.text(1)?, args.int_or(2, 0)?);
    with(&pattern, &text, |regex| {
        let (group, mut found) = (group(regex, number)?, Vec::new());
        each(regex, &text, |captures| {
            found.extend(captures.get(group).map(|group| Value::text(group.as_str())));
            fitting(found.len(), 0).map(drop)
        })?;
        Ok(Value::Array(found))
    })
}

fn regexp_substr<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, pattern, number) = (args.text(0)?, args.text(1)?, args.int_or(2, 0)?);
    with(&pattern, &text, |regex| {
        let group = group(regex, number)?;
        let found = regex.captures(&text).and_then(|captures| captures.get(group));
        Ok(found.map_or(Value::Null, |found| Value::text(found.as_str())))
    })
}

fn regexp_split<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, pattern) = (args.text(0)?, args.text(1)?);
    with(&pattern, &text, |regex| {
        let (mut parts, mut end) = (Vec::new(), 0);
        each(regex, &text, |captures| {
            if let Some(all) = captures.get(0) {
                parts.push(Value::text(&text[end..all.start()]));
                end = all.end();
            }
            fitting(parts.len(), 0).map(drop)
        })?;
        parts.push(Value::text(&text[end..]));
        Ok(Value::Array(parts))
    })
}

fn regexp_count<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (text, pattern) = (args.text(0)?, args.text(1)?);
    with(&pattern, &text, |regex| {
        let mut count = 0;
        each(regex, &text, |_| {
            count += 1;
            Ok(())
        })?;
        Ok(Value::Int(count))
    })
}

/// As a regular expression, for it is linear where comparing with wildcards is not.
fn wildcard<'a>(args: &mut [Value<'a>], many: char, one: char, any_case: bool) -> Outcome<'a> {
    let (text, pattern) = (args.text(0)?, args.text(1)?);
    let mut expression = String::from(if any_case { "(?si)^" } else { "(?s)^" });
    let mut characters = pattern.chars().take(LONGEST_PATTERN);
    while let Some(character) = characters.next() {
        match character {
            '\\' => expression.extend(characters.next().map(escaped)),
            _ if character == many => expression.push_str(".*"),
            _ if character == one => expression.push('.'),
            _ => expression.push_str(&escaped(character)),
        }
    }
    expression.push('$');
    with(&expression, &text, |regex| Ok(Value::Bool(regex.is_match(&text))))
}

/// A character as an expression that means just it.
fn escaped(character: char) -> String {
    regex::escape(character.encode_utf8(&mut [0; 4]))
}
