//! Hook points: what happened, told to observers at the end of a batch.
//!
//! An observer of messages is a [`Tap`]: it sits in the subscription trie like a subscriber, so its topic
//! filter is matched with theirs, the result is cached with theirs, and messages nobody observes cost
//! nothing.

use std::sync::Arc;

use hookmq_codec::{QoS, ReasonCode};

use crate::client::Client;
use crate::message::Message;

/// Names one tap.
pub type TapId = u32;

/// Which messages a tap sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TapKind {
    /// What clients publish, wills included.
    Received,
    /// Everything that is published, by clients and by the broker itself.
    Routed,
    /// What is sent to a client, once for each receiver.
    Sent,
}

/// An observer of the messages that match a topic filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tap {
    /// Its name.
    pub id: TapId,
    /// Which messages it sees.
    pub kind: TapKind,
}

/// What a message was sent as.
#[derive(Debug, Clone)]
pub struct Sent {
    /// The receiver's Client Identifier.
    pub receiver: Arc<str>,
    /// The QoS it was sent with.
    pub qos: QoS,
    /// The RETAIN flag it was sent with.
    pub retain: bool,
    /// The Packet Identifier, 0 with QoS 0.
    pub packet_id: u16,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub enum Event {
    /// A message was published, and these taps see it.
    Published {
        /// The message.
        message: Arc<Message>,
        /// The taps.
        taps: Arc<[TapId]>,
    },
    /// A message was sent to a client, and these taps see it.
    Sent {
        /// The message.
        message: Arc<Message>,
        /// How it was sent.
        sent: Sent,
        /// The taps.
        taps: Arc<[TapId]>,
    },
    /// A client connected.
    Connected {
        /// The client.
        client: Arc<Client>,
    },
    /// A client's connection ended.
    Disconnected {
        /// The client.
        client: Arc<Client>,
        /// Why: of its DISCONNECT, or of the broker's.
        reason: ReasonCode,
        /// Why, in words.
        detail: &'static str,
    },
    /// Something a log should say about a client.
    Notice {
        /// The client, as far as it is known.
        client_id: Arc<str>,
        /// What happened.
        text: String,
    },
    /// Something a log should say about the broker.
    Log {
        /// Whether somebody should do something about it.
        warning: bool,
        /// What happened.
        text: String,
    },
}

/// Who is told. Called at the end of a batch from network threads; it must return at once.
pub trait Observer: Send + Sync + 'static {
    /// Takes the events; what is left in `events` afterwards is dropped.
    fn observe(&self, events: &mut Vec<Event>);
}
