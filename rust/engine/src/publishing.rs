//! From one publish to all its receivers.

use std::sync::Arc;

use hookmq_codec::{QoS, ReasonCode};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::hook::{Event, TapId};
use crate::limits::QueuePolicy;
use crate::message::Message;
use crate::route::Route;
use crate::routed::Routed;
use crate::router::Grant;
use crate::session::{Delivered, Session};

/// A message was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Whether any subscription matched.
    pub matched: bool,
}

/// A message was not taken, by nobody. Its reason is Quota exceeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Why, in words.
    pub what: &'static str,
}

impl Refused {
    /// The reason code to answer with.
    pub const REASON: ReasonCode = ReasonCode::QuotaExceeded;
}

impl Broker {
    /// Hands a message to all its receivers, the retained tree and the observers.
    ///
    /// `from` is the session that published it, for No Local; `by_client` is false for what the broker
    /// publishes by itself. With QoS 1 or 2 the message is refused as a whole if any receiver that must
    /// keep it has no room: an acknowledged message is never dropped for want of space.
    pub fn publish(
        &self,
        message: Message,
        from: Option<&Session>,
        by_client: bool,
        batch: &mut Batch,
    ) -> Result<Published, Refused> {
        let mut route = batch.routes.route(&self.router, &message.topic);
        // With this policy the connection asked before, and waited: see `Connection::has_room`.
        let asked = from.is_some() && self.limits.queue_policy == QueuePolicy::Hold;
        if !asked && message.qos > QoS::AtMostOnce && !has_room(&route, message.qos, batch) {
            batch.counts.messages_refused += 1;
            batch.counts.limit_max_queued += 1;
            return Err(Refused { what: "a subscriber's queue is full" });
        }
        let mut scratch = std::mem::take(&mut batch.scratch);
        let mut routed = Routed::new(message, &mut scratch);
        batch.scratch = scratch;

        if routed.message.retain {
            let shared = routed.shared();
            // The route is looked up again with the tree locked. Who subscribes locks the tree as well while
            // the subscription is made and the tree is read, so each subscriber gets the message either
            // from the tree or live: never twice, never not at all.
            let mut retained = self.retained.write();
            if retained.store(&shared, &batch.limits).is_err() {
                batch.counts.messages_refused += 1;
                batch.counts.limit_max_retained += 1;
                return Err(Refused { what: "there is no room for another retained message" });
            }
            route = batch.routes.route(&self.router, &routed.message.topic);
        }
        let retain = routed.message.retain;
        let taps = route.taps_sent.as_ref();
        for receiver in &route.receivers {
            let grant = match from {
                Some(session) if session.serial == receiver.session.serial => match &receiver.own {
                    Some(own) => own,
                    None => continue, // [MQTT-3.8.3-3]
                },
                _ => &receiver.grant,
            };
            // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            let retain = retain && grant.retain_as_published;
            deliver(&receiver.session, &mut routed, grant, retain, taps, batch);
            self.relieve(batch);
        }
        for group in &route.groups {
            match group.pick(routed.message.qos) {
                Some(member) => {
                    let grant = Grant::of(member);
                    let retain = retain && grant.retain_as_published;
                    deliver(&member.session, &mut routed, &grant, retain, taps, batch);
                }
                None => batch.counts.messages_dropped += 1,
            }
        }
        let observers = if by_client { &route.taps_client } else { &route.taps_broker };
        if let Some(taps) = observers {
            batch.events.push(Event::Published { message: routed.shared(), taps: Arc::clone(taps) });
        }
        self.relieve(batch);
        Ok(Published { matched: !route.receivers.is_empty() || !route.groups.is_empty() })
    }

    /// Whether everyone who would have to keep a message of this topic and QoS has room for it.
    pub(crate) fn has_room(&self, topic: &str, qos: QoS, batch: &mut Batch) -> bool {
        qos == QoS::AtMostOnce || has_room(&batch.routes.route(&self.router, topic), qos, batch)
    }

    /// Writes out and hands over in the middle of a batch when much has gathered, so that a wide fan-out holds
    /// neither a buffer for each receiver nor an event for each copy.
    fn relieve(&self, batch: &mut Batch) {
        if batch.is_large() {
            self.hand_over(batch);
            batch.flush();
        }
    }
}

fn deliver(
    session: &Arc<Session>,
    routed: &mut Routed,
    grant: &Grant,
    retain: bool,
    taps: Option<&Arc<[TapId]>>,
    batch: &mut Batch,
) {
    if session.deliver(routed, grant, retain, taps, batch) == Delivered::Dropped {
        batch.counts.messages_dropped += 1;
    }
}

/// Whether every session that would have to keep the message has room for it. A group has room if one of its
/// members takes the message, now or later.
fn has_room(route: &Route, qos: QoS, batch: &mut Batch) -> bool {
    let keeps = |granted: QoS| qos.min(granted) > QoS::AtMostOnce;
    for receiver in route.receivers.iter().filter(|receiver| keeps(receiver.grant.qos)) {
        if !receiver.session.has_room(batch) {
            return false;
        }
    }
    route.groups.iter().all(|group| {
        let mut members = group.members.iter();
        group.members.iter().all(|member| !keeps(member.subscription.options.qos))
            || members.any(|member| {
                let takes = member.session.is_connected() || keeps(member.subscription.options.qos);
                takes && member.session.has_room(batch)
            })
    })
}
