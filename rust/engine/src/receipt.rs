//! Acknowledgements that wait for observers: PUBACK and PUBREC stay behind until who keeps the message says that
//! it is kept.
//!
//! They leave in the order of the publishes [MQTT-4.6.0-2] [MQTT-4.6.0-3], so one that waits holds back those
//! behind it; nothing else waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use bytestring::ByteString;
use hookmq_codec::{Ack, Packet, Properties, QoS, ReasonCode};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::kept::Taken;
use crate::link::Link;
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
    pub(crate) fn new(broker: &Arc<Broker>, session: &Arc<Session>, held: Held, now: Millis) -> Self {
        let pending = Pending {
            broker: Arc::downgrade(broker),
            session: Arc::clone(session),
            held,
            now,
            failed: AtomicBool::new(false),
            to_hand_out: AtomicU32::new(1),
        };
        Self { pending: Arc::new(pending), kept: false }
    }

    /// Another share, for another who keeps the message.
    #[must_use]
    pub fn share(&self) -> Self {
        Self { pending: Arc::clone(&self.pending), kept: false }
    }

    /// A share for somebody who hands the message out, or a part of what was made of it: it is not handed out before
    /// that share is [`Receipt::handed_out`] as well.
    pub(crate) fn share_to_hand_out(&self) -> Self {
        self.pending.to_hand_out.fetch_add(1, Relaxed);
        self.share()
    }

    /// The message has its place in the queues of all who get it, as far as this share is concerned. With QoS 2 that is
    /// noted, and has to come into one commit with those places: whatever happens before the message is acknowledged,
    /// when it comes again nobody but those who keep it is to get it.
    pub(crate) fn handed_out(&self, batch: &mut Batch) {
        let Pending { session, held, to_hand_out, .. } = &*self.pending;
        if to_hand_out.fetch_sub(1, Relaxed) == 1 && held.qos == QoS::ExactlyOnce {
            let state = &mut *session.state.lock();
            if state.received.contains(held.packet_id) {
                session.keep_received(state, held.packet_id, Taken::HandedOut, batch);
            }
        }
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

/// What is held back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    /// The connection on which the message came.
    pub(crate) link_id: u64,
    /// Of the acknowledgement there.
    pub(crate) serial: u64,
    pub(crate) packet_id: u16,
    pub(crate) qos: QoS,
}

/// What has become of a message whose acknowledgement was held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It was kept.
    Kept,
    /// It was not; everybody else has it.
    HandedOut,
    /// It was not, and not everybody else has it.
    Lost,
}

/// A QoS 2 message that was not acknowledged when its connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unsettled {
    /// Who keeps it has not said whether it is kept.
    Waits {
        /// The connection on which it came.
        link_id: u64,
        /// Of the acknowledgement there.
        serial: u64,
    },
    /// It was handed out. When it comes again only those who keep it are to get it.
    HandedOut,
}

struct Pending {
    broker: Weak<Broker>,
    session: Arc<Session>,
    held: Held,
    now: Millis,
    failed: AtomicBool,
    /// How many have still to hand it out.
    to_hand_out: AtomicU32,
}

impl std::fmt::Debug for Pending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pending").field("held", &self.held).finish_non_exhaustive()
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(broker) = self.broker.upgrade() else { return };
        let fate = match (*self.failed.get_mut(), *self.to_hand_out.get_mut()) {
            (false, _) => Fate::Kept,
            (true, 0) => Fate::HandedOut,
            (true, _) => Fate::Lost,
        };
        broker.with_batch(self.now, |batch| {
            let state = &mut *self.session.state.lock();
            self.session.settle(state, self.held, fate, batch);
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
    /// What has become of the message, when that is known.
    fate: Option<Fate>,
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
        self.slots.push_back(Slot { packet_id, qos, answer: None, fate: None });
        self.first + self.slots.len() as u64 - 1
    }

    /// Puts an acknowledgement behind those that wait.
    pub(crate) fn queue(&mut self, packet_id: u16, qos: QoS, answer: Answer) {
        self.slots.push_back(Slot { packet_id, qos, answer: Some(answer), fate: Some(Fate::Kept) });
    }

    /// The engine is done with a message.
    pub(crate) fn answer(&mut self, serial: u64, answer: Answer) {
        if let Some(slot) = self.slot(serial) {
            slot.answer = Some(answer);
        }
    }

    /// That of a QoS 2 message which came again.
    fn slot_of(&mut self, packet_id: u16) -> Option<&mut Slot> {
        let is_it = |slot: &&mut Slot| (slot.packet_id, slot.qos) == (packet_id, QoS::ExactlyOnce);
        self.slots.iter_mut().find(is_it)
    }

    fn slot(&mut self, serial: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(serial.checked_sub(self.first)?).ok()?)
    }

    /// The first answer, if it need not wait any longer.
    fn pop(&mut self) -> Option<(Slot, Answer, Fate)> {
        let Slot { answer: Some(_), fate: Some(fate), .. } = *self.slots.front()? else { return None };
        if self.stopped {
            return None;
        }
        self.first += 1;
        let mut slot = self.slots.pop_front()?;
        let answer = slot.answer.take()?;
        Some((slot, answer, fate))
    }

    /// The QoS 2 messages whose PUBREC was not sent: their numbers, identifiers, and fates as far as they are known.
    fn unsent(&self) -> impl Iterator<Item = (u64, u16, Option<Fate>)> + '_ {
        let numbered = (self.first..).zip(&self.slots);
        numbered
            .filter(|(_, slot)| slot.qos == QoS::ExactlyOnce)
            .map(|(serial, slot)| (serial, slot.packet_id, slot.fate))
    }
}

