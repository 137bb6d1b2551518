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
    assert_eq!(RuleBuilder::parse(itself, &[]).unwrap_err().what, "the column `a` is not made of itself");
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

#[test]
fn items_of_an_array_take_time_in_proportion() {
    let items: Vec<_> = (0..30_000).map(|n| format!("{{\"v\":{n}}}")).collect();
    let message = message("t", format!("{{\"l\":[{}]}}", items.join(",")).as_bytes());
    let began = std::time::Instant::now();
    let throttled = rule("FOREACH payload.l AS i DO i.v FROM \"#\" THROTTLE '1s'");
    assert_eq!(run(&throttled, &message, START).unwrap().len(), 1);
    let changed = rule("FOREACH payload.l AS i DO i.v, delta(i.v) AS d INCASE i.v > 29990 FROM \"#\"");
    assert_eq!(run(&changed, &message, START).unwrap().last().unwrap(), r#"{"v":29999,"d":1}"#);
    assert!(began.elapsed().as_secs() < 10, "{:?}", began.elapsed());
}

#[test]
fn a_column_that_remembers_is_one_wherever_it_is_named() {
    let rule = rule("SELECT delta(payload) AS d, d * 2 AS twice FROM \"#\" WHERE d > 5");
    let results = [b"0".as_slice(), b"10", b"12", b"30"]
        .map(|payload| run(&rule, &message("t", payload), START).unwrap());
    assert_eq!(results.concat(), [r#"{"d":10,"twice":20}"#, r#"{"d":18,"twice":36}"#]);
}

#[test]
fn a_rule_that_was_switched_off_knows_nothing_of_what_came_meanwhile() {
    let rule = rule("SELECT topic FROM \"s/#\" ABSENT FOR '1s'");
    run(&rule, &message("s/1", b"1"), START).unwrap();
    rule.resume(START + 5000);
    assert!(common::tick(&rule, START + 5500).is_empty());
    assert_eq!(common::tick(&rule, START + 6000), [r#"{"topic":"s/1"}"#]);
    assert!(common::tick(&rule, START + 9000).is_empty());
}

#[test]
fn values_that_are_kept_are_bounded_by_their_size() {
    let rule = rule("SELECT collect(payload) AS all FROM \"#\" GROUP BY topic, tumbling('1h')");
    let large = vec![b'x'; 4000];
    let mut evicted = 0;
    for index in 0..50_000 {
        let message = message(&format!("t/{}", index % 90), &large);
        evicted += rule.run(&message, START, None, &mut |_| {}).evicted;
    }
    // 200 MB came, and 128 MiB are kept.
    assert!((10_000..30_000).contains(&evicted), "{evicted}");
}

#[test]
fn whole_numbers_are_added_up_exactly() {
    let rule = rule("SELECT sum(payload.v) AS s FROM \"#\" GROUP BY tumbling('1s')");
    run(&rule, &message("t", br#"{"v":9007199254740993}"#), START).unwrap();
    run(&rule, &message("t", br#"{"v":1}"#), START).unwrap();
    assert_eq!(common::tick(&rule, START + 1000), [r#"{"s":9007199254740994}"#]);
}

#[test]
fn what_is_put_into_json_stays_what_it_is() {
    let sql = "SELECT payload.o AS o, payload.n AS n FROM \"#\"";
    let mut builder = RuleBuilder::parse(sql, &[]).unwrap();
    for template in [r#"{"data":"${o}"}"#, r#"{"all":"${.}","n":${n},"t":"${upper(topic)}"}"#] {
        builder.template(template).unwrap();
    }
    let (rule, templates) = builder.build(1).unwrap();
    let payload = br#"{"o":{"n":"x\",\"admin\":true,\"z\":\""},"n":"a\"b"}"#;
    let trial = hookmq_rules::trial::try_rule(&rule, &templates, &message("ö", payload), START, None);
    let text = |index: usize| String::from_utf8(trial.rendered[0][index].clone().unwrap()).unwrap();
    let data: serde_json::Value = serde_json::from_str(&text(0)).unwrap();
    let inner: serde_json::Value = serde_json::from_str(data["data"].as_str().unwrap()).unwrap();
    assert_eq!(inner, serde_json::json!({"n": "x\",\"admin\":true,\"z\":\""}));
    let all: serde_json::Value = serde_json::from_str(&text(1)).unwrap();
    assert_eq!((&all["n"], &all["t"]), (&"a\"b".into(), &"Ö".into()));
    assert!(serde_json::from_str::<serde_json::Value>(all["all"].as_str().unwrap()).is_ok());
    // The places of templates are not those of the rule.
    assert!(trial.steps.iter().all(|step| step.end <= sql.len()));
}
