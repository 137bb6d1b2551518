//! What holds for every function: the table is tidy, and no call panics or gives what no call may give.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::{Function, Surroundings, Wrong, all, find};
use crate::value::{LONGEST, Object, Value};

const SURROUNDINGS: Surroundings<'_> = Surroundings { now: 1_767_225_600_000, topic: "sensors/roof/temp" };

/// A call as the language makes it: null for null, unless the function wants to know.
fn call<'a>(function: &Function, args: &mut [Value<'a>]) -> Result<Value<'a>, Wrong> {
    assert!((function.least..=function.most).contains(&args.len()), "{}", function.name);
    match !function.takes_null && args.iter().any(Value::is_null) {
        true => Ok(Value::Null),
        false => (function.body)(&SURROUNDINGS, args),
    }
}

fn called<'a>(name: &str, args: &mut [Value<'a>]) -> Result<Value<'a>, Wrong> {
    call(find(name).unwrap(), args)
}

fn text(text: &str) -> Value<'_> {
    Value::Text(text.into())
}

#[test]
fn the_table_is_tidy() {
    let mut names = HashSet::new();
    for function in all() {
        let name = function.name;
        for known in std::iter::once(&name).chain(function.aliases) {
            assert!(names.insert(*known), "{known} is there twice");
            let word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
            assert!(known.chars().all(word), "{known} has other letters than small ones");
            assert_eq!(find(&known.to_uppercase()).map(|found| found.name), Some(name));
        }
        assert!(
            function.usage.starts_with(&format!("{name}(")) && function.usage.ends_with(')'),
            "{name}: usage"
        );
        assert!(function.what.ends_with('.') && !function.what.contains("  "), "{name}: what it gives");
        assert!(!function.group.is_empty(), "{name}: group");
        assert!(function.examples.len() >= 2, "{name}: examples");
        assert!(function.least <= function.most, "{name}: arguments");
        let calls_it = |(expression, _): &(&str, &str)| expression.contains(&format!("{name}("));
        let known = |example: &(&str, &str)| {
            calls_it(example) || function.aliases.iter().any(|alias| example.0.contains(alias))
        };
        assert!(function.examples.iter().any(known), "{name}: an example calls it");
        for (expression, result) in function.examples {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(result);
            assert!(parsed.is_ok(), "{expression} gives {result}, which is no JSON");
        }
    }
    assert!(all().count() >= 150);
    assert!(find("no_such_function").is_none());
}

#[test]
fn usages_name_as_many_arguments_as_are_taken() {
    for function in all() {
        let inside = function.usage.split_once('(').unwrap().1.strip_suffix(')').unwrap();
        let arguments: Vec<&str> = inside.split(", ").filter(|argument| !argument.is_empty()).collect();
        let variadic = inside.contains('…');
        assert_eq!(variadic, function.most == usize::MAX, "{}", function.usage);
        // `', '` in a default is no end of an argument.
        if !variadic && !inside.contains("', '") {
            assert_eq!(arguments.len(), function.most, "{}", function.usage);
            let needed = arguments.iter().filter(|argument| !argument.contains('=')).count();
            assert_eq!(needed, function.least, "{}", function.usage);
        }
    }
}

