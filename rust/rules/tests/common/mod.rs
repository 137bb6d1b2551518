//! Rules on made-up messages.

// Each test file uses its part; in a test a panic is the report.
#![allow(dead_code, clippy::unwrap_used, clippy::panic)]

use hookmq_rules::format::{Format, decode, to_json};
use hookmq_rules::sample::Sample;
use hookmq_rules::{Object, Rule, RuleBuilder, Value};

/// The time of the first message: the beginning of 2026.
pub(crate) const START: u64 = 1_767_225_600_000;

/// A message of client `c1`, user `ann`, QoS 1.
pub(crate) fn message(topic: &str, payload: &[u8]) -> Sample {
    let value = |name: &'static str, value: Value<'static>| (name.into(), value);
    let attributes = vec![
        value("topic", Value::text(topic)),
        value("payload", Value::Bytes(payload.to_vec().into())),
        value("clientid", Value::text("c1")),
        value("username", Value::text("ann")),
        value("peerhost", Value::text("192.0.2.7")),
        value("qos", Value::Int(1)),
        value("retain", Value::Bool(false)),
        value("timestamp", Value::Int(START as i64)),
    ];
    Sample::new(Object(attributes)).unwrap()
}

/// Any other event, from JSON.
pub(crate) fn event(json: &str) -> Sample {
    match decode(json.as_bytes(), Format::Json).map(Value::into_owned) {
        Some(Value::Object(object)) => Sample::new(object).unwrap(),
        _ => unreachable!("an object"),
    }
}

pub(crate) fn rule(sql: &str) -> Rule {
    let builder = RuleBuilder::parse(sql, &[]).unwrap_or_else(|error| panic!("{}", error.render(sql)));
    builder.build(100).unwrap().0
}

/// The results of a message as JSON, or what failed.
pub(crate) fn run(rule: &Rule, sample: &Sample, now: u64) -> Result<Vec<String>, String> {
    let mut rows = Vec::new();
    let ran = rule.run(sample, now, None, &mut |fired| {
        rows.push(to_json(&Value::Object(fired.row.clone())));
    });
    ran.failure.map_or(Ok(rows), |failure| Err(failure.what))
}

/// The results that time brings.
pub(crate) fn tick(rule: &Rule, now: u64) -> Vec<String> {
    let mut rows = Vec::new();
    let (ran, _) = rule.tick(now, None, &mut |fired| rows.push(to_json(&Value::Object(fired.row.clone()))));
    assert_eq!(ran.failure, None);
    rows
}
