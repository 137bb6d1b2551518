//! Any expressions on any payloads: they give what a plain evaluation of them gives.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod plain;

use common::{START, message, rule};
use hookmq_rules::Value;
use plain::{Fails, any_expression, any_payload, evaluate, written};
use proptest::prelude::*;
use serde_json::Value as Json;

/// So many, unless PROPTEST_CASES says how many.
const CASES: u32 = 10_000;

fn config() -> ProptestConfig {
    let said = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if said { config } else { ProptestConfig { cases: CASES, ..config } }
}

/// What the rule language gives for an expression: the value of a column, which is null if there is none.
fn given(text: &str, payload: &Json) -> Result<Json, String> {
    let rule = rule(&format!("SELECT {text} AS x FROM \"#\""));
    let message = message("t", payload.to_string().as_bytes());
    let mut given = Json::Null;
    let ran = rule.run(&message, START, None, &mut |fired| given = json(fired.row.get("x").unwrap()));
    ran.failure.map_or(Ok(given), |failure| Err(failure.what))
}

/// A value as JSON, not by way of a text: reading numbers from one may change their last digit.
fn json(value: &Value<'_>) -> Json {
    match value {
        Value::Missing | Value::Null => Json::Null,
        Value::Bool(value) => Json::from(*value),
        Value::Int(whole) => Json::from(*whole),
        Value::Float(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_ref()),
        Value::Bytes(_) => unreachable!("no payload has bytes"),
        Value::Array(items) => items.iter().map(json).collect(),
        Value::Object(object) => object.0.iter().map(|(key, one)| (key.to_string(), json(one))).collect(),
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn expressions_give_what_a_plain_evaluation_gives(
        expr in any_expression(),
        payload in any_payload(),
        looks in proptest::collection::vec(any::<u8>(), 1..200),
    ) {
        let text = written(&expr, &looks);
        match (given(&text, &payload), evaluate(&expr, &payload)) {
            (Ok(given), Ok(expected)) => {
                prop_assert_eq!(given, expected.unwrap_or_default(), "{} on {}", text, payload);
            }
            (Err(_), Err(Fails)) => {}
            (given, expected) => {
                let what = format!("{text} on {payload} gives {given:?}, not {expected:?}");
                return Err(TestCaseError::fail(what));
            }
        }
    }
}
