//! Conditions on messages: text in, a program out that runs on payloads.
//!
//! # Layout
//! - [`path`]: names of JSON fields, such as `sensor.values[0]`
//! - [`fields`]: reads some fields of a JSON text without building the rest of it
//! - [`token`]: words of a condition; [`condition`]: from words to a program
//!
//! Nothing here knows of sockets, sessions or Python.

#![forbid(unsafe_code)]

pub mod condition;
pub mod fields;
pub mod path;
mod token;

pub use condition::Condition;
pub use fields::{Fields, Value};
pub use path::Path;

/// What is wrong with a text, and where: the place is counted in characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at character {at}")]
pub struct SyntaxError {
    /// What was expected.
    pub what: String,
    /// Where.
    pub at: usize,
}
