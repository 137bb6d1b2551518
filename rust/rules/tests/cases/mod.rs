//! Reading the tables.
//!
//! In `expressions.txt` a line `: PAYLOAD` says on what the lines below run, and those are `EXPRESSION => RESULT`, where a
//! result behind `!` is a failure.
//!
//! In the other files a case begins behind an empty line with the text of a rule. The lines that follow say what happens,
//! each with the time in milliseconds, and what comes of it:
//! - `@1000 sensors/roof PAYLOAD`: a message; `@1000 {"event": …}`: an event
//! - `@1000`: time goes by; `@1000 begin`: the rule begins
//! - `> RESULT`, `! FAILURE`
//! - `$ TEMPLATE`, before all of these: results are what it makes of them, those of several templates with ` | ` between
//!
//! A payload `0x…` is bytes. Lines with `#` in front are comments.

// Each test file uses its part; in a test a panic is the report.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use crate::common::{event, message};
use hookmq_rules::sample::Sample;

/// The tables of rules, and their names.
pub(crate) const FILES: [(&str, &str); 7] = [
    ("selecting", include_str!("selecting.txt")),
    ("foreach", include_str!("foreach.txt")),
    ("windows", include_str!("windows.txt")),
    ("silence", include_str!("silence.txt")),
    ("remembering", include_str!("remembering.txt")),
    ("occasions", include_str!("occasions.txt")),
    ("templates", include_str!("templates.txt")),
];

/// An expression, and what it gives.
pub(crate) struct Expression {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) expected: String,
}

/// A rule, and what happens.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) sql: String,
    pub(crate) templates: Vec<String>,
    /// What happens, what comes of it, and in which line it is written.
    pub(crate) steps: Vec<(Step, Vec<String>, usize)>,
}

pub(crate) enum Step {
    Begin(u64),
    Tick(u64),
    Happens(u64, Box<Sample>),
}

pub(crate) fn expressions(text: &str) -> Vec<Expression> {
    let (mut all, mut payload) = (Vec::new(), Vec::new());
    for (index, line) in text.lines().enumerate() {
        if let Some(text) = line.strip_prefix(": ") {
            payload = bytes(text);
        } else if !line.is_empty() && !line.starts_with('#') {
            let Some((text, expected)) = line.rsplit_once(" => ") else {
                panic!("line {}: no =>", index + 1)
            };
            let (text, expected) = (text.trim().to_owned(), expected.to_owned());
            all.push(Expression { line: index + 1, text, payload: payload.clone(), expected });
        }
    }
    all
}

pub(crate) fn rules(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    let mut begins = true;
    for (index, line) in text.lines().enumerate() {
        let inside = line.trim_start();
        match cases.last_mut() {
            _ if line.starts_with('#') => {}
            _ if inside.is_empty() => begins = true,
            Some(case) if !begins && inside.starts_with(['$', '@', '>', '!']) => case.add(inside, index + 1),
            Some(case) if !begins => case.sql = format!("{}\n{line}", case.sql),
            _ => {
                cases.push(Case { sql: line.to_owned(), ..Case::default() });
                begins = false;
            }
        }
    }
    cases
}

impl Case {
    fn add(&mut self, text: &str, line: usize) {
        let (mark, rest) = text.split_at(1);
        match (mark, self.steps.last_mut()) {
            ("$", _) => self.templates.push(rest.trim_start().to_owned()),
            ("@", _) => self.steps.push((step(rest), Vec::new(), line)),
            (">", Some((_, expected, _))) => expected.push(rest.trim_start().to_owned()),
            ("!", Some((_, expected, _))) => expected.push(text.to_owned()),
            _ => panic!("line {line}: {text}"),
        }
    }
}

fn step(text: &str) -> Step {
    let (at, what) = text.split_once(' ').unwrap_or((text, ""));
    let at = at.parse().unwrap();
    match what {
        "" => Step::Tick(at),
        "begin" => Step::Begin(at),
        json if json.starts_with('{') => Step::Happens(at, Box::new(event(json))),
        _ => {
            let (topic, payload) = what.split_once(' ').unwrap_or((what, ""));
            Step::Happens(at, Box::new(message(topic, &bytes(payload))))
        }
    }
}

fn bytes(text: &str) -> Vec<u8> {
    let Some(digits) = text.strip_prefix("0x") else { return text.as_bytes().to_vec() };
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
    (0..digits.len()).step_by(2).map(byte).collect()
}
