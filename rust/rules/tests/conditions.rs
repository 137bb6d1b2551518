//! Conditions against payloads, as a table; and any text against the parser.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::panic)]

use hookmq_rules::Condition;
use proptest::prelude::*;

const PAYLOAD: &[u8] =
    br#"{"level": 12, "flow": 1.5, "state": "open", "on": true, "off": false, "none": null,
    "tags": ["a", "b"], "deep": {"er": [{"x": -3}]}, "flow rate": 7, "big": 9007199254740993}"#;

#[test]
fn conditions_hold() {
    for text in [
        "level < 20",
        "level <= 12",
        "level == 12",
        "level = 12.0",
        "level != 13",
        "level <> 13",
        "20 > level",
        "flow == 1.5",
        "flow > 1",
        "state == 'open'",
        "state == \"open\"",
        "state != 'shut'",
        "'a' < state",
        "on",
        "not off",
        "on == true",
        "off == false",
        "none is null",
        "missing is null",
        "level is not null",
        "none == null",
        "tags[1] == 'b'",
        "deep.er[0].x == -3",
        "['flow rate'] == 7",
        "level in (1, 12)",
        "level not in (1, 2)",
        "state in ('open', 'shut') and level < 20",
        "level > 20 or flow < 2",
        "not (level > 20 and flow < 2)",
        "level < 20 AND NOT off",
        "not missing == 1",
        "level != 'text'",
        "flow < level",
        "level == 1.2e1",
        "state == 'o''pen' or state == 'open'",
        "missing not in (1)",
        "big == 9007199254740993 or big > 9007199254740992",
        "tags != 1",
        "deep is not null",
        "not not on",
    ] {
        let condition: Condition = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(condition.holds(PAYLOAD), "{text}");
        assert!(!condition.holds(b"{"), "{text}");
    }
}

#[test]
fn conditions_do_not_hold() {
    for text in [
        "level > 12",
        "level < 12",
        "level == '12'",
        "state < 5",
        "state > 5",
        "missing == 1",
        "missing != 1",
        "missing < 1",
        "off",
        "none",
        "level",
        "state",
        "none == 0",
        "on == 1",
        "tags == 'a'",
        "deep.er[1].x == -3",
        "level in (1, 2)",
        "level is null",
        "1 == 2",
        "tags[0].x == 1",
    ] {
        let condition: Condition = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
        assert!(!condition.holds(PAYLOAD), "{text}");
    }
}

#[test]
fn what_is_no_condition_says_where() {
    for (text, at) in [
        ("", 1),
        ("level <", 8),
        ("level < 20 and", 15),
        ("level ! 20", 7),
        ("(level < 20", 12),
        ("level < 20)", 11),
        ("level < 20 20", 12),
        ("5", 2),
        ("level < 'x", 9),
        ("level is 5", 10),
        ("level in 5", 10),
        ("1x == 2", 1),
        ("level in (1", 12),
        ("- state == 1", 3),
        ("level < 20 && on", 12),
        ("a..b == 1", 3),
    ] {
        let error = text.parse::<Condition>().map(|_| ()).unwrap_err();
        assert_eq!(error.at, at, "{text}: {error}");
    }
    assert!("(".repeat(100_000).parse::<Condition>().is_err());
    assert!("not ".repeat(100_000).parse::<Condition>().is_err());
}

proptest! {
    #[test]
    fn no_text_does_harm(text in "[a-c0-9 .'\"()\\[\\]<>=!,\\-]{0,40}", payload in ".{0,40}") {
        if let Ok(condition) = text.parse::<Condition>() {
            condition.holds(payload.as_bytes());
            condition.holds(PAYLOAD);
        }
    }
}
