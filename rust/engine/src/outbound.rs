//! Messages on their way to one client: those that wait and those under way.

use std::collections::VecDeque;
use std::sync::Arc;

use hookmq_codec::QoS;
use smallvec::SmallVec;

use crate::limits::Limits;
use crate::message::{Message, Millis};
use crate::taps::TapId;

/// Subscription Identifiers of one delivery; nearly always none or one.
pub(crate) type Identifiers = SmallVec<[u32; 1]>;

/// A message for one session.
#[derive(Debug, Clone)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: Identifiers,
    /// Observers to tell when it is sent.
    pub(crate) taps: Option<Arc<[TapId]>>,
    /// It is a retained message that a subscription asked for. Those are bounded by the retained tree and do
    /// not count against the queue: a new subscriber must not make other clients' publishes fail.
    pub(crate) replayed: bool,
    /// Its number in the session, by which the store knows it; 0 if it is not kept there.
    pub(crate) number: u64,
}

/// Where a QoS 1 or 2 delivery stands.
#[derive(Debug, Clone)]
pub(crate) enum Phase {
    /// PUBLISH was sent; PUBACK or PUBREC is awaited.
    Published(Delivery),
    /// PUBREC came and PUBREL was sent; PUBCOMP is awaited. [MQTT-4.3.3-5]
    Released {
        /// See [`Delivery::number`].
        number: u64,
        /// The message, only for who wants to know of the end.
        delivery: Option<Delivery>,
    },
}

impl Phase {
    fn release(&mut self, keep: bool) {
        let before = std::mem::replace(self, Self::Released { number: 0, delivery: None });
        *self = match before {
            Self::Published(delivery) => {
                Self::Released { number: delivery.number, delivery: keep.then_some(delivery) }
            }
            released => released,
        };
    }
}

#[derive(Debug)]
struct Entry {
    sequence: u64,
    /// Bytes of its message.
    bytes: usize,
    phase: Phase,
}

/// So many Packet Identifiers are used before the first is used again. One that was just freed is not taken at
/// once: an acknowledgement that a client sends twice must not hit the message after.
const TURN: usize = 32;

/// QoS 1 and 2 deliveries under way. A Packet Identifier is a slot's index plus one, so an acknowledgement
/// finds its entry directly in whatever order a client sends them, and the memory is as large as the
/// largest number that was ever under way.
#[derive(Debug, Default)]
pub(crate) struct Inflight {
    slots: Vec<Option<Entry>>,
    /// Free slots, the longest unused first.
    free: VecDeque<u16>,
    next_sequence: u64,
    bytes: usize,
}

impl Inflight {
    /// Bytes of the messages under way.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The place in the order of what is put under way, or released, next.
    pub(crate) fn next_order(&self) -> u64 {
        self.next_sequence
    }

    /// Puts a delivery under way and names its Packet Identifier; `None` when all 65,535 are taken.
    pub(crate) fn insert(&mut self, delivery: Delivery) -> Option<(u16, &Delivery)> {
        let bytes = delivery.message.size();
        let phase = Phase::Published(delivery);
        let entry = Some(Entry { sequence: self.next_sequence, bytes, phase });
        let reused = if self.slots.len() < TURN { None } else { self.free.pop_front() };
        let id = match reused {
            Some(id) => {
                self.slots[usize::from(id) - 1] = entry;
                id
            }
            None => {
                let id = u16::try_from(self.slots.len() + 1).ok()?;
                self.slots.push(entry);
                id
            }
        };
        self.next_sequence += 1;
        self.bytes += bytes;
        match self.slots[usize::from(id) - 1].as_ref().map(|entry| &entry.phase) {
            Some(Phase::Published(delivery)) => Some((id, delivery)),
            _ => None,
        }
    }

    /// The phase of the delivery with this Packet Identifier.
    pub(crate) fn phase_mut(&mut self, packet_id: u16) -> Option<&mut Phase> {
        let slot = self.slots.get_mut(usize::from(packet_id).checked_sub(1)?)?;
        slot.as_mut().map(|entry| &mut entry.phase)
    }

    /// PUBREC came for a delivery: it is released in the order of these. [MQTT-4.6.0-4]
    pub(crate) fn release(&mut self, packet_id: u16, keep: bool) {
        let slot = usize::from(packet_id).checked_sub(1).and_then(|index| self.slots.get_mut(index));
        let Some(Some(entry)) = slot else { return };
        entry.phase.release(keep);
        entry.sequence = self.next_sequence;
        self.next_sequence += 1;
        if !keep {
            self.bytes -= std::mem::take(&mut entry.bytes);
        }
    }

