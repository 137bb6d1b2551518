//! Words of a condition.

use crate::SyntaxError;
use crate::path::{Path, is_word};

/// A word.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    Number(f64),
    Text(String),
    Path(Path),
    And,
    Or,
    Not,
    In,
    Is,
    True,
    False,
    Null,
    Compare(Comparison),
    Open,
    Close,
    Comma,
    Minus,
}

/// How two values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// Signs, the longer ones first.
const SIGNS: [(&str, Token); 12] = [
    ("==", Token::Compare(Comparison::Equal)),
    ("!=", Token::Compare(Comparison::Unequal)),
    ("<>", Token::Compare(Comparison::Unequal)),
    ("<=", Token::Compare(Comparison::LessOrEqual)),
    (">=", Token::Compare(Comparison::GreaterOrEqual)),
    ("=", Token::Compare(Comparison::Equal)),
    ("<", Token::Compare(Comparison::Less)),
    (">", Token::Compare(Comparison::Greater)),
    ("(", Token::Open),
    (")", Token::Close),
    (",", Token::Comma),
    ("-", Token::Minus),
];

/// The words of a text, each with where it begins, counted in characters from 1.
pub(crate) fn split(text: &str) -> Result<Vec<(Token, usize)>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let at = text[..text.len() - rest.len()].chars().count() + 1;
        let (token, length) = match SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
            Some((sign, token)) => (token.clone(), sign.len()),
            None => word(rest, first).map_err(|error| SyntaxError { at: at + error.at - 1, ..error })?,
        };
        tokens.push((token, at));
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn word(rest: &str, first: char) -> Result<(Token, usize), SyntaxError> {
    let wrong = |what: String| Err(SyntaxError { what, at: 1 });
    match first {
        '\'' | '"' => text(rest, first),
        '0'..='9' => {
            let is_number = |(at, character): &(usize, char)| {
                character.is_ascii_alphanumeric()
                    || *character == '.'
                    || matches!(character, '+' | '-') && rest[..*at].ends_with(['e', 'E'])
            };
            let length = rest.char_indices().take_while(is_number).map(|(at, one)| at + one.len_utf8());
            let length = length.last().unwrap_or(0);
            match rest[..length].parse::<f64>() {
                Ok(number) if number.is_finite() => Ok((Token::Number(number), length)),
                _ => wrong(format!("{} is no number", &rest[..length])),
            }
        }
        '[' => Path::parse_front(rest).map(|(path, length)| (Token::Path(path), length)),
        _ if is_word(first) => {
            let end = rest.find(|character| !is_word(character)).unwrap_or(rest.len());
            // SQL's words and Python's.
            let keyword = match rest[..end].to_ascii_lowercase().as_str() {
                _ if &rest[..end] == "None" => Token::Null,
                "and" => Token::And,
                "or" => Token::Or,
                "not" => Token::Not,
                "in" => Token::In,
                "is" => Token::Is,
                "true" => Token::True,
                "false" => Token::False,
                "null" => Token::Null,
                _ => return Path::parse_front(rest).map(|(path, length)| (Token::Path(path), length)),
            };
            Ok((keyword, end))
        }
        _ => wrong(format!("{first:?} means nothing here")),
    }
}

/// A text in quotes; a quote inside is written twice, or behind a backslash.
fn text(rest: &str, quote: char) -> Result<(Token, usize), SyntaxError> {
    let mut value = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, character)| character)),
            _ if character != quote => value.push(character),
            _ if characters.peek().is_some_and(|(_, next)| *next == quote) => {
                characters.next();
                value.push(quote);
            }
            _ => return Ok((Token::Text(value), at + 1)),
        }
    }
    Err(SyntaxError { what: "a text is not closed".to_owned(), at: 1 })
}
