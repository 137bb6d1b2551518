//! The rule language: a text, a template and a payload, read and run.

use hookmq_rules::format::to_json;
use hookmq_rules::sample::Sample;
use hookmq_rules::trial::try_rule;
use hookmq_rules::{Fired, Object, Rule, RuleBuilder, RuleError, Template, Value};

/// Groups that a rule remembers here.
const GROUPS: usize = 3;

/// The beginning of 2026.
const START: u64 = 1_767_225_600_000;

/// Topics of the messages.
const TOPICS: [&str; 5] = ["sensors/roof/temp", "t", "a/b", "$SYS/x", ""];

/// Up to an empty line it is a rule, up to another a template, the rest a payload.
pub fn run(data: &[u8]) {
    let (text, rest) = part(data);
    let (template, payload) = part(rest);
    let (text, template) = (String::from_utf8_lossy(text), String::from_utf8_lossy(template));
    let mut builder = match RuleBuilder::parse(&text, &[]) {
        Ok(builder) => builder,
        Err(error) => return is_sound(&error, &text),
    };
    for (_, span) in builder.clauses() {
        assert!(text.get(span.clone()).is_some(), "{span:?}");
    }
    if let Err(error) = builder.template(&template) {
        is_sound(&error, &template);
    }
    let (rule, templates) = built(&builder);
    happen(&rule, &templates, payload);
    tries_as_it_runs(&builder, &text, payload);
}

fn built(builder: &RuleBuilder) -> (Rule, Vec<Template>) {
    match builder.build(GROUPS) {
        Ok(built) => built,
        Err(error) => unreachable!("what was read is not built: {error}"),
    }
}

/// What is before an empty line, and what is behind it.
fn part(data: &[u8]) -> (&[u8], &[u8]) {
    match data.windows(2).position(|two| two == b"\n\n") {
        Some(at) => (&data[..at], &data[at + 2..]),
        None => (data, b""),
    }
}

/// An error is somewhere in the text, and can be shown.
fn is_sound(error: &RuleError, text: &str) {
    assert!(text.get(error.span.clone()).is_some(), "{error:?}");
    let (line, column, _) = error.place(text);
    assert!(error.render(text).starts_with(&format!("line {line}, column {column}: ")));
}

fn message(topic: &str, payload: &[u8]) -> Sample {
    let attributes = vec![
        ("topic".into(), Value::text(topic)),
        ("payload".into(), Value::Bytes(payload.to_vec().into())),
        ("clientid".into(), Value::text("c1")),
        ("qos".into(), Value::Int(1)),
    ];
    match Sample::new(Object(attributes)) {
        Ok(sample) => sample,
        Err(what) => unreachable!("{what}"),
    }
}

/// Messages on some topics, beginnings of the payload among them, and time that goes by.
fn happen(rule: &Rule, templates: &[Template], payload: &[u8]) {
    let samples: Vec<Sample> = TOPICS
        .iter()
        .enumerate()
        .map(|(index, topic)| message(topic, &payload[..payload.len() / (index + 1)]))
        .collect();
    let mut out = Vec::new();
    rule.begin(START);
    for (at, sample) in (0..).zip(&samples) {
        let now = START + at * 700;
        rule.run(sample, now, None, &mut |fired: &mut Fired<'_, '_, '_>| {
            holds_only_numbers(&Value::Object(fired.row.clone()));
            for template in templates {
                out.clear();
                // What fails says so.
                let _ = fired.render(template, &mut out);
            }
        });
        let (_, due) = rule.tick(now, None, &mut |_| ());
        assert!(due > now, "it is due at once again");
        assert!(rule.groups().0 <= GROUPS);
    }
    let (ran, _) = rule.tick(START + 10_000_000, None, &mut |fired| {
        holds_only_numbers(&Value::Object(fired.row.clone()));
    });
    assert!(ran.results as usize <= GROUPS * 1000, "{} results", ran.results);
}

/// No number in it is none.
fn holds_only_numbers(value: &Value<'_>) {
    match value {
        Value::Float(number) => assert!(number.is_finite()),
        Value::Array(items) => items.iter().for_each(holds_only_numbers),
        Value::Object(object) => object.0.iter().for_each(|(_, value)| holds_only_numbers(value)),
        _ => {}
    }
}

/// A trial gives what a run gives, unless chance is asked.
fn tries_as_it_runs(builder: &RuleBuilder, text: &str, payload: &[u8]) {
    let text = text.to_ascii_lowercase();
    if ["rand", "uuid"].iter().any(|chance| text.contains(chance)) {
        return;
    }
    let shown = |row: &Object<'_>| to_json(&Value::Object(row.clone()));
    let sample = message("t", payload);
    let (rule, _) = built(builder);
    let mut rows = Vec::new();
    let ran = rule.run(&sample, START, None, &mut |fired| rows.push(shown(fired.row)));
    let (rule, templates) = built(builder);
    let trial = try_rule(&rule, &templates, &sample, START, None);
    assert_eq!(trial.results.iter().map(shown).collect::<Vec<_>>(), rows);
    assert_eq!((trial.passed, trial.failure), (ran.passed, ran.failure));
}