#[test]
fn errors_say_what_was_given_and_what_is_expected() {
    let table: [(&str, &mut [Value<'_>], &str); 9] = [
        ("abs", &mut [text("hot")], "argument 1 is a text, a number was expected"),
        ("substr", &mut [text("abc"), text("x")], "argument 2 is a text, a whole number was expected"),
        (
            "pad",
            &mut [text("a"), Value::Int(3), text("up")],
            "argument 3 is 'up', one of 'trailing', 'leading', 'both' was expected",
        ),
        (
            "sqrt",
            &mut [Value::Int(-1)],
            "the result is no number: it is too large, or not defined for these arguments",
        ),
        ("mod", &mut [Value::Int(1), Value::Int(0)], "nothing can be divided by 0"),
        (
            "repeat",
            &mut [text("ab"), Value::Int(1 << 40)],
            "the result would be longer than 1048576, which is the most that a call makes",
        ),
        (
            "topic_matches",
            &mut [text("a"), text("a/#/b")],
            "this is no topic filter: `+` and `#` are levels of their own, and `#` is the last",
        ),
        (
            "strftime",
            &mut [text("%Y"), Value::Int(i64::MAX)],
            "the time is not within the years -9999 to 9999",
        ),
        (
            "year",
            &mut [Value::Int(0), text("Mars/Base")],
            "the system knows no time zone 'Mars/Base'; 'Asia/Tokyo', '+09:00', 'Z' and 'local' are written so",
        ),
    ];
    for (name, args, message) in table {
        assert_eq!(called(name, args), Err(Wrong(message.to_owned())), "{name}");
    }
}

#[test]
fn whole_numbers_stay_exact_or_become_floats() {
    let most = i64::MAX;
    assert_eq!(called("abs", &mut [Value::Int(i64::MIN)]), Ok(Value::Float(9_223_372_036_854_775_808.0)));
    assert_eq!(called("round", &mut [Value::Int(most), Value::Int(2)]), Ok(Value::Int(most)));
    assert_eq!(called("mod", &mut [Value::Int(i64::MIN), Value::Int(-1)]), Ok(Value::Int(0)));
    assert_eq!(
        called("power", &mut [Value::Int(3), Value::Int(39)]),
        Ok(Value::Int(4_052_555_153_018_976_267))
    );
    assert_eq!(
        called("array_sum", &mut [Value::Array(vec![Value::Int(most - 1), Value::Int(1)])]),
        Ok(Value::Int(most))
    );
    assert!(called("div", &mut [Value::Int(i64::MIN), Value::Int(-1)]).is_err());
}

#[test]
fn replacements_and_formats_that_multiply_themselves_are_refused() {
    let long = "a".repeat(1000);
    let groups = "$0".repeat(2000);
    assert!(called("regexp_replace", &mut [text(&long), text("a+"), text(&groups)]).is_err());
    assert!(called("replace", &mut [text(&long), text("a"), text(&"b".repeat(2000))]).is_err());
    assert!(called("concat_ws", &mut [text(&"x".repeat(LONGEST)), text("a"), text("b"), text("c")]).is_err());
    assert!(called("sprintf", &mut [text("%2000d"), Value::Int(1)]).is_err());
    assert!(called("regexp_matches", &mut [text("a"), text(r"(\w{500}){500}")]).is_err());
    assert!(called("split", &mut [text(&",".repeat(LONGEST + 1)), text(","), text("notrim")]).is_err());
    assert!(called("bytes_to_array", &mut [text(&"a".repeat(LONGEST + 1))]).is_err());
    let deep = ["a"; 1000].join(".");
    assert!(called("map_put", &mut [text(&deep), Value::Int(1), Value::Object(Object::default())]).is_err());
}

#[test]
fn large_arguments_take_no_more_than_their_size_in_time() {
    // What would be quadratic takes minutes for these.
    let long = "a".repeat(200_000);
    let keys: Vec<_> = (0..200_000).map(|key| (key.to_string().into(), Value::Int(key))).collect();
    let object = Value::Object(Object(keys));
    let items = Value::Array((0..200_000).rev().map(Value::Int).collect());
    let begun = Instant::now();
    called("like", &mut [text(&long), text("%a%a%a%a%a%a%a%b")]).unwrap();
    assert!(called("regexp_count", &mut [text(&long), text("a*b|a")]).is_err());
    called("regexp_matches", &mut [text(&long), text("(a*)*(a|b)*c")]).unwrap();
    assert!(called("regexp_matches", &mut [text(&long), text("[ab]*a[ab]{1000}c")]).is_err());
    called("map_merge", &mut [object.clone(), object.clone()]).unwrap();
    called("pick", &mut [object.clone(), items.clone()]).unwrap();
    called("contains", &mut [object.clone(), Value::Array(vec![object])]).unwrap();
    called("distinct", &mut [items.clone()]).unwrap();
    called("array_except", &mut [items.clone(), items.clone()]).unwrap();
    called("sort", &mut [items]).unwrap();
    called("translate", &mut [text(&long), text(&long), text(&long)]).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn more_patterns_than_are_kept_still_work() {
    for _ in 0..2 {
        for number in 0..40 {
            let pattern = format!("^x{number}[a-z0-9_é]{{300}}$");
            let subject = format!("x{number}{}", "é".repeat(300));
            assert_eq!(
                called("regexp_matches", &mut [text(&subject), text(&pattern)]),
                Ok(Value::Bool(true))
            );
        }
    }
}

#[test]
fn sorting_tells_large_numbers_apart() {
    let edge = 1 << 53;
    let items = [Value::Int(edge + 1), Value::Float(edge as f64), Value::Int(edge), Value::Int(edge - 1)];
    let sorted = called("sort", &mut [Value::Array(items.to_vec())]);
    let expected =
        vec![Value::Int(edge - 1), Value::Float(edge as f64), Value::Int(edge), Value::Int(edge + 1)];
    assert_eq!(sorted, Ok(Value::Array(expected)));
    let distinct = called("distinct", &mut [Value::Array(items.to_vec())]);
    assert!(matches!(distinct, Ok(Value::Array(items)) if items.len() == 3));
}

#[test]
fn backslashes_take_the_meaning_from_wildcards() {
    for (name, pattern, fits) in
        [("like", r"50\%", true), ("like", r"5\%", false), ("glob", r"50\*", false), ("glob", "50?", true)]
    {
        assert_eq!(
            called(name, &mut [text("50%"), text(pattern)]),
            Ok(Value::Bool(fits)),
            "{name} {pattern}"
        );
    }
}

#[test]
fn clocks_that_are_put_forward_are_minded() {
    // On this day in Berlin 02:00 does not exist, and the day has 23 hours.
    let noon = Value::Int(1_774_692_000_000); // 2026-03-28T11:00:00+01:00
    let next =
        called("date_add", &mut [noon.clone(), Value::Int(1), text("day"), text("Europe/Berlin")]).unwrap();
    assert_eq!(called("date_diff", &mut [noon, next, text("hour")]), Ok(Value::Int(23)));
    let parsed = called("strptime", &mut [text("2026-03-29 02:30"), text("%F %H:%M"), text("Europe/Berlin")]);
    assert_eq!(parsed, Ok(Value::Int(1_774_747_800_000)));
}

#[test]
fn encodings_of_what_is_no_text_give_bytes_or_errors() {
    assert_eq!(called("hex_decode", &mut [text("ff00")]), Ok(Value::Bytes(vec![0xff, 0].into())));
    assert!(called("base64_decode", &mut [text("8J+Yg")]).is_err());
    assert!(called("url_decode", &mut [text("%f")]).is_err());
    assert_eq!(
        called("subbits", &mut [Value::Bytes(vec![0b1010_0000].into()), Value::Int(3)]),
        Ok(Value::Int(5))
    );
}

/// Texts that mean something to some function, and others.
fn any_text() -> impl Strategy<Value = String> {
    const KNOWN: &[&str] = &[
        "",
        "0",
        "-1",
        "1e308",
        "abc",
        "a/b/c",
        "sensors/+/#",
        "{a}/{b}",
        "leading",
        "both",
        "desc",
        "second",
        "month",
        "year",
        "nanosecond",
        "week",
        "bits",
        "float",
        "little",
        "signed",
        "big",
        "Asia/Tokyo",
        "local",
        "+09:00",
        "%Y-%m-%d %H:%M:%S%.f%z",
        "%N%Q%c%x%r",
        "yyyy-MM-dd'T'HH:mm:ss.SSSZ",
        "2026-01-01T00:00:00Z",
        "23:59",
        "1h30m",
        "(a+)(b)?|^",
        "[",
        "$1${x}\\2$",
        "%s%d%f%e%g%x%c",
        "%-010.3f|%+5d|%%",
        "%",
        "_%",
        "hex",
        "base64",
        "ff00",
        "aGVsbG8",
        "%41%",
        "\\x41\\n",
        "u4pruydqqvj",
        "a.b.c",
        "key",
        "true",
        "温度",
        "\u{0}",
        "ß\u{301}İ",
    ];
    prop_oneof![
        4 => prop::sample::select(KNOWN).prop_map(str::to_owned),
        2 => "\\PC{0,20}",
        1 => "[a-z0-9%$/.:{}()*+-]{0,30}",
        1 => (0usize..3000).prop_map(|length| "é".repeat(length)),
    ]
}

fn any_value() -> impl Strategy<Value = Value<'static>> {
    let whole = prop_oneof![
        3 => -3i64..70,
        1 => any::<i64>(),
        1 => prop::sample::select(&[
            i64::MIN, i64::MAX, -1, 1 << 53, 1_000_000_000_000_000_000, LONGEST as i64, LONGEST as i64 + 1, 1_767_225_600_000,
        ]),
    ];
    let float = prop_oneof![
        3 => -180f64..180.0,
        1 => prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO,
        1 => prop::sample::select(&[f64::MAX, f64::MIN, f64::MIN_POSITIVE, -0.0, 1e18, 9_223_372_036_854_775_808.0]),
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Missing),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::Bool),
        5 => whole.prop_map(Value::Int),
        4 => float.prop_map(Value::Float),
        6 => any_text().prop_map(Value::text),
        2 => prop::collection::vec(any::<u8>(), 0..20).prop_map(|bytes| Value::Bytes(bytes.into())),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            2 => prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            1 => prop::collection::vec(prop::collection::vec(-90f64..90.0, 2..3), 0..6).prop_map(points),
            2 => prop::collection::vec((any_text(), inner), 0..6).prop_map(object),
        ]
    })
}

