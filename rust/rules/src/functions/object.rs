//! Objects. Keys of objects in objects are written with dots between them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::results::wrong;
use super::{Arguments, Function, Outcome, Surroundings, Wrong};
use crate::value::{Object, Value};

const GROUP: &str = "Objects";

/// How many keys a path may have: objects in objects are left and dropped one in the other.
const DEEPEST: usize = 64;

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        aliases: &["mget"],
        usage: "map_get(path, object, otherwise = null)",
        what: "What an object has at a key or a path of keys; what is given last if there is nothing.",
        examples: &[
            ("map_get('a.b', {'a': {'b': 1}})", "1"),
            ("map_get('c', {'a': 1}, 0)", "0"),
            ("map_get('c', {'a': 1})", "null"),
        ],
        least: 2,
        most: 3,
        takes_null: true,
        ..Function::new("map_get", GROUP, map_get)
    },
    Function {
        aliases: &["mput"],
        usage: "map_put(path, x, object)",
        what: "The object with a value at a key or a path of keys; what is not there on the way is made.",
        examples: &[
            ("map_put('b', 2, {'a': 1})", "{\"a\": 1, \"b\": 2}"),
            ("map_put('a.b', null, map_new())", "{\"a\": {\"b\": null}}"),
        ],
        least: 3,
        most: 3,
        takes_null: true,
        ..Function::new("map_put", GROUP, map_put)
    },
    Function {
        usage: "map_remove(path, object)",
        what: "The object without a key or what is at a path of keys.",
        examples: &[
            ("map_remove('a', {'a': 1, 'b': 2})", "{\"b\": 2}"),
            ("map_remove('x.y', {'a': 1})", "{\"a\": 1}"),
        ],
        least: 2,
        most: 2,
        ..Function::new("map_remove", GROUP, map_remove)
    },
    Function {
        usage: "map_rename(from, to, object)",
        what: "The object with another name for one of its keys.",
        examples: &[
            ("map_rename('t', 'temp', {'t': 21})", "{\"temp\": 21}"),
            ("map_rename('x', 'y', {'t': 21})", "{\"t\": 21}"),
        ],
        least: 3,
        most: 3,
        ..Function::new("map_rename", GROUP, map_rename)
    },
    Function {
        usage: "has_key(path, object)",
        what: "Whether an object has a key or a path of keys, whatever is there.",
        examples: &[("has_key('a', {'a': null})", "true"), ("has_key('a.b', {'a': {}})", "false")],
        least: 2,
        most: 2,
        ..Function::new("has_key", GROUP, has_key)
    },
    Function {
        aliases: &["json_object"],
        usage: "map_new(key, x, …)",
        what: "An object of keys and values that follow each other; empty without any.",
        examples: &[("map_new('a', 1, 'b', null)", "{\"a\": 1, \"b\": null}"), ("map_new()", "{}")],
        least: 0,
        most: usize::MAX,
        takes_null: true,
        ..Function::new("map_new", GROUP, map_new)
    },
    Function {
        usage: "map_keys(object)",
        what: "The keys of an object.",
        examples: &[("map_keys({'a': 1, 'b': 2})", "[\"a\", \"b\"]"), ("map_keys(map_new())", "[]")],
        ..Function::new("map_keys", GROUP, |_, args| each(args, |key, _| Value::Text(key)))
    },
    Function {
        usage: "map_values(object)",
        what: "The values of an object.",
        examples: &[("map_values({'a': 1, 'b': 2})", "[1, 2]"), ("map_values(map_new())", "[]")],
        ..Function::new("map_values", GROUP, |_, args| each(args, |_, value| value))
    },
    Function {
        usage: "map_to_entries(object)",
        what: "An array of objects with a `key` and a `value` for each key; `entries_to_map` goes the other way.",
        examples: &[
            ("map_to_entries({'a': 1})", "[{\"key\": \"a\", \"value\": 1}]"),
            ("map_to_entries(map_new())", "[]"),
        ],
        ..Function::new("map_to_entries", GROUP, |_, args| each(args, entry))
    },
    Function {
        usage: "map_size(object)",
        what: "The number of keys of an object.",
        examples: &[("map_size({'a': 1, 'b': 2})", "2"), ("map_size(map_new())", "0")],
        ..Function::new("map_size", GROUP, |_, args| Ok(Value::Int(args.object(0)?.unique().0.len() as i64)))
    },
    Function {
        usage: "map_merge(object, …)",
        what: "The keys of all objects in one; the value of a later one counts.",
        examples: &[
            ("map_merge({'a': 1, 'b': 1}, {'b': 2})", "{\"a\": 1, \"b\": 2}"),
            ("map_merge({'a': 1}, map_new())", "{\"a\": 1}"),
        ],
        most: usize::MAX,
        ..Function::new("map_merge", GROUP, map_merge)
    },
    Function {
        usage: "pick(object, key, …)",
        what: "The object with these keys only; an array of keys may be given instead.",
        examples: &[
            ("pick({'a': 1, 'b': 2}, 'a', 'x')", "{\"a\": 1}"),
            ("pick({'a': 1, 'b': 2}, ['b'])", "{\"b\": 2}"),
        ],
        least: 2,
        most: usize::MAX,
        ..Function::new("pick", GROUP, |_, args| chosen(args, true))
    },
    Function {
        usage: "omit(object, key, …)",
        what: "The object without these keys; an array of keys may be given instead.",
        examples: &[
            ("omit({'a': 1, 'b': 2}, 'a')", "{\"b\": 2}"),
            ("omit({'a': 1, 'b': 2}, ['a', 'b'])", "{}"),
        ],
        least: 2,
        most: usize::MAX,
        ..Function::new("omit", GROUP, |_, args| chosen(args, false))
    },
];

