//! Acknowledgements that wait for observers: PUBACK and PUBREC stay behind until who keeps the message says that
//! it is kept.
//!
//! They leave in the order of the publishes [MQTT-4.6.0-2] [MQTT-4.6.0-3], so one that waits holds back those
//! behind it; nothing else waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use bytestring::ByteString;
use hookmq_codec::{Ack, Packet, Properties, QoS, ReasonCode};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::message::Millis;
use crate::session::{Session, State};

/// A share in an acknowledgement that is held back. It leaves when the last share is gone, and says that the
/// message was not kept if any share was dropped without [`Receipt::keep`].
#[derive(Debug)]
pub struct Receipt {
    pending: Arc<Pending>,
    kept: bool,
}

impl Receipt {
    pub(crate) fn new(
        broker: &Arc<Broker>,
        session: &Arc<Session>,
        (link_id, serial): (u64, u64),
        now: Millis,
    ) -> Self {
        let pending = Pending {
            broker: Arc::downgrade(broker),
            session: Arc::clone(session),
            link_id,
            serial,
            now,
            failed: AtomicBool::new(false),
        };
        Self { pending: Arc::new(pending), kept: false }
    }

    /// Another share, for another who keeps the message.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { pending: Arc::clone(&self.pending), kept: false }
    }

    /// The message was kept, as far as this share is concerned.
    pub fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if !self.kept {
            self.pending.failed.store(true, Relaxed);
        }
    }
}

struct Pending {
    broker: Weak<Broker>,
    session: Arc<Session>,
    link_id: u64,
    serial: u64,
    now: Millis,
    failed: AtomicBool,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("serial", &self.serial).finish_non_exhaustive()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(broker) = self.broker.upgrade() else { return };
        let kept = !*self.failed.get_mut();
        broker.with_batch(self.now, |batch| {
            let state = &mut *self.session.state.lock();
            self.session.settle(state, self.link_id, self.serial, kept, batch);
        });
    }
}

/// Why a message was not acknowledged.
const NOT_KEPT: &str = "a hook that was to keep the message did not";

/// The reason to answer with, and perhaps the same in words.
pub(crate) type Answer = (ReasonCode, Option<ByteString>);

/// An answer to a PUBLISH that was not sent yet.
#[derive(Debug)]
struct Slot {
    packet_id: u16,
    qos: QoS,
    /// The reason to answer with, also in words, when the engine is done with the message.
    answer: Option<Answer>,
    /// Whether the message was kept, when that is known.
    kept: Option<bool>,
}

/// The acknowledgements of one connection that wait, in order.
#[derive(Debug, Default)]
pub(crate) struct Acks {
    slots: VecDeque<Slot>,
    /// The number of the first slot.
    first: u64,
    /// One could not be given, and the connection is closed for it: nothing is acknowledged any more.
    stopped: bool,
}

impl Acks {
    pub(crate) fn is_empty(&self) -> bool {
        self.slots.is_empty() && !self.stopped
    }

    /// Whether an acknowledgement with this Packet Identifier is held back.
    pub(crate) fn holds(&self, packet_id: u16, qos: QoS) -> bool {
        self.slots.iter().any(|slot| (slot.packet_id, slot.qos) == (packet_id, qos))
    }

    /// Gives no acknowledgement any more.
    fn stop(&mut self) {
        self.stopped = true;
    }

    /// Holds an acknowledgement back; its number.
    pub(crate) fn hold(&mut self, packet_id: u16, qos: QoS) -> u64 {
        self.slots.push_back(Slot { packet_id, qos, answer: None, kept: None });
        self.first + self.slots.len() as u64 - 1
    }

    /// Puts an acknowledgement behind those that wait.
    pub(crate) fn queue(&mut self, packet_id: u16, qos: QoS, answer: Answer) {
        self.slots.push_back(Slot { packet_id, qos, answer: Some(answer), kept: Some(true) });
    }

    /// The engine is done with a message.
    pub(crate) fn answer(&mut self, serial: u64, answer: Answer) {
        if let Some(slot) = self.slot(serial) {
            slot.answer = Some(answer);
        }
    }

