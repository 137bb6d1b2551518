//! Values as JSON, CBOR and MessagePack.

use base64ct::{Base64, Encoding as _};
use serde::ser::{Serialize, SerializeMap as _, Serializer};

use crate::value::{Object, Value};

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Missing | Self::Null => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            // JSON has no bytes.
            Self::Bytes(bytes) if serializer.is_human_readable() => {
                serializer.serialize_str(&Base64::encode_string(bytes))
            }
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Object(object) => object.serialize(serializer),
        }
    }
}

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // What is not there is left out.
        let there = |(_, value): &&(_, Value<'_>)| !matches!(value, Value::Missing);
        let mut map = serializer.serialize_map(Some(self.0.iter().filter(there).count()))?;
        for (key, value) in self.0.iter().filter(there) {
            map.serialize_entry(&**key, value)?;
        }
        map.end()
    }
}

/// A value as JSON; bytes as Base64.
pub fn to_json(value: &Value<'_>) -> String {
    // Neither a value nor a string can fail.
    serde_json::to_string(value).unwrap_or_default()
}

/// A value as CBOR.
pub(crate) fn to_cbor(value: &Value<'_>) -> Vec<u8> {
    minicbor_serde::to_vec(value).unwrap_or_default()
}

/// A value as MessagePack.
pub(crate) fn to_message_pack(value: &Value<'_>) -> Vec<u8> {
    rmp_serde::to_vec(value).unwrap_or_default()
}
