//! One client's packets after CONNECT.

use std::collections::VecDeque;
use std::sync::Arc;

use bytestring::ByteString;
use hookmq_codec::{Ack, DecodeError, Disconnect, Packet, PropertyId, Publish, QoS, ReasonCode};
use parking_lot::RwLockReadGuard;

use crate::acl::Right;
use crate::batch::Batch;
use crate::broker::Broker;
use crate::client::Client;
use crate::link::Link;
use crate::message::Message;
use crate::publishing::{Origin, Published, Refused};
use crate::receipt::{Answer, Held, Receipt, Unsettled};
use crate::session::Session;
use crate::subscribing::Replay;
use crate::taps::TapId;

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

/// Why something is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// The reason code to answer with.
    pub reason: ReasonCode,
    /// The same in words, for the client.
    pub text: Option<ByteString>,
}

impl From<ReasonCode> for Denied {
    fn from(reason: ReasonCode) -> Self {
        Self { reason, text: None }
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

/// A PUBLISH whose acknowledgement has begun.
#[derive(Clone, Copy)]
struct Begun {
    /// Everybody has it, but for those who are to keep it: it came before.
    handed_out: bool,
    /// The acknowledgement, if it is held back.
    held: Option<Held>,
}

/// A QoS 2 message by its Packet Identifier.
enum Recognized {
    /// It has not come before.
    New,
    /// It was handed out, but was not kept by all who are to keep it.
    HandedOut,
    /// It came before, and there is nothing to do.
    Known,
}

/// A client that is connected, as the task that reads its packets holds it.
pub struct Connection {
    pub(crate) broker: Arc<Broker>,
    pub(crate) session: Arc<Session>,
    pub(crate) link_id: u64,
    client: Arc<Client>,
    /// Topic Aliases the client has set; index 0 is alias 1.
    aliases: Vec<Option<ByteString>>,
    /// Retained messages that subscriptions asked for and that were not queued yet.
    pub(crate) replays: VecDeque<Replay>,
}

impl Connection {
    pub(crate) fn new(broker: Arc<Broker>, session: Arc<Session>, link_id: u64, client: Arc<Client>) -> Self {
        Self { broker, session, link_id, client, aliases: Vec::new(), replays: VecDeque::new() }
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

    /// Whom to ask what becomes of a message before it is published.
    pub fn transforms(&self, topic: &str, batch: &mut Batch) -> Option<Arc<[TapId]>> {
        self.broker.transforms(topic, batch)
    }

    /// Whether the client's own queue is what has no room: waiting for it would be waiting for itself.
    pub fn is_full(&self) -> bool {
        self.session.is_full()
    }

    /// Whether everyone who would have to keep this message has room for it. To be asked before
    /// [`Self::publish`] where publishers are held: it does not ask again then.
    pub fn has_room(&self, publish: &Publish, batch: &mut Batch) -> bool {
        self.broker.has_room(&publish.topic, publish.qos, batch) || self.was_handed_out(publish)
    }

    /// PUBLISH came, with its alias resolved. `authorized` is what the deciders said; Quota exceeded says that
    /// it waited for room in vain.
    pub fn publish(
        &mut self,
        publish: Publish,
        authorized: Result<(), Denied>,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        let _together = self.together(publish.qos);
        let Some(begun) = self.begin(&publish, [&*publish.topic], batch)? else { return Ok(()) };
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        let answer = match authorized {
            Ok(()) => {
                let message = Message::from_publish(publish, Arc::clone(&self.client.id), batch.now);
                (self.route(message, begun, batch), None)
            }
            Err(Denied { reason: Refused::REASON, .. }) => {
                Refused::for_want_of_room(batch);
                (Refused::REASON, None)
            }
            Err(denied) => (unauthorized(denied.reason, batch), denied.text),
        };
        self.acknowledge(qos, packet_id, answer, begun, batch)
    }

    /// The same for a PUBLISH that was replaced by other messages, or by none. They are not asked about again:
    /// who replaced it may write wherever it likes.
    pub fn publish_instead(
        &mut self,
        publish: &Publish,
        messages: Vec<Message>,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        let _together = self.together(publish.qos);
        let topics = messages.iter().map(|message| &*message.topic);
        let Some(begun) = self.begin(publish, topics, batch)? else { return Ok(()) };
        let receipt = self.receipt(begun, batch);
        let mut reason = ReasonCode::Success;
        for message in messages {
            let share = receipt.as_ref().map(Receipt::share);
            let origin = Origin::instead(&self.session, begun.handed_out, share);
            if self.broker.publish(message, origin, batch).is_err() {
                reason = Refused::REASON;
            }
        }
        if let Some(receipt) = receipt {
            if reason == ReasonCode::Success {
                receipt.handed_out(batch);
            }
            receipt.keep();
        }
        self.acknowledge(publish.qos, publish.packet_id, (reason, None), begun, batch)
    }

    /// A QoS 2 message and that it was received come into one commit, so that it is neither lost nor heard twice.
    fn together(&self, qos: QoS) -> Option<RwLockReadGuard<'_, ()>> {
        if qos == QoS::ExactlyOnce { self.broker.together() } else { None }
    }

    /// Counts a PUBLISH and begins its acknowledgement. `None` if it came before, and there is nothing to do.
    fn begin<'a>(
        &self,
        publish: &Publish,
        topics: impl IntoIterator<Item = &'a str>,
        batch: &mut Batch,
    ) -> Result<Option<Begun>, Close> {
        batch.counts.messages_received += 1;
        batch.counts.bytes_received += publish.payload.len() as u64;
        self.session.count_received();
        if publish.retain && self.client.version.is_v5() {
            self.broker.check_retain(batch)?;
        }
        let (qos, packet_id) = (publish.qos, publish.packet_id);
        let handed_out = match qos {
            QoS::ExactlyOnce => match self.recognize(packet_id, batch)? {
                Recognized::New => false,
                Recognized::HandedOut => true,
                Recognized::Known => return Ok(None),
            },
            _ => false,
        };
        let mut topics = topics.into_iter();
        let held = match qos > QoS::AtMostOnce && topics.any(|topic| self.broker.keeps(topic, batch)) {
            true => self.hold_ack(packet_id, qos),
            false => None,
        };
        Ok(Some(Begun { handed_out, held }))
    }

    /// Whether the client may publish to a topic, or the reason why not.
    pub fn may_publish(&self, topic: &str) -> Result<(), ReasonCode> {
        let slashes = topic.as_bytes().iter().filter(|byte| **byte == b'/').count();
        if slashes >= self.broker.limits.max_topic_levels {
            return Err(ReasonCode::TopicNameInvalid);
        }
        match topic.starts_with("$SYS/") || !self.may(Right::Publish, topic) {
            true => Err(ReasonCode::NotAuthorized),
            false => Ok(()),
        }
    }

    /// Publishes a message if the rules allow it: the reason to answer with.
    fn route(&self, message: Message, begun: Begun, batch: &mut Batch) -> ReasonCode {
        match self.may_publish(&message.topic) {
            Ok(()) => {}
            Err(ReasonCode::TopicNameInvalid) => {
                batch.counts.limit_max_topic_levels += 1;
                return ReasonCode::TopicNameInvalid;
            }
            Err(reason) => return unauthorized(reason, batch),
        }
        let receipt = self.receipt(begun, batch);
        let origin =
            Origin::connection(&self.session, begun.handed_out, receipt.as_ref().map(Receipt::share));
        let published = self.broker.publish(message, origin, batch);
        if let Some(receipt) = receipt.filter(|_| published.is_ok()) {
            receipt.handed_out(batch);
            receipt.keep();
        }
        match published {
            Ok(Published { matched: true }) => ReasonCode::Success,
            Ok(_) => ReasonCode::NoMatchingSubscribers,
            Err(_) => Refused::REASON,
        }
    }

    fn receipt(&self, begun: Begun, batch: &Batch) -> Option<Receipt> {
        begun.held.map(|held| Receipt::new(&self.broker, &self.session, held, batch.now))
    }

    /// Holds the acknowledgement of a message back; what it is known by.
    fn hold_ack(&self, packet_id: u16, qos: QoS) -> Option<Held> {
        let mut state = self.session.lock_for(self.link_id)?;
        let serial = state.link.as_mut()?.acks.hold(packet_id, qos);
        Some(Held { link_id: self.link_id, serial, packet_id, qos })
    }

    /// Whether a QoS 2 message came before and there is nothing left to do, so that nobody need be asked about it
    /// again.
    pub fn has_received(&self, publish: &Publish) -> bool {
        publish.qos == QoS::ExactlyOnce
            && self.session.state.lock().received.contains(publish.packet_id)
            && !self.was_handed_out(publish)
    }

    /// Whether everybody has a QoS 2 message, but for those who are to keep it.
    fn was_handed_out(&self, publish: &Publish) -> bool {
        publish.qos == QoS::ExactlyOnce
            && self.session.state.lock().unsettled.get(&publish.packet_id) == Some(&Unsettled::HandedOut)
    }

    /// Whether a QoS 2 message has come before; if it has, PUBREC is repeated. [MQTT-4.3.3-9]
    ///
    /// Its Packet Identifier is remembered before the message is handed on, so that a client which takes its
    /// own session over in that moment and repeats it is not heard twice. [MQTT-4.3.3-10]
    fn recognize(&self, packet_id: u16, batch: &mut Batch) -> Result<Recognized, Close> {
        let Some(mut state) = self.session.lock_for(self.link_id) else { return Ok(Recognized::Known) };
        let held = |link: &Link| link.acks.holds(packet_id, QoS::ExactlyOnce);
        if state.link.as_ref().is_some_and(held) {
            return Ok(Recognized::Known); // answered when it is known whether it is kept
        }
        let unsettled = state.unsettled.get(&packet_id).copied();
        if let Some(Unsettled::Waits { .. }) = unsettled
            && let Some(link) = &mut state.link
        {
            let serial = link.acks.hold(packet_id, QoS::ExactlyOnce);
            link.acks.answer(serial, (ReasonCode::Success, None));
            link.received.insert(packet_id);
            return Ok(Recognized::Known);
        }
        if unsettled.is_none() && state.received.contains(packet_id) {
            let again = Packet::PubRec(Ack::new(packet_id, ReasonCode::Success));
            match &mut state.link {
                // [MQTT-4.6.0-3]
                Some(link) if !link.acks.is_empty() => {
                    link.acks.queue(packet_id, QoS::ExactlyOnce, (ReasonCode::Success, None));
                }
                _ => self.session.reply(&mut state, again, batch),
            }
            return Ok(Recognized::Known);
        }
        // [MQTT-3.3.4-7]; before 5.0 nothing was agreed, and Packet Identifiers are the bound
        let maximum = usize::from(self.broker.limits.receive_maximum);
        if let Some(link) = &mut state.link {
            if self.client.version.is_v5() && !self.client.bridge && link.received.len() >= maximum {
                let what = "more QoS 2 messages than announced";
                return Err(Close::new(ReasonCode::ReceiveMaximumExceeded, what));
            }
            link.received.insert(packet_id);
        }
        state.received.insert(packet_id);
        state.unsettled.remove(&packet_id);
        Ok(if unsettled.is_some() { Recognized::HandedOut } else { Recognized::New })
    }

    /// Answers a PUBLISH. [MQTT-4.3.2-4] [MQTT-4.3.3-8]
    fn acknowledge(
        &self,
        qos: QoS,
        packet_id: u16,
        answer: Answer,
        begun: Begun,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        if qos == QoS::AtMostOnce {
            return Ok(());
        }
        let v5 = self.client.version.is_v5();
        let reason = answer.0;
        let refused = reason == Refused::REASON;
        let Some(mut guard) = self.session.lock_for(self.link_id) else { return Ok(()) };
        let state = &mut *guard;
        let Some(link) = &mut state.link else { return Ok(()) };
        if qos == QoS::ExactlyOnce && reason.is_error() && (v5 || refused) {
            link.received.remove(packet_id);
            match begun.handed_out {
                true => self.session.forget_received(state, packet_id, batch),
                false => _ = state.received.remove(packet_id),
            }
        }
        let Some(link) = &mut state.link else { return Ok(()) };
        // Before 5.0 there is no way to say no but to close; a publish that was not authorized is
        // acknowledged all the same [MQTT-3.3.5-2], one that could not be kept must come again.
        if refused && !v5 {
            return Err(Close::new(reason, "a message could not be kept"));
        }
        if reason == ReasonCode::TopicNameInvalid && !v5 {
            return Err(Close::new(reason, "the topic has too many levels"));
        }
        match begun.held {
            None if link.acks.is_empty() => self.session.send_ack(state, packet_id, qos, answer, batch),
            None => link.acks.queue(packet_id, qos, answer),
            Some(ack) => {
                link.acks.answer(ack.serial, answer);
                self.session.send_acks(state, batch); // who keeps it may have been faster
            }
        }
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
                if let Some(link) = &mut state.link {
                    link.received.remove(ack.packet_id);
                }
                state.unsettled.retain(|id, of| *id != ack.packet_id || *of != Unsettled::HandedOut);
                let reason = match state.received.remove(ack.packet_id) {
                    true => {
                        let ticket = session.keep_unreceived(&state, ack.packet_id, batch);
                        state.promise(ticket);
                        ReasonCode::Success
                    }
                    false => ReasonCode::PacketIdentifierNotFound,
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
        if session_expiry.is_some_and(|expiry| expiry > 0) && !self.session.state.lock().asked_to_be_kept {
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

    /// Whether so much waits for the disk, of this client or of all, that nothing more should be read from it.
    pub fn waits_for_store(&self) -> bool {
        self.broker.ledger.as_ref().is_some_and(|ledger| ledger.is_behind() || self.session.is_held())
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
