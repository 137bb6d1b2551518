//! A session's connection while it has one.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use bytestring::ByteString;
use hashbrown::HashMap;
use hookmq_codec::{ConnAck, Disconnect, Packet, PacketType, Properties, PropertyId, ReasonCode, Version};

use crate::client::Client;
use crate::ledger::Ticket;
use crate::outbox::{BufferPool, Outbox};
use crate::packet_ids::PacketIds;
use crate::receipt::Acks;
use crate::transport::Transport;

/// The connection of a session, and what the client asked for on it.
pub(crate) struct Link {
    /// Tells this connection from earlier ones of the session.
    pub(crate) id: u64,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) client: Arc<Client>,
    pub(crate) outbox: Outbox,
    /// A thread took the outbox's content out and is writing it; others only append.
    pub(crate) writing: bool,
    /// The socket is full; its owner writes on when it can.
    pub(crate) blocked: bool,
    /// The session is in the list of those a batch will write out.
    pub(crate) touched: bool,
    /// Whether CONNACK has left: without it nothing else may.
    pub(crate) greeted: bool,
    /// The commit that something in the outbox promises: nothing of it is written before that is done.
    pub(crate) gate: Ticket,
    /// QoS 1 and 2 messages the client takes at a time. [MQTT-3.3.4-9]
    pub(crate) receive_maximum: usize,
    /// The largest packet the client takes, in bytes.
    pub(crate) max_packet_size: usize,
    pub(crate) aliases: Aliases,
    /// Whether the client wants reasons in words. [MQTT-3.1.2-29]
    pub(crate) explains: bool,
    /// Packet Identifiers of QoS 2 messages that were received on this connection and not released.
    pub(crate) received: PacketIds,
    /// Acknowledgements that wait for who keeps the messages.
    pub(crate) acks: Acks,
}

impl Link {
    /// What was appended last promises what is in this commit.
    pub(crate) fn promise(&mut self, ticket: Ticket) {
        self.gate = self.gate.max(ticket);
    }

    pub(crate) fn version(&self) -> Version {
        self.client.version
    }

    /// Appends a packet other than PUBLISH.
    pub(crate) fn send(&mut self, packet: &Packet, pool: &mut BufferPool) {
        let version = self.version();
        let tail = self.outbox.tail(pool);
        let before = tail.len();
        packet.encode(version, tail);
        let bytes = tail.len() - before;
        if bytes > self.max_packet_size {
            // [MQTT-3.1.2-24] nothing it cannot take is sent, and without the answer it cannot go on
            tail.truncate(before);
            return self.transport.close(ReasonCode::PacketTooLarge, Bytes::new());
        }
        self.outbox.appended(bytes);
    }

    /// The properties that say why in words, if the client wants and can take them. [MQTT-3.4.2-2]
    pub(crate) fn explanation(&self, text: Option<ByteString>) -> Properties {
        const REST: usize = 64; // more than the rest of an acknowledgement takes
        match text.filter(|text| self.explains && text.len() + REST <= self.max_packet_size) {
            Some(text) => Properties::new().with_text(PropertyId::ReasonString, text),
            None => Properties::new(),
        }
    }

    /// Closes the connection, with a DISCONNECT that says why if the client can read one. Whoever waits for CONNACK gets
    /// one that sends it away.
    pub(crate) fn close(&self, reason: ReasonCode) {
        let version = self.version();
        let words = if self.greeted { farewell(version, reason) } else { refusal(version) };
        self.transport.close(reason, words);
    }
}

/// The DISCONNECT that ends a connection from the server's side; nothing before 5.0. [MQTT-3.14.0-1]
fn farewell(version: Version, reason: ReasonCode) -> Bytes {
    let mut out = BytesMut::new();
    // What only CONNACK can say becomes the one that is nearest to all of them.
    let reason = if Disconnect::can_say(reason) { reason } else { ReasonCode::NotAuthorized };
    if version.is_v5() {
        Packet::Disconnect(Disconnect::new(reason)).encode(version, &mut out);
        debug_assert_eq!(out[0] >> 4, PacketType::Disconnect as u8);
    }
    out.freeze()
}

/// The CONNACK for a client that was let in, but cannot be told so.
fn refusal(version: Version) -> Bytes {
    let mut out = BytesMut::new();
    let reason = ReasonCode::ServerUnavailable;
    let connack = ConnAck { session_present: false, reason, properties: Properties::new() };
    Packet::ConnAck(connack).encode(version, &mut out);
    out.freeze()
}

/// Topic Aliases towards a client. The first topics that are sent get them and keep them: a client that
/// announces few aliases usually receives few topics, and replacing the least used would cost more
/// than the bytes it saves.
#[derive(Debug, Default)]
pub(crate) struct Aliases {
    /// Only if it takes any.
    by_topic: Option<Box<HashMap<ByteString, u16>>>,
    maximum: u16,
}

impl Aliases {
    pub(crate) fn new(maximum: u16) -> Self {
        Self { by_topic: (maximum > 0).then(Box::default), maximum }
    }

    /// The alias for a topic, and whether it is new, so that the topic must be named once more.
    pub(crate) fn find_or_assign(&mut self, topic: &str) -> Option<(u16, bool)> {
        let by_topic = self.by_topic.as_mut()?;
        if let Some(alias) = by_topic.get(topic) {
            return Some((*alias, false));
        }
        let alias = u16::try_from(by_topic.len() + 1).ok().filter(|alias| *alias <= self.maximum)?;
        by_topic.insert(ByteString::from(topic), alias);
        Some((alias, true))
    }

    /// Takes back an assignment whose packet was not sent.
    pub(crate) fn unassign(&mut self, topic: &str) {
        self.by_topic.as_mut().map(|by_topic| by_topic.remove(topic));
    }
}
