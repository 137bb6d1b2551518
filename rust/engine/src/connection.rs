//! One client's packets after CONNECT.

use std::sync::Arc;

use bytestring::ByteString;
use hookmq_codec::{Ack, DecodeError, Disconnect, Packet, PropertyId, Publish, QoS, ReasonCode};

use crate::acl::Right;
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
    /// Whether the client said so, with DISCONNECT.
    pub by_client: bool,
}

impl End {
    /// The connection broke or was closed by the broker: the Will is published.
    pub const fn abnormal(reason: ReasonCode, detail: &'static str) -> Self {
        Self { reason, detail, publish_will: true, session_expiry: None, by_client: false }
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
    /// QoS 2 messages of this connection that were received and not released.
    receiving: usize,
}

impl Connection {
    pub(crate) fn new(broker: Arc<Broker>, session: Arc<Session>, link_id: u64, client: Arc<Client>) -> Self {
        Self { broker, session, link_id, client, aliases: Vec::new(), receiving: 0 }
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

    /// Whether the access rules let the client do this with a topic.
    pub fn may(&self, right: Right, topic: &str) -> bool {
        self.client.may(right, topic)
    }

    /// Whether everyone who would have to keep this message has room for it. To be asked before
    /// [`Self::publish`] where publishers are held: it does not ask again then.
    pub fn has_room(&self, publish: &Publish, batch: &mut Batch) -> bool {
        self.broker.has_room(&publish.topic, publish.qos, batch)
    }

    /// PUBLISH came, with its alias resolved. `authorized` is what the deciders said; Quota exceeded says that
    /// it waited for room in vain.
    pub fn publish(
        &mut self,
        publish: Publish,
        authorized: Result<(), ReasonCode>,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        batch.counts.messages_received += 1;
        batch.counts.bytes_received += publish.payload.len() as u64;
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        if qos == QoS::ExactlyOnce && !self.is_new(packet_id, batch)? {
            return Ok(());
        }
        let too_deep = publish.topic.split('/').nth(self.broker.limits.max_topic_levels).is_some();
        let reserved = publish.topic.starts_with("$SYS/");
        let reason = match authorized {
            Ok(()) if too_deep => {
                batch.counts.limit_max_topic_levels += 1;
                ReasonCode::TopicNameInvalid
            }
            Ok(()) if !reserved && self.may(Right::Publish, &publish.topic) => {
                let message = Message::from_publish(publish, Arc::clone(&self.client.id), batch.now);
                match self.broker.publish(message, Some(&self.session), true, batch) {
                    Ok(Published { matched: true }) => ReasonCode::Success,
                    Ok(_) => ReasonCode::NoMatchingSubscribers,
                    Err(_) => Refused::REASON,
                }
            }
            Ok(()) => unauthorized(ReasonCode::NotAuthorized, batch),
            Err(Refused::REASON) => {
                batch.counts.messages_refused += 1;
                batch.counts.limit_max_queued += 1;
                Refused::REASON
            }
            Err(reason) => unauthorized(reason, batch),
        };
        self.acknowledge(qos, packet_id, reason, batch)
    }

    /// Whether a QoS 2 message has not come before; if it has, PUBREC is repeated. [MQTT-4.3.3-9]
    ///
    /// Its Packet Identifier is remembered before the message is handed on, so that a client which takes its
    /// own session over in that moment and repeats it is not heard twice. [MQTT-4.3.3-10]
    fn is_new(&mut self, packet_id: u16, batch: &mut Batch) -> Result<bool, Close> {
        let Some(mut state) = self.session.lock_for(self.link_id) else { return Ok(false) };
        if state.received.contains_key(&packet_id) {
            let again = Packet::PubRec(Ack::new(packet_id, ReasonCode::Success));
            self.session.reply(&mut state, again, batch);
            return Ok(false);
        }
        // [MQTT-3.3.4-7]; before 5.0 nothing was agreed, and Packet Identifiers are the bound
        let maximum = usize::from(self.broker.limits.receive_maximum);
        if self.client.version.is_v5() && self.receiving >= maximum {
            return Err(Close::new(ReasonCode::ReceiveMaximumExceeded, "more QoS 2 messages than announced"));
        }
        state.received.insert(packet_id, self.link_id);
        self.receiving += 1;
        Ok(true)
    }

    /// Answers a PUBLISH. [MQTT-4.3.2-4] [MQTT-4.3.3-8]
    fn acknowledge(
        &mut self,
        qos: QoS,
        packet_id: u16,
        reason: ReasonCode,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        if qos == QoS::AtMostOnce {
            return Ok(());
        }
        let v5 = self.client.version.is_v5();
        let refused = reason == Refused::REASON;
        let Some(mut state) = self.session.lock_for(self.link_id) else { return Ok(()) };
        if qos == QoS::ExactlyOnce && reason.is_error() && (v5 || refused) {
            state.received.remove(&packet_id);
            self.receiving -= 1;
        }
        // Before 5.0 there is no way to say no but to close; a publish that was not authorized is
        // acknowledged all the same [MQTT-3.3.5-2], one that could not be kept must come again.
        if refused && !v5 {
            return Err(Close::new(reason, "a message could not be kept"));
        }
        let ack = Ack::new(packet_id, reason);
        let packet = if qos == QoS::ExactlyOnce { Packet::PubRec(ack) } else { Packet::PubAck(ack) };
        self.session.reply(&mut state, packet, batch);
        Ok(())
    }

    /// Any packet other than PUBLISH, SUBSCRIBE, UNSUBSCRIBE and DISCONNECT came.
    pub fn handle(&mut self, packet: Packet, batch: &mut Batch) -> Result<(), Close> {
        let session = &self.session;
        let Some(mut state) = session.lock_for(self.link_id) else { return Ok(()) };
        match packet {
            Packet::PubAck(ack) => session.on_puback(&mut state, ack.packet_id, batch),
            Packet::PubRec(ack) => session.on_pubrec(&mut state, &ack, batch),
            Packet::PubRel(ack) => {
                let received = state.received.remove(&ack.packet_id);
                if received == Some(self.link_id) {
                    self.receiving -= 1;
                }
                let reason = match received {
                    Some(_) => ReasonCode::Success,
                    None => ReasonCode::PacketIdentifierNotFound,
                };
                // [MQTT-4.3.3-11]
                session.reply(&mut state, Packet::PubComp(Ack::new(ack.packet_id, reason)), batch);
            }
            Packet::PubComp(ack) => session.on_pubcomp(&mut state, ack.packet_id, batch),
            Packet::PingReq => session.reply(&mut state, Packet::PingResp, batch), // [MQTT-3.12.4-1]
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

    /// Sends a packet of the server's own: the steps of a re-authentication.
    pub fn send(&self, packet: Packet, batch: &mut Batch) {
        if let Some(mut state) = self.session.lock_for(self.link_id) {
            self.session.reply(&mut state, packet, batch);
        }
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
            by_client: true,
        })
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

/// Counts a publish that is not allowed, and says with which reason it is answered: that of the decider if
/// an acknowledgement can carry it.
fn unauthorized(reason: ReasonCode, batch: &mut Batch) -> ReasonCode {
    use ReasonCode::*;
    batch.counts.unauthorized += 1;
    match reason {
        UnspecifiedError | ImplementationSpecificError | TopicNameInvalid | PayloadFormatInvalid => reason,
        _ => NotAuthorized,
    }
}
