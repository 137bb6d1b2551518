//! A session: what the broker keeps for a client between and during its connections.
//!
//! Any thread may deliver to a session, so its state is behind a lock that is held for the copying of a few
//! hundred bytes and never while a socket is written. Locks are taken in one order: registry, retained
//! messages, session, router; no thread holds the locks of two sessions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use hookmq_codec::{Ack, ConnAck, Packet, QoS, ReasonCode, SubscriptionOptions, TopicFilter, Will};
use parking_lot::{Mutex, MutexGuard, RwLock};

use crate::acl::Right;
use crate::batch::Batch;
use crate::client::Client;
use crate::hook::Sent;
use crate::limits::Limits;
use crate::link::Link;
use crate::message::Millis;
use crate::outbound::{Delivery, Inflight, Phase, Queue};
use crate::routed::{Routed, Shape, append_one};
use crate::router::Grant;
use crate::taps::TapId;
use crate::transport::Written;

/// Messages are encoded for a connection as long as fewer bytes than this wait for its socket; the rest
/// stays in the queue, where a message takes a pointer.
const ENCODE_AHEAD: usize = 256 << 10;

/// How often a full queue is searched for expired messages, in milliseconds.
const PURGE: Millis = 1000;

/// Why messages are dropped.
const OFFLINE: &str = "QoS 0, and the client is not connected";
const EXPIRED: &str = "it has expired";
const TOO_LARGE: &str = "it is larger than the client takes";

/// After so many writes in a row a thread leaves a session that others keep filling to its owner.
const MAX_ROUNDS: u32 = 16;

/// A session.
pub struct Session {
    /// The Client Identifier.
    pub id: Arc<str>,
    /// Tells sessions apart, also two that had the same Client Identifier one after the other.
    pub(crate) serial: u64,
    /// Whether it has a connection, for those who only want a hint.
    connected: AtomicBool,
    /// Whether its queue takes no further QoS 1 and 2 messages.
    full: AtomicBool,
    /// The client as it connected last: whom access rules are asked about, and who owns the session. Nothing
    /// else is locked while this is.
    client: RwLock<Arc<Client>>,
    pub(crate) state: Mutex<State>,
}

/// A subscription of a session.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<u32>,
}

/// A Will and how long it is kept back after the connection ended.
#[derive(Debug, Clone)]
pub(crate) struct PendingWill {
    pub(crate) will: Will,
    /// Will Delay Interval in seconds.
    pub(crate) delay: u32,
}

/// What a session keeps.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) link: Option<Link>,
    /// The session is over; nothing may be added to it.
    pub(crate) ended: bool,
    pub(crate) subscriptions: HashMap<TopicFilter, Subscription>,
    /// Those of them that the access rules do not allow any more: they have no effect until they do again.
    pub(crate) suspended: HashSet<TopicFilter>,
    pub(crate) inflight: Inflight,
    pub(crate) queue: Queue,
    /// Packet Identifiers under way that were not repeated yet on this connection, because the client
    /// takes fewer at a time than it did.
    pub(crate) unrepeated: VecDeque<u16>,
    /// Packet Identifiers of QoS 2 messages that were received and not released [MQTT-4.3.3-10], with the
    /// connection they came on.
    pub(crate) received: HashMap<u16, u64>,
    /// Session Expiry Interval in seconds, `u32::MAX` for ever.
    pub(crate) expiry: u32,
    /// Whether CONNECT asked for more than 0 seconds, whatever was granted.
    pub(crate) asked_to_be_kept: bool,
    pub(crate) will: Option<PendingWill>,
    /// Of these, those whose PUBREC was held back when their connection ended, with what tells the message:
    /// see [`crate::receipt`].
    pub(crate) unsettled: HashMap<u16, (u64, u64)>,
    /// Counts connects and disconnects.
    pub(crate) epoch: u64,
    /// When the session ends and when its will is published, while it has no connection.
    pub(crate) ends_at: Option<Millis>,
    pub(crate) will_at: Option<Millis>,
    /// The time for which a timer is set.
    pub(crate) timer: Option<Millis>,
    /// When expired messages were last looked for in a full queue.
    pub(crate) purged_at: Millis,
}

impl State {
    /// Drops the oldest QoS 0 messages of a queue that is full.
    fn make_room(&mut self, receiver: &Arc<str>, batch: &mut Batch) {
        while self.queue.is_full(&batch.limits)
            && let Some(delivery) = self.queue.drop_oldest_qos0()
        {
            batch.counts.limit_qos0_dropped += 1;
            batch.dropped(receiver, "the queue is full", || delivery.message);
        }
    }
}

