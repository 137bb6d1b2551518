//! Many messages to one result.
//!
//! # Layout
//! - `aggregate`: what is gathered of a value, and how two of them become one
//! - `window`: which messages belong together in time
//! - `keyed`: what is remembered for each group, with a bound

mod aggregate;
mod keyed;
mod window;

pub(crate) use aggregate::Gathered;
pub(crate) use keyed::Keyed;
pub(crate) use window::{MOST_HOPS, Window, WindowState};
