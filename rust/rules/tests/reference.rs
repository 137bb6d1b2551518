//! Any expressions on any payloads: they give what a plain evaluation of them gives.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;
mod plain;

use common::{START, message, rule, run};
use plain::{Fails, any_expression, any_payload, evaluate, written};
use proptest::prelude::*;
use serde_json::Value as Json;

/// So many, unless PROPTEST_CASES says how many.
const CASES: u32 = 5000;

fn config() -> ProptestConfig {
    let said = std::env::var_os("PROPTEST_CASES").is_some();
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if said { config } else { ProptestConfig { cases: CASES, ..config } }
}

/// What the rule language gives for an expression: the value of a column, which is null if there is none.
fn given(text: &str, payload: &Json) -> Result<Json, String> {
    let rule = rule(&format!("SELECT {text} AS x FROM \"#\""));
    let rows = run(&rule, &message("t", payload.to_string().as_bytes()), START)?;
    let row: Json = serde_json::from_str(&rows[0]).unwrap();
    Ok(row["x"].clone())
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
                return Err(TestCaseError::fail(format!("{text} on {payload} gives {given:?}, not {expected:?}")));
            }
        }
    }
}
