//! What functions take out of values.

use std::borrow::Cow;

use super::Wrong;
use super::results::{shown, wrong};
use crate::value::{Object, Value, parse_number};

/// The arguments of a call by what they are to be. Numbers in texts are numbers, numbers and booleans are texts where one
/// is wanted; anything else is wrong, and said so.
pub trait Arguments<'a> {
    /// Takes an argument out; what is not there is [`Value::Missing`].
    fn take(&mut self, index: usize) -> Value<'a>;
    /// Whether it was given.
    fn has(&self, index: usize) -> bool;
    /// A number.
    fn number(&self, index: usize) -> Result<f64, Wrong>;
    /// A whole number, or another one if it was not given.
    fn int_or(&self, index: usize, otherwise: i64) -> Result<i64, Wrong>;
    /// A whole number.
    fn int(&self, index: usize) -> Result<i64, Wrong>;
    /// A text, taken out.
    fn text(&mut self, index: usize) -> Result<Cow<'a, str>, Wrong>;
    /// A text, taken out, or another one if it was not given.
    fn text_or(&mut self, index: usize, otherwise: &'static str) -> Result<Cow<'a, str>, Wrong>;
    /// One of a few words, in whatever letters; the first if it was not given.
    fn word(&mut self, index: usize, known: &[&'static str]) -> Result<&'static str, Wrong>;
    /// Bytes, or those of a text, taken out.
    fn bytes(&mut self, index: usize) -> Result<Cow<'a, [u8]>, Wrong>;
    /// `true` or `false`.
    fn bool(&self, index: usize) -> Result<bool, Wrong>;
    /// An array, taken out.
    fn array(&mut self, index: usize) -> Result<Vec<Value<'a>>, Wrong>;
    /// An object, taken out.
    fn object(&mut self, index: usize) -> Result<Object<'a>, Wrong>;
}

impl<'a> Arguments<'a> for [Value<'a>] {
    fn take(&mut self, index: usize) -> Value<'a> {
        self.get_mut(index).map(std::mem::take).unwrap_or_default()
    }

    fn has(&self, index: usize) -> bool {
        self.get(index).is_some_and(|value| !value.is_null())
    }

    fn number(&self, index: usize) -> Result<f64, Wrong> {
        match self.get(index) {
            Some(Value::Bool(_)) | None => Err(unfit(self, index, "a number")),
            Some(value) => value.as_number().ok_or_else(|| unfit(self, index, "a number")),
        }
    }

    fn int_or(&self, index: usize, otherwise: i64) -> Result<i64, Wrong> {
        if self.has(index) { self.int(index) } else { Ok(otherwise) }
    }

    fn int(&self, index: usize) -> Result<i64, Wrong> {
        let number = match self.get(index) {
            Some(Value::Int(whole)) => return Ok(*whole),
            Some(Value::Float(number)) => Some(Value::number(*number)),
            Some(Value::Text(text)) => parse_number(text),
            _ => None,
        };
        match number {
            Some(Value::Int(whole)) => Ok(whole),
            _ => Err(unfit(self, index, "a whole number")),
        }
    }

    fn text(&mut self, index: usize) -> Result<Cow<'a, str>, Wrong> {
        match self.take(index) {
            Value::Text(text) => Ok(text),
            Value::Int(number) => Ok(Cow::Owned(number.to_string())),
            Value::Float(number) => Ok(Cow::Owned(number.to_string())),
            Value::Bool(value) => Ok(Cow::Owned(value.to_string())),
            other => Err(unfit(&[other], 0, "a text").at(index)),
        }
    }

    fn text_or(&mut self, index: usize, otherwise: &'static str) -> Result<Cow<'a, str>, Wrong> {
        if self.has(index) { self.text(index) } else { Ok(Cow::Borrowed(otherwise)) }
    }

    fn word(&mut self, index: usize, known: &[&'static str]) -> Result<&'static str, Wrong> {
        let Some(first) = known.first() else { return wrong("no word is known here") };
        let given = self.text_or(index, first)?;
        if let Some(word) = known.iter().find(|word| word.eq_ignore_ascii_case(&given)) {
            return Ok(word);
        }
        let given = shown(&given);
        wrong(format!("argument {} is '{given}', one of '{}' was expected", index + 1, known.join("', '")))
    }

    fn bytes(&mut self, index: usize) -> Result<Cow<'a, [u8]>, Wrong> {
        match self.take(index) {
            Value::Bytes(bytes) => Ok(bytes),
            Value::Text(Cow::Borrowed(text)) => Ok(Cow::Borrowed(text.as_bytes())),
            Value::Text(Cow::Owned(text)) => Ok(Cow::Owned(text.into_bytes())),
            Value::Int(number) => Ok(Cow::Owned(number.to_string().into_bytes())),
            other => Err(unfit(&[other], 0, "bytes or a text").at(index)),
        }
    }

    fn bool(&self, index: usize) -> Result<bool, Wrong> {
        match self.get(index) {
            Some(Value::Bool(value)) => Ok(*value),
            _ => Err(unfit(self, index, "true or false")),
        }
    }

    fn array(&mut self, index: usize) -> Result<Vec<Value<'a>>, Wrong> {
        match self.take(index) {
            Value::Array(items) => Ok(items),
            other => Err(unfit(&[other], 0, "an array").at(index)),
        }
    }

    fn object(&mut self, index: usize) -> Result<Object<'a>, Wrong> {
        match self.take(index) {
            Value::Object(object) => Ok(object),
            other => Err(unfit(&[other], 0, "an object").at(index)),
        }
    }
}

impl Wrong {
    /// Says which argument it is about.
    fn at(self, index: usize) -> Self {
        match self.0.strip_prefix("argument 1 ") {
            Some(rest) => Self(format!("argument {} {rest}", index + 1)),
            None => self,
        }
    }
}

fn unfit(values: &[Value<'_>], index: usize, wanted: &str) -> Wrong {
    let kind = values.get(index).map_or("nothing", Value::kind);
    Wrong(format!("argument {} is {kind}, {wanted} was expected", index + 1))
}