/// What is at a path; a key with dots in it is found as it is.
fn at<'v, 'a>(object: &'v Object<'a>, path: &str) -> Option<&'v Value<'a>> {
    if let Some(value) = object.get(path) {
        return Some(value);
    }
    let mut keys = path.split('.');
    let mut value = object.get(keys.next()?)?;
    for key in keys {
        match value {
            Value::Object(object) => value = object.get(key)?,
            _ => return None,
        }
    }
    Some(value)
}

fn map_get<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let otherwise = if args.has(2) { args.take(2) } else { Value::Null };
    match args.take(1) {
        _ if !args.has(0) => Ok(otherwise),
        Value::Missing | Value::Null => Ok(otherwise),
        Value::Object(object) => Ok(at(&object, &args.text(0)?).cloned().unwrap_or(otherwise)),
        other => wrong(format!("argument 2 is {}, an object was expected", other.kind())),
    }
}

fn has_key<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let path = args.text(0)?;
    Ok(Value::Bool(at(&args.object(1)?, &path).is_some()))
}

/// The keys of a path, if it is none too deep.
fn keys(path: &str) -> Result<Vec<&str>, Wrong> {
    let keys: Vec<_> = path.split('.').take(DEEPEST + 1).collect();
    match keys.len() <= DEEPEST {
        true => Ok(keys),
        false => wrong(format!("the path has more than {DEEPEST} keys")),
    }
}

fn map_put<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    if !args.has(0) || !args.has(2) {
        return Ok(Value::Null);
    }
    let (path, mut object) = (args.text(0)?, args.object(2)?);
    let value = match args.take(1) {
        Value::Missing => Value::Null,
        value => value,
    };
    if object.get(&path).is_some() {
        object.set(path, value);
        return Ok(Value::Object(object));
    }
    put(&mut object, &keys(&path)?, value);
    Ok(Value::Object(object))
}

