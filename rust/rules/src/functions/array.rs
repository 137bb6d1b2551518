//! Arrays: items, parts and orders. Items are counted from 1.

use std::collections::BTreeSet;

use super::order::{Ordered, equal, total};
use super::results::{fitting, shown, wrong};
use super::{Arguments, Function, Outcome, Surroundings};
use crate::value::{Object, Value};

const GROUP: &str = "Arrays";

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        usage: "nth(n, array)",
        what: "The nth item, counted from 1; null if there is none.",
        examples: &[("nth(2, [5, 6, 7])", "6"), ("nth(4, [5, 6, 7])", "null")],
        least: 2,
        most: 2,
        ..Function::new("nth", GROUP, nth)
    },
    Function {
        aliases: &["cardinality"],
        usage: "length(x)",
        what: "The number of items of an array, of keys of an object, of characters of a text or of bytes.",
        examples: &[("length([1, 2, 3])", "3"), ("length({'a': 1})", "1"), ("length('温度')", "2")],
        ..Function::new("length", GROUP, length)
    },
    Function {
        usage: "first(array)",
        what: "The first item; null if there is none.",
        examples: &[("first([5, 6, 7])", "5"), ("first([])", "null")],
        ..Function::new("first", GROUP, |_, args| {
            Ok(args.array(0)?.into_iter().next().unwrap_or(Value::Null))
        })
    },
    Function {
        usage: "last(array)",
        what: "The last item; null if there is none.",
        examples: &[("last([5, 6, 7])", "7"), ("last([])", "null")],
        ..Function::new("last", GROUP, |_, args| Ok(args.array(0)?.pop().unwrap_or(Value::Null)))
    },
    Function {
        usage: "sublist(start = 1, length, array)",
        what: "So many items from a place on.",
        examples: &[("sublist(2, [5, 6, 7])", "[5, 6]"), ("sublist(2, 5, [5, 6, 7])", "[6, 7]")],
        least: 2,
        most: 3,
        ..Function::new("sublist", GROUP, sublist)
    },
    Function {
        usage: "array_slice(array, first, last = the last)",
        what: "The items from one place to another, both included; places below zero are counted from the end.",
        examples: &[
            ("array_slice([5, 6, 7, 8], 2, 3)", "[6, 7]"),
            ("array_slice([5, 6, 7, 8], -2)", "[7, 8]"),
        ],
        least: 2,
        most: 3,
        ..Function::new("array_slice", GROUP, array_slice)
    },
    Function {
        usage: "contains(x, container)",
        what: "Whether an array has this item, or a text this part.",
        examples: &[
            ("contains(2, [1, 2])", "true"),
            ("contains('oo', 'roof')", "true"),
            ("contains(null, [1])", "false"),
        ],
        least: 2,
        most: 2,
        takes_null: true,
        ..Function::new("contains", GROUP, contains)
    },
    Function {
        aliases: &["list_position"],
        usage: "array_position(array, x)",
        what: "Where an item first is, counted from 1; null if it is not in the array.",
        examples: &[("array_position(['a', 'b'], 'b')", "2"), ("array_position(['a', 'b'], 'c')", "null")],
        least: 2,
        most: 2,
        ..Function::new("array_position", GROUP, array_position)
    },
    Function {
        usage: "count_of(array, x)",
        what: "How often an item is in the array.",
        examples: &[("count_of([1, 2, 1], 1)", "2"), ("count_of([], 1)", "0")],
        least: 2,
        most: 2,
        ..Function::new("count_of", GROUP, count_of)
    },
    Function {
        aliases: &["array_sort"],
        usage: "sort(array, order = 'asc')",
        what: "The items in their order, or with 'desc' the other way around; kinds stand after kinds.",
        examples: &[("sort([3, 1, 2])", "[1, 2, 3]"), ("sort(['b', 2, 'a'], 'desc')", "[\"b\", \"a\", 2]")],
        most: 2,
        ..Function::new("sort", GROUP, sort)
    },
    Function {
        usage: "sort_by(array, key, order = 'asc')",
        what: "The objects of an array in the order of what they have at a key.",
        examples: &[
            ("sort_by([{'v': 2}, {'v': 1}], 'v')", "[{\"v\": 1}, {\"v\": 2}]"),
            ("sort_by([{'v': 1}, {'v': 2}], 'v', 'desc')", "[{\"v\": 2}, {\"v\": 1}]"),
        ],
        least: 2,
        most: 3,
        ..Function::new("sort_by", GROUP, sort_by)
    },
    Function {
        aliases: &["unique", "array_distinct"],
        usage: "distinct(array)",
        what: "The items without those that came before.",
        examples: &[("distinct([2, 1, 2, 1.0])", "[2, 1]"), ("distinct([])", "[]")],
        ..Function::new("distinct", GROUP, distinct)
    },
    Function {
        usage: "flatten(array)",
        what: "The items, and those of arrays in it instead of them, however deep.",
        examples: &[("flatten([1, [2, [3]], []])", "[1, 2, 3]"), ("flatten([1, 2])", "[1, 2]")],
        ..Function::new("flatten", GROUP, flatten)
    },
    Function {
        aliases: &["array_append", "array_push"],
        usage: "append(array, x)",
        what: "The array with one more item at its end.",
        examples: &[
            ("append([1, 2], 3)", "[1, 2, 3]"),
            ("append([], null)", "[null]"),
            ("append(null, 3)", "null"),
        ],
        least: 2,
        most: 2,
        takes_null: true,
        ..Function::new("append", GROUP, append)
    },
    Function {
        aliases: &["concat_arrays", "array_cat"],
        usage: "array_concat(array, …)",
        what: "The items of all arrays in one.",
        examples: &[("array_concat([1, 2], [3])", "[1, 2, 3]"), ("array_concat([], [], [1])", "[1]")],
        most: usize::MAX,
        ..Function::new("array_concat", GROUP, array_concat)
    },
    Function {
        aliases: &["arrays_zip"],
        usage: "zip(array, array)",
        what: "Pairs of the items at the same places, as many as the shorter array has.",
        examples: &[("zip(['a', 'b'], [1, 2])", "[[\"a\", 1], [\"b\", 2]]"), ("zip([1, 2], [])", "[]")],
        least: 2,
        most: 2,
        ..Function::new("zip", GROUP, zip)
    },
    Function {
        aliases: &["sequence"],
        usage: "range(from, to)",
        what: "The whole numbers from one to another, both included.",
        examples: &[("range(1, 4)", "[1, 2, 3, 4]"), ("range(2, 1)", "[]")],
        least: 2,
        most: 2,
        ..Function::new("range", GROUP, range)
    },
    Function {
        usage: "array_union(array, array)",
        what: "The items that are in one of both, each once.",
        examples: &[("array_union([1, 2], [2, 3])", "[1, 2, 3]"), ("array_union([], [1, 1])", "[1]")],
        least: 2,
        most: 2,
        ..Function::new("array_union", GROUP, |surroundings, args| {
            let items = array_concat(surroundings, args)?;
            distinct(surroundings, &mut [items])
        })
    },
    Function {
        usage: "array_intersect(array, array)",
        what: "The items of the first that are in the second, too.",
        examples: &[("array_intersect([1, 2, 3], [3, 2])", "[2, 3]"), ("array_intersect([1], [])", "[]")],
        least: 2,
        most: 2,
        ..Function::new("array_intersect", GROUP, |_, args| filtered(args, true))
    },
    Function {
        usage: "array_except(array, array)",
        what: "The items of the first that are not in the second.",
        examples: &[("array_except([1, 2, 3], [3, 2])", "[1]"), ("array_except([1], [])", "[1]")],
        least: 2,
        most: 2,
        ..Function::new("array_except", GROUP, |_, args| filtered(args, false))
    },
    Function {
        usage: "pluck(array, key)",
        what: "What the objects of an array have at a key; null for those that have nothing there.",
        examples: &[
            ("pluck([{'t': 1}, {'t': 2}], 't')", "[1, 2]"),
            ("pluck([{'t': 1}, {}], 't')", "[1, null]"),
        ],
        least: 2,
        most: 2,
        ..Function::new("pluck", GROUP, pluck)
    },
    Function {
        aliases: &["map_from_entries"],
        usage: "entries_to_map(array, key = 'key', value = 'value')",
        what: "An object with a key for each object of an array: what that has at one key, with what it has at another.",
        examples: &[
            ("entries_to_map([{'key': 'a', 'value': 1}])", "{\"a\": 1}"),
            ("entries_to_map([{'n': 'temp', 'v': 21.5}], 'n', 'v')", "{\"temp\": 21.5}"),
        ],
        most: 3,
        ..Function::new("entries_to_map", GROUP, entries_to_map)
    },
];

