//! Words of a rule.

use std::ops::Range;

use crate::error::RuleError;

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// A name or a keyword: which of them is for the parser to say.
    Word(String),
    /// A name in backquotes.
    Name(String),
    Int(i64),
    Float(f64),
    /// A text in quotes, and whether they are double.
    Text(String, bool),
    /// A sign, one of [`SIGNS`].
    Sign(&'static str),
    End,
}

/// A word and where it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spanned {
    pub(crate) token: Token,
    pub(crate) span: Range<usize>,
}

/// Signs, the longer ones first.
const SIGNS: [&str; 27] = [
    "<>", "<=", ">=", "!=", "==", "=~", "||", "(", ")", "[", "]", "{", "}", ",", ".", ":", ";", "=", "<",
    ">", "+", "-", "*", "/", "%", "$", "?",
];

/// The words of a text; the last is [`Token::End`].
pub(crate) fn split(text: &str) -> Result<Vec<Spanned>, RuleError> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        at = skip_space(text, at)?;
        let Some(first) = text[at..].chars().next() else { break };
        let (token, end) = match first {
            '\'' | '"' => quoted(text, at, first)?,
            '`' => match text[at + 1..].find('`') {
                Some(length) => (Token::Name(text[at + 1..at + 1 + length].to_owned()), at + length + 2),
                None => {
                    return Err(
                        RuleError::new("a name is not closed", at..text.len()).hint("close it with `")
                    );
                }
            },
            '0'..='9' => number(text, at)?,
            '.' if text[at + 1..].starts_with(|next: char| next.is_ascii_digit()) => number(text, at)?,
            _ if is_word_start(first) => {
                let length = text[at..].find(|one| !is_word(one)).unwrap_or(text.len() - at);
                (Token::Word(text[at..at + length].to_owned()), at + length)
            }
            _ => match SIGNS.iter().find(|sign| text[at..].starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), at + sign.len()),
                None => {
                    let error =
                        RuleError::new(format!("{first:?} means nothing here"), at..at + first.len_utf8());
                    return Err(match first {
                        '‘' | '’' | '“' | '”' => error.hint("write straight quotes"),
                        '#' => error.hint("a topic filter stands in double quotes"),
                        '&' => error.hint("write AND"),
                        '!' => error.hint("write NOT, or != for what is not equal"),
                        '~' => error.hint("write =~ for a topic that matches a filter"),
                        _ => error,
                    });
                }
            },
        };
        words.push(Spanned { token, span: at..end });
        at = end;
    }
    words.push(Spanned { token: Token::End, span: text.len()..text.len() });
    Ok(words)
}

fn is_word_start(one: char) -> bool {
    one.is_alphabetic() || one == '_'
}

fn is_word(one: char) -> bool {
    one.is_alphanumeric() || one == '_'
}

/// Behind white space and comments.
fn skip_space(text: &str, mut at: usize) -> Result<usize, RuleError> {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        if trimmed.starts_with("--") {
            at += trimmed.find('\n').unwrap_or(trimmed.len());
        } else if let Some(comment) = trimmed.strip_prefix("/*") {
            match comment.find("*/") {
                Some(length) => at += length + 4,
                None => {
                    return Err(
                        RuleError::new("a comment is not closed", at..at + 2).hint("close it with */")
                    );
                }
            }
        } else {
            return Ok(at);
        }
    }
}

/// A text in quotes; a quote inside is written twice, or behind a backslash.
fn quoted(text: &str, start: usize, quote: char) -> Result<(Token, usize), RuleError> {
    let mut value = String::new();
    let mut characters = text[start + 1..].char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                let Some((_, escaped)) = characters.next() else { break };
                match escaped {
                    'n' => value.push('\n'),
                    'r' => value.push('\r'),
                    't' => value.push('\t'),
                    '\\' | '\'' | '"' => value.push(escaped),
                    // As it stands: patterns are full of backslashes.
                    _ => value.extend(['\\', escaped]),
                }
            }
            _ if character != quote => value.push(character),
            _ if characters.peek().is_some_and(|(_, next)| *next == quote) => {
                characters.next();
                value.push(quote);
            }
            _ => return Ok((Token::Text(value, quote == '"'), start + at + 2)),
        }
    }
    Err(RuleError::new("a text is not closed", start..text.len()).hint(format!("close it with {quote}")))
}

fn number(text: &str, start: usize) -> Result<(Token, usize), RuleError> {
    let rest = &text[start..];
    if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
        let length = digits.find(|one: char| !one.is_ascii_hexdigit()).unwrap_or(digits.len());
        let end = start + 2 + length;
        return match i64::from_str_radix(&digits[..length], 16) {
            Ok(whole) => Ok((Token::Int(whole), end)),
            Err(_) => Err(RuleError::new("this is no hexadecimal number", start..end)),
        };
    }
    let mut end = start;
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    end = digits(end);
    let mut whole = true;
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        whole = false;
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            whole = false;
            end = digits(end + 1 + sign);
        }
    }
    if text[end..].starts_with(is_word) {
        let length = text[end..].find(|one| !is_word(one)).unwrap_or(text.len() - end);
        let wrong =
            RuleError::new(format!("{} is no number", &text[start..end + length]), start..end + length);
        let is_duration = ["ms", "s", "m", "h", "d"].contains(&&text[end..end + length]);
        return Err(match is_duration {
            true => wrong.hint(format!("a time is a text: '{}'", &text[start..end + length])),
            false => wrong,
        });
    }
    let digits = &text[start..end];
    if whole && let Ok(number) = digits.parse() {
        return Ok((Token::Int(number), end));
    }
    match digits.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok((Token::Float(number), end)),
        _ => Err(RuleError::new(format!("{digits} is too large a number"), start..end)),
    }
}