    /// Puts what was under way before a restart back, in its order.
    pub(crate) fn restore(&mut self, phases: Vec<(u64, u16, Phase)>) {
        let last = phases.iter().map(|(_, packet_id, _)| *packet_id).max().unwrap_or(0);
        self.slots.resize_with(usize::from(last), || None);
        for (sequence, packet_id, phase) in phases {
            let bytes = match &phase {
                Phase::Published(delivery) => delivery.message.size(),
                Phase::Released { .. } => 0,
            };
            self.next_sequence = self.next_sequence.max(sequence + 1);
            self.bytes += bytes;
            self.slots[usize::from(packet_id) - 1] = Some(Entry { sequence, bytes, phase });
        }
        let free = |(slot, packet_id): (&Option<Entry>, u16)| slot.is_none().then_some(packet_id);
        self.free = self.slots.iter().zip(1..=last).filter_map(free).collect();
    }

    /// Visits all that is under way.
    pub(crate) fn each(&mut self, visit: &mut dyn FnMut(&mut Phase)) {
        self.slots.iter_mut().flatten().for_each(|entry| visit(&mut entry.phase));
    }

    /// Ends a delivery and frees its Packet Identifier.
    pub(crate) fn remove(&mut self, packet_id: u16) -> Option<Phase> {
        let slot = self.slots.get_mut(usize::from(packet_id).checked_sub(1)?)?;
        let entry = slot.take()?;
        self.bytes -= entry.bytes;
        self.free.push_back(packet_id);
        Some(entry.phase)
    }

    /// Everything under way in the order it was first sent. [MQTT-4.6.0-1]
    pub(crate) fn in_order(&self) -> Vec<(u16, &Phase)> {
        let mut all: Vec<_> = self
            .slots
            .iter()
            .enumerate()
            .filter_map(|(index, slot)| slot.as_ref().map(|entry| (index as u16 + 1, entry)))
            .collect();
        all.sort_unstable_by_key(|(_, entry)| entry.sequence);
        all.into_iter().map(|(id, entry)| (id, &entry.phase)).collect()
    }
}

/// With fewer holes than this a queue is not packed.
const FEW_HOLES: usize = 64;

/// Deliveries that wait for the client to connect, to acknowledge, or to read.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// In order. What was dropped from the middle leaves a hole, so that nothing has to move; the first is
    /// never a hole.
    deliveries: VecDeque<Option<Delivery>>,
    holes: usize,
    /// How many places were taken off the front so far, and the first place, counted from the very first,
    /// at which a QoS 0 message may be.
    popped: u64,
    qos0_from: u64,
    /// Messages that were not replayed, and their bytes.
    live: usize,
    bytes: usize,
    /// Bytes of those that were.
    replayed_bytes: usize,
    /// How many are QoS 0. While there are any, further QoS 0 messages queue behind them to keep the order.
    qos0: usize,
}

impl Queue {
    pub(crate) fn len(&self) -> usize {
        self.deliveries.len() - self.holes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Bytes of the messages that came live.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of the retained messages that subscriptions asked for.
    pub(crate) fn replayed_bytes(&self) -> usize {
        self.replayed_bytes
    }

    /// Whether the messages that came live are as many as a session may keep.
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.live >= limits.max_queued_messages || self.bytes >= limits.max_queued_bytes
    }

    /// Visits all that waits.
    pub(crate) fn each(&mut self, visit: &mut dyn FnMut(&mut Delivery)) {
        self.deliveries.iter_mut().flatten().for_each(visit);
    }

    pub(crate) fn has_qos0(&self) -> bool {
        self.qos0 > 0
    }

    pub(crate) fn front(&self) -> Option<&Delivery> {
        self.deliveries.front().and_then(Option::as_ref)
    }

    pub(crate) fn push(&mut self, delivery: Delivery) {
        if !delivery.replayed {
            self.live += 1;
            self.bytes += delivery.message.size();
        } else {
            self.replayed_bytes += delivery.message.size();
        }
        self.qos0 += usize::from(delivery.qos == QoS::AtMostOnce);
        self.deliveries.push_back(Some(delivery));
    }

    pub(crate) fn pop(&mut self) -> Option<Delivery> {
        let delivery = self.deliveries.pop_front().flatten()?;
        self.popped += 1;
        self.forget(&delivery);
        self.trim();
        Some(delivery)
    }

    /// Drops the QoS 0 message that has waited longest, if there is one.
    pub(crate) fn drop_oldest_qos0(&mut self) -> Option<Delivery> {
        if self.qos0 == 0 {
            return None;
        }
        let from = self.qos0_from.saturating_sub(self.popped) as usize;
        for (index, place) in self.deliveries.iter_mut().enumerate().skip(from) {
            if place.as_ref().is_some_and(|delivery| delivery.qos == QoS::AtMostOnce && !delivery.replayed)
                && let Some(delivery) = place.take()
            {
                self.holes += 1;
                self.qos0_from = self.popped + index as u64 + 1;
                self.forget(&delivery);
                self.trim();
                return Some(delivery);
            }
        }
        self.qos0_from = self.popped + self.deliveries.len() as u64;
        None
    }

