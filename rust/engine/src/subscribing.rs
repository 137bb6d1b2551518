//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytestring::ByteString;
use hookmq_codec::{
    Packet, Properties, PropertyId, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeFilter,
    TopicFilter, UnsubAck, Unsubscribe,
};

use crate::acl::Right;
use crate::batch::Batch;
use crate::connection::{Close, Connection};
use crate::hook::Tap;
use crate::message::{Message, Millis};
use crate::outbound::Delivery;
use crate::retained::Retained;
use crate::session::{State, Subscription};
use crate::subscribers::Subscriber;

impl Connection {
    /// SUBSCRIBE came. `authorized` holds what the deciders said of each filter; what it does not name is
    /// allowed.
    pub fn subscribe(
        &mut self,
        packet: Subscribe,
        authorized: &[Result<(), ReasonCode>],
        batch: &mut Batch,
    ) -> Result<(), Close> {
        let identifier = packet.properties.number(PropertyId::SubscriptionIdentifier);
        let mut reasons = Vec::with_capacity(packet.filters.len());
        let mut wanted_retained = Vec::new();
        // Locked until all is queued: see `Broker::publish`. So a newer message of a topic cannot overtake the
        // retained one either.
        let broker = Arc::clone(&self.broker);
        let retained = broker.retained.read();
        for (index, wanted) in packet.filters.into_iter().enumerate() {
            let allowed = authorized.get(index).copied().unwrap_or(Ok(()));
            reasons.push(match self.subscribe_one(wanted, identifier, allowed, batch)? {
                Ok(Made { reason, retained }) => {
                    wanted_retained.extend(retained);
                    reason
                }
                Err(reason) => reason,
            });
        }
        let ack = SubAck { packet_id: packet.packet_id, properties: Properties::new(), reasons };
        let Some(mut state) = self.session.lock_for(self.link_id) else { return Ok(()) };
        self.session.reply(&mut state, Packet::SubAck(ack), batch); // [MQTT-3.8.4-1] [MQTT-3.8.4-2]
        for (filter, subscription) in wanted_retained {
            self.send_retained(&retained, &mut state, &filter, &subscription, batch);
        }
        Ok(())
    }

    fn subscribe_one(
        &self,
        wanted: SubscribeFilter,
        identifier: Option<u32>,
        authorized: Result<(), ReasonCode>,
        batch: &mut Batch,
    ) -> Result<Result<Made, ReasonCode>, Close> {
        let SubscribeFilter { filter, options } = wanted;
        let filter = match self.parse(&filter, batch) {
            Ok(filter) => filter,
            Err(reason) => return Ok(Err(reason)),
        };
        if filter.share_name().is_some() && options.no_local {
            // [MQTT-3.8.3-4]
            return Err(Close::new(ReasonCode::ProtocolError, "No Local on a Shared Subscription"));
        }
        let authorized = match self.client().may(Right::Subscribe, filter.filter()) {
            true => authorized,
            false => Err(ReasonCode::NotAuthorized),
        };
        if let Err(reason) = authorized {
            batch.counts.unauthorized += 1;
            return Ok(Err(refusal(reason)));
        }
        let subscription = Subscription { options, identifier };
        let existed = {
            let Some(mut state) = self.session.lock_for(self.link_id) else {
                return Ok(Err(ReasonCode::UnspecifiedError)); // taken over; nobody reads the answer
            };
            let room = state.subscriptions.len() < self.broker.limits.max_subscriptions;
            if !room && !state.subscriptions.contains_key(&filter) {
                batch.counts.limit_max_subscriptions += 1;
                return Ok(Err(ReasonCode::QuotaExceeded));
            }
            let existed = state.subscriptions.insert(filter.clone(), subscription.clone()).is_some();
            let subscriber =
                Subscriber { session: Arc::clone(&self.session), subscription: subscription.clone() };
            self.broker.router.subscribe(&filter, subscriber); // [MQTT-3.8.4-3]
            existed
        };
        let wants_retained = match options.retain_handling {
            RetainHandling::Send => true,          // [MQTT-3.3.1-9]
            RetainHandling::SendIfNew => !existed, // [MQTT-3.3.1-10]
            RetainHandling::DoNotSend => false,    // [MQTT-3.3.1-11]
        } && filter.share_name().is_none();
        let reason = match options.qos.value() {
            0 => ReasonCode::Success,
            1 => ReasonCode::GrantedQoS1,
            _ => ReasonCode::GrantedQoS2,
        };
        Ok(Ok(Made { reason, retained: wants_retained.then_some((filter, subscription)) }))
    }

