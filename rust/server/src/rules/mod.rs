//! Rules that run on what happens in the broker.
//!
//! # Layout
//! - `active`: a rule with its actions and its counters; `action`: what is done with results
//! - `happened`: what happens, as rules see it
//! - `outputs`: what results ask for, until it can be done; `chain`: which rules a message has come through
//! - `registry`: all of them, and the thread for what is due at a time
//!
//! A rule runs on the thread that tells it, at the end of the batch in which something happened: there is no queue in
//! between, so it takes effect before the message is acknowledged, and who publishes more than rules can do waits by
//! itself. What it asks for is done a moment later, when none of the engine's locks is held.

mod action;
mod active;
mod chain;
mod happened;
mod outputs;
mod registry;

pub use action::{Action, Properties};
pub use active::{ActionState, ActiveRule, Counters, LastError};
pub use chain::{Way, along, current};
pub use happened::{Happened, Happening};
pub use outputs::{Outputs, Publish, Rest, ResultRow};
pub use registry::{Elsewhere, Rules, wait_for};
