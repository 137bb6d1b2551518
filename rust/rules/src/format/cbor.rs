//! CBOR. The library's serde side refuses tags, which devices put before times and texts.

use std::borrow::Cow;

use minicbor::Decoder;
use minicbor::data::Type;

use super::DEEPEST;
use super::build::key_of;
use crate::value::{Object, Value};

/// The value in a payload, which must be nothing else.
pub(super) fn decode(payload: &[u8]) -> Option<Value<'_>> {
    let mut decoder = Decoder::new(payload);
    let value = read(&mut decoder, 0)?;
    (decoder.position() == payload.len()).then_some(value)
}

fn read<'de>(decoder: &mut Decoder<'de>, depth: usize) -> Option<Value<'de>> {
    if depth > DEEPEST {
        return None;
    }
    Some(match decoder.datatype().ok()? {
        Type::Bool => Value::Bool(decoder.bool().ok()?),
        Type::Null => {
            decoder.null().ok()?;
            Value::Null
        }
        Type::Undefined => {
            decoder.undefined().ok()?;
            Value::Missing
        }
        Type::U8
        | Type::U16
        | Type::U32
        | Type::U64
        | Type::I8
        | Type::I16
        | Type::I32
        | Type::I64
        | Type::Int => {
            let whole = i128::from(decoder.int().ok()?);
            i64::try_from(whole).map_or(Value::Float(whole as f64), Value::Int)
        }
        Type::F16 => float(f64::from(decoder.f16().ok()?)),
        Type::F32 => float(f64::from(decoder.f32().ok()?)),
        Type::F64 => float(decoder.f64().ok()?),
        Type::Bytes => Value::Bytes(Cow::Borrowed(decoder.bytes().ok()?)),
        Type::String => Value::Text(Cow::Borrowed(decoder.str().ok()?)),
        Type::BytesIndef => {
            let mut bytes = Vec::new();
            for piece in decoder.bytes_iter().ok()? {
                bytes.extend_from_slice(piece.ok()?);
            }
            Value::Bytes(Cow::Owned(bytes))
        }
        Type::StringIndef => {
            let mut text = String::new();
            for piece in decoder.str_iter().ok()? {
                text.push_str(piece.ok()?);
            }
            Value::Text(Cow::Owned(text))
        }
        Type::Array | Type::ArrayIndef => {
            let length = decoder.array().ok()?;
            let mut items = Vec::new();
            while more(decoder, length, items.len())? {
                items.push(read(decoder, depth + 1)?);
            }
            Value::Array(items)
        }
        Type::Map | Type::MapIndef => {
            let length = decoder.map().ok()?;
            let mut object = Object::default();
            while more(decoder, length, object.0.len())? {
                let key = key_of(read(decoder, depth + 1)?)?;
                object.0.push((key, read(decoder, depth + 1)?));
            }
            Value::Object(object)
        }
        Type::Tag => {
            decoder.tag().ok()?;
            read(decoder, depth + 1)?
        }
        Type::Simple | Type::Break | Type::Unknown(_) => return None,
    })
}

/// Whether another item comes; one that has no length ends with a mark.
fn more(decoder: &mut Decoder<'_>, length: Option<u64>, read: usize) -> Option<bool> {
    match length {
        Some(length) => Some((read as u64) < length),
        None if decoder.datatype().ok()? == Type::Break => {
            decoder.set_position(decoder.position() + 1);
            Some(false)
        }
        None => Some(true),
    }
}

fn float<'de>(number: f64) -> Value<'de> {
    if number.is_finite() { Value::Float(number) } else { Value::Null }
}
