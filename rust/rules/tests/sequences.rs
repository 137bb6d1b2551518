//! Windows, silences and THROTTLE on any messages at any times: they give what is found by looking at all messages.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::collections::BTreeMap;

use common::{START, message, rule, run, tick};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value as Json, json};

/// A message: when, on which topic, and what it says.
type Message = (u64, String, i64);

/// What happens after so many milliseconds: a message, or time is told.
#[derive(Debug, Clone)]
enum Step {
    Message(u64, u8, i64),
    Tick(u64),
}

fn any_steps() -> impl Strategy<Value = Vec<Step>> {
    // Often at the very edges of windows.
    let edge = || select(vec![0, 1, 999, 1000, 1001, 2000]);
    let wait = || prop_oneof![4 => 0u64..700, 2 => edge(), 1 => 0u64..9000];
    vec(
        prop_oneof![
            4 => (wait(), 0u8..3, -5i64..20).prop_map(|(wait, topic, one)| Step::Message(wait, topic, one)),
            2 => wait().prop_map(Step::Tick),
        ],
        1..60,
    )
}

fn parsed(rows: Vec<String>) -> Vec<Json> {
    rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
}

/// Runs a rule on the steps. `check` is given what came so far and the time: of every message, and of every tick.
fn play(
    sql: &str,
    steps: &[Step],
    mut check: impl FnMut(&[Message], u64, Option<Vec<Json>>, Option<Vec<Json>>) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let rule = rule(sql);
    rule.begin(START);
    let (mut now, mut all) = (START, Vec::new());
    for step in steps {
        match step {
            Step::Message(wait, topic, value) => {
                now += wait;
                let topic = format!("t/{topic}");
                let rows = run(&rule, &message(&topic, value.to_string().as_bytes()), now);
                let rows = rows.map_err(TestCaseError::fail)?;
                all.push((now, topic, *value));
                check(&all, now, Some(parsed(rows)), None)?;
            }
            Step::Tick(wait) => {
                now += wait;
                check(&all, now, None, Some(parsed(tick(&rule, now))))?;
            }
        }
    }
    now += 100_000;
    check(&all, now, None, Some(parsed(tick(&rule, now))))
}

/// What is gathered of the messages of a topic from one time up to, but without, another.
fn gathered(all: &[Message], topic: &str, from: u64, to: u64) -> Option<Json> {
    let inside = |(at, name, _): &&Message| name == topic && (from..to).contains(at);
    let values: Vec<i64> = all.iter().filter(inside).map(|(.., value)| *value).collect();
    let (low, high) = (values.iter().min()?, values.iter().max()?);
    Some(json!({
        "topic": topic,
        "n": values.len(),
        "sum": values.iter().sum::<i64>(),
        "low": low,
        "high": high,
        "spread": high - low,
        "first": values.first()?.to_string(),
        "last": values.last()?.to_string(),
        "different": values.iter().collect::<std::collections::BTreeSet<_>>().len(),
        "all": values.iter().map(i64::to_string).collect::<Vec<_>>(),
    }))
}

const COLUMNS: &str = "topic, count(*) AS n, sum(payload) AS sum, min(payload) AS low, max(payload) AS high, \
    spread(payload) AS spread, first(payload) AS first, last(payload) AS last, count(DISTINCT payload) AS different, \
    collect(payload) AS all";

fn topics(all: &[Message]) -> Vec<&str> {
    let mut topics: Vec<&str> = all.iter().map(|(_, topic, _)| topic.as_str()).collect();
    topics.sort_unstable();
    topics.dedup();
    topics
}

