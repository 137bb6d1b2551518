//! Some fields of a JSON text, read without building the rest of it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::path::{Path, Step};

/// What a field holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'de> {
    /// It is not there.
    #[default]
    Missing,
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A text.
    Text(Cow<'de, str>),
    /// An object or an array.
    Nested,
}

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
        let good = Seed { node: &self.root, values }.deserialize(&mut json).is_ok() && json.end().is_ok();
        if !good {
            values.fill(Value::Missing);
        }
        good
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
        let Self { node, values } = self;
        while let Some(found) = map.next_key_seed(Key(&node.keys))? {
            match found {
                Some(node) => map.next_value_seed(Seed { node, values })?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Self { node, values }.set(Value::Nested);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Self { node, values } = self;
        for index in 0.. {
            let more = match node.items.iter().find(|(item, _)| *item == index) {
                Some((_, node)) => items.next_element_seed(Seed { node, values })?.is_some(),
                None => items.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Self { node, values }.set(Value::Nested);
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
            "Nested",
            "Missing",
            "Missing",
            "Missing",
            "Float(1.8446744073709552e19)",
        ];
        assert_eq!(values, expected);
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
