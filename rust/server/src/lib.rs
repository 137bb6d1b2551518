//! Everything with sockets, clocks and threads: listeners, connections, HTTP.
//!
//! # Layout
//! - [`server`]: starts and stops it all; [`settings`]: with what
//! - [`worker`]: the network threads, each a runtime with its connections pinned to it
//! - `listener`: a listener and the files it is made of; [`bind`]: binding addresses; [`files`]: files that are
//!   read again when they change
//! - `accept`: from an accepted socket to the first byte of MQTT or HTTP, through `proxy`, `tls` and
//!   `certificate`
//! - `stream`: a connection's bytes, whatever carries them; `socket`: its way out as the engine's transport
//! - [`http`]: pages; [`body`]: what responses carry; [`hub`]: WebSockets of pages; `websocket`: MQTT inside WebSocket
//!   messages
//! - `handshake`: from the first byte to CONNACK; `authentication`: who the client is, with `users` and
//!   `enhanced`; `will`
//! - `connection`: one client's task after that; `incoming`: its bytes that become packets; `pace`, `bucket`: how fast it may send; `reauthentication`;
//!   `deciding`: what is asked about its packets; `authorized`: what it was allowed for a while; `transforming`: what is decided before it is published
//! - [`deciders`]: who may connect, publish and subscribe, asked of whoever registered
//! - `failed_handshakes`: what the log says of TLS that fails
//! - [`bridge`]: the same messages here and at other brokers
//! - [`storage`]: what outlives the process, found again at the start; [`keeper`]: the thread that writes it
//! - [`rules`]: rules that run on what happens
//! - [`numbers`]: what happened over time, and as metrics; `topics`: the thread that counts topics
//! - `ticker`: what is due at a time, with `system`, the `$SYS` topics; [`clock`]: the time
//!
//! # Threads
//! `hookmq-net-N` run connections, the first of them accepts as well; `hookmq-tick` does what is due; `hookmq-http` runs the
//! HTTP port with the WebSocket clients that come by it, so that a page never delays a packet; `hookmq-bridge` runs the
//! bridges, for the same reason. Passwords are
//! hashed on threads of the runtimes' pools. Any other thread may publish with a batch it borrows from
//! [`hookmq_engine::Broker::with_batch`]. `hookmq-store` commits what outlives the process, and then lets those
//! connections go on that waited for it.

#![forbid(unsafe_code)]

mod accept;
mod authentication;
mod authorized;
pub mod bind;
pub mod body;
pub mod bridge;
mod bucket;
mod certificate;
pub mod clock;
mod connection;
pub mod deciders;
mod deciding;
mod enhanced;
mod failed_handshakes;
pub mod files;
mod handshake;
pub mod http;
pub mod hub;
mod incoming;
pub mod keeper;
mod listener;
pub mod numbers;
mod pace;
mod proxy;
mod reauthentication;
mod request_body;
pub mod rules;
pub mod server;
pub mod settings;
mod socket;
pub mod storage;
mod stream;
mod system;
mod ticker;
mod tls;
mod topics;
mod transforming;
mod users;
mod websocket;
mod will;
pub mod worker;

pub use bind::BindError;
pub use body::{Body, BodySink, NotTaken};
pub use clock::Clock;
pub use deciders::{Action, Answer, Asked, Deciders, Exchange, Step, Terms, Transformed, Verdict};
pub use files::FileError;
pub use http::{Pages, Request, Response};
pub use hub::{Hub, HubEvent};
pub use server::Server;
pub use settings::Settings;
pub use storage::Storage;
pub use topics::TopicCounter;
