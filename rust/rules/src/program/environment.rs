//! What an expression runs on.

use smallvec::SmallVec;

use crate::fields::Fields;
use crate::format::{self, Format};
use crate::functions::Wrong;
use crate::occasion::Occasion;
use crate::sql::Span;
use crate::state::Memory;
use crate::value::Value;

const NOTHING: &Value<'static> = &Value::Missing;

/// Why a rule gave nothing where it should have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failure {
    /// What is wrong.
    pub what: String,
    /// Which part of the rule found it, in bytes of its text.
    pub span: Span,
}

/// Functions that are not ours: Python's.
pub trait Externs {
    /// Calls the function with this number.
    fn call<'a>(&self, number: usize, arguments: Vec<Value<'a>>) -> Result<Value<'a>, Wrong>;
}

/// A step of a trial: which part of the rule gave what.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) span: Span,
    pub(crate) value: Value<'static>,
}

/// A group's values once its window has closed, or its silence has lasted.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) aggregates: Vec<Value<'static>>,
    pub(crate) kept: Vec<Value<'static>>,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) last_seen: u64,
    pub(crate) hops: u8,
}

/// What an expression runs on. `'a` is the message and the program, `'e` what lives for this run only.
pub(crate) struct Environment<'a, 'e> {
    pub(crate) now: u64,
    pub(crate) occasion: Option<&'a dyn Occasion>,
    pub(crate) externs: Option<&'e dyn Externs>,
    pub(crate) item: Value<'a>,
    pub(crate) memory: Option<&'e mut Vec<Memory>>,
    pub(crate) group: Option<&'e Group>,
    pub(crate) trace: Option<&'e mut Vec<Step>>,
    /// The fields of the payload, once they were asked for.
    pub(crate) fields: Option<Vec<Value<'a>>>,
    /// How much of the payload was copied, in bytes.
    pub(crate) copied: usize,
    /// Columns that conditions and results share, because they remember something: what they gave.
    pub(crate) shared: SmallVec<[Option<Value<'a>>; 2]>,
    wanted: &'a Fields,
}

impl<'a, 'e> Environment<'a, 'e> {
    pub(crate) fn new(now: u64, occasion: Option<&'a dyn Occasion>, wanted: &'a Fields) -> Self {
        Self {
            now,
            occasion,
            externs: None,
            item: Value::Missing,
            memory: None,
            group: None,
            trace: None,
            fields: None,
            copied: 0,
            shared: SmallVec::new(),
            wanted,
        }
    }

    pub(crate) fn topic(&self) -> &'a str {
        self.occasion.map_or("", |occasion| occasion.topic())
    }

    /// A field of the payload.
    pub(crate) fn field(&mut self, index: usize) -> Value<'a> {
        self.field_ref(index).clone()
    }

    /// The same where it is.
    pub(crate) fn field_ref(&mut self, index: usize) -> &Value<'a> {
        if self.fields.is_none() {
            self.fields = Some(self.read());
        }
        let fields = self.fields.as_deref().unwrap_or_default();
        fields.get(index).unwrap_or(NOTHING)
    }

    fn read(&self) -> Vec<Value<'a>> {
        let mut values = Vec::new();
        let Some(occasion) = self.occasion else { return values };
        let payload = occasion.payload();
        match Format::guess(payload, occasion.content_type()) {
            Some(Format::Json) => {
                self.wanted.read(payload, &mut values);
            }
            Some(format) => {
                if let Some(value) = format::decode(payload, format) {
                    self.wanted.pick(&value, &mut values);
                }
            }
            None => {}
        }
        values
    }
}
