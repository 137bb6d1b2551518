//! MQTT 3.1, 3.1.1 and 5.0 on the wire: bytes to values and back, nothing else.
//!
//! There is one packet model for all three versions; the version is an argument of
//! [`Packet::decode`] and [`Packet::encode`], never a second type. No I/O, no clock, no state beyond
//! the [`Decoder`], which cuts a byte stream into packets.
//!
//! # Layout
//! - [`version`]: the three protocol versions
//! - [`reason`]: every reason code with its name and text, and how 3.x says it
//! - [`error`]: why bytes were refused, which is a reason code and a sentence
//! - [`frame`]: the fixed header
//! - [`wire`]: integers, strings and binary data as MQTT writes them
//! - [`property`]: MQTT 5 properties, driven by one table
//! - [`topic`]: topic names and filters: parsing, matching, shared subscriptions
//! - [`packet`]: the packet model; one file per packet family behind it
//! - [`decoder`]: a stream of bytes to a stream of packets

#![forbid(unsafe_code)]

pub mod decoder;
pub mod error;
pub mod frame;
pub mod packet;
pub mod property;
pub mod reason;
pub mod topic;
pub mod version;
pub mod wire;

mod ack;
mod auth;
mod connack;
mod connect;
mod disconnect;
mod publish;
mod suback;
mod subscribe;

pub use ack::Ack;
pub use auth::Auth;
pub use bytestring::ByteString;
pub use connack::ConnAck;
pub use connect::{Connect, Will};
pub use decoder::Decoder;
pub use disconnect::Disconnect;
pub use error::DecodeError;
pub use packet::{Packet, PacketType, QoS};
pub use property::{Properties, PropertyId, Value};
pub use publish::Publish;
pub use reason::ReasonCode;
pub use suback::{SubAck, UnsubAck};
pub use subscribe::{RetainHandling, Subscribe, SubscribeFilter, SubscriptionOptions, Unsubscribe};
pub use topic::{TopicError, TopicFilter};
pub use version::Version;