/// A place that is counted from 1, as one that is counted from 0.
fn index(place: i64) -> Option<usize> {
    usize::try_from(place).ok()?.checked_sub(1)
}

fn nth<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let place = index(args.int(0)?);
    let mut items = args.array(1)?;
    Ok(place.and_then(|place| items.get_mut(place)).map_or(Value::Null, std::mem::take))
}

fn length<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let length = match &args[0] {
        Value::Array(items) => items.len(),
        Value::Object(_) => args.object(0)?.unique().0.len(),
        Value::Bytes(bytes) => bytes.len(),
        _ => args.text(0)?.chars().count(),
    };
    Ok(Value::Int(length as i64))
}

fn sublist<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let last = args.len() - 1;
    let start = if last == 2 { args.int(0)? } else { 1 };
    let (Some(start), Ok(length)) = (index(start), usize::try_from(args.int(last - 1)?)) else {
        return wrong("items are counted from 1, and their number is not below 0");
    };
    Ok(Value::Array(args.array(last)?.into_iter().skip(start).take(length).collect()))
}

fn array_slice<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (first, last) = (args.int(1)?, args.int_or(2, -1)?);
    let items = args.array(0)?;
    let count = items.len() as i64;
    let place = |place: i64| if place < 0 { place.saturating_add(count + 1) } else { place };
    let before = place(first).max(1) - 1;
    let length = place(last).min(count).saturating_sub(before).max(0);
    Ok(Value::Array(items.into_iter().skip(before as usize).take(length as usize).collect()))
}

