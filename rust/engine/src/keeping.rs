//! What of a session is noted for the store, and when.

use std::sync::Arc;

use hookmq_codec::TopicFilter;

use crate::batch::Batch;
use crate::kept::{self, KeptDelivery, KeptSession, Owner, Stage, Taken, encode_message, encode_will};
use crate::ledger::Ticket;
use crate::message::{Message, Millis};
use crate::outbound::{Delivery, Phase};
use crate::session::{Session, State, Subscription};

impl Session {
    /// The session as it is now, which outlives the process; until when, if it has no connection.
    pub(crate) fn keep(&self, state: &mut State, ends_at: Option<Millis>, batch: &mut Batch) -> Ticket {
        if batch.ledger.is_none() {
            return 0;
        }
        self.set_durable(state, true);
        let owner = Owner::of(&self.client());
        let (expiry, asked_to_be_kept) = (state.expiry, state.asked_to_be_kept);
        let session = KeptSession { owner, expiry, asked_to_be_kept, ends_at };
        batch.keep(|changes| changes.put(kept::session(self.serial), 0, |out| session.encode(out)))
    }

    /// The session and all that belongs to it outlives the process no longer.
    pub(crate) fn keep_no_more(&self, state: &mut State, batch: &mut Batch) {
        if !state.kept {
            return;
        }
        self.set_durable(state, false);
        let State { queue, inflight, subscriptions, received, .. } = state;
        batch.keep(|changes| {
            let over = |delivery: &mut Delivery| {
                if std::mem::take(&mut delivery.number) != 0 {
                    delivery.message.blob.release();
                }
            };
            let mut numbers = Vec::new();
            queue.each(&mut |delivery| {
                numbers.push(delivery.number);
                over(delivery);
            });
            inflight.each(&mut |phase| match phase {
                Phase::Published(delivery) => {
                    numbers.push(delivery.number);
                    over(delivery);
                }
                Phase::Released { number, .. } => numbers.push(std::mem::take(number)),
            });
            for number in numbers.into_iter().filter(|number| *number != 0) {
                changes.delete(kept::delivery(self.serial, number));
            }
            subscriptions
                .keys()
                .for_each(|filter| changes.delete(kept::subscription(self.serial, filter.as_str())));
            received.each(&mut |packet_id| changes.delete(kept::received(self.serial, packet_id)));
            changes.delete(kept::session(self.serial));
        });
    }

    /// The Will as it is now, or that there is none any more. One is kept of every client: who does not outlive the
    /// process has left it for just that.
    pub(crate) fn keep_will(&self, state: &mut State, batch: &mut Batch) {
        match &state.will {
            // When it cannot be stored, its client is let in all the same.
            Some(pending) if state.will_kept || batch.stores() && batch.ledger.is_some() => {
                state.will_kept = true;
                let owner = Owner::of(&self.client());
                batch.keep(|changes| {
                    changes.put(kept::will(self.serial), 0, |out| {
                        encode_will(&owner, &pending.will, state.will_at, out);
                    });
                });
            }
            Some(_) => {}
            None if std::mem::take(&mut state.will_kept) => {
                batch.keep(|changes| changes.delete(kept::will(self.serial)));
            }
            None => {}
        }
    }

    /// A subscription of a session that outlives the process.
    pub(crate) fn keep_subscription(
        &self,
        state: &State,
        filter: &TopicFilter,
        subscription: &Subscription,
        batch: &mut Batch,
    ) -> Ticket {
        match state.kept {
            true => batch.keep(|changes| {
                let key = kept::subscription(self.serial, filter.as_str());
                changes.put(key, 0, |out| subscription.encode(out));
            }),
            false => 0,
        }
    }

    /// One is over.
    pub(crate) fn keep_unsubscribed(&self, state: &State, filter: &TopicFilter, batch: &mut Batch) -> Ticket {
        match state.kept {
            true => batch.keep(|changes| changes.delete(kept::subscription(self.serial, filter.as_str()))),
            false => 0,
        }
    }

    /// A QoS 2 message was taken and is not released.
    pub(crate) fn keep_received(
        &self,
        state: &State,
        packet_id: u16,
        taken: Taken,
        batch: &mut Batch,
    ) -> Ticket {
        match state.kept {
            true => batch.keep(|changes| {
                changes.put(kept::received(self.serial, packet_id), 0, |out| taken.encode(out));
            }),
            false => 0,
        }
    }

