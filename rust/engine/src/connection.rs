//! One client's packets after CONNECT.

use std::sync::Arc;

use bytestring::ByteString;
use hookmq_codec::{Ack, DecodeError, Disconnect, Packet, PropertyId, Publish, QoS, ReasonCode};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::client::Client;
use crate::message::Message;
use crate::publishing::{Published, Refused};
use crate::session::Session;

/// Why the broker closes a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Close {
    /// The reason code for DISCONNECT.
    pub reason: ReasonCode,
    /// Why, in words.
    pub what: &'static str,
}

impl Close {
    /// A reason to close.
    pub const fn new(reason: ReasonCode, what: &'static str) -> Self {
        Self { reason, what }
    }
}

impl From<DecodeError> for Close {
    fn from(error: DecodeError) -> Self {
        Self::new(error.reason, error.what)
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Why.
    pub reason: ReasonCode,
    /// Why, in words.
    pub detail: &'static str,
    /// Whether the Will is published.
    pub publish_will: bool,
    /// A Session Expiry Interval that came with DISCONNECT, in seconds.
    pub session_expiry: Option<u32>,
}

impl End {
    /// The connection broke or was closed by the broker: the Will is published.
    pub const fn abnormal(reason: ReasonCode, detail: &'static str) -> Self {
        Self { reason, detail, publish_will: true, session_expiry: None }
    }
}

/// A client that is connected, as the task that reads its packets holds it.
pub struct Connection {
    pub(crate) broker: Arc<Broker>,
    pub(crate) session: Arc<Session>,
    pub(crate) link_id: u64,
    client: Arc<Client>,
    /// Topic Aliases the client has set; index 0 is alias 1.
    aliases: Vec<Option<ByteString>>,
}

impl Connection {
    pub(crate) fn new(broker: Arc<Broker>, session: Arc<Session>, link_id: u64, client: Arc<Client>) -> Self {
        Self { broker, session, link_id, client, aliases: Vec::new() }
    }

    /// The client.
    pub fn client(&self) -> &Arc<Client> {
        &self.client
    }

    /// Puts the topic in the place of a Topic Alias and remembers a new one.
    pub fn resolve_alias(&mut self, publish: &mut Publish) -> Result<(), Close> {
        if publish.properties.is_empty() {
            return Ok(());
        }
        if publish.properties.number(PropertyId::SubscriptionIdentifier).is_some() {
            // [MQTT-3.3.4-6]
            return Err(Close::new(ReasonCode::ProtocolError, "a client sent a Subscription Identifier"));
        }
        let Some(alias) = publish.properties.number(PropertyId::TopicAlias) else { return Ok(()) };
        let maximum = self.broker.limits.topic_alias_maximum;
        // [MQTT-3.3.2-9]; zero was refused when it was read [MQTT-3.3.2-8]
        if alias > u32::from(maximum) {
            return Err(Close::new(ReasonCode::TopicAliasInvalid, "Topic Alias exceeds Topic Alias Maximum"));
        }
        let index = alias as usize - 1;
        if publish.topic.is_empty() {
            let known = self.aliases.get(index).cloned().flatten();
            publish.topic =
                known.ok_or(Close::new(ReasonCode::ProtocolError, "Topic Alias was not set before"))?;
        } else {
            if self.aliases.len() <= index {
                self.aliases.resize(index + 1, None);
            }
            self.aliases[index] = Some(ByteString::from(&*publish.topic)); // keeps no read buffer alive
        }
        Ok(())
    }

    /// PUBLISH came, with its alias resolved. `authorized` is what the deciders said.
    pub fn publish(&mut self, publish: Publish, authorized: bool, batch: &mut Batch) -> Result<(), Close> {
        batch.counts.messages_received += 1;
        batch.counts.bytes_received += publish.payload.len() as u64;
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if qos == QoS::ExactlyOnce && !self.is_new(packet_id, batch)? {
            return Ok(());
        }
        let too_deep = publish.topic.split('/').nth(self.broker.limits.max_topic_levels).is_some();
        let reason = match authorized && !publish.topic.starts_with("$SYS/") {
            true if too_deep => ReasonCode::TopicNameInvalid,
            true => {
                let message = Message::from_publish(publish, Arc::clone(&self.client.id), batch.now);
                match self.broker.publish(message, Some(&self.session), true, batch) {
                    Ok(Published { matched: true }) => ReasonCode::Success,
                    Ok(_) => ReasonCode::NoMatchingSubscribers,
                    Err(_) => Refused::REASON,
                }
            }
            false => {
                batch.counts.unauthorized += 1;
                ReasonCode::NotAuthorized
            }
        };
        self.acknowledge(qos, packet_id, reason, batch)
    }

