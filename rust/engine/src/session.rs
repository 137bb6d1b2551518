//! A session: what the broker keeps for a client between and during its connections.
//!
//! Any thread may deliver to a session, so its state is behind a lock that is held for the copying of a few
//! hundred bytes and never while a socket is written. Locks are taken in one order: registry, retained
//! messages, session, router; no thread holds the locks of two sessions.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use hookmq_codec::{Ack, ConnAck, Packet, QoS, ReasonCode, SubscriptionOptions, TopicFilter, Will};
use parking_lot::{Mutex, MutexGuard, RwLock};
use smallvec::SmallVec;

use crate::acl::Right;
use crate::batch::Batch;
use crate::client::Client;
use crate::inspect::search_text;
use crate::kept::Stage;
use crate::ledger::Ticket;
use crate::limits::Limits;
use crate::link::Link;
use crate::message::Millis;
use crate::outbound::{Inflight, Phase, Queue};
use crate::packet_ids::PacketIds;
use crate::receipt::Unsettled;
use crate::transport::Written;

/// How often a full queue is searched for expired messages, in milliseconds.
const PURGE: Millis = 1000;

/// Why messages are dropped.
pub(crate) const OFFLINE: &str = "QoS 0, and the client is not connected";
pub(crate) const EXPIRED: &str = "it has expired";

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
    /// Whether it outlives the process.
    durable: AtomicBool,
    /// Whether much waits in its outbox for a commit.
    held: AtomicBool,
    /// Messages received from the client and sent to it, since the start. The first is counted by the connection's thread
    /// alone, the second with the state locked, so that neither needs more than a store.
    pub(crate) received: AtomicU64,
    pub(crate) sent: AtomicU64,
    /// The client as it connected last: whom access rules are asked about, and who owns the session. Nothing
    /// else is locked while this is.
    client: RwLock<Known>,
    pub(crate) state: Mutex<State>,
}

/// A client, and the text by which it is searched, made when somebody does: to search through a hundred thousand takes as
/// long as it takes to fetch them from memory, and its texts lie in three places. Most have room here, in none.
struct Known {
    client: Arc<Client>,
    search: OnceLock<SmallVec<[u8; 64]>>,
}

impl From<Arc<Client>> for Known {
    fn from(client: Arc<Client>) -> Self {
        Self { client, search: OnceLock::new() }
    }
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
    /// Packet Identifiers of QoS 2 messages that were received and not released, on whatever connection.
    /// [MQTT-4.3.3-10]
    pub(crate) received: PacketIds,
    /// Session Expiry Interval in seconds, `u32::MAX` for ever.
    pub(crate) expiry: u32,
    /// Whether CONNECT asked for more than 0 seconds, whatever was granted.
    pub(crate) asked_to_be_kept: bool,
    pub(crate) will: Option<Box<PendingWill>>,
    /// Of these, those whose PUBREC was held back when their connection ended: see [`crate::receipt`].
    pub(crate) unsettled: HashMap<u16, Unsettled>,
    /// Whether the session outlives the process.
    pub(crate) kept: bool,
    /// Whether its will does, whatever the session does.
    pub(crate) will_kept: bool,
    /// The number of the last message that was queued and kept.
    pub(crate) next_number: u64,
    /// Counts connects and disconnects.
    pub(crate) epoch: u64,
    /// When the session ends and when its will is published, while it has no connection.
    pub(crate) ends_at: Option<Millis>,
    pub(crate) will_at: Option<Millis>,
    /// When its last connection ended.
    pub(crate) left_at: Option<Millis>,
    /// The time for which a timer is set.
    pub(crate) timer: Option<Millis>,
    /// When expired messages were last looked for in a full queue.
    pub(crate) purged_at: Millis,
}

impl State {
    /// What is sent next promises what is in this commit.
    pub(crate) fn promise(&mut self, ticket: Ticket) {
        if let Some(link) = &mut self.link {
            link.promise(ticket);
        }
    }

