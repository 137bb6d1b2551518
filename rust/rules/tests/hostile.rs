//! Texts and payloads that somebody made to do harm: nothing panics, hangs, or fills the memory.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cases;
mod common;
mod soup;

use std::time::{Duration, Instant};

use cases::{FILES, rules};
use common::{START, message, rule};
use hookmq_rules::sample::Sample;
use hookmq_rules::{Fired, Object, RuleBuilder, RuleError, Value};
use proptest::collection::vec;
use proptest::prelude::*;
use soup::{any_mutation, any_payload, any_word};

/// The longest text of a rule.
const LONGEST: usize = 64 << 10;

/// Any text is read, or refused, in this time.
const SOON: Duration = Duration::from_secs(1);

/// The time that this thread works: others may have the processor as well. Where the system does not tell, what goes by.
struct Watch {
    worked: Option<Duration>,
    begun: Instant,
}

impl Watch {
    fn start() -> Self {
        Self { worked: Self::worked(), begun: Instant::now() }
    }

    fn worked() -> Option<Duration> {
        let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
        text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    }

    fn elapsed(&self) -> Duration {
        match (self.worked, Self::worked()) {
            (Some(before), Some(now)) => now - before,
            _ => self.begun.elapsed(),
        }
    }
}

/// The places of an error are inside of the text, and it can be shown.
fn is_sound(error: &RuleError, text: &str) {
    assert!(error.span.start <= error.span.end && error.span.end <= text.len(), "{error:?} of {text:?}");
    assert!(text.is_char_boundary(error.span.start) && text.is_char_boundary(error.span.end), "{error:?}");
    let (line, column, length) = error.place(text);
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(
        line <= lines.len() && column + length - 1 <= lines[line - 1].chars().count() + 1,
        "{error:?} of {text:?}"
    );
    assert!(error.render(text).starts_with(&format!("line {line}, column {column}: {}", error.what)));
}

/// No number in it is none.
fn has_only_numbers(value: &Value<'_>) -> bool {
    match value {
        Value::Float(number) => number.is_finite(),
        Value::Array(items) => items.iter().all(has_only_numbers),
        Value::Object(object) => object.0.iter().all(|(_, value)| has_only_numbers(value)),
        _ => true,
    }
}

/// Reads a text as a rule; if it is one, runs it on messages, and lets time go by. Whether it is one.
fn survives(text: &str, payloads: &[Vec<u8>]) -> bool {
    let mut builder = match RuleBuilder::parse(text, &[]) {
        Ok(builder) => builder,
        Err(error) => {
            is_sound(&error, text);
            return false;
        }
    };
    for (_, span) in builder.clauses() {
        assert!(text.get(span).is_some());
    }
    assert!(builder.source_spans().into_iter().all(|span| text.get(span).is_some()));
    // A text is a template, too, if only of itself.
    let _ = builder.template(text);
    let (rule, templates) = builder.build(10).unwrap();
    let mut results = 0;
    let mut see = |fired: &mut Fired<'_, '_, '_>| {
        results += 1;
        let row = Value::Object(fired.row.clone());
        assert!(has_only_numbers(&row), "{text:?} gives {row:?}");
    };
    rule.begin(START);
    for (index, payload) in payloads.iter().enumerate() {
        let now = START + 700 * index as u64;
        let message = message(["sensors/roof/temp", "t", "$SYS/x", ""][index % 4], payload);
        let ran = rule.run(&message, now, None, &mut see);
        assert!(ran.failure.is_none_or(|failure| failure.span.end <= text.len().max(failure.span.start)));
        rule.tick(now, None, &mut see);
        let mut out = Vec::new();
        rule.run(&message, now, None, &mut |fired| {
            for template in &templates {
                let _ = fired.render(template, &mut out);
            }
        });
    }
    rule.tick(START + 1_000_000, None, &mut see);
    rule.run(&Sample::timer(), START, None, &mut see);
    true
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_words_do_no_harm(words in vec(any_word(), 0..40), payloads in vec(any_payload(), 3)) {
        survives(&words.join(" "), &payloads);
        survives(&format!("SELECT {} FROM \"#\"", words.join("")), &payloads);
    }

    #[test]
    fn rules_with_something_changed_do_no_harm(text in any_mutation(), payloads in vec(any_payload(), 6)) {
        survives(&text, &payloads);
    }

    #[test]
    fn any_characters_do_no_harm(
        text in "\\PC{0,80}",
        bytes in vec(any::<u8>(), 0..80),
        payload in any_payload(),
    ) {
        let payloads = [payload];
        survives(&text, &payloads);
        survives(&String::from_utf8_lossy(&bytes), &payloads);
        let quoted = format!("SELECT '{text}' AS x, payload.* FROM \"#\" WHERE payload LIKE \"{text}\"");
        survives(&quoted, &payloads);
    }

    #[test]
    fn any_templates_do_no_harm(
        text in "[${}.a-z'\"\\[\\]0-9+*é\\\\]{0,40}",
        words in vec(any_word(), 0..8),
        payload in any_payload(),
    ) {
        let mut builder = RuleBuilder::parse("SELECT payload.a AS a, payload.* FROM \"#\"", &[]).unwrap();
        for text in [text.clone(), format!("{{\"x\": \"${{{}}}\"}}", words.join(" ")), format!("{{{text}")] {
            if let Err(error) = builder.template(&text) {
                is_sound(&error, &text);
            }
        }
        let (rule, templates) = builder.build(1).unwrap();
        rule.run(&message("t", &payload), START, None, &mut |fired| {
            for template in &templates {
                let _ = fired.render(template, &mut Vec::new());
            }
        });
    }

    #[test]
    fn every_rule_of_the_tables_runs_on_any_payload(payloads in vec(any_payload(), 4)) {
        for case in FILES.iter().flat_map(|(_, text)| rules(text)) {
            assert!(survives(&case.sql, &payloads), "{}", case.sql);
        }
    }
}

