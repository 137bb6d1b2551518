//! Texts that are wrong, and what is said of each, as people read it.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::panic)]

use hookmq_rules::{RuleBuilder, RuleError};

/// A rule, and a template of it behind `$ `; indented what is said of the one that is wrong.
const TABLE: &str = include_str!("cases/errors.txt");

/// The indent of what is said.
const INDENT: &str = "    ";

/// The error of a text, as it is shown.
fn rendered(text: &str) -> Option<String> {
    let (sql, template) = match text.split_once("\n$ ") {
        Some((sql, template)) => (sql, Some(template)),
        None => (text, None),
    };
    let externs = ["my_function".to_owned()];
    let shown = |text: &str, error: RuleError| Some(error.render(text));
    match (RuleBuilder::parse(sql, &externs), template) {
        (Err(error), _) => shown(sql, error),
        (Ok(mut builder), Some(template)) => {
            builder.template(template).err().and_then(|error| shown(template, error))
        }
        (Ok(_), None) => None,
    }
}

#[test]
fn errors_are_shown_as_the_table_says() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for case in TABLE.split("\n\n") {
        count += 1;
        let said =
            case.find(&format!("\n{INDENT}line ")).unwrap_or_else(|| panic!("nothing is said of {case}"));
        let text = &case[..said];
        let lines = case[said + 1..].lines().map(|line| line.strip_prefix(INDENT).unwrap_or(line));
        let expected = lines.collect::<Vec<_>>().join("\n");
        match rendered(text) {
            Some(given) if given == expected => {}
            given => wrong.push(format!("{text}\n{}", given.as_deref().unwrap_or("nothing is wrong"))),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(count >= 100, "{count}");
}

#[test]
fn a_rule_that_is_too_long_is_refused_at_once() {
    let text = format!("SELECT '{}' FROM \"t\"", "x".repeat(64 << 10));
    let error = RuleBuilder::parse(&text, &[]).unwrap_err();
    assert_eq!(error.to_string(), "a rule has at most 65536 bytes");
    assert_eq!(error.place(&text), (1, 1, 1));
}

#[test]
fn places_are_counted_in_characters_also_behind_what_is_wider_than_a_byte() {
    let text = "SELECT 'größe °C 温度', x FROM \"t\"";
    let error = RuleBuilder::parse(text, &[]).unwrap_err();
    assert_eq!(&text[error.span.clone()], "x");
    assert_eq!(error.place(text), (1, 23, 1));
    let line = error.render(text).lines().nth(2).unwrap().to_owned();
    assert!(line.starts_with(&format!("   | {}^ ", " ".repeat(22))), "{line}");
}

#[test]
fn a_part_that_goes_over_lines_is_marked_to_the_end_of_its_first() {
    let text = "SELECT topic\r\nFROM \"t\" WHERE [1,\r\n2]";
    let error = RuleBuilder::parse(text, &[]).unwrap_err();
    assert_eq!(&text[error.span.clone()], "[1,\r\n2]");
    let (line, column, _) = error.place(text);
    assert_eq!((line, column), (2, 16));
    assert_eq!(error.render(text).lines().nth(1), Some(" 2 | FROM \"t\" WHERE [1,"));
}
