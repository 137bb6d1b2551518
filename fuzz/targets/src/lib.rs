//! What fuzzing runs. Each target is a function that takes any bytes at all and panics if something does not
//! hold that must.
//!
//! The libFuzzer programs in `fuzz/fuzz_targets` call them for hours, `tests/seeds.rs` for every seed in
//! `fuzz/corpus` and some mutations of it, with the stable compiler and in seconds.
//!
//! # Layout
//! - [`decoder`]: a stream of bytes, cut anywhere, in every version
//! - [`topic`]: topic names and filters, the subscription trie, the retained tree
//! - [`websocket`]: from the frames of a WebSocket to the bytes of MQTT and back; `frame` reads frames
//! - [`proxy`]: PROXY headers
//! - [`acl`]: access rules and what they decide
//! - [`users`]: the users file, and changing it; [`scram`]: logging in by SCRAM
//! - [`rules`]: texts of rules, templates and payloads
//! - `plain`: topic matching as the specification says it, without any cleverness

#![forbid(unsafe_code)]

pub mod acl;
pub mod decoder;
mod frame;
mod plain;
pub mod proxy;
pub mod rules;
pub mod scram;
pub mod topic;
pub mod users;
pub mod websocket;

/// A target: any bytes.
pub type Target = fn(&[u8]);

/// Every target, with the name of its program and of its folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("acl", acl::run),
    ("decoder", decoder::run),
    ("proxy", proxy::run),
    ("rules", rules::run),
    ("scram", scram::run),
    ("topic", topic::run),
    ("users", users::run),
    ("websocket", websocket::run),
];
