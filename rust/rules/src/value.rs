//! What a field holds and what an expression gives.

use std::borrow::Cow;
use std::cmp::Ordering;

/// The longest text or array that an expression makes, in bytes or items: none is to turn a message of ten bytes into a
/// gigabyte.
pub(crate) const LONGEST: usize = 1 << 20;

/// A value. Texts, bytes and what contains them are borrowed from the message as long as nothing changes them.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
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
    Text(Cow<'a, str>),
    /// Bytes that are no text.
    Bytes(Cow<'a, [u8]>),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object<'a>),
}

/// Keys with values, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Object<'a>(pub Vec<(Cow<'a, str>, Value<'a>)>);

impl<'a> Object<'a> {
    /// The value of a key; of two the last, as in JSON.
    pub fn get(&self, key: &str) -> Option<&Value<'a>> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Its keys in their order, each once, in the time that sorting takes: a client chooses how many there are.
    fn by_key(&self) -> Vec<(&str, &Value<'a>)> {
        let mut all: Vec<_> = self.0.iter().rev().map(|(key, value)| (&**key, value)).collect();
        all.sort_by_key(|(key, _)| *key);
        all.dedup_by_key(|(key, _)| *key);
        all
    }

    /// Lets go of every key that comes again later, in the time that this takes.
    pub(crate) fn dedup(&mut self) {
        let mut seen = hashbrown::HashSet::with_capacity(self.0.len());
        let last: Vec<bool> = self.0.iter().rev().map(|(key, _)| seen.insert(&**key)).collect();
        drop(seen);
        if last.iter().any(|last| !last) {
            let mut last = last.into_iter().rev();
            self.0.retain(|_| last.next().unwrap_or(true));
        }
    }

    /// The same, taken out.
    pub fn take(mut self, key: &str) -> Option<Value<'a>> {
        let at = self.0.iter().rposition(|(name, _)| name == key)?;
        Some(self.0.swap_remove(at).1)
    }

    /// Sets the value of a key.
    pub fn set(&mut self, key: Cow<'a, str>, value: Value<'a>) {
        match self.0.iter_mut().rev().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => self.0.push((key, value)),
        }
    }
}

impl<'a> Value<'a> {
    /// A text of one's own.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(Cow::Owned(text.into()))
    }

    /// Bytes as a text, if they are one.
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(Cow::Borrowed(text)),
            Err(_) => Self::Bytes(Cow::Borrowed(bytes)),
        }
    }

    /// A number: whole if it is, and exact as such.
    pub fn number(number: f64) -> Self {
        const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
        match number.fract() == 0.0 && number.abs() <= EXACT {
            true => Self::Int(number as i64),
            false => Self::Float(number),
        }
    }

    /// Whether nothing is there, or `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }

    /// What kind it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Missing => "nothing",
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The same with nothing borrowed.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Missing => Value::Missing,
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(value) => Value::Int(value),
            Self::Float(value) => Value::Float(value),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Bytes(bytes) => Value::Bytes(Cow::Owned(bytes.into_owned())),
            Self::Array(items) => Value::Array(items.into_iter().map(Self::into_owned).collect()),
            Self::Object(object) => {
                let own =
                    |(key, value): (Cow<'a, str>, Self)| (Cow::Owned(key.into_owned()), value.into_owned());
                Value::Object(Object(object.0.into_iter().map(own).collect()))
            }
        }
    }

    /// Roughly the memory it takes beside itself, in bytes.
    pub fn weight(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Array(items) => items.iter().map(|item| size_of::<Self>() + item.weight()).sum(),
            Self::Object(object) => {
                let entry =
                    |(key, value): &(Cow<'_, str>, Self)| 2 * size_of::<Self>() + key.len() + value.weight();
                object.0.iter().map(entry).sum()
            }
            _ => 0,
        }
    }

    /// The number it is, or that its text says.
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Int(value) => Some(*value as f64),
            Self::Float(value) => Some(*value),
            Self::Text(text) => parse_number(text).and_then(|number| number.as_number()),
            _ => None,
        }
    }

    /// Which of two comes first; `None` if that cannot be said. A text that says a number is compared with numbers as
    /// that number: plain payloads such as `22.5` are texts.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(left.cmp(right)),
            (Self::Int(left), Self::Float(right)) => (*left as f64).partial_cmp(right),
            (Self::Float(left), Self::Int(right)) => left.partial_cmp(&(*right as f64)),
            (Self::Float(left), Self::Float(right)) => left.partial_cmp(right),
            (Self::Text(left), Self::Text(right)) => Some(left.cmp(right)),
            (Self::Bytes(left), Self::Bytes(right)) => Some(left.cmp(right)),
            (Self::Text(left), Self::Bytes(right)) => Some(left.as_bytes().cmp(right)),
            (Self::Bytes(left), Self::Text(right)) => Some((**left).cmp(right.as_bytes())),
            (Self::Bool(left), Self::Bool(right)) => Some(left.cmp(right)),
            (Self::Text(text), Self::Bool(value)) => parse_bool(text)?.partial_cmp(value),
            (Self::Bool(value), Self::Text(text)) => value.partial_cmp(&parse_bool(text)?),
            (Self::Text(text), Self::Int(_) | Self::Float(_)) => parse_number(text)?.order(other),
            (Self::Int(_) | Self::Float(_), Self::Text(text)) => self.order(&parse_number(text)?),
            (Self::Null | Self::Missing, Self::Null | Self::Missing) => Some(Ordering::Equal),
            (Self::Array(left), Self::Array(right)) => {
                for (left, right) in left.iter().zip(right) {
                    match left.order(right)? {
                        Ordering::Equal => {}
                        order => return Some(order),
                    }
                }
                Some(left.len().cmp(&right.len()))
            }
            _ => None,
        }
    }

    /// A text that is the same for values that are: whole numbers are written as such, keys in their order.
    pub(crate) fn canonical(&self) -> String {
        match self {
            Self::Float(number) => crate::format::to_json(&Self::number(*number)),
            Self::Array(items) => {
                let items: Vec<_> = items.iter().map(Self::canonical).collect();
                format!("[{}]", items.join(","))
            }
            Self::Object(object) => {
                let entry = |(key, value): (&str, &Self)| {
                    format!("{}:{}", crate::format::to_json(&Value::Text(key.into())), value.canonical())
                };
                let entries: Vec<_> = object.by_key().into_iter().map(entry).collect();
                format!("{{{}}}", entries.join(","))
            }
            other => crate::format::to_json(other),
        }
    }

    /// Whether two are the same: numbers by what they count, objects whatever the order of their keys.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Object(left), Self::Object(right)) => {
                let (left, right) = (left.by_key(), right.by_key());
                left.len() == right.len()
                    && left
                        .iter()
                        .zip(&right)
                        .all(|((key, value), (other_key, other))| key == other_key && value.same(other))
            }
            (Self::Array(left), Self::Array(right)) => {
                left.len() == right.len() && left.iter().zip(right).all(|(left, right)| left.same(right))
            }
            _ => self.order(other) == Some(Ordering::Equal),
        }
    }
}

fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The number that a text says, if it says nothing else.
pub(crate) fn parse_number(text: &str) -> Option<Value<'static>> {
    let text = text.trim_ascii();
    // `inf`, `nan` and the like are no numbers here.
    let ends_well = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let begins_well = |byte: u8| ends_well(byte) || matches!(byte, b'-' | b'+');
    if !text.bytes().next().is_some_and(begins_well) || !text.bytes().last().is_some_and(ends_well) {
        return None;
    }
    if let Ok(whole) = text.parse() {
        return Some(Value::Int(whole));
    }
    text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Float)
}