impl Session {
    pub(crate) fn new(client: Arc<Client>, serial: u64) -> Arc<Self> {
        Arc::new(Self {
            id: Arc::clone(&client.id),
            serial,
            connected: AtomicBool::new(false),
            full: AtomicBool::new(false),
            client: RwLock::new(client),
            state: Mutex::default(),
        })
    }

    /// The client as it connected last.
    pub(crate) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.read())
    }

    /// Whether a client may have the session: it belongs to the user who was authenticated when it was
    /// made; without one, to anybody.
    pub(crate) fn belongs_to(&self, client: &Client) -> bool {
        let client_of_owner = self.client.read();
        let owner = &client_of_owner.principal;
        let listener = &client_of_owner.listener;
        owner.is_none() || *owner == client.principal && listener.knows_the_same(&client.listener)
    }

    /// Remembers the client that connects. Says whether access rules may decide otherwise about it than
    /// about the one before.
    pub(crate) fn identify(&self, client: &Arc<Client>) -> bool {
        let before = std::mem::replace(&mut *self.client.write(), Arc::clone(client));
        let ip = |client: &Client| client.address.map(|address| address.ip());
        let ruled = before.listener.access.is_some() || client.listener.access.is_some();
        ruled
            && (before.username != client.username
                || ip(&before) != ip(client)
                || !Arc::ptr_eq(&before.listener, &client.listener))
    }

    /// Whether it may get a message with this topic.
    pub(crate) fn may_receive(&self, topic: &str) -> bool {
        self.client.read().may(Right::Receive, topic)
    }

    /// Whether it has a connection at this moment.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Relaxed)
    }

    /// Whether it takes no further QoS 1 and 2 messages.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// Gives the session a connection: CONNACK, what was under way, what waited.
    pub(crate) fn attach(
        self: &Arc<Self>,
        state: &mut State,
        mut link: Link,
        connack: ConnAck,
        batch: &mut Batch,
    ) {
        link.send(&Packet::ConnAck(connack), &mut batch.pool);
        state.link = Some(link);
        state.epoch += 1;
        (state.ends_at, state.will_at) = (None, None);
        self.connected.store(true, Relaxed);
        // [MQTT-4.4.0-1] what was under way is sent again, in order, with its Packet Identifiers; PUBREL at
        // once, since no window holds it back [MQTT-3.3.4-10]
        let under_way = state.inflight.in_order();
        let is_released = |phase: &Phase| matches!(phase, Phase::Released(_));
        let ids = |released| {
            let of_kind = under_way.iter().filter(move |(_, phase)| is_released(phase) == released);
            of_kind.map(|(id, _)| *id).collect::<VecDeque<_>>()
        };
        let (released, unrepeated) = (ids(true), ids(false));
        state.unrepeated = unrepeated;
        for id in released {
            self.reply(state, Packet::PubRel(Ack::new(id, ReasonCode::Success)), batch);
        }
        self.pump(state, batch);
    }

    /// Takes the connection away.
    pub(crate) fn detach(&self, state: &mut State, batch: &mut Batch) -> Option<Link> {
        let link = state.link.take()?;
        let of_link = |(packet_id, serial)| (packet_id, (link.id, serial));
        state.unsettled.extend(link.acks.unsettled().map(of_link));
        state.epoch += 1;
        state.queue.drop_qos0(&mut |delivery| {
            // A retained message that was asked for is there still.
            if !delivery.replayed {
                batch.dropped(&self.id, OFFLINE, || delivery.message);
            }
        });
        self.note_fullness(state, &batch.limits);
        self.connected.store(false, Relaxed);
        Some(link)
    }

    /// Hands over one message.
    pub(crate) fn deliver(
        self: &Arc<Self>,
        routed: &mut Routed,
        grant: &Grant,
        retain: bool,
        taps: Option<&Arc<[TapId]>>,
        batch: &mut Batch,
    ) {
        let qos = routed.message.qos.min(grant.qos);
        let mut guard = self.state.lock();
        let state = &mut *guard;
        if qos == QoS::AtMostOnce {
            let Some(link) = &mut state.link else {
                return self.lose(routed, OFFLINE, batch);
            };
            if !state.queue.has_qos0() && link.outbox.len() < batch.limits.max_outbox_bytes {
                return self.send_now(link, routed, qos, retain, grant, taps, batch);
            }
            state.make_room(&self.id, batch);
            if state.queue.is_full(&batch.limits) {
                return self.lose(routed, "the queue is full", batch);
            }
        } else if state.ended {
            return self.lose(routed, "the session has ended", batch);
        }
        state.queue.push(Delivery {
            message: routed.shared(),
            qos,
            retain,
            identifiers: grant.identifiers.clone(),
            taps: taps.cloned(),
            replayed: false,
        });
        self.pump(state, batch);
    }

    fn lose(&self, routed: &mut Routed, why: &'static str, batch: &mut Batch) {
        batch.dropped(&self.id, why, || routed.shared());
    }

    /// Hands over a retained message. It always queues, because there may be a million of them.
    pub(crate) fn deliver_retained(
        self: &Arc<Self>,
        state: &mut State,
        delivery: Delivery,
        batch: &mut Batch,
    ) {
        let bound = batch.limits.max_queued_messages + batch.limits.max_retained_messages;
        if state.queue.len() >= bound {
            return batch.dropped(&self.id, "the queue is full", || delivery.message);
        }
        state.queue.push(delivery);
        self.pump(state, batch);
    }

    /// Sends a QoS 0 message at once.
    #[allow(clippy::too_many_arguments)]
    fn send_now(
        self: &Arc<Self>,
        link: &mut Link,
        routed: &mut Routed,
        qos: QoS,
        retain: bool,
        grant: &Grant,
        taps: Option<&Arc<[TapId]>>,
        batch: &mut Batch,
    ) {
        let alias = link.aliases.find_or_assign(&routed.message.topic);
        let v5 = link.version().is_v5();
        let identifiers = if v5 { &grant.identifiers[..] } else { &[] };
        let shape = Shape { v5, dup: false, qos, retain, packet_id: 0, identifiers, alias };
        let Batch { pool, scratch, now, .. } = batch;
        match routed.append(shape, link.max_packet_size, &mut link.outbox, pool, scratch, *now) {
            Ok(bytes) => batch.appended += bytes,
            Err(_) => {
                if let Some((_, true)) = alias {
                    link.aliases.unassign(&routed.message.topic);
                }
                return self.lose(routed, TOO_LARGE, batch);
            }
        }
        batch.count_sent(routed.message.payload.len());
        batch.touch(self, link);
        if let Some(taps) = taps {
            let sent = Sent { receiver: Arc::clone(&self.id), qos, retain, packet_id: 0 };
            batch.sent(routed.shared(), Arc::clone(taps), sent);
        }
    }

    /// Sends what the client and its socket have room for: first what was under way before this
    /// connection, then what waits.
    pub(crate) fn pump(self: &Arc<Self>, state: &mut State, batch: &mut Batch) {
        if let Some(link) = &mut state.link {
            repeat(link, &mut state.unrepeated, &mut state.inflight, batch);
            let ahead = ENCODE_AHEAD.min(batch.limits.max_outbox_bytes);
            while state.unrepeated.is_empty() && link.outbox.len() < ahead {
                let Some(front) = state.queue.front() else { break };
                let under_way = front.qos > QoS::AtMostOnce;
                if under_way && state.inflight.len() >= link.receive_maximum {
                    break; // [MQTT-3.3.4-9]
                }
                // What is under way takes memory like what waits: a client that reads and never acknowledges has
                // no more of it than its queue may hold.
                let largest = batch.limits.max_queued_bytes;
                if under_way
                    && state.inflight.bytes() + front.message.size() > largest
                    && state.inflight.len() > 0
                {
                    break;
                }
                let Some(delivery) = state.queue.pop() else { break };
                if delivery.message.expired(batch.now) {
                    batch.dropped(&self.id, EXPIRED, || delivery.message); // [MQTT-3.3.2-5]
                    continue;
                }
                // The right may have been taken away while the message waited.
                if !link.client.may(Right::Receive, &delivery.message.topic) {
                    batch.counts.unauthorized += 1;
                    continue;
                }
                if !under_way {
                    if !send_delivery(&self.id, link, &delivery, 0, false, batch) {
                        batch.dropped(&self.id, TOO_LARGE, || delivery.message); // [MQTT-3.1.2-25]
                    }
                    continue;
                }
                let Some((packet_id, delivery)) = state.inflight.insert(delivery) else { break };
                if !send_delivery(&self.id, link, delivery, packet_id, false, batch) {
                    batch.dropped(&self.id, TOO_LARGE, || Arc::clone(&delivery.message));
                    state.inflight.remove(packet_id);
                }
            }
            if !link.outbox.is_empty() {
                batch.touch(self, link);
            }
        }
        self.note_fullness(state, &batch.limits);
    }

    fn note_fullness(&self, state: &State, limits: &Limits) {
        let full = state.queue.is_full(limits);
        if full != self.is_full() {
            self.full.store(full, Relaxed);
        }
    }

    /// Whether the session takes one more message that it must keep. A full queue is rid of what has expired
    /// first, at most once a second, and then of its oldest QoS 0 messages.
    pub(crate) fn has_room(&self, batch: &mut Batch) -> bool {
        if self.is_full() {
            let state = &mut *self.state.lock();
            if state.purged_at + PURGE <= batch.now {
                state.purged_at = batch.now;
                let now = batch.now;
                state.queue.drop_expired(now, &mut |delivery| {
                    batch.dropped(&self.id, EXPIRED, || delivery.message);
                });
            }
            state.make_room(&self.id, batch);
            self.note_fullness(state, &batch.limits);
        }
        !self.is_full()
    }

    /// The state, if the session still has this connection. A task whose connection was taken over works on
    /// for a moment; what it does then must not reach the new one.
    pub(crate) fn lock_for(&self, link_id: u64) -> Option<MutexGuard<'_, State>> {
        let state = self.state.lock();
        state.link.as_ref().is_some_and(|link| link.id == link_id).then_some(state)
    }

    /// PUBACK came; one for an unknown Packet Identifier means nothing.
    pub(crate) fn on_puback(self: &Arc<Self>, state: &mut State, packet_id: u16, batch: &mut Batch) {
        match state.inflight.phase_mut(packet_id) {
            Some(Phase::Published(delivery)) if delivery.qos == QoS::AtLeastOnce => {}
            _ => return,
        }
        self.delivered(state, packet_id, true, batch);
    }

    /// Frees a Packet Identifier and sends what waited for it.
    fn delivered(self: &Arc<Self>, state: &mut State, packet_id: u16, accepted: bool, batch: &mut Batch) {
        let phase = state.inflight.remove(packet_id);
        if accepted && let Some(Phase::Published(delivery) | Phase::Released(Some(delivery))) = phase {
            batch.acked(&self.id, packet_id, delivery);
        }
        // Acknowledged before it was repeated: the client remembered it from its last connection.
        state.unrepeated.retain(|id| *id != packet_id);
        self.pump(state, batch);
    }

    /// PUBREC came.
    pub(crate) fn on_pubrec(self: &Arc<Self>, state: &mut State, ack: &Ack, batch: &mut Batch) {
        let reason = match state.inflight.phase_mut(ack.packet_id) {
            Some(Phase::Published(delivery)) if delivery.qos < QoS::ExactlyOnce => return,
            Some(Phase::Published(_)) if ack.reason.is_error() => {
                // [MQTT-4.3.3-4] of 5.0: the receiver refused it, so its Packet Identifier is free
                return self.delivered(state, ack.packet_id, false, batch);
            }
            // A repetition keeps its place.
            Some(Phase::Released(_)) => ReasonCode::Success,
            Some(_) => {
                state.inflight.release(ack.packet_id, batch.wants_acked());
                state.unrepeated.retain(|id| *id != ack.packet_id);
                ReasonCode::Success
            }
            None => ReasonCode::PacketIdentifierNotFound,
        };
        self.reply(state, Packet::PubRel(Ack::new(ack.packet_id, reason)), batch);
    }

    /// PUBCOMP came.
    pub(crate) fn on_pubcomp(self: &Arc<Self>, state: &mut State, packet_id: u16, batch: &mut Batch) {
        if matches!(state.inflight.phase_mut(packet_id), Some(Phase::Released(_))) {
            self.delivered(state, packet_id, true, batch);
        }
    }

    /// Sends a packet to the client.
    pub(crate) fn reply(self: &Arc<Self>, state: &mut State, packet: Packet, batch: &mut Batch) {
        if let Some(link) = &mut state.link {
            link.send(&packet, &mut batch.pool);
            batch.counts.packets_sent += 1;
            batch.touch(self, link);
        }
    }

    /// Writes the outbox to the socket. The lock is not held meanwhile, so that other threads can go on
    /// delivering; whoever finds `writing` set leaves its packets to the thread that writes.
    pub(crate) fn flush(self: &Arc<Self>, batch: &mut Batch) {
        for round in 0.. {
            let (id, transport, mut outbox) = {
                let mut state = self.state.lock();
                let Some(link) = &mut state.link else { return };
                link.touched = false;
                if link.writing || link.blocked || link.outbox.is_empty() {
                    return;
                }
                link.writing = true;
                (link.id, Arc::clone(&link.transport), std::mem::take(&mut link.outbox))
            };
            let waiting = outbox.len();
            let written = transport.write(&mut outbox);
            batch.counts.network_bytes_sent += (waiting - outbox.len()) as u64;
            let state = &mut *self.state.lock();
            let Some(link) = state.link.as_mut().filter(|link| link.id == id) else { return };
            link.writing = false;
            match written {
                Written::All => outbox.recycle(&mut batch.pool),
                Written::Blocked => {
                    link.outbox.prepend(outbox);
                    link.blocked = true;
                    return transport.wake();
                }
                Written::Broken => {
                    link.blocked = true; // nothing more is written to it
                    return transport.close(ReasonCode::UnspecifiedError, Bytes::new());
                }
            }
            if !state.queue.is_empty() || !state.unrepeated.is_empty() {
                self.pump(state, batch);
            }
            if round == MAX_ROUNDS
                && let Some(link) = &mut state.link
            {
                // Others append as fast as this thread writes: its owner goes on, this thread has other work.
                link.blocked = true;
                return transport.wake();
            }
        }
    }

    /// The socket takes bytes again.
    pub(crate) fn unblock(self: &Arc<Self>, link_id: u64, batch: &mut Batch) {
        if let Some(link) = self.state.lock().link.as_mut().filter(|link| link.id == link_id) {
            link.blocked = false;
        }
        self.flush(batch);
    }
}

