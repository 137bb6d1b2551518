//! Some fields of a JSON text, read without building the rest of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::format::Build;
use crate::path::{Path, Step};
use crate::value::{Object, Value};

#[derive(Debug, Default, Clone)]
struct Node {
    /// Where the value goes.
    index: Option<usize>,
    keys: Vec<(Box<str>, Self)>,
    items: Vec<(usize, Self)>,
}

/// Which fields to read, as a tree: each text is gone through once, however many there are.
#[derive(Debug, Default, Clone)]
pub struct Fields {
    root: Node,
    count: usize,
    /// Objects and arrays are read with all that is in them. Otherwise they are empty.
    whole: bool,
}

impl Fields {
    /// The fields at these paths; values come in their order.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Self {
        let mut fields = Self::default();
        for path in paths {
            fields.add(path);
        }
        fields
    }

    /// No fields so far; objects and arrays will be read with all that is in them.
    pub fn whole() -> Self {
        Self { whole: true, ..Self::default() }
    }

    /// Adds a field, unless it is there: its place among the values.
    pub fn add(&mut self, path: &Path) -> usize {
        let mut node = &mut self.root;
        for step in &path.0 {
            node = match step {
                Step::Key(key) => child(&mut node.keys, key),
                Step::Item(item) => child(&mut node.items, item),
            };
        }
        *node.index.get_or_insert_with(|| {
            self.count += 1;
            self.count - 1
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Reads the fields of a text into `values`. Says whether the text was JSON; if not, all are missing.
    pub fn read<'de>(&self, text: &'de [u8], values: &mut Vec<Value<'de>>) -> bool {
        values.clear();
        values.resize(self.count, Value::Missing);
        let mut json = serde_json::Deserializer::from_slice(text);
        let seed = Seed { node: &self.root, values, whole: self.whole };
        let good = seed.deserialize(&mut json).is_ok() && json.end().is_ok();
        if !good {
            values.fill(Value::Missing);
        }
        good
    }

    /// Takes the fields out of a value.
    pub fn pick<'de>(&self, value: &Value<'de>, values: &mut Vec<Value<'de>>) {
        values.clear();
        values.resize(self.count, Value::Missing);
        self.root.pick(value, values);
    }
}

impl Node {
    /// Of two equal keys the last counts, with nothing of what was in the first.
    fn forget(&self, values: &mut [Value<'_>]) {
        if let Some(index) = self.index {
            values[index] = Value::Missing;
        }
        self.keys.iter().for_each(|(_, node)| node.forget(values));
        self.items.iter().for_each(|(_, node)| node.forget(values));
    }

    /// Puts what a value holds into its place, and so for what is inside it.
    fn pick<'de>(&self, value: &Value<'de>, values: &mut [Value<'de>]) {
        if let Some(index) = self.index {
            values[index] = value.clone();
        }
        match value {
            Value::Object(object) => {
                for (key, node) in &self.keys {
                    object.get(key).into_iter().for_each(|value| node.pick(value, values));
                }
            }
            Value::Array(items) => {
                for (index, node) in &self.items {
                    items.get(*index).into_iter().for_each(|value| node.pick(value, values));
                }
            }
            _ => {}
        }
    }
}

/// The child with this name, made if it is not there.
fn child<'a, K: PartialEq + Clone>(children: &'a mut Vec<(K, Node)>, name: &K) -> &'a mut Node {
    let place = children.iter().position(|(key, _)| key == name).unwrap_or(children.len());
    if place == children.len() {
        children.push((name.clone(), Node::default()));
    }
    &mut children[place].1
}

struct Seed<'a, 'de> {
    node: &'a Node,
    values: &'a mut Vec<Value<'de>>,
    whole: bool,
}