/// A text as long as a rule may be, mostly of one part; in the part `@` is the number of it.
fn long(before: &str, part: &str, after: &str) -> String {
    let mut text = before.to_owned();
    for number in 0.. {
        let part = part.replace('@', &number.to_string());
        if text.len() + part.len() + after.len() > LONGEST {
            break;
        }
        text.push_str(&part);
    }
    text + after
}

#[test]
fn long_texts_are_read_or_refused_soon() {
    let from = " FROM \"#\"";
    for (before, part, after) in [
        ("", "SELECT ", ""),
        ("", "(", ""),
        ("", " ", ""),
        ("", "é", ""),
        ("", "-- x\n", ""),
        ("", "/* x */", ""),
        ("", "/* ", ""),
        ("", "\n", "SELECT"),
        ("SELECT ", "(", from),
        ("SELECT ", "((1)+", from),
        ("SELECT ", "[", from),
        ("SELECT ", "{a:", from),
        ("SELECT ", "- ", "1 FROM \"#\""),
        ("SELECT ", "+", "1 FROM \"#\""),
        ("SELECT ", "NOT ", "true FROM \"#\""),
        ("SELECT ", "abs(", from),
        ("SELECT ", "CASE WHEN ", from),
        ("SELECT ", "CASE ", from),
        ("SELECT CASE ", "WHEN true THEN 1 ", "END FROM \"#\""),
        ("SELECT ", "payload IN (", from),
        ("SELECT ", "payload[", from),
        ("SELECT payload", "[0]", from),
        ("SELECT payload", ".a", from),
        ("SELECT payload", ".", from),
        ("SELECT 1", "+1", from),
        ("SELECT 'a'", "||'a'", from),
        ("SELECT true", " AND true", from),
        ("SELECT true", " OR true", from),
        ("SELECT 1", " = 1", from),
        ("SELECT 1", " BETWEEN 1 AND 1", from),
        ("SELECT 1", " IS NULL", from),
        ("SELECT *", ", *", from),
        ("SELECT 0 AS z", ", 1 AS a@", from),
        ("SELECT 0", ", @", from),
        ("SELECT 0 AS z", ", payload.a@ AS a@", from),
        ("SELECT 0 AS z", ", topic AS a@.b", from),
        ("SELECT 0 AS z", ", a@", from),
        ("SELECT 0 AS z", ", a@ AS b@", from),
        ("SELECT topic", ", payload.*", from),
        ("SELECT [1", ",1", "] AS x FROM \"#\""),
        ("SELECT {b:1", ",a@:1", "} AS x FROM \"#\""),
        ("SELECT [1", ",payload.a@", "] AS x FROM \"#\""),
        ("SELECT [1", ",payload[@]", "] AS x FROM \"#\""),
        ("SELECT [1", ",round(1)", "] AS x FROM \"#\""),
        ("SELECT [1", ",delta(1)", "] AS x FROM \"#\""),
        ("SELECT [1", ",no_such_function(1)", "] AS x FROM \"#\""),
        ("SELECT concat('a'", ",'a'", ") AS x FROM \"#\""),
        ("SELECT 1 IN (1", ",1", ") AS x FROM \"#\""),
        ("SELECT round(", "1,", "1) AS x FROM \"#\""),
        ("SELECT [1", ",sum(1)", "] AS x FROM \"#\" GROUP BY tumbling('1s')"),
        ("SELECT [1", ",topic(@)", "] AS x FROM \"#\" GROUP BY tumbling('1s')"),
        ("SELECT topic FROM \"#\" GROUP BY topic", ",payload.a@", ""),
        ("SELECT topic FROM \"#\" GROUP BY topic", ",tumbling('1s')", ""),
        ("SELECT topic FROM \"#\" GROUP BY tumbling('1s'", ",'1s'", ")"),
        ("SELECT topic FROM \"#\"", ",\"a@\"", ""),
        ("SELECT topic FROM \"#\"", ",\"$events/client_connected\"", ""),
        ("SELECT topic FROM \"a", "/+", "\""),
        ("SELECT topic FROM \"", "#", "\""),
        ("SELECT topic FROM \"$events/", "client_", "\""),
        ("SELECT topic FROM \"#\" THROTTLE '", "1s", "'"),
        ("SELECT event FROM TIMER '", "every ", "'"),
        ("SELECT event FROM TIMER 'every ", "1m", "'"),
        ("SELECT event FROM TIMER 'daily", " 06:30,", "'"),
        ("SELECT event FROM TIMER 'every 1h", " on mon", "'"),
        ("SELECT event FROM TIMER 'cron 0", ",1", " * * * *'"),
        ("SELECT event FROM TIMER 'cron ", "*/1", " * * * *'"),
        ("SELECT ", "x", " FROM \"#\""),
        ("SELECT ", "x", "() FROM \"#\""),
        ("SELECT `", "x", "` FROM \"#\""),
        ("SELECT ", "1", " FROM \"#\""),
        ("SELECT 0.", "1", " FROM \"#\""),
        ("SELECT 0x", "f", " FROM \"#\""),
        ("SELECT 1e", "9", " FROM \"#\""),
        ("SELECT '", "\\'", "' FROM \"#\""),
        ("SELECT '", "''", "' FROM \"#\""),
        ("SELECT '", "x", " FROM \"#\""),
        ("SELECT '", "x\n", " FROM \"#\""),
        ("SELECT 'x' LIKE '", "%x", "' FROM \"#\""),
        ("SELECT regexp_matches(payload, '", "(a*)*", "') FROM \"#\""),
        ("SELECT regexp_matches(payload, '", "(", "') FROM \"#\""),
        ("SELECT regexp_matches(payload, '", "a{9}", "') FROM \"#\""),
        ("SELECT format('", "{}", "') FROM \"#\""),
        ("FOREACH payload.a AS s DO s.x", ", s.x@", from),
        ("FOREACH payload.a AS s DO [s", ", s", "] AS x FROM \"#\""),
    ] {
        let text = long(before, part, after);
        assert!(text.len() <= LONGEST);
        let begun = Watch::start();
        let error = RuleBuilder::parse(&text, &[]).err();
        error.iter().for_each(|error| is_sound(error, &text));
        assert!(begun.elapsed() < SOON, "{before}{part}{part}…{after} takes {:?}", begun.elapsed());
        survives(&text, &[br#"{"a": [1, 2], "b": "x"}"#.to_vec()]);
    }
}

#[test]
fn nested_payloads_are_read_or_refused() {
    let deep = |open: &str, inside: &str, close: &str, count: usize| {
        [open.repeat(count), inside.to_owned(), close.repeat(count)].concat().into_bytes()
    };
    let mut payloads = Vec::new();
    for count in [10, 63, 64, 65, 127, 128, 129, 50_000] {
        payloads.push(deep("[", "1", "]", count));
        payloads.push(deep("{\"a\":", "1", "}", count));
        payloads.push([vec![0x81; count], vec![0x01]].concat());
        payloads.push([[0xa1, 0x61, b'a'].repeat(count), vec![0x01]].concat());
        payloads.push([[0x81, 0xa1, b'a'].repeat(count), vec![0x01]].concat());
        payloads.push([vec![0xc1; count], vec![0x01]].concat());
    }
    for sql in [
        "SELECT payload.a AS a, payload.a.a.a AS b, payload[0][0] AS c FROM \"#\"",
        "SELECT payload.*, json_decode(payload) AS j, payload.a = payload.a AS same FROM \"#\"",
        "FOREACH flatten(json_decode(payload)) AS x DO x, [[x]] AS y FROM \"#\"",
        "SELECT collect(payload.a) AS all, last(payload) AS last FROM \"#\" GROUP BY payload.a, tumbling('1s')",
    ] {
        assert!(survives(sql, &payloads), "{sql}");
    }
}

#[test]
fn large_payloads_take_no_more_than_their_size_in_time() {
    let many =
        |count: usize, part: &dyn Fn(usize) -> String| (0..count).map(part).collect::<Vec<_>>().join(",");
    let object = format!("{{{}}}", many(50_000, &|key| format!("\"k{key}\":1")));
    let array = format!("[{}]", many(50_000, &|item| item.to_string()));
    let payload =
        format!("{{\"o\": {object}, \"p\": {object}, \"l\": {array}, \"t\": \"{}\"}}", "a".repeat(200_000));
    for sql in [
        "SELECT payload.o.* FROM \"#\"",
        "SELECT payload.o.*, payload.p.*, 1 AS k7 FROM \"#\"",
        "SELECT payload.o = payload.p AS same, payload.l = payload.l AS also FROM \"#\"",
        "SELECT payload.o IN [payload.p, 1] AS within, payload.l[-1] AS last FROM \"#\"",
        "SELECT changed(payload.l) AS c, previous(payload.o) AS p FROM \"#\"",
        "SELECT payload.t LIKE '%a%a%a%b' AS x, payload.t || payload.t AS y FROM \"#\"",
        "FOREACH payload.l AS n DO n FROM \"#\"",
        "SELECT collect(payload.l) AS all, first(payload.o) AS o FROM \"#\" GROUP BY payload.t, tumbling('1s')",
    ] {
        let rule = rule(sql);
        let message = message("t", payload.as_bytes());
        let begun = Watch::start();
        let ran = rule.run(&message, START, None, &mut |fired| assert!(!fired.row.0.is_empty()));
        // What is quadratic takes minutes.
        assert!(begun.elapsed() < Duration::from_secs(5), "{sql}: {:?}", begun.elapsed());
        assert!(ran.failure.is_none(), "{sql}: {:?}", ran.failure);
    }
}

#[test]
fn many_topics_are_remembered_up_to_the_bound() {
    const BOUND: usize = 10_000;
    const TOPICS: usize = 25_000;
    for sql in [
        "SELECT topic FROM \"#\" THROTTLE '1m'",
        "SELECT topic FROM \"#\" WHERE changed(payload)",
        "SELECT topic, avg(payload) AS mean FROM \"#\" GROUP BY topic, tumbling('1h')",
        "SELECT topic, count(*) AS n FROM \"#\" GROUP BY topic, sliding('1h')",
        "SELECT topic FROM \"#\" ABSENT FOR '1h'",
        "SELECT topic FROM \"#\" GROUP BY topic, clientid, payload THROTTLE '1m'",
    ] {
        let rule = RuleBuilder::parse(sql, &[]).unwrap().build(BOUND).unwrap().0;
        for number in 0..TOPICS {
            let ran = rule.run(&message(&format!("t/{number}"), b"1"), START, None, &mut |_| ());
            assert!(ran.failure.is_none());
            assert!(rule.groups().0 <= BOUND, "{sql}");
        }
        assert_eq!(rule.groups(), (BOUND, (TOPICS - BOUND) as u64), "{sql}");
        let mut results = 0;
        rule.tick(START + 3_600_000, None, &mut |_| results += 1);
        assert_eq!(results, if rule.is_timed() { BOUND } else { 0 }, "{sql}");
    }
}

#[test]
fn groups_with_long_names_are_told_apart() {
    let rule = rule("SELECT payload.n AS n FROM \"#\" GROUP BY payload.name THROTTLE '1m'");
    let payload = |end: &str| format!("{{\"name\": \"{}{end}\", \"n\": 1}}", "ä".repeat(100_000));
    let results = |end| {
        let sample = message("t", payload(end).as_bytes());
        rule.run(&sample, START, None, &mut |_| ()).results
    };
    assert_eq!([results("a"), results("b"), results("a"), results("b")], [1, 1, 0, 0]);
}

#[test]
fn a_sample_without_anything_has_nothing() {
    let sample = Sample::new(Object::default()).unwrap();
    let rule = rule("SELECT * FROM \"#\"");
    let mut rows = 0;
    rule.run(&sample, 0, None, &mut |fired| {
        rows += 1;
        assert!(fired.row.0.iter().all(|(name, value)| {
            value.is_null() || matches!(value, Value::Text(text) if text.is_empty() || name == "event")
        }));
    });
    assert_eq!(rows, 1);
}
