//! Java's patterns of dates, which AWS IoT uses, as formats of `strftime`.

use super::Wrong;
use super::results::wrong;

/// The format that means the same as a pattern such as `yyyy-MM-dd'T'HH:mm:ss.SSSZ`.
pub(super) fn translated(pattern: &str) -> Result<String, Wrong> {
    let mut format = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix('\'') {
            rest = quoted(after, &mut format)?;
            continue;
        }
        let length = rest.chars().take_while(|character| *character == first).count();
        match first {
            'A'..='Z' | 'a'..='z' => format.push_str(&directive(first, length)?),
            '%' => format.push_str(&"%%".repeat(length)),
            _ => format.extend(std::iter::repeat_n(first, length)),
        }
        rest = &rest[length * first.len_utf8()..];
    }
    Ok(format)
}

/// Adds what stands in quotes, and gives what is behind them; two of them are one that is meant.
fn quoted<'t>(text: &'t str, format: &mut String) -> Result<&'t str, Wrong> {
    if let Some(after) = text.strip_prefix('\'') {
        format.push('\'');
        return Ok(after);
    }
    match text.split_once('\'') {
        Some((inside, after)) => {
            format.push_str(&inside.replace('%', "%%"));
            Ok(after)
        }
        None => wrong("a quote in the pattern is not closed"),
    }
}

fn directive(letter: char, length: usize) -> Result<String, Wrong> {
    let directive = match (letter, length) {
        ('y' | 'Y' | 'u', 2) => "%y",
        ('y' | 'Y' | 'u', _) => "%Y",
        ('M' | 'L', 1) => "%-m",
        ('M' | 'L', 2) => "%m",
        ('M' | 'L', 3) => "%b",
        ('M' | 'L', _) => "%B",
        ('d', 1) => "%-d",
        ('d', _) => "%d",
        ('D', _) => "%j",
        ('E', ..=3) => "%a",
        ('E', _) => "%A",
        ('e', 1) => "%u",
        ('w', _) => "%V",
        ('x', 4) => "%G",
        ('a', _) => "%p",
        ('H', 1) => "%-H",
        ('H', _) => "%H",
        ('h', 1) => "%-I",
        ('h', _) => "%I",
        ('m', 1) => "%-M",
        ('m', _) => "%M",
        ('s', 1) => "%-S",
        ('s', _) => "%S",
        ('S', 1..=9) => return Ok(format!("%{length}f")),
        ('Z', 1) => "%z",
        ('Z', 2) | ('X', 3) => "%:z",
        ('V', _) | ('Z', _) => "%:Q",
        ('z', _) => "%Z",
        _ => {
            return wrong(format!(
                "'{letter}' in a pattern of a date means nothing here; texts stand in single quotes"
            ));
        }
    };
    Ok(directive.to_owned())
}
