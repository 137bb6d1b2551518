//! A whole value out of what a serde format reads.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::DEEPEST;
use crate::value::{Object, Value};

/// Builds a value; it counts how deep it is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Build {
    depth: usize,
}

impl Build {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.depth < DEEPEST {
            true => Ok(Self { depth: self.depth + 1 }),
            false => Err(E::custom("it is nested too deeply")),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Build {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Build {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value<'de>, E> {
        // JSON has no other numbers; what other formats have beside them is no measurement.
        Ok(if value.is_finite() { Value::Float(value) } else { Value::Null })
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_borrowed_bytes<E>(self, value: &'de [u8]) -> Result<Value<'de>, E> {
        Ok(Value::Bytes(Cow::Borrowed(value)))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value<'de>, E> {
        Ok(Value::Bytes(Cow::Owned(value.to_vec())))
    }

    /// MessagePack's extensions, which are a type and bytes: the bytes.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        match deserializer.deserialize_any(self)? {
            Value::Array(mut both) => Ok(both.pop().unwrap_or_default()),
            other => Ok(other),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let inside = self.deeper()?;
        // Not by the length that is announced: it is the sender's word.
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let inside = self.deeper()?;
        let mut object = Object::default();
        while let Some(key) = map.next_key_seed(inside)? {
            let key = key_of(key).ok_or_else(|| A::Error::custom("a key is an array or a map"))?;
            object.0.push((key, map.next_value_seed(inside)?));
        }
        Ok(Value::Object(object))
    }
}

/// A key as a text: only JSON insists on one. Arrays and maps are none: written as texts inside one another they would double
/// with each level.
pub(super) fn key_of(key: Value<'_>) -> Option<Cow<'_, str>> {
    Some(match key {
        Value::Text(text) => text,
        Value::Bytes(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        Value::Array(_) | Value::Object(_) => return None,
        other => Cow::Owned(super::to_json(&other)),
    })
}