    fn parse(&self, text: &ByteString, batch: &mut Batch) -> Result<TopicFilter, ReasonCode> {
        if text.split('/').nth(self.broker.limits.max_topic_levels).is_some() {
            batch.counts.limit_max_topic_levels += 1;
            return Err(ReasonCode::TopicFilterInvalid);
        }
        // A copy of its own: a subscription outlives the buffer it was read from.
        TopicFilter::parse(ByteString::from(&**text)).map_err(|_| ReasonCode::TopicFilterInvalid)
    }

    /// Queues the retained messages that match.
    fn send_retained(
        &self,
        retained: &Retained,
        state: &mut State,
        filter: &TopicFilter,
        subscription: &Subscription,
        batch: &mut Batch,
    ) {
        let broker = &self.broker;
        let now = batch.now;
        retained.visit(filter.filter(), now, &mut |message| {
            if subscription.options.no_local && message.publisher == self.session.id
                || !self.client().may(Right::Receive, &message.topic)
            {
                return;
            }
            let taps = match broker.watch_sent.load(Relaxed) {
                true => batch.routes.route(&broker.router, &message.topic).taps_sent.clone(),
                false => None,
            };
            let delivery = Delivery {
                message: Arc::clone(message),
                qos: message.qos.min(subscription.options.qos),
                retain: true, // [MQTT-3.3.1-8]
                identifiers: subscription.identifier.into_iter().collect(),
                taps,
                replayed: true,
            };
            self.session.deliver_retained(state, delivery, batch);
        });
    }

    /// UNSUBSCRIBE came.
    pub fn unsubscribe(&mut self, packet: Unsubscribe, batch: &mut Batch) {
        let Some(mut state) = self.session.lock_for(self.link_id) else { return };
        let mut reasons = Vec::with_capacity(packet.filters.len());
        let mut removed = Vec::new();
        for text in &packet.filters {
            reasons.push(match self.parse(text, batch) {
                // [MQTT-3.10.4-1] compared character by character
                Ok(filter) if state.subscriptions.remove(&filter).is_some() => {
                    removed.push(filter);
                    ReasonCode::Success
                }
                Ok(_) => ReasonCode::NoSubscriptionExisted,
                Err(reason) => reason,
            });
        }
        if !removed.is_empty() {
            self.broker.router.unsubscribe(&removed, &self.session); // [MQTT-3.10.4-2]
        }
        let ack = UnsubAck { packet_id: packet.packet_id, properties: Properties::new(), reasons };
        self.session.reply(&mut state, Packet::UnsubAck(ack), batch); // [MQTT-3.10.4-4] [MQTT-3.10.4-5]
    }
}

/// The reason for SUBACK: that of the decider if SUBACK can carry it.
fn refusal(reason: ReasonCode) -> ReasonCode {
    use ReasonCode::*;
    match reason {
        UnspecifiedError | ImplementationSpecificError | TopicFilterInvalid | QuotaExceeded => reason,
        SharedSubscriptionsNotSupported | WildcardSubscriptionsNotSupported => reason,
        _ => NotAuthorized,
    }
}

/// A subscription that was made, and what to look for among the retained messages.
struct Made {
    reason: ReasonCode,
    retained: Option<(TopicFilter, Subscription)>,
}

impl crate::Broker {
    /// Adds an observer and returns the retained messages that match its filter: each message comes to it
    /// either here or later, never twice.
    pub fn add_tap_with_retained(&self, filter: &TopicFilter, tap: Tap, now: Millis) -> Vec<Arc<Message>> {
        let retained = self.retained.read();
        self.add_tap(filter, tap);
        let mut found = Vec::new();
        retained.visit(filter.filter(), now, &mut |message| found.push(Arc::clone(message)));
        found
    }
}
