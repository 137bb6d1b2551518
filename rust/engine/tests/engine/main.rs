//! The engine driven without sockets, clocks or threads.

// In a test a panic is the report.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod delivery;
mod matching;
mod model;
mod recovery;
mod sessions;
mod support;
mod turns;