fn contains<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    match args.take(1) {
        Value::Missing | Value::Null => Ok(Value::Null),
        Value::Array(items) => Ok(Value::Bool(items.iter().any(|item| equal(item, &args[0])))),
        Value::Text(_) if args[0].is_null() => Ok(Value::Null),
        Value::Text(text) => Ok(Value::Bool(text.contains(&*args.text(0)?))),
        other => wrong(format!("argument 2 is {}, an array or a text was expected", other.kind())),
    }
}

fn array_position<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let items = args.array(0)?;
    let place = items.iter().position(|item| equal(item, &args[1]));
    Ok(place.map_or(Value::Null, |place| Value::Int(place as i64 + 1)))
}

fn count_of<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let items = args.array(0)?;
    Ok(Value::Int(items.iter().filter(|item| equal(item, &args[1])).count() as i64))
}

fn sort<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let descending = args.word(1, &["asc", "desc"])? == "desc";
    let mut items = args.array(0)?;
    match descending {
        true => items.sort_by(|left, right| total(right, left)),
        false => items.sort_by(total),
    }
    Ok(Value::Array(items))
}

fn sort_by<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let descending = args.word(2, &["asc", "desc"])? == "desc";
    let (items, key) = (args.array(0)?, args.text(1)?);
    let by = |item: &Value<'a>| match item {
        Value::Object(object) => object.get(&key).cloned().unwrap_or_default(),
        _ => Value::Missing,
    };
    let mut keyed: Vec<_> = items.into_iter().map(|item| (by(&item), item)).collect();
    match descending {
        true => keyed.sort_by(|left, right| total(&right.0, &left.0)),
        false => keyed.sort_by(|left, right| total(&left.0, &right.0)),
    }
    Ok(Value::Array(keyed.into_iter().map(|(_, item)| item).collect()))
}

fn distinct<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let mut items = args.array(0)?;
    let mut seen = BTreeSet::new();
    let new: Vec<bool> = items.iter().map(|item| seen.insert(Ordered(item))).collect();
    let mut new = new.into_iter();
    items.retain(|_| new.next().unwrap_or(false));
    Ok(Value::Array(items))
}

fn flatten<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let mut flat = Vec::new();
    let mut open = vec![args.array(0)?.into_iter()];
    while let Some(items) = open.last_mut() {
        match items.next() {
            Some(Value::Array(inner)) => open.push(inner.into_iter()),
            Some(item) => flat.push(item),
            None => drop(open.pop()),
        }
    }
    Ok(Value::Array(flat))
}

fn append<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    if !args.has(0) {
        return Ok(Value::Null);
    }
    let mut items = args.array(0)?;
    items.push(args.take(1));
    Ok(Value::Array(items))
}

fn array_concat<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let mut items = args.array(0)?;
    for index in 1..args.len() {
        items.append(&mut args.array(index)?);
    }
    Ok(Value::Array(items))
}

fn zip<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let pairs = args.array(0)?.into_iter().zip(args.array(1)?);
    Ok(Value::Array(pairs.map(|(left, right)| Value::Array(vec![left, right])).collect()))
}

fn range<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (from, to) = (args.int(0)?, args.int(1)?);
    let count = i128::from(to) - i128::from(from) + 1;
    fitting(usize::try_from(count.max(0)).unwrap_or(usize::MAX), 0)?;
    Ok(Value::Array((from..=to).map(Value::Int).collect()))
}

fn filtered<'a>(args: &mut [Value<'a>], within: bool) -> Outcome<'a> {
    let (mut items, others) = (args.array(0)?, args.array(1)?);
    let others: BTreeSet<_> = others.iter().map(Ordered).collect();
    items.retain(|item| others.contains(&Ordered(item)) == within);
    Ok(Value::Array(items))
}

fn pluck<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (items, key) = (args.array(0)?, args.text(1)?);
    let at_key = |item| match item {
        Value::Object(object) => object.take(&key).unwrap_or(Value::Null),
        _ => Value::Null,
    };
    Ok(Value::Array(items.into_iter().map(at_key).collect()))
}

fn entries_to_map<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (key, value) = (args.text_or(1, "key")?, args.text_or(2, "value")?);
    let mut object = Object::default();
    for (place, item) in args.array(0)?.into_iter().enumerate() {
        let Value::Object(entry) = item else {
            return wrong(format!("item {} is {}, an object was expected", place + 1, item.kind()));
        };
        let Some(name) = entry.get(&key).cloned() else {
            return wrong(format!("item {} has nothing at its key '{}'", place + 1, shown(&key)));
        };
        object.0.push(([name].text(0)?, entry.take(&value).unwrap_or(Value::Null)));
    }
    Ok(Value::Object(object.unique()))
}
