//! Hook points: what happened, told to observers at the end of a batch.

use std::pin::Pin;
use std::sync::Arc;

use hookmq_codec::{QoS, ReasonCode};

use crate::client::Client;
use crate::delivering::Receiver;
use crate::message::{Message, Passing};
use crate::receipt::Receipt;
use crate::taps::TapId;

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
#[derive(Debug)]
pub enum Event {
    /// A message was published, and these taps see it.
    Published {
        /// The message.
        message: Passing,
        /// The taps.
        taps: Arc<[TapId]>,
        /// Holds the publisher's acknowledgement back, if one of the taps wants that.
        receipt: Option<Receipt>,
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
    /// A client has acknowledged a message to the end, and these taps see it.
    Acked {
        /// The message.
        message: Arc<Message>,
        /// How it was sent.
        sent: Sent,
        /// The taps.
        taps: Arc<[TapId]>,
    },
    /// A receiver did not get a message, and these taps see it.
    Dropped {
        /// The message.
        message: Arc<Message>,
        /// The receiver's Client Identifier; empty where nobody of a shared group could take it.
        receiver: Arc<str>,
        /// Why, in words.
        why: &'static str,
        /// The taps.
        taps: Arc<[TapId]>,
    },
    /// A message is to go to these receivers once the taps have agreed, each for itself: then
    /// [`crate::Broker::deliver_decided`] is to be called for it.
    Deliver {
        /// The message.
        message: Arc<Message>,
        /// Who is to get it.
        receivers: Vec<Receiver>,
        /// The taps.
        taps: Arc<[TapId]>,
        /// Holds the publisher's acknowledgement back until it was decided.
        receipt: Option<Receipt>,
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
    /// A client subscribed.
    Subscribed {
        /// The client.
        client: Arc<Client>,
        /// The topic filter, with its share name if there is one.
        filter: Arc<str>,
        /// The QoS that was granted.
        qos: QoS,
    },
    /// A client unsubscribed.
    Unsubscribed {
        /// The client.
        client: Arc<Client>,
        /// The topic filter.
        filter: Arc<str>,
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

/// Holds a publisher back: an observer has more than it can take.
pub trait Gate: Send + Sync {
    /// Whether there is room again.
    fn is_open(&self) -> bool;

    /// Waits for room.
    fn opened(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Who is told. Called at the end of a batch from network threads; it must return at once.
pub trait Observer: Send + Sync + 'static {
    /// Takes the events; what is left in `events` afterwards is dropped. What is put into `gates` keeps whoever
    /// caused the events from causing more.
    fn observe(&self, events: &mut Vec<Event>, gates: &mut Vec<Arc<dyn Gate>>);

    /// Does what came of the events that this thread was told of: the end of the batch is near, and none of the engine's
    /// locks is held, so it may publish.
    fn settle(&self, _gates: &mut Vec<Arc<dyn Gate>>) {}
}