/// All windows of a topic that have closed, in their order.
fn windows(all: &[Message], topic: &str, size: u64, hop: u64, now: u64) -> Vec<Json> {
    let ends = (START / hop..=now / hop).map(|number| number * hop);
    let window = |end: u64| {
        let mut row = gathered(all, topic, end.saturating_sub(size), end)?;
        row["until"] = json!(end);
        Some(row)
    };
    ends.filter_map(window).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn windows_give_each_of_them_once_when_it_has_closed(steps in any_steps(), hops in 1u64..4) {
        let size = hops * 1000;
        let sql = format!(
            "SELECT {COLUMNS}, window_end AS until FROM \"#\" GROUP BY topic, hopping('{size}ms', '1s')"
        );
        let mut given: BTreeMap<String, Vec<Json>> = BTreeMap::new();
        play(&sql, &steps, |all, now, rows, ticked| {
            let told = ticked.is_some();
            for row in rows.into_iter().chain(ticked).flatten() {
                given.entry(row["topic"].as_str().unwrap().to_owned()).or_default().push(row);
            }
            for topic in topics(all) {
                let expected = windows(all, topic, size, 1000, now);
                let given = given.get(topic).map_or(&[][..], Vec::as_slice);
                // Without being told the time a topic's windows close with its next message.
                let is_last = all.last().is_some_and(|(_, last, _)| last == topic);
                match told || is_last {
                    true => prop_assert_eq!(given, &expected[..]),
                    false => prop_assert!(expected.starts_with(given), "{:?} {:?}", given, expected),
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn sliding_windows_give_with_each_message_what_came_in_the_time_before(
        steps in any_steps(),
        collects in any::<bool>(),
    ) {
        // With and without what makes a window keep all its values.
        let few = "topic, count(*) AS n, sum(payload) AS sum, max(payload) AS high";
        let columns = if collects { COLUMNS } else { few };
        let sql = format!("SELECT {columns} FROM \"#\" GROUP BY topic, sliding('2s')");
        play(&sql, &steps, |all, now, rows, ticked| {
            prop_assert_eq!(ticked.unwrap_or_default(), Vec::<Json>::new());
            let (Some(rows), Some((_, topic, _))) = (rows, all.last()) else { return Ok(()) };
            let mut expected = gathered(all, topic, now - 1999, now + 1).unwrap();
            if !collects {
                let few = ["topic", "n", "sum", "high"];
                expected.as_object_mut().unwrap().retain(|key, _| few.contains(&&**key));
            }
            prop_assert_eq!(rows, [expected]);
            Ok(())
        })?;
    }

    #[test]
    fn a_silence_is_told_once_when_it_has_lasted(
        steps in any_steps(),
        absent in select(vec![500u64, 1000, 3000]),
    ) {
        // One topic is named, of the others nothing is expected before they come.
        let sql = format!("SELECT topic, last_seen FROM \"t/0\", \"t/+\" ABSENT FOR '{absent}ms'");
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        play(&sql, &steps, |all, now, rows, ticked| {
            prop_assert_eq!(rows.unwrap_or_default(), Vec::<Json>::new());
            let Some(mut rows) = ticked else { return Ok(()) };
            let mut seen = BTreeMap::from([("t/0".to_owned(), START)]);
            seen.extend(all.iter().map(|(at, topic, _)| (topic.clone(), *at)));
            let mut expected = Vec::new();
            for (topic, last) in seen {
                if now - last >= absent && told.insert(topic.clone(), last) != Some(last) {
                    expected.push(json!({"topic": topic, "last_seen": last}));
                }
            }
            rows.sort_by_key(|row| row["topic"].to_string());
            prop_assert_eq!(rows, expected);
            Ok(())
        })?;
    }

    #[test]
    fn what_is_due_is_never_told_late(steps in any_steps()) {
        for (sql, after) in [
            ("SELECT topic FROM \"#\" ABSENT FOR '700ms'", 700),
            ("SELECT topic, count(*) AS n FROM \"#\" GROUP BY topic, tumbling('700ms')", 0),
        ] {
            let rule = rule(sql);
            let mut now = START;
            let mut due = u64::MAX;
            for step in &steps {
                let (Step::Message(wait, ..) | Step::Tick(wait)) = step;
                let until = now + wait;
                // Whoever waits as long as it is told misses nothing.
                while due <= until {
                    let (ran, next) = rule.tick(due, None, &mut |_| ());
                    prop_assert_eq!(ran.failure, None);
                    prop_assert!(next > due, "{} again at once", sql);
                    due = next;
                }
                now = until;
                let (before, _) = rule.tick(now, None, &mut |_| ());
                prop_assert_eq!(before.results, 0, "{} at {}", sql, now - START);
                if let Step::Message(_, topic, value) = step {
                    run(&rule, &message(&format!("t/{topic}"), value.to_string().as_bytes()), now).unwrap();
                    let (_, next) = rule.tick(now, None, &mut |_| ());
                    let latest = if after > 0 { now + after } else { (now / 700 + 1) * 700 };
                    prop_assert!(next > now && next <= latest, "{} {}", sql, next);
                    due = next;
                }
            }
        }
    }

    #[test]
    fn throttled_rules_give_one_result_in_a_time(
        steps in any_steps(),
        throttle in select(vec![1u64, 1000, 2500]),
    ) {
        let sql = format!("SELECT topic FROM \"#\" WHERE payload > 3 THROTTLE '{throttle}ms'");
        let mut last: BTreeMap<String, u64> = BTreeMap::new();
        play(&sql, &steps, |all, now, rows, _| {
            let (Some(rows), Some((_, topic, value))) = (rows, all.last()) else { return Ok(()) };
            let passes = *value > 3 && last.get(topic).is_none_or(|last| now - last >= throttle);
            if passes {
                last.insert(topic.clone(), now);
            }
            prop_assert_eq!(rows.len(), usize::from(passes));
            Ok(())
        })?;
    }

    #[test]
    fn what_was_before_is_that_of_the_topic(steps in any_steps()) {
        let sql = "SELECT previous(payload) AS previous, delta(payload) AS delta, changed(payload) AS changed, \
            became(payload > 3) AS became, hysteresis(payload, 10, 2) AS on, \
            lasting(payload > 3, '1s') AS lasting FROM \"#\"";
        play(sql, &steps, |all, now, rows, _| {
            let (Some(rows), Some((_, topic, value))) = (rows, all.last()) else { return Ok(()) };
            let own = all.iter().filter(|(_, name, _)| name == topic);
            let values: Vec<(u64, i64)> = own.map(|(at, _, value)| (*at, *value)).collect();
            let before = values.iter().rev().nth(1).map(|(_, value)| *value);
            let on = values.iter().fold(false, |on, (_, value)| *value >= 10 || on && *value > 2);
            let since = values.iter().rev().take_while(|(_, value)| *value > 3).last().map(|(at, _)| *at);
            prop_assert_eq!(rows, [json!({
                "previous": before.map(|value| value.to_string()),
                "delta": before.map(|before| value - before),
                "changed": before != Some(*value),
                "became": *value > 3 && before.is_none_or(|before| before <= 3),
                "on": on,
                "lasting": since.is_some_and(|since| now - since >= 1000),
            })]);
            Ok(())
        })?;
    }
}