fn points(points: Vec<Vec<f64>>) -> Value<'static> {
    let point = |point: Vec<f64>| Value::Array(point.into_iter().map(Value::Float).collect());
    Value::Array(points.into_iter().map(point).collect())
}

fn object(entries: Vec<(String, Value<'static>)>) -> Value<'static> {
    Value::Object(Object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect()))
}

/// How much there is in a value, and whether all of its numbers are some.
fn measured(value: &Value<'_>) -> (usize, bool) {
    let all = |parts: &mut dyn Iterator<Item = (usize, bool)>| {
        parts.fold((1, true), |(size, good), (more, also)| (size + more, good && also))
    };
    match value {
        Value::Float(number) => (1, number.is_finite()),
        Value::Text(text) => (text.len(), true),
        Value::Bytes(bytes) => (bytes.len(), true),
        Value::Array(items) => all(&mut items.iter().map(measured)),
        Value::Object(object) => all(&mut object.0.iter().map(|(key, value)| {
            let (size, good) = measured(value);
            (size + key.len(), good)
        })),
        _ => (1, true),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn no_call_panics_or_gives_too_much(values in prop::collection::vec(any_value(), 8)) {
        for function in all() {
            for count in function.least..=function.most.min(function.least + 4) {
                let mut args = values[..count].to_vec();
                let given: usize = args.iter().map(|value| measured(value).0).sum();
                match call(function, &mut args) {
                    Ok(result) => {
                        let (size, good) = measured(&result);
                        prop_assert!(good, "{} of {:?} gives no number", function.name, &values[..count]);
                        // Some encodings make up to six characters of one.
                        prop_assert!(size <= LONGEST + 32 + 8 * given, "{} gives {size}", function.name);
                    }
                    Err(Wrong(message)) => {
                        prop_assert!(message.len() < 400, "{}: {message}", function.name);
                    }
                }
            }
        }
    }

    #[test]
    fn the_order_of_values_is_one(values in prop::collection::vec(any_value(), 3)) {
        use super::order::total;
        let [one, two, three] = &values[..] else { return Ok(()) };
        prop_assert_eq!(total(one, two), total(two, one).reverse());
        prop_assert!(total(one, one).is_eq());
        if total(one, two).is_le() && total(two, three).is_le() {
            prop_assert!(total(one, three).is_le());
        }
    }
}
