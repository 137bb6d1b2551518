//! Messages on their way to a client: at once, or from the session's queue as the client and its socket have
//! room.

use std::collections::VecDeque;
use std::sync::Arc;

use hookmq_codec::QoS;

use crate::acl::Right;
use crate::batch::Batch;
use crate::hook::Sent;
use crate::kept::Stage;
use crate::link::Link;
use crate::outbound::{Delivery, Inflight, Phase};
use crate::routed::{Routed, Shape, append_one};
use crate::router::Grant;
use crate::session::{EXPIRED, OFFLINE, Session, State};
use crate::taps::TapId;

/// Messages are encoded for a connection as long as fewer bytes than this wait for its socket; the rest
/// stays in the queue, where a message takes a pointer.
const ENCODE_AHEAD: usize = 256 << 10;

const TOO_LARGE: &str = "it is larger than the client takes";

/// What a message in the queue of a connected client waits for.
pub(crate) enum Waits {
    /// The client has as much under way as it may.
    Acknowledgement,
    /// Its socket has not taken what was encoded.
    Socket,
}

impl Session {
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
        let mut delivery = Delivery {
            message: routed.shared(),
            qos,
            retain,
            identifiers: grant.identifiers.clone(),
            taps: taps.cloned(),
            replayed: false,
            number: 0,
        };
        if qos > QoS::AtMostOnce {
            self.keep_queued(state, &mut delivery, batch);
        }
        state.queue.push(delivery);
        self.queued(state, batch);
    }

    fn lose(&self, routed: &mut Routed, why: &'static str, batch: &mut Batch) {
        batch.dropped(&self.id, why, || routed.shared());
    }

    /// Hands over a retained message. It always queues, because there may be a million of them.
    pub(crate) fn deliver_retained(
        self: &Arc<Self>,
        state: &mut State,
        mut delivery: Delivery,
        batch: &mut Batch,
    ) {
        let bound = batch.limits.max_queued_messages + batch.limits.max_retained_messages;
        if state.queue.len() >= bound {
            return batch.dropped(&self.id, "the queue is full", || delivery.message);
        }
        if delivery.qos > QoS::AtMostOnce {
            self.keep_queued(state, &mut delivery, batch);
        }
        state.queue.push(delivery);
        self.queued(state, batch);
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
        self.count_sent();
        batch.touch(self, link);
        if let Some(taps) = taps {
            let sent = Sent { receiver: Arc::clone(&self.id), qos, retain, packet_id: 0 };
            batch.sent(routed.shared(), Arc::clone(taps), sent);
        }
    }

    /// Sends what was queued if it can, or counts what it waits for.
    fn queued(self: &Arc<Self>, state: &mut State, batch: &mut Batch) {
        match self.pump(state, batch) {
            Some(Waits::Acknowledgement) => batch.counts.limit_max_inflight += 1,
            Some(Waits::Socket) => batch.counts.limit_max_outbox_bytes += 1,
            None => {}
        }
    }

    /// Sends what the client and its socket have room for: first what was under way before this connection,
    /// then what waits. Says what the rest waits for.
    pub(crate) fn pump(self: &Arc<Self>, state: &mut State, batch: &mut Batch) -> Option<Waits> {
        let mut waits = None;
        if let Some(link) = &mut state.link {
            waits = repeat(self, link, &mut state.unrepeated, &mut state.inflight, batch);
            let ahead = ENCODE_AHEAD.min(batch.limits.max_outbox_bytes);
            while waits.is_none()
                && let Some(front) = state.queue.front()
            {
                if link.outbox.len() >= ahead {
                    waits = Some(Waits::Socket);
                    break;
                }
                let under_way = front.qos > QoS::AtMostOnce;
                if under_way && state.inflight.len() >= link.receive_maximum {
                    waits = Some(Waits::Acknowledgement); // [MQTT-3.3.4-9]
                    break;
                }
                // What is under way takes memory like what waits: a client that reads and never acknowledges has
                // no more of it than its queue may hold.
                let largest = batch.limits.max_queued_bytes;
                if under_way
                    && state.inflight.bytes() + front.message.size() > largest
                    && state.inflight.len() > 0
                {
                    waits = Some(Waits::Acknowledgement);
                    break;
                }
                let Some(delivery) = state.queue.pop() else { break };
                if delivery.message.expired(batch.now) {
                    self.keep_over(&delivery, batch);
                    batch.dropped(&self.id, EXPIRED, || delivery.message); // [MQTT-3.3.2-5]
                    continue;
                }
                // The right may have been taken away while the message waited.
                if !link.client.may(Right::Receive, &delivery.message.topic) {
                    self.keep_over(&delivery, batch);
                    batch.counts.unauthorized += 1;
                    continue;
                }
                if !under_way {
                    if !send_delivery(self, link, &delivery, 0, false, batch) {
                        batch.dropped(&self.id, TOO_LARGE, || delivery.message); // [MQTT-3.1.2-25]
                    }
                    continue;
                }
                let order = state.inflight.next_order();
                let Some((packet_id, delivery)) = state.inflight.insert(delivery) else { break };
                let ticket = self.keep_stage(delivery, Stage::Published { packet_id, order }, batch);
                if delivery.qos == QoS::ExactlyOnce {
                    link.promise(ticket); // after a restart it must have the same Packet Identifier
                }
                if !send_delivery(self, link, delivery, packet_id, false, batch) {
                    self.keep_over(delivery, batch);
                    batch.dropped(&self.id, TOO_LARGE, || Arc::clone(&delivery.message));
                    state.inflight.remove(packet_id);
                }
            }
            if !link.outbox.is_empty() {
                batch.touch(self, link);
            }
        }
        self.note_fullness(state, &batch.limits);
        waits
    }
}

/// Sends again what was under way when the last connection ended, and says what the rest waits for.
fn repeat(
    session: &Session,
    link: &mut Link,
    unrepeated: &mut VecDeque<u16>,
    inflight: &mut Inflight,
    batch: &mut Batch,
) -> Option<Waits> {
    while let Some(packet_id) = unrepeated.front().copied() {
        let on_this_connection = inflight.len() - unrepeated.len();
        let ahead = ENCODE_AHEAD.min(batch.limits.max_outbox_bytes);
        if on_this_connection >= link.receive_maximum {
            return Some(Waits::Acknowledgement);
        }
        if link.outbox.len() >= ahead {
            return Some(Waits::Socket);
        }
        unrepeated.pop_front();
        let kept = match inflight.phase_mut(packet_id) {
            Some(Phase::Published(delivery)) if !link.client.may(Right::Receive, &delivery.message.topic) => {
                batch.counts.unauthorized += 1;
                false
            }
            Some(Phase::Published(delivery)) => {
                let delivery = delivery.clone();
                send_delivery(session, link, &delivery, packet_id, true, batch) // [MQTT-3.3.1-1]
            }
            Some(Phase::Released { .. }) | None => true,
        };
        if !kept && let Some(Phase::Published(delivery)) = inflight.remove(packet_id) {
            session.keep_over(&delivery, batch);
        }
    }
    None
}

/// Encodes a delivery for one client. `false` means that it is larger than the client takes.
fn send_delivery(
    session: &Session,
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
    session.count_sent();
    if let Some(taps) = taps {
        let sent = Sent { receiver: Arc::clone(&session.id), qos: *qos, retain: *retain, packet_id };
        batch.sent(Arc::clone(message), Arc::clone(taps), sent);
    }
    true
}
