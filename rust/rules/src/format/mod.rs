//! Payloads to values and back: JSON, CBOR and MessagePack.
//!
//! Whatever is in a payload, a value is not nested deeper than [`DEEPEST`], and takes memory in proportion to the payload.

mod build;
mod cbor;
mod encode;

use crate::value::Value;

pub(crate) use build::Build;
pub use encode::to_json;
pub(crate) use encode::{to_cbor, to_message_pack};

/// How deep a payload's arrays and objects may nest.
const DEEPEST: usize = 64;

/// What a payload is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// CBOR (RFC 8949).
    Cbor,
    /// MessagePack.
    MessagePack,
}

impl Format {
    /// What a message says that its payload is, and otherwise what it looks like: both binary formats begin a map, which is
    /// what devices send, with bytes of their own.
    pub fn guess(payload: &[u8], content_type: Option<&str>) -> Option<Self> {
        let named =
            content_type.map(|name| name.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        match named.as_deref() {
            Some("application/cbor") => return Some(Self::Cbor),
            Some("application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack") => {
                return Some(Self::MessagePack);
            }
            Some(name) if name == "application/json" || name.ends_with("+json") => return Some(Self::Json),
            Some(name) if name.ends_with("+cbor") => return Some(Self::Cbor),
            _ => {}
        }
        match payload.first()? {
            b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' | b' ' | b'\t' | b'\r' | b'\n' => {
                Some(Self::Json)
            }
            0xa0..=0xbb | 0xbf | 0xd9 => Some(Self::Cbor),
            0x80..=0x9f | 0xdc..=0xdf => Some(Self::MessagePack),
            _ => None,
        }
    }
}

/// The value in a payload; `None` if it is not written in this format, or too deeply nested.
pub fn decode(payload: &[u8], format: Format) -> Option<Value<'_>> {
    match format {
        Format::Json => decode_json(payload),
        Format::Cbor => cbor::decode(payload),
        Format::MessagePack => decode_message_pack(payload),
    }
}

fn decode_json(payload: &[u8]) -> Option<Value<'_>> {
    use serde::de::DeserializeSeed;
    let mut json = serde_json::Deserializer::from_slice(payload);
    let value = Build::default().deserialize(&mut json).ok()?;
    json.end().ok()?;
    Some(value)
}

fn decode_message_pack(payload: &[u8]) -> Option<Value<'_>> {
    use rmp_serde::decode::Error;
    use serde::de::{Deserialize, DeserializeSeed, IgnoredAny};
    let mut rest = rmp_serde::Deserializer::from_read_ref(payload);
    rest.set_max_depth(DEEPEST + 1);
    let value = Build::default().deserialize(&mut rest).ok()?;
    // The library does not say how far it has read: nothing more can be.
    match IgnoredAny::deserialize(&mut rest) {
        Err(Error::InvalidMarkerRead(error)) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            Some(value)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
