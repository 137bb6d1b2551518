//! What a rule may cost, whoever writes it and whatever comes.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use common::{START, message, rule, run};
use hookmq_rules::RuleBuilder;

#[test]
fn columns_in_one_another_do_not_grow_without_end() {
    let columns: Vec<_> = (1..60).map(|n| format!("c{} + c{} AS c{n}", n - 1, n - 1)).collect();
    let sql = format!("SELECT payload.x AS c0, {} FROM \"#\"", columns.join(", "));
    let error = RuleBuilder::parse(&sql, &[]).unwrap_err();
    assert_eq!(error.what, "the rule becomes too long with this");
    let itself = "SELECT a + 1 AS a FROM \"#\"";
    assert_eq!(RuleBuilder::parse(itself, &[]).unwrap_err().what, "there is no field `a`");
}

#[test]
fn groups_are_bounded_and_counted() {
    let rule = rule("SELECT topic FROM \"#\" WHERE changed(payload)");
    for index in 0..1000 {
        run(&rule, &message(&format!("t/{index}"), b"1"), START).unwrap();
    }
    assert_eq!(rule.groups(), (100, 900));
}

#[test]
fn large_objects_take_time_in_proportion() {
    let entries: Vec<_> = (0..100_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let object = format!("{{{}}}", entries.join(","));
    let payload = format!("{{\"a\":{object},\"b\":{object}}}");
    let message = message("t", payload.as_bytes());
    let began = std::time::Instant::now();
    let rows = run(&rule("SELECT payload.a = payload.b AS same FROM \"#\""), &message, START).unwrap();
    assert_eq!(rows, [r#"{"same":true}"#]);
    run(&rule("SELECT payload.a.*, 1 AS k5 FROM \"#\""), &message, START).unwrap();
    let row = format!("SELECT {} FROM \"#\"", "payload.a.k1 AS x");
    run(&rule(&row), &message, START).unwrap();
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
}