    /// Drops the oldest QoS 0 messages of a queue that is full.
    pub(crate) fn make_room(&mut self, receiver: &Arc<str>, batch: &mut Batch) {
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
            durable: AtomicBool::new(false),
            held: AtomicBool::new(false),
            received: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            client: RwLock::new(client.into()),
            state: Mutex::default(),
        })
    }

    /// The client as it connected last.
    pub(crate) fn client(&self) -> Arc<Client> {
        Arc::clone(&self.client.read().client)
    }

    /// Looks at the client as it connected last.
    pub(crate) fn with_client<T>(&self, look: impl FnOnce(&Client) -> T) -> T {
        look(&self.client.read().client)
    }

    /// Looks at the text by which the client is searched.
    pub(crate) fn with_search_text<T>(&self, look: impl FnOnce(&[u8]) -> T) -> T {
        let known = self.client.read();
        look(known.search.get_or_init(|| search_text(&known.client).as_bytes().into()))
    }

    /// Has it fetched from memory.
    pub(crate) fn glance(&self) -> u64 {
        self.sent.load(Relaxed).wrapping_add(u64::from(self.client.is_locked()))
    }

    /// Counts a message that was received from the client.
    pub(crate) fn count_received(&self) {
        self.received.store(self.received.load(Relaxed) + 1, Relaxed);
    }

    /// Counts a message that was sent to it. Its state is locked by the caller.
    pub(crate) fn count_sent(&self) {
        self.sent.store(self.sent.load(Relaxed) + 1, Relaxed);
    }

    /// Whether a client may have the session: it belongs to the user who was authenticated when it was
    /// made; without one, to anybody.
    pub(crate) fn belongs_to(&self, client: &Client) -> bool {
        let known = self.client.read();
        let Client { principal: owner, listener, .. } = &*known.client;
        owner.is_none() || *owner == client.principal && listener.knows_the_same(&client.listener)
    }

    /// Remembers the client that connects. Says whether access rules may decide otherwise about it than
    /// about the one before.
    pub(crate) fn identify(&self, client: &Arc<Client>) -> bool {
        let before = std::mem::replace(&mut *self.client.write(), Arc::clone(client).into()).client;
        let ip = |client: &Client| client.address.map(|address| address.ip());
        let ruled = before.listener.access.is_some() || client.listener.access.is_some();
        ruled
            && (before.username != client.username
                || ip(&before) != ip(client)
                || !Arc::ptr_eq(&before.listener, &client.listener))
    }

    /// Whether it may get a message with this topic.
    pub(crate) fn may_receive(&self, topic: &str) -> bool {
        self.client.read().client.may(Right::Receive, topic)
    }

    /// Whether it has a connection at this moment.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Relaxed)
    }

    /// Whether it takes no further QoS 1 and 2 messages.
    pub(crate) fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// Whether it outlives the process, for those who only want a hint.
    pub(crate) fn is_durable(&self) -> bool {
        self.durable.load(Relaxed)
    }

    /// Whether so much waits for a commit in its outbox that its client should not bring more.
    pub(crate) fn is_held(&self) -> bool {
        self.held.load(Relaxed)
    }

    /// Says whether it does.
    pub(crate) fn set_durable(&self, state: &mut State, durable: bool) {
        state.kept = durable;
        self.durable.store(durable, Relaxed);
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
        let is_released = |phase: &Phase| matches!(phase, Phase::Released { .. });
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
        self.leave(state, &link, batch);
        state.epoch += 1;
        state.left_at = Some(batch.now);
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

    pub(crate) fn note_fullness(&self, state: &State, limits: &Limits) {
        let full = state.queue.is_full(limits);
        if full != self.is_full() {
            self.full.store(full, Relaxed);
        }
    }

    /// Whether the session takes one more message that it must keep. A full queue is rid of what has expired
    /// first, at most once a second, and then of its oldest QoS 0 messages.
    pub(crate) fn has_room(&self, batch: &mut Batch) -> bool {
        if self.is_durable() && !batch.stores() {
            return false; // it can be kept in memory, and must be kept on disk
        }
        if self.is_full() {
            let state = &mut *self.state.lock();
            if state.purged_at + PURGE <= batch.now {
                state.purged_at = batch.now;
                let now = batch.now;
                state.queue.drop_expired(now, &mut |delivery| {
                    self.keep_over(&delivery, batch);
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
        match &phase {
            Some(Phase::Published(delivery)) => self.keep_over(delivery, batch),
            Some(Phase::Released { number, .. }) => self.keep_completed(*number, batch),
            None => {}
        }
        if accepted
            && let Some(Phase::Published(delivery) | Phase::Released { delivery: Some(delivery), .. }) = phase
        {
            batch.acked(&self.id, packet_id, delivery);
        }
        // Acknowledged before it was repeated: the client remembered it from its last connection.
        state.unrepeated.retain(|id| *id != packet_id);
        self.pump(state, batch);
    }

    /// PUBREC came.
    pub(crate) fn on_pubrec(self: &Arc<Self>, state: &mut State, ack: &Ack, batch: &mut Batch) {
        let order = state.inflight.next_order();
        let reason = match state.inflight.phase_mut(ack.packet_id) {
            Some(Phase::Published(delivery)) if delivery.qos < QoS::ExactlyOnce => return,
            Some(Phase::Published(_)) if ack.reason.is_error() => {
                // [MQTT-4.3.3-4] of 5.0: the receiver refused it, so its Packet Identifier is free
                return self.delivered(state, ack.packet_id, false, batch);
            }
            // A repetition keeps its place.
            Some(Phase::Released { .. }) => ReasonCode::Success,
            Some(Phase::Published(delivery)) => {
                let stage = Stage::Released { packet_id: ack.packet_id, order };
                let ticket = self.keep_stage(delivery, stage, batch);
                state.promise(ticket);
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
        if matches!(state.inflight.phase_mut(packet_id), Some(Phase::Released { .. })) {
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
                if link.gate > 0 && batch.ledger.as_ref().is_some_and(|ledger| ledger.holds(link.gate, self))
                {
                    if link.outbox.len() >= batch.limits.max_outbox_bytes {
                        self.held.store(true, Relaxed);
                    }
                    return; // it is written out when that is committed
                }
                if self.is_held() {
                    self.held.store(false, Relaxed);
                }
                link.gate = 0;
                (link.greeted, link.writing) = (true, true);
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

/// When a session that has no connection ends; `None` for never.
pub(crate) fn expires_at(expiry: u32, disconnected_at: Millis) -> Option<Millis> {
    (expiry != u32::MAX).then(|| disconnected_at + Millis::from(expiry) * 1000)
}
