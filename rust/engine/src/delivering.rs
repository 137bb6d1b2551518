//! Deliveries that somebody decides about, for each receiver.

use std::sync::Arc;

use hookmq_codec::QoS;

use crate::batch::Batch;
use crate::broker::Broker;
use crate::client::Client;
use crate::hook::Event;
use crate::message::{Message, Passing};
use crate::outbound::Delivery;
use crate::receipt::Receipt;
use crate::routed::Routed;
use crate::router::Grant;
use crate::session::Session;
use crate::taps::TapId;

/// A session that is to get a message, and on which terms.
pub struct Receiver {
    pub(crate) session: Arc<Session>,
    pub(crate) grant: Grant,
    pub(crate) retain: bool,
    /// It is a retained message that a subscription asked for.
    pub(crate) replayed: bool,
}

impl Receiver {
    /// The client as it connected last.
    pub fn client(&self) -> Arc<Client> {
        self.session.client()
    }

    /// Whether it is a retained message that a subscription asked for.
    pub fn is_replay(&self) -> bool {
        self.replayed
    }
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Receiver").field(&self.session.id).finish()
    }
}

impl Broker {
    /// Hands a message to its receivers, as it was decided about each: perhaps another message, or none, and why. `false`
    /// if one would have to keep it and has no room; then it is not acknowledged.
    pub fn deliver_decided(
        &self,
        message: &Arc<Message>,
        decided: &[(&Receiver, Result<Arc<Message>, &'static str>)],
        receipt: Option<&Receipt>,
        batch: &mut Batch,
    ) -> bool {
        let _together = receipt.and_then(|_| self.together());
        let mut handed_out = true;
        for (receiver, decision) in decided {
            match decision {
                Ok(message) => handed_out &= self.deliver(receiver, message, batch),
                Err(why) => self.withhold(receiver, message, why, batch),
            }
        }
        if let Some(receipt) = receipt.filter(|_| handed_out) {
            receipt.handed_out(batch);
        }
        handed_out
    }

    /// Hands a message to a receiver. `false` if it would have to keep it and has no room.
    fn deliver(&self, receiver: &Receiver, message: &Arc<Message>, batch: &mut Batch) -> bool {
        let Receiver { session, grant, retain, replayed } = receiver;
        let taps = batch.routes.route(&self.router, &message.topic);
        let sent = taps.taps.as_ref().and_then(|taps| taps.sent.clone());
        if *replayed {
            let delivery = Delivery {
                message: Arc::clone(message),
                qos: message.qos.min(grant.qos),
                retain: *retain,
                identifiers: grant.identifiers.clone(),
                taps: sent,
                replayed: true,
                number: 0,
            };
            let state = &mut *session.state.lock();
            session.deliver_retained(state, delivery, batch);
            return true;
        }
        if message.qos.min(grant.qos) > QoS::AtMostOnce && !session.has_room(batch) {
            batch.counts.limit_max_queued += 1;
            batch.dropped(&session.id, "the queue is full", || Arc::clone(message));
            return false;
        }
        let mut scratch = std::mem::take(&mut batch.scratch);
        let mut routed = Routed::new(Passing::Shared(Arc::clone(message)), &mut scratch);
        batch.scratch = scratch;
        session.deliver(&mut routed, grant, *retain, sent.as_ref(), batch);
        true
    }

    /// Whether this very message is retained.
    pub fn retains(&self, message: &Arc<Message>) -> bool {
        self.retained.read().get(&message.topic).is_some_and(|kept| Arc::ptr_eq(kept, message))
    }

    /// Counts a message that a receiver did not get because it was decided so.
    pub fn withhold(
        &self,
        receiver: &Receiver,
        message: &Arc<Message>,
        why: &'static str,
        batch: &mut Batch,
    ) {
        batch.dropped(&receiver.session.id, why, || Arc::clone(message));
    }

    /// Leaves the delivery of a message to those who decide about it.
    pub(crate) fn put_before(
        message: Arc<Message>,
        receivers: Vec<Receiver>,
        taps: &Arc<[TapId]>,
        receipt: Option<Receipt>,
        batch: &mut Batch,
    ) {
        batch.events.push(Event::Deliver { message, receivers, taps: Arc::clone(taps), receipt });
    }
}