impl Session {
    /// Who keeps a message has said whether it is kept: sends what need not wait any longer.
    pub(crate) fn settle(self: &Arc<Self>, state: &mut State, held: Held, fate: Fate, batch: &mut Batch) {
        match state.link.as_mut().filter(|link| link.id == held.link_id) {
            Some(link) => {
                if let Some(slot) = link.acks.slot(held.serial) {
                    slot.fate = Some(fate);
                }
                self.send_acks(state, batch);
            }
            None => self.settle_late(state, held, fate, batch),
        }
    }

    /// The connection on which the message came is over. With QoS 1 the client sends it again; with QoS 2 its
    /// identifier was remembered, and a repetition waits for the same.
    fn settle_late(self: &Arc<Self>, state: &mut State, held: Held, fate: Fate, batch: &mut Batch) {
        let Held { link_id, serial, packet_id, .. } = held;
        if state.unsettled.get(&packet_id) != Some(&Unsettled::Waits { link_id, serial }) {
            return;
        }
        state.unsettled.remove(&packet_id);
        if let Some(slot) = state.link.as_mut().and_then(|link| link.acks.slot_of(packet_id)) {
            slot.fate = Some(fate); // it has come again
            return self.send_acks(state, batch);
        }
        match fate {
            Fate::Kept if state.received.contains(packet_id) => {
                self.keep_received(state, packet_id, Taken::Acknowledged, batch);
            }
            Fate::Kept => {}
            fate => self.expect_again(state, packet_id, fate),
        }
    }

    /// A connection ends whose acknowledgements were held back: what becomes of the QoS 2 messages they are for.
    pub(crate) fn leave(&self, state: &mut State, link: &Link, batch: &mut Batch) {
        for (serial, packet_id, fate) in link.acks.unsent() {
            match fate {
                None => {
                    // One that came again is known by how it came first.
                    let waits = Unsettled::Waits { link_id: link.id, serial };
                    state.unsettled.entry(packet_id).or_insert(waits);
                }
                // It only had its place behind another. When it comes again it is answered at once.
                Some(Fate::Kept) if state.received.contains(packet_id) => {
                    self.keep_received(state, packet_id, Taken::Acknowledged, batch);
                }
                Some(Fate::Kept) => {}
                Some(fate) => self.expect_again(state, packet_id, fate),
            }
        }
    }

    /// A QoS 2 message was not kept, and its client is to send it again as the same.
    fn expect_again(&self, state: &mut State, packet_id: u16, fate: Fate) {
        match fate {
            Fate::HandedOut => {
                state.unsettled.insert(packet_id, Unsettled::HandedOut);
            }
            _ => {
                state.received.remove(packet_id);
            }
        }
    }

    /// Sends the acknowledgements at the front that need not wait.
    pub(crate) fn send_acks(self: &Arc<Self>, state: &mut State, batch: &mut Batch) {
        // What they answer was noted by whichever batch: it is in a commit up to this one.
        batch.ticket = batch.ticket.max(batch.noted());
        while let Some(link) = &mut state.link
            && let Some((slot, answer, fate)) = link.acks.pop()
        {
            if fate == Fate::Kept || answer.0.is_error() {
                self.send_ack(state, slot.packet_id, slot.qos, answer, batch);
                continue;
            }
            batch.counts.messages_not_kept += 1;
            if !link.version().is_v5() {
                // There is no other way to say no; the client sends it again, and what came behind it.
                link.acks.stop();
                link.close(ReasonCode::ImplementationSpecificError);
                if slot.qos == QoS::ExactlyOnce {
                    self.expect_again(state, slot.packet_id, fate);
                }
                return;
            }
            if slot.qos == QoS::ExactlyOnce {
                link.received.remove(slot.packet_id);
                self.forget_received(state, slot.packet_id, batch);
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
            self.keep_received(state, packet_id, Taken::Acknowledged, batch);
        }
        state.promise(batch.ticket);
        let properties = state.link.as_ref().map_or_else(Properties::new, |link| link.explanation(text));
        let ack = Ack { packet_id, reason, properties };
        let packet = if qos == QoS::ExactlyOnce { Packet::PubRec(ack) } else { Packet::PubAck(ack) };
        self.reply(state, packet, batch);
    }
}
