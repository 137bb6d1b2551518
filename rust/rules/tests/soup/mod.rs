//! Any payloads, and any texts that look like rules.

// In a test a panic is the report.
#![allow(clippy::unwrap_used)]

use hookmq_rules::functions;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value as Json;

use crate::cases::{FILES, rules};

fn any_json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<u64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        "\\PC{0,9}".prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let key = prop_oneof![
            select(vec!["a", "b", "v", "values", "sensors", "t", "id"]).prop_map(str::to_owned),
            "\\PC{0,5}"
        ];
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Json::from),
            vec((key, inner), 0..5).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// Payloads in all formats, whole, cut off and changed, and any bytes.
pub(crate) fn any_payload() -> impl Strategy<Value = Vec<u8>> {
    let written = || {
        (any_json(), 0..3).prop_map(|(json, format)| match format {
            0 => json.to_string().into_bytes(),
            1 => minicbor_serde::to_vec(&json).unwrap(),
            _ => rmp_serde::to_vec(&json).unwrap(),
        })
    };
    let changed =
        (written(), any::<Index>(), any::<u8>(), any::<bool>()).prop_map(|(mut bytes, at, byte, cut)| {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if cut {
                bytes.truncate(at);
            }
            bytes
        });
    let bytes = vec(any::<u8>(), 0..60);
    prop_oneof![4 => written(), 2 => changed, 1 => bytes, 1 => "\\PC{0,20}".prop_map(String::into_bytes)]
}

/// Words that mean something, and others.
pub(crate) fn any_word() -> impl Strategy<Value = String> {
    const WORDS: &[&str] = &[
        "SELECT",
        "FOREACH",
        "DO",
        "INCASE",
        "FROM",
        "WHERE",
        "GROUP",
        "BY",
        "HAVING",
        "ABSENT",
        "FOR",
        "THROTTLE",
        "AS",
        "AND",
        "OR",
        "NOT",
        "IN",
        "IS",
        "NULL",
        "TRUE",
        "BETWEEN",
        "LIKE",
        "CASE",
        "WHEN",
        "THEN",
        "ELSE",
        "END",
        "DIV",
        "MOD",
        "DISTINCT",
        "TIMER",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ".",
        ":",
        ";",
        "=",
        "<>",
        "<=",
        ">",
        "+",
        "-",
        "*",
        "/",
        "%",
        "$",
        "?",
        "=~",
        "||",
        "${",
        "payload",
        "payload.a",
        "topic",
        "item",
        "tumbling('1s')",
        "hopping('2s','1s')",
        "sliding('1s')",
        "avg(payload.v)",
        "count(*)",
        "became(",
        "delta(payload)",
        "window_end",
        "\"#\"",
        "\"a/+\"",
        "'1s'",
        "'every 1h'",
        "'x'",
        "`y`",
        "0",
        "1.5",
        "9223372036854775807",
        "1e308",
        "é",
        "-- x\n",
        "/* y */",
        "'",
        "\"",
        "\\",
    ];
    let call = select(functions::all().map(|function| function.name).collect::<Vec<_>>());
    prop_oneof![6 => select(WORDS).prop_map(str::to_owned), 1 => call.prop_map(|name| format!("{name}("))]
}

/// A rule of the tables with some characters or words changed.
pub(crate) fn any_mutation() -> impl Strategy<Value = String> {
    let all: Vec<String> = FILES.iter().flat_map(|(_, text)| rules(text)).map(|case| case.sql).collect();
    let change = (0..5, any::<Index>(), any::<Index>(), any_word(), any::<char>());
    (select(all.clone()), select(all), vec(change, 0..4)).prop_map(|(text, other, changes)| {
        let mut words: Vec<String> = text.split_inclusive([' ', '(', ')', ',']).map(str::to_owned).collect();
        let others: Vec<&str> = other.split_inclusive(' ').collect();
        for (kind, at, from, word, character) in changes {
            let (place, other) = (at.index(words.len() + 1), from.index(words.len()));
            match kind {
                0 if place < words.len() => drop(words.remove(place)),
                1 => words.insert(place, word + " "),
                2 => words.insert(place, others[from.index(others.len())].to_owned()),
                3 => words.insert(place, character.to_string()),
                _ if place < words.len() => words.swap(place, other),
                _ => {}
            }
            if words.is_empty() {
                break;
            }
        }
        words.concat()
    })
}
