//! Everything with sockets, clocks and threads: listeners, connections, HTTP.
//!
//! # Layout
//! - [`server`]: starts and stops it all; [`settings`]: with what
//! - [`worker`]: the network threads, each a runtime with its connections pinned to it
//! - `listener`: binding and accepting
//! - `socket`: a TCP socket as the engine's transport
//! - `handshake`: from the first byte to CONNACK
//! - `connection`: one client's task after that
//! - [`deciders`]: who may connect, publish and subscribe, asked of whoever registered
//! - [`http`]: the HTTP port
//! - [`clock`]: the time
//!
//! # Threads
//! `hookmq-net-N` run connections, the first of them accepts and ticks as well; `hookmq-http` runs the
//! HTTP port, so that a page never delays a packet. Any other thread may publish with a batch it borrows from
//! [`hookmq_engine::Broker::with_batch`].

#![forbid(unsafe_code)]

pub mod clock;
mod connection;
pub mod deciders;
mod handshake;
pub mod http;
mod listener;
pub mod server;
pub mod settings;
mod socket;
pub mod worker;

pub use clock::Clock;
pub use deciders::{Action, Answer, Deciders, Verdict};
pub use http::{Pages, Request, Response};
pub use listener::BindError;
pub use server::Server;
pub use settings::Settings;
