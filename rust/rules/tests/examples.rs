//! Every example in the documentation of a function.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{START, message, rule, run, tick};
use hookmq_rules::format::{Format, decode, to_json};
use hookmq_rules::{SPECIAL, Value, functions};

fn canonical(json: &str) -> String {
    to_json(&decode(json.as_bytes(), Format::Json).unwrap_or_else(|| panic!("{json} is no JSON")))
}

/// The one column of a row.
fn column(row: &str) -> String {
    match decode(row.as_bytes(), Format::Json) {
        Some(Value::Object(object)) => to_json(object.get("x").unwrap()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn examples_of_functions_give_what_they_say() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for function in functions::all() {
        for (expression, expected) in function.examples {
            count += 1;
            let sql = format!("SELECT {expression} AS x FROM \"#\"");
            let builder = match hookmq_rules::RuleBuilder::parse(&sql, &[]) {
                Ok(builder) => builder,
                Err(error) => {
                    wrong.push(error.render(&sql));
                    continue;
                }
            };
            let rule = builder.build(1).unwrap().0;
            match run(&rule, &message("sensors/roof/temp", b"{}"), START) {
                Ok(rows) if column(&rows[0]) == canonical(expected) => {}
                Ok(rows) => wrong.push(format!("{expression} gives {}, not {expected}", column(&rows[0]))),
                Err(what) => wrong.push(format!("{expression} fails: {what}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(functions::all().count() >= 120 && count >= 240, "{count}");
}

#[test]
fn examples_of_what_was_before_and_of_messages_give_what_they_say() {
    for one in SPECIAL {
        assert!(one.examples.len() >= 2, "{}", one.name);
        for (expression, payloads, expected) in one.examples {
            let now = |index: usize| START + 1000 * index as u64;
            let messages: Vec<_> =
                payloads.iter().map(|payload| message("sensors/roof/temp", payload.as_bytes())).collect();
            if one.group == "Aggregates" {
                let rule = rule(&format!("SELECT {expression} AS x FROM \"#\" GROUP BY tumbling('60s')"));
                for (index, message) in messages.iter().enumerate() {
                    assert_eq!(run(&rule, message, now(index)), Ok(vec![]), "{expression}");
                }
                let rows = tick(&rule, START + 60_000);
                assert_eq!(rows.len(), 1, "{expression}");
                assert_eq!(column(&rows[0]), canonical(expected), "{expression}");
            } else {
                let rule = rule(&format!("SELECT {expression} AS x FROM \"#\""));
                let results = messages.iter().enumerate().map(|(index, message)| {
                    let rows =
                        run(&rule, message, now(index)).unwrap_or_else(|what| panic!("{expression}: {what}"));
                    column(&rows[0])
                });
                let all = format!("[{}]", results.collect::<Vec<_>>().join(","));
                assert_eq!(all, canonical(expected), "{expression}");
            }
        }
    }
}
