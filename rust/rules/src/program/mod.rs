//! From what a rule says to what runs.
//!
//! # Layout
//! - `node`: an expression that runs; `evaluate`: running it; `environment`: on what
//! - `compile`: from what is written to nodes; `names`: what names mean
//! - `special`: functions that are about the message, about what was before, or about many messages
//! - `template`: texts with `${…}`

mod compile;
mod environment;
mod evaluate;
mod matching;
mod names;
mod node;
mod special;
mod template;

pub(crate) use compile::{Aggregate, Compiler, Mode};
pub(crate) use environment::{Environment, Group, Step};
pub use environment::{Externs, Failure};
pub(crate) use evaluate::get;
pub(crate) use matching::matches_filter;
pub use names::is_function;
pub(crate) use node::{Node, NodeKind};
pub(crate) use special::AggregateKind;
pub use special::{SPECIAL, Special};
pub use template::Template;
