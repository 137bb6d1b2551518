//! The tables in `cases/`: expressions and whole rules, what happens, and what comes of it.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cases;
mod common;

use cases::{Case, FILES, Step, expressions, rules};
use common::{START, message, rule, run};
use hookmq_rules::format::to_json;
use hookmq_rules::{Fired, RuleBuilder, Template, Value};

#[test]
fn expressions_give_what_the_table_says() {
    let mut wrong = Vec::new();
    let all = expressions(include_str!("cases/expressions.txt"));
    for one in &all {
        let rule = rule(&format!("SELECT {} AS x FROM \"#\"", one.text));
        let given = match run(&rule, &message("sensors/roof/temp", &one.payload), START).as_deref() {
            Ok([row]) => row.strip_prefix("{\"x\":").unwrap().strip_suffix('}').unwrap().to_owned(),
            Ok(rows) => panic!("{rows:?}"),
            Err(what) => format!("! {what}"),
        };
        if given != one.expected {
            wrong.push(format!(
                "expressions.txt:{}: {} gives {given}, not {}",
                one.line, one.text, one.expected
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(all.len() >= 150, "{}", all.len());
}

#[test]
fn rules_give_what_the_tables_say() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in FILES {
        for case in rules(text) {
            count += 1;
            play(name, &case, &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 120, "{count}");
}

/// Does what a case says, step by step; where something else comes of it, says so.
fn play(name: &str, case: &Case, wrong: &mut Vec<String>) {
    let sql = &case.sql;
    let mut builder = RuleBuilder::parse(sql, &[]).unwrap_or_else(|error| panic!("{}", error.render(sql)));
    for text in &case.templates {
        builder.template(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
    }
    let (rule, templates) = builder.build(100).unwrap();
    for (step, expected, line) in &case.steps {
        let mut given = Vec::new();
        let mut each = into(&mut given, &templates);
        let ran = match step {
            Step::Begin(at) => {
                rule.begin(START + at);
                continue;
            }
            Step::Tick(at) => rule.tick(START + at, None, &mut each).0,
            Step::Happens(at, occasion) => rule.run(&**occasion, START + at, None, &mut each),
        };
        drop(each);
        given.extend(ran.failure.map(|failure| format!("! {}", failure.what)));
        if given != *expected {
            let given = given.join("\n    ");
            wrong.push(format!("{name}.txt:{line}: {sql}\n  gives\n    {given}"));
        }
    }
}

/// What takes results down.
fn into<'g, 'a: 'g>(
    given: &'g mut Vec<String>,
    templates: &'a [Template],
) -> impl FnMut(&mut Fired<'_, 'a, '_>) + 'g {
    |fired| given.push(shown(fired, templates))
}

/// A result: as JSON, or as its templates have it.
fn shown<'a>(fired: &mut Fired<'_, 'a, '_>, templates: &'a [Template]) -> String {
    if templates.is_empty() {
        return to_json(&Value::Object(fired.row.clone()));
    }
    let mut render = |template| {
        let mut out = Vec::new();
        match fired.render(template, &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(failure) => format!("! {}", failure.what),
        }
    };
    templates.iter().map(&mut render).collect::<Vec<_>>().join(" | ")
}