    fn slot(&mut self, serial: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(serial.checked_sub(self.first)?).ok()?)
    }

    /// The first answer, if it need not wait any longer.
    fn pop(&mut self) -> Option<(Slot, Answer, bool)> {
        let Slot { answer: Some(_), kept: Some(kept), .. } = *self.slots.front()? else { return None };
        if self.stopped {
            return None;
        }
        self.first += 1;
        let mut slot = self.slots.pop_front()?;
        let answer = slot.answer.take()?;
        Some((slot, answer, kept))
    }

    /// QoS 2 identifiers whose PUBREC is held back at the end of a connection, with their numbers.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = (u16, u64)> + '_ {
        let numbered = (self.first..).zip(&self.slots);
        numbered
            .filter(|(_, slot)| slot.qos == QoS::ExactlyOnce)
            .map(|(serial, slot)| (slot.packet_id, serial))
    }
}

impl Session {
    /// Who keeps a message has said whether it is kept: sends what need not wait any longer.
    pub(crate) fn settle(
        self: &Arc<Self>,
        state: &mut State,
        link_id: u64,
        serial: u64,
        kept: bool,
        batch: &mut Batch,
    ) {
        match state.link.as_mut().filter(|link| link.id == link_id) {
            Some(link) => {
                if let Some(slot) = link.acks.slot(serial) {
                    slot.kept = Some(kept);
                }
                self.send_acks(state, batch);
            }
            None => self.settle_late(state, (link_id, serial), kept, batch),
        }
    }

    /// The connection on which the message came is over. With QoS 1 the client sends it again; with QoS 2 its
    /// identifier was remembered, and a repetition got no answer so far.
    fn settle_late(self: &Arc<Self>, state: &mut State, message: (u64, u64), kept: bool, batch: &mut Batch) {
        let found = state.unsettled.iter().find(|(_, of)| **of == message).map(|(id, _)| *id);
        let Some(packet_id) = found else { return };
        state.unsettled.remove(&packet_id);
        if kept {
            return self.reply(state, Packet::PubRec(Ack::new(packet_id, ReasonCode::Success)), batch);
        }
        state.received.remove(packet_id);
        if let Some(link) = &state.link {
            link.close(ReasonCode::ImplementationSpecificError); // so that it comes again
        }
    }

    /// Sends the acknowledgements at the front that need not wait.
    pub(crate) fn send_acks(self: &Arc<Self>, state: &mut State, batch: &mut Batch) {
        // What they answer was noted by whichever batch: it is in a commit up to this one.
        batch.ticket = batch.ticket.max(batch.noted());
        while let Some(link) = &mut state.link
            && let Some((slot, answer, kept)) = link.acks.pop()
        {
            if kept || answer.0.is_error() {
                self.send_ack(state, slot.packet_id, slot.qos, answer, batch);
                continue;
            }
            batch.counts.messages_not_kept += 1;
            if slot.qos == QoS::ExactlyOnce {
                state.received.remove(slot.packet_id);
                link.received.remove(slot.packet_id);
            }
            if !link.version().is_v5() {
                // There is no other way to say no; the client sends it again, and what came behind it.
                link.acks.stop();
                return link.close(ReasonCode::ImplementationSpecificError);
            }
            let answer = (ReasonCode::ImplementationSpecificError, Some(NOT_KEPT.into()));
            self.send_ack(state, slot.packet_id, slot.qos, answer, batch);
        }
    }

    /// Sends PUBACK or PUBREC.
    pub(crate) fn send_ack(
        self: &Arc<Self>,
        state: &mut State,
        packet_id: u16,
        qos: QoS,
        (reason, text): Answer,
        batch: &mut Batch,
    ) {
        if qos == QoS::ExactlyOnce && state.received.contains(packet_id) {
            // Only now: a message that is not kept must come again, and not be taken for one that was.
            self.keep_received(state, packet_id, batch);
        }
        state.promise(batch.ticket);
        let properties = state.link.as_ref().map_or_else(Properties::new, |link| link.explanation(text));
        let ack = Ack { packet_id, reason, properties };
        let packet = if qos == QoS::ExactlyOnce { Packet::PubRec(ack) } else { Packet::PubAck(ack) };
        self.reply(state, packet, batch);
    }
}