impl<'de> Seed<'_, 'de> {
    fn set(self, value: Value<'de>) {
        if let Some(index) = self.node.index {
            self.values[index] = value;
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_, 'de> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.set(Value::Null);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.set(Value::Bool(value));
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.set(Value::Int(value));
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.set(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int));
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.set(Value::Float(value));
        Ok(())
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<(), E> {
        self.set(Value::Text(Cow::Borrowed(value)));
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.set(Value::Text(Cow::Owned(value.to_owned())));
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.whole && self.node.index.is_some() {
            let object = Build::default().visit_map(map)?;
            self.node.pick(&object, self.values);
            return Ok(());
        }
        let Self { node, values, whole } = self;
        while let Some(found) = map.next_key_seed(Key(&node.keys))? {
            match found {
                Some(node) => {
                    node.forget(values);
                    map.next_value_seed(Seed { node, values, whole })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Self { node, values, whole }.set(Value::Object(Object::default()));
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        if self.whole && self.node.index.is_some() {
            let array = Build::default().visit_seq(items)?;
            self.node.pick(&array, self.values);
            return Ok(());
        }
        let Self { node, values, whole } = self;
        for index in 0.. {
            let more = match node.items.iter().find(|(item, _)| *item == index) {
                Some((_, node)) => items.next_element_seed(Seed { node, values, whole })?.is_some(),
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Self { node, values, whole }.set(Value::Array(Vec::new()));
        Ok(())
    }
}

/// Finds the node of a key without copying it.
struct Key<'a>(&'a [(Box<str>, Node)]);

impl<'a, 'de> DeserializeSeed<'de> for Key<'a> {
    type Value = Option<&'a Node>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for Key<'a> {
    type Value = Option<&'a Node>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(self.0.iter().find(|(name, _)| **name == *key).map(|(_, node)| node))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(paths: &[&str], text: &str) -> (bool, Vec<String>) {
        let paths: Vec<Path> = paths.iter().map(|path| path.parse().unwrap()).collect();
        let mut values = Vec::new();
        let good = Fields::new(&paths).read(text.as_bytes(), &mut values);
        (good, values.iter().map(|value| format!("{value:?}")).collect())
    }

    #[test]
    fn fields_are_found_wherever_they_are() {
        let text =
            r#"{"a": {"b": [1, {"c": "x\ny"}], "d": null}, "e": 1.5, "f": true, "g": 18446744073709551615}"#;
        let paths = ["e", "a.b[1].c", "a.d", "f", "a.b[0]", "a", "missing", "a.b[7]", "e.x", "g"];
        let (good, values) = read(&paths, text);
        assert!(good);
        let expected = [
            "Float(1.5)",
            "Text(\"x\\ny\")",
            "Null",
            "Bool(true)",
            "Int(1)",
            "Object(Object([]))",
            "Missing",
            "Missing",
            "Missing",
            "Float(1.8446744073709552e19)",
        ];
        assert_eq!(values, expected);
    }

    #[test]
    fn what_is_wanted_whole_has_all_that_is_in_it() {
        let mut fields = Fields::whole();
        for path in ["a", "a.b", "a.c[1]", "d"] {
            fields.add(&path.parse().unwrap());
        }
        let mut values = Vec::new();
        assert!(fields.read(br#"{"a": {"b": {"x": 1}, "c": [2, "3"]}, "d": [], "e": 4}"#, &mut values));
        let written: Vec<_> = values.iter().map(|value| serde_json::to_string(value).unwrap()).collect();
        assert_eq!(written, [r#"{"b":{"x":1},"c":[2,"3"]}"#, r#"{"x":1}"#, r#""3""#, "[]"]);
    }

    #[test]
    fn what_is_no_json_has_no_fields() {
        for text in ["", "{", r#"{"a": 1"#, r#"{"a": 1} x"#, "\u{feff}{}", r#"{"a": 01}"#] {
            assert_eq!(read(&["a"], text), (false, vec!["Missing".to_owned()]), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert!(!read(&["a"], &deep).0);
    }
}