    /// Whether a QoS 2 message has not come before; if it has, PUBREC is repeated. [MQTT-4.3.3-9]
    fn is_new(&self, packet_id: u16, batch: &mut Batch) -> Result<bool, Close> {
        let state = &mut *self.session.state.lock();
        if state.received.contains(&packet_id) {
            let again = Packet::PubRec(Ack::new(packet_id, ReasonCode::Success));
            self.session.reply(state, again, batch);
            return Ok(false);
        }
        // [MQTT-3.3.4-7]; before 5.0 nothing was agreed, and Packet Identifiers are the bound
        let maximum = usize::from(self.broker.limits.receive_maximum);
        if self.client.version.is_v5() && state.received.len() >= maximum {
            return Err(Close::new(ReasonCode::ReceiveMaximumExceeded, "more QoS 2 messages than announced"));
        }
        Ok(true)
    }

    /// Answers a PUBLISH. [MQTT-4.3.2-4] [MQTT-4.3.3-8]
    fn acknowledge(
        &self,
        qos: QoS,
        packet_id: u16,
        reason: ReasonCode,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        if qos == QoS::AtMostOnce {
            return Ok(());
        }
        let refused = reason == Refused::REASON;
        // Before 5.0 there is no way to say no but to close; a publish that was not authorized is
        // acknowledged all the same [MQTT-3.3.5-2], one that could not be kept must come again.
        if refused && !self.client.version.is_v5() {
            return Err(Close::new(reason, "a message could not be kept"));
        }
        let state = &mut *self.session.state.lock();
        let ack = Ack::new(packet_id, reason);
        let packet = match qos {
            QoS::ExactlyOnce => {
                if !reason.is_error() || !self.client.version.is_v5() {
                    state.received.insert(packet_id);
                }
                Packet::PubRec(ack)
            }
            _ => Packet::PubAck(ack),
        };
        self.session.reply(state, packet, batch);
        Ok(())
    }

    /// Any packet other than PUBLISH, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT came.
    pub fn handle(&mut self, packet: Packet, batch: &mut Batch) -> Result<(), Close> {
        match packet {
            Packet::PubAck(ack) => {
                self.session.on_puback(ack.packet_id, batch);
            }
            Packet::PubRec(ack) => self.session.on_pubrec(&ack, batch),
            Packet::PubRel(ack) => {
                let state = &mut *self.session.state.lock();
                let reason = match state.received.remove(&ack.packet_id) {
                    true => ReasonCode::Success,
                    false => ReasonCode::PacketIdentifierNotFound,
                };
                // [MQTT-4.3.3-11]
                self.session.reply(state, Packet::PubComp(Ack::new(ack.packet_id, reason)), batch);
            }
            Packet::PubComp(ack) => self.session.on_pubcomp(ack.packet_id, batch),
            Packet::PingReq => {
                let state = &mut *self.session.state.lock();
                self.session.reply(state, Packet::PingResp, batch); // [MQTT-3.12.4-1]
            }
            Packet::Connect(_) => {
                return Err(Close::new(ReasonCode::ProtocolError, "a second CONNECT")); // [MQTT-3.1.0-2]
            }
            Packet::Auth(_) => {
                return Err(Close::new(ReasonCode::ProtocolError, "AUTH without an Authentication Method"));
            }
            _ => return Err(Close::new(ReasonCode::ProtocolError, "a packet that only servers send")),
        }
        Ok(())
    }

    /// DISCONNECT came: how the connection ends.
    pub fn on_disconnect(&self, packet: &Disconnect) -> Result<End, Close> {
        let session_expiry = packet.properties.number(PropertyId::SessionExpiryInterval);
        if session_expiry.is_some_and(|expiry| expiry > 0) && self.session.state.lock().expiry == 0 {
            // [MQTT-3.14.2-2]
            return Err(Close::new(ReasonCode::ProtocolError, "a session that was to end cannot be kept"));
        }
        Ok(End {
            reason: packet.reason,
            detail: "the client disconnected",
            publish_will: packet.reason != ReasonCode::Success, // [MQTT-3.14.4-3]
            session_expiry,
        })
    }

    /// Whether this connection is still the session's.
    pub fn is_current(&self) -> bool {
        self.session.state.lock().link.as_ref().is_some_and(|link| link.id == self.link_id)
    }

    /// Whether more bytes wait for the client than it may leave unread; until then nothing is read
    /// from it, so that its own acknowledgements cannot grow without bound.
    pub fn is_congested(&self) -> bool {
        let state = self.session.state.lock();
        state.link.as_ref().is_some_and(|link| link.outbox.len() >= self.broker.limits.max_outbox_bytes)
    }

    /// Whether bytes wait that the socket did not take.
    pub fn is_blocked(&self) -> bool {
        self.session.state.lock().link.as_ref().is_some_and(|link| link.id == self.link_id && link.blocked)
    }

    /// The socket takes bytes again.
    pub fn unblock(&self, batch: &mut Batch) {
        self.session.unblock(self.link_id, batch);
    }

    /// The connection is over.
    pub fn end(self, end: &End, batch: &mut Batch) {
        self.broker.connection_ended(&self.session, self.link_id, end, batch);
    }

    /// Counts why the broker closes it and tells the client, if it can be told.
    pub fn refuse(&self, close: &Close, batch: &mut Batch) {
        self.broker.count_protocol_error(close, batch);
        let state = self.session.state.lock();
        if let Some(link) = state.link.as_ref().filter(|link| link.id == self.link_id) {
            link.close(close.reason);
        }
    }
}