    /// It was refused: its identifier may name another message next.
    pub(crate) fn forget_received(&self, state: &mut State, packet_id: u16, batch: &mut Batch) {
        state.unsettled.remove(&packet_id);
        if state.received.remove(packet_id) {
            self.keep_unreceived(state, packet_id, batch);
        }
    }

    /// It is released.
    pub(crate) fn keep_unreceived(&self, state: &State, packet_id: u16, batch: &mut Batch) -> Ticket {
        match state.kept {
            true => batch.keep(|changes| changes.delete(kept::received(self.serial, packet_id))),
            false => 0,
        }
    }

    /// A message was queued that outlives the process, if the session does.
    pub(crate) fn keep_queued(
        &self,
        state: &mut State,
        delivery: &mut Delivery,
        batch: &mut Batch,
    ) -> Ticket {
        let Some(ledger) = batch.ledger.as_ref().filter(|_| state.kept).map(Arc::clone) else { return 0 };
        state.next_number += 1;
        delivery.number = state.next_number;
        let fresh = ledger.next_blob();
        let message = &delivery.message;
        batch.keep(|changes| {
            let blob = message.blob.refer(changes, fresh, |out| encode_message(message, out));
            let value = value(delivery, Stage::Waiting);
            changes.put(kept::delivery(self.serial, delivery.number), blob, |out| value.encode(out));
        })
    }

    /// A message is on its way: it was sent, or PUBREC came for it and the message itself is over.
    pub(crate) fn keep_stage(&self, delivery: &Delivery, stage: Stage, batch: &mut Batch) -> Ticket {
        if delivery.number == 0 {
            return 0;
        }
        let value = value(delivery, stage);
        let is_released = matches!(stage, Stage::Released { .. });
        batch.keep(|changes| {
            let blob = if is_released { 0 } else { delivery.message.blob.number() };
            changes.put(kept::delivery(self.serial, delivery.number), blob, |out| value.encode(out));
            if is_released {
                delivery.message.blob.release();
            }
        })
    }

    /// A message is over that was not released before.
    pub(crate) fn keep_over(&self, delivery: &Delivery, batch: &mut Batch) {
        if delivery.number != 0 {
            batch.keep(|changes| {
                changes.delete(kept::delivery(self.serial, delivery.number));
                delivery.message.blob.release();
            });
        }
    }

    /// One is over that was released before.
    pub(crate) fn keep_completed(&self, number: u64, batch: &mut Batch) {
        if number != 0 {
            batch.keep(|changes| changes.delete(kept::delivery(self.serial, number)));
        }
    }
}

impl Batch {
    /// A message was retained in the place of another, or took its topic's away. The tree is locked.
    pub(crate) fn keep_retained(&mut self, message: &Message, before: Option<&Message>) {
        if message.payload.is_empty() {
            return before.into_iter().for_each(|before| self.keep_retained_no_more(before));
        }
        let Some(ledger) = self.ledger.as_ref().filter(|_| !is_own(message)).map(Arc::clone) else { return };
        let fresh = ledger.next_blob();
        self.keep(|changes| {
            let blob = message.blob.refer(changes, fresh, |out| encode_message(message, out));
            changes.put(kept::retained(&message.topic), blob, |_| ());
            before.into_iter().for_each(|before| before.blob.release());
        });
    }

    /// A message is retained no longer. The tree is locked.
    pub(crate) fn keep_retained_no_more(&mut self, message: &Message) {
        if !is_own(message) {
            self.keep(|changes| {
                changes.delete(kept::retained(&message.topic));
                message.blob.release();
            });
        }
    }
}

/// Whether it is the broker's report of itself, which is made again.
pub(crate) fn is_own(message: &Message) -> bool {
    message.topic.starts_with("$SYS/")
}

fn value(delivery: &Delivery, stage: Stage) -> KeptDelivery {
    KeptDelivery {
        stage,
        qos: delivery.qos,
        retain: delivery.retain,
        replayed: delivery.replayed,
        identifiers: delivery.identifiers.clone(),
    }
}