    /// Takes a delivery that left the queue off its counts.
    fn forget(&mut self, delivery: &Delivery) {
        if !delivery.replayed {
            self.live -= 1;
            self.bytes -= delivery.message.size();
        } else {
            self.replayed_bytes -= delivery.message.size();
        }
        self.qos0 -= usize::from(delivery.qos == QoS::AtMostOnce);
    }

    /// Removes holes from the front, and all of them when they are half of the queue.
    fn trim(&mut self) {
        while self.deliveries.front().is_some_and(Option::is_none) {
            self.deliveries.pop_front();
            self.popped += 1;
            self.holes -= 1;
        }
        if self.deliveries.is_empty() {
            self.deliveries = VecDeque::new(); // a queue that was long does not keep its memory
        } else if self.holes > FEW_HOLES && self.holes > self.deliveries.len() / 2 {
            self.deliveries.retain(Option::is_some);
            self.holes = 0;
            self.qos0_from = self.popped;
        }
    }

    /// Forgets the QoS 0 messages, which are for a connection and not for a session, and hands them over.
    pub(crate) fn drop_qos0(&mut self, dropped: &mut dyn FnMut(Delivery)) {
        if self.qos0 > 0 {
            self.drop_where(|delivery| delivery.qos == QoS::AtMostOnce, dropped);
        }
    }

    /// Forgets what has expired, and hands it over.
    pub(crate) fn drop_expired(&mut self, now: Millis, dropped: &mut dyn FnMut(Delivery)) {
        self.drop_where(|delivery| delivery.message.expired(now), dropped);
    }

    fn drop_where(&mut self, lost: impl Fn(&Delivery) -> bool, dropped: &mut dyn FnMut(Delivery)) {
        for delivery in std::mem::take(self).deliveries.into_iter().flatten() {
            match lost(&delivery) {
                true => dropped(delivery),
                false => self.push(delivery),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(qos: QoS) -> Delivery {
        let message = Message::from_publish(
            hookmq_codec::Publish { topic: "a".into(), qos, ..Default::default() },
            "".into(),
            0,
        );
        Delivery {
            message: Arc::new(message),
            qos,
            retain: false,
            identifiers: Identifiers::new(),
            taps: None,
            replayed: false,
            number: 0,
        }
    }

    fn insert(inflight: &mut Inflight) -> Option<u16> {
        inflight.insert(delivery(QoS::AtLeastOnce)).map(|(id, _)| id)
    }

    #[test]
    fn packet_identifiers_are_reused_last_of_all() {
        let mut inflight = Inflight::default();
        for expected in 1..=TURN as u16 {
            assert_eq!(
                insert(&mut inflight),
                Some(expected),
                "one after the other, although all but 3 are free"
            );
            assert!(expected == 3 || inflight.remove(expected).is_some());
        }
        assert_eq!((inflight.len(), insert(&mut inflight), insert(&mut inflight)), (1, Some(1), Some(2)));
        assert!(inflight.remove(2).is_some());
        assert!(inflight.remove(2).is_none());
        assert_eq!(insert(&mut inflight), Some(4), "3 is under way, and 2 was freed last");
        let order: Vec<_> = inflight.in_order().into_iter().map(|(id, _)| id).collect();
        assert_eq!(order, [3, 1, 4]);
    }

    #[test]
    fn there_are_65_535_packet_identifiers() {
        let mut inflight = Inflight::default();
        for expected in 1..=u16::MAX {
            assert_eq!(insert(&mut inflight), Some(expected));
        }
        assert_eq!(insert(&mut inflight), None);
    }

    #[test]
    fn the_oldest_of_qos_0_go_first_and_leave_no_hole_at_the_front() {
        let mut queue = Queue::default();
        for index in 0..1000 {
            let mut delivery = delivery(if index % 2 == 0 { QoS::AtLeastOnce } else { QoS::AtMostOnce });
            Arc::make_mut(&mut delivery.message).received_at = index;
            queue.push(delivery);
        }
        for _ in 0..400 {
            assert!(queue.drop_oldest_qos0().is_some());
        }
        assert_eq!((queue.len(), queue.live, queue.bytes), (600, 600, 600));
        let left: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|one| one.message.received_at).collect();
        assert_eq!(left.len(), 600);
        assert!(left.is_sorted());
        assert_eq!(left.iter().find(|index| *index % 2 == 1), Some(&801));
        assert!(queue.drop_oldest_qos0().is_none());
        assert_eq!((queue.len(), queue.holes, queue.qos0), (0, 0, 0));
    }

    #[test]
    fn a_queue_counts_what_it_holds() {
        let mut queue = Queue::default();
        queue.push(delivery(QoS::AtMostOnce));
        queue.push(delivery(QoS::AtLeastOnce));
        assert!(queue.has_qos0());
        queue.drop_qos0(&mut |_| ());
        assert_eq!((queue.len(), queue.live, queue.bytes, queue.has_qos0()), (1, 1, 1, false));
        assert_eq!(queue.pop().unwrap().qos, QoS::AtLeastOnce);
        assert_eq!((queue.len(), queue.live, queue.bytes), (0, 0, 0));
    }
}
