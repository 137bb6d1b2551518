//! The rule language: text in, a program out that runs on messages.
//!
//! # Layout
//! - [`rule`]: a rule that runs; `groups`: what it remembers from one message to the next; [`builder`]: from its text to
//!   that; [`trial`]: a rule on a [`sample`], step by step
//! - `sql`: from text to what it says; `program`: from that to what runs; [`functions`]: what expressions can call
//! - `windows`: many messages to one result; `state`: what was before; [`timer`]: times; [`duration`]: lengths of time
//! - [`occasion`]: on what rules run; [`source`]: where that comes from; [`format`]: payloads to values and back
//! - [`value`]: what fields hold and expressions give; [`error`]: what is wrong with a text, and where
//! - [`condition`]: the conditions of Python's hooks (`where=`), with `token`, its words; [`fields`]: some fields of a JSON
//!   text, read without building the rest of it; [`path`]: names of them, such as `sensor.values[0]`
//!
//! Nothing here knows of sockets, sessions or Python. The time is told; only a search for patterns looks by itself how long it
//! takes, and gives up.

#![forbid(unsafe_code)]

pub mod builder;
pub mod condition;
pub mod duration;
pub mod error;
pub mod fields;
pub mod format;
pub mod functions;
mod groups;
pub mod occasion;
pub mod path;
mod program;
pub mod rule;
pub mod sample;
pub mod source;
mod sql;
mod state;
pub mod timer;
mod token;
pub mod trial;
pub mod value;
mod windows;

pub use builder::RuleBuilder;
pub use condition::Condition;
pub use error::RuleError;
pub use fields::Fields;
pub use occasion::{Attribute, Event, Occasion};
pub use path::Path;
pub use program::{Externs, Failure, SPECIAL, Special, Template, is_function};
pub use rule::{Fired, Ran, Rule};
pub use source::Source;
pub use timer::Timer;
pub use value::{Object, Value};

/// What is wrong with a text, and where: the place is counted in characters from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}, at character {at}")]
pub struct SyntaxError {
    /// What was expected.
    pub what: String,
    /// Where.
    pub at: usize,
}