/// Sets what is at a path; objects on the way take the place of whatever else is there.
fn put<'a>(object: &mut Object<'a>, keys: &[&str], value: Value<'a>) {
    let Some((first, rest)) = keys.split_first() else { return };
    if rest.is_empty() {
        return object.set(Cow::Owned((*first).to_owned()), value);
    }
    match object.0.iter_mut().rev().find(|(name, _)| name == first) {
        Some((_, Value::Object(inner))) => put(inner, rest, value),
        _ => {
            let mut inner = Object::default();
            put(&mut inner, rest, value);
            object.set(Cow::Owned((*first).to_owned()), Value::Object(inner));
        }
    }
}

fn map_remove<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (path, mut object) = (args.text(0)?, args.object(1)?);
    if object.get(&path).is_some() {
        object.0.retain(|(name, _)| *name != path);
        return Ok(Value::Object(object));
    }
    let mut keys = keys(&path)?;
    let last = keys.pop().unwrap_or_default();
    let mut inner = Some(&mut object);
    for key in keys {
        inner = inner.and_then(|object| match object.0.iter_mut().rev().find(|(name, _)| name == key) {
            Some((_, Value::Object(object))) => Some(object),
            _ => None,
        });
    }
    if let Some(inner) = inner {
        inner.0.retain(|(name, _)| name != last);
    }
    Ok(Value::Object(object))
}

fn map_rename<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let (from, to) = (args.text(0)?, args.text(1)?);
    let mut object = args.object(2)?.unique();
    if from != to && object.get(&from).is_some() {
        object.0.retain(|(name, _)| *name != to);
    }
    if let Some((name, _)) = object.0.iter_mut().find(|(name, _)| *name == from) {
        *name = to;
    }
    Ok(Value::Object(object))
}

fn map_new<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    if args.len() % 2 == 1 {
        return wrong(format!("there are {} arguments, a value was expected after each key", args.len()));
    }
    let mut object = Object::default();
    for index in (0..args.len()).step_by(2) {
        let value = match args.take(index + 1) {
            Value::Missing => Value::Null,
            value => value,
        };
        object.0.push((args.text(index)?, value));
    }
    Ok(Value::Object(object.unique()))
}

fn each<'a>(args: &mut [Value<'a>], body: fn(Cow<'a, str>, Value<'a>) -> Value<'a>) -> Outcome<'a> {
    let object = args.object(0)?.unique();
    Ok(Value::Array(object.0.into_iter().map(|(key, value)| body(key, value)).collect()))
}

fn entry<'a>(key: Cow<'a, str>, value: Value<'a>) -> Value<'a> {
    let entry = vec![(Cow::Borrowed("key"), Value::Text(key)), (Cow::Borrowed("value"), value)];
    Value::Object(Object(entry))
}

fn map_merge<'a>(_: &Surroundings<'_>, args: &mut [Value<'a>]) -> Outcome<'a> {
    let mut merged = args.object(0)?;
    for index in 1..args.len() {
        merged.0.append(&mut args.object(index)?.0);
    }
    Ok(Value::Object(merged.unique()))
}

fn chosen<'a>(args: &mut [Value<'a>], within: bool) -> Outcome<'a> {
    let mut object = args.object(0)?;
    let mut keys = BTreeSet::new();
    for index in 1..args.len() {
        match args.take(index) {
            Value::Array(mut items) => {
                for index in 0..items.len() {
                    keys.insert(items.text(index)?);
                }
            }
            key => drop(keys.insert([key].text(0)?)),
        }
    }
    object.0.retain(|(key, _)| keys.contains(key) == within);
    Ok(Value::Object(object))
}

impl Object<'_> {
    /// The same with each key once: where it first came, with the value that came last.
    pub(super) fn unique(self) -> Self {
        let mut places = BTreeMap::new();
        let mut entries: Vec<(Cow<'_, str>, Value<'_>)> = Vec::with_capacity(self.0.len());
        for (key, value) in self.0 {
            match places.get(&key) {
                Some(place) => {
                    let place: usize = *place;
                    entries[place].1 = value;
                }
                None => {
                    places.insert(key.clone(), entries.len());
                    entries.push((key, value));
                }
            }
        }
        Self(entries)
    }
}