/// Sends again what was under way when the last connection ended.
fn repeat(link: &mut Link, unrepeated: &mut VecDeque<u16>, inflight: &mut Inflight, batch: &mut Batch) {
    while let Some(packet_id) = unrepeated.front().copied() {
        let on_this_connection = inflight.len() - unrepeated.len();
        let ahead = ENCODE_AHEAD.min(batch.limits.max_outbox_bytes);
        if on_this_connection >= link.receive_maximum || link.outbox.len() >= ahead {
            return;
        }
        unrepeated.pop_front();
        let kept = match inflight.phase_mut(packet_id) {
            Some(Phase::Published(delivery)) if !link.client.may(Right::Receive, &delivery.message.topic) => {
                batch.counts.unauthorized += 1;
                false
            }
            Some(Phase::Published(delivery)) => {
                let delivery = delivery.clone();
                let receiver = Arc::clone(&link.client.id);
                send_delivery(&receiver, link, &delivery, packet_id, true, batch) // [MQTT-3.3.1-1]
            }
            Some(Phase::Released(_)) | None => true,
        };
        if !kept {
            inflight.remove(packet_id);
        }
    }
}

/// Encodes a delivery for one client. `false` means that it is larger than the client takes.
fn send_delivery(
    receiver: &Arc<str>,
    link: &mut Link,
    delivery: &Delivery,
    packet_id: u16,
    dup: bool,
    batch: &mut Batch,
) -> bool {
    let Delivery { message, qos, retain, identifiers, taps, .. } = delivery;
    let v5 = link.version().is_v5();
    let shape = Shape {
        v5,
        dup,
        qos: *qos,
        retain: *retain,
        packet_id,
        identifiers: if v5 { &identifiers[..] } else { &[] },
        alias: link.aliases.find_or_assign(&message.topic),
    };
    match append_one(message, shape, link.max_packet_size, &mut link.outbox, &mut batch.pool, batch.now) {
        Ok(bytes) => batch.appended += bytes,
        Err(_) => {
            if let Some((_, true)) = shape.alias {
                link.aliases.unassign(&message.topic);
            }
            return false;
        }
    }
    batch.count_sent(message.payload.len());
    if let Some(taps) = taps {
        let sent = Sent { receiver: Arc::clone(receiver), qos: *qos, retain: *retain, packet_id };
        batch.sent(Arc::clone(message), Arc::clone(taps), sent);
    }
    true
}

/// When a session that has no connection ends; `None` for never.
pub(crate) fn expires_at(expiry: u32, disconnected_at: Millis) -> Option<Millis> {
    (expiry != u32::MAX).then(|| disconnected_at + Millis::from(expiry) * 1000)
}
