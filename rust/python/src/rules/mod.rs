//! Rules, as Python sees them.
//!
//! # Layout
//! - `language`: reading, describing and trying rules, without a broker
//! - `handle`: a rule of a broker; `specification`: its actions as Python writes them
//! - `functions`: functions of Python's inside rules; `call`: rules that run on a hook's thread because of them
//! - `running`: from what happens to rules, and from their results to hooks
//! - `values`: values as Python objects and back

mod call;
mod functions;
pub(crate) mod handle;
pub(crate) mod language;
mod running;
mod specification;
mod values;

pub(crate) use call::RuleInput;
pub(crate) use functions::Functions;
pub(crate) use running::RuleRun;
pub(crate) use values::row_to_dict;
