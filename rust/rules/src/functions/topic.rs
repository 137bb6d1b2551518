//! Topics and topic filters as texts; what the topic of the message is, is not asked here.

use super::results::wrong;
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::{Object, Value};

const GROUP: &str = "Topics";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "topic_matches(topic, filter)",
        what: "Whether a topic filter matches a topic; wildcards at the first level do not match topics that begin \
               with `$`.",
        examples: &[
            ("topic_matches('sensors/roof/temp', 'sensors/+/temp')", "true"),
            ("topic_matches('sensors', 'sensors/#')", "true"),
            ("topic_matches('$SYS/uptime', '#')", "false"),
        ],
        least: 2,
        most: 2,
        ..Function::new("topic_matches", GROUP, topic_matches)
    },
    Function {
        usage: "topic_fields(topic, pattern)",
        what: "The levels of a topic by the names that a pattern such as `sensors/{place}/temp` gives them, as an object; \
               null if the topic does not fit. `+` and `#` may be in the pattern.",
        examples: &[
            (
                "topic_fields('sensors/roof/temp', 'sensors/{place}/{kind}')",
                "{\"place\": \"roof\", \"kind\": \"temp\"}",
            ),
            ("topic_fields('lamps/roof', 'sensors/{place}')", "null"),
        ],
        least: 2,
        most: 2,
        ..Function::new("topic_fields", GROUP, topic_fields)
    },
];

fn topic_matches<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (topic, filter) = (args.text(0)?, args.text(1)?);
    compare(&topic, &filter, |_, _| false).map(Value::Bool)
}

fn topic_fields<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (topic, pattern) = (args.text(0)?, args.text(1)?);
    let mut fields = Object::default();
    let matches = compare(&topic, &pattern, |level, pattern| {
        let name = pattern.strip_prefix('{').and_then(|name| name.strip_suffix('}'));
        fields.0.extend(name.map(|name| (name.to_owned().into(), Value::text(level))));
        name.is_some()
    })?;
    Ok(if matches { Value::Object(fields) } else { Value::Null })
}

/// Compares level by level; `fits` may let other levels pass than those that are the same.
fn compare(topic: &str, filter: &str, mut fits: impl FnMut(&str, &str) -> bool) -> Result<bool, Wrong> {
    let misplaced = |level: &str| level.len() > 1 && level.contains(['+', '#']);
    let multi = filter.strip_suffix('#').filter(|rest| rest.is_empty() || rest.ends_with('/'));
    if filter.is_empty() || filter.split('/').any(misplaced) || multi.unwrap_or(filter).contains('#') {
        return wrong("this is no topic filter: `+` and `#` are levels of their own, and `#` is the last");
    }
    if topic.starts_with('$') && filter.starts_with(['+', '#']) {
        return Ok(false); // [MQTT-4.7.2-1]
    }
    let mut levels = topic.split('/');
    for pattern in filter.split('/') {
        match (levels.next(), pattern) {
            (_, "#") => return Ok(true),
            (Some(_), "+") => {}
            (Some(level), _) if level == pattern || fits(level, pattern) => {}
            _ => return Ok(false),
        }
    }
    Ok(levels.next().is_none())
}
