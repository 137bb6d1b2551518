//! The broker's logic: sessions, QoS flows, routing, shared groups, retained messages, wills, limits and
//! hook points. There are no sockets, clocks or threads in here: bytes leave through a [`Transport`], time
//! and fresh identifiers are arguments.
//!
//! # Layout
//! - [`broker`]: the broker, and what happens with time; `connecting`: CONNECT and takeover
//! - `jail`, [`bans`]: who is not let in for a while, or for ever
//! - `ledger`: what is to outlive the process, on its way to the store; `keeping`: what of a session that is, and when;
//!   `kept`: how it is written; `blob`: where a message is in the store; `restoring`: the way back
//! - [`connection`]: one client's packets after CONNECT
//! - `subscribing`: SUBSCRIBE and UNSUBSCRIBE
//! - `publishing`: from one publish to all its receivers
//! - [`session`]: what is kept for a client; `outbound`: its messages, waiting and under way;
//!   `link`: its connection while it has one; `sending`: from the one to the other; `packet_ids`
//! - `router`, `route`, `subscribers`, `shared`: the subscription trie and what it finds
//! - `retained`: retained messages; `levels`: what is below a level of a topic, in order
//! - `inspect`: lists of what there is, page by page; `topics`: what is published to which topics
//! - `routed`: a message encoded once for many receivers; [`outbox`]: encoded packets before the socket
//! - [`batch`]: the work of one turn of a thread
//! - [`hook`]: what observers are told; `taps`: who observes which messages; [`receipt`]: acknowledgements that
//!   wait for them; [`delivering`]: deliveries they decide about
//! - [`message`], [`client`], [`limits`], [`statistics`], [`transport`]: what their names say
//!
//! # The life of a PUBLISH
//! A connection decodes it and calls [`Connection::publish`]. The thread's [`Batch`] knows the topic's route
//! or asks the router. The message is encoded once for each protocol version into the batch's scratch
//! buffer and copied behind the other packets in each receiver's outbox; only who keeps it (a queue, the
//! retained tree, an observer) shares one detached copy. When the connection has handled all it had
//! read, [`Broker::finish`] writes each touched session's outbox to its socket, once.

#![forbid(unsafe_code)]

pub mod acl;
mod acl_file;
pub mod bans;
pub mod batch;
mod blob;
pub mod broker;
pub mod client;
mod connecting;
pub mod connection;
pub mod delivering;
pub mod hook;
mod inspect;
mod jail;
mod keeping;
mod kept;
pub mod ledger;
mod levels;
pub mod limits;
mod link;
pub mod listener;
pub mod message;
pub mod network;
mod outbound;
pub mod outbox;
mod packet_ids;
mod presence;
mod publishing;
pub mod receipt;
mod restoring;
mod retained;
mod route;
mod routed;
mod router;
mod sending;
pub mod session;
mod shared;
pub mod statistics;
mod subscribers;
mod subscribing;
pub mod taps;
mod timer;
mod topics;
pub mod transport;
mod turns;

pub use acl::{Acl, Right};
pub use acl_file::AclError;
pub use bans::{Ban, BannedBy};
pub use batch::Batch;
pub use blob::Blob;
pub use broker::Broker;
pub use client::Client;
pub use connection::{Close, Connection, Denied, End};
pub use delivering::Receiver;
pub use hook::{Event, Gate, Observer, Sent};
pub use inspect::{
    ClientDetail, ClientFigures, ClientPage, ClientQuery, FilterFigures, Receivers, RetainedPage, Sort,
    SubscriptionFigures, SubscriptionPage, Totals, WillFigures,
};
pub use kept::note_time;
pub use ledger::{Ledger, Takes};
pub use limits::{Limits, QueuePolicy};
pub use listener::{AccessRules, Listener};
pub use message::{LARGE_PAYLOAD, Message, Millis, Passing, remaining_expiry};
pub use network::Network;
pub use outbox::Outbox;
pub use publishing::{Origin, Published, Refused};
pub use receipt::Receipt;
pub use restoring::{FindListener, Found, Restored};
pub use session::Session;
pub use statistics::Statistics;
pub use taps::{Tap, TapId, TapKind};
pub use topics::{TopicChanges, TopicFigures, TopicPage, TopicWatch};
pub use transport::{Transport, Written};
