//! SUBSCRIBE and UNSUBSCRIBE.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytestring::ByteString;
use hookmq_codec::{
    Packet, Properties, PropertyId, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, SubscribeFilter,
    TopicFilter, UnsubAck, Unsubscribe,
};

use crate::acl::Right;
use crate::batch::Batch;
use crate::broker;
use crate::connection::{Close, Connection, Denied};
use crate::delivering::Receiver;
use crate::hook::Event;
use crate::message::{Message, Millis};
use crate::outbound::Delivery;
use crate::retained::Retained;
use crate::router::Grant;
use crate::session::{State, Subscription};
use crate::subscribers::Subscriber;
use crate::taps::Tap;

/// Retained messages that one batch queues for subscriptions, unless a single one asks for more.
const REPLAYED_AT_A_TIME: usize = 4096;

impl Connection {
    /// SUBSCRIBE came. `authorized` holds what the deciders said of each filter, the QoS they grant at most or
    /// why not; what it does not name is allowed.
    pub fn subscribe(
        &mut self,
        packet: Subscribe,
        authorized: &[Result<QoS, Denied>],
        batch: &mut Batch,
    ) -> Result<(), Close> {
        let identifier = packet.properties.number(PropertyId::SubscriptionIdentifier);
        let mut text = None; // there is one for the whole SUBACK
        let mut reasons = Vec::with_capacity(packet.filters.len());
        for (index, wanted) in packet.filters.into_iter().enumerate() {
            let allowed = authorized.get(index).cloned().unwrap_or(Ok(QoS::ExactlyOnce));
            text = text.or_else(|| allowed.as_ref().err().and_then(|denied| denied.text.clone()));
            reasons.push(match self.subscribe_one(wanted, identifier, allowed, batch)? {
                Ok(reason) => reason,
                Err(reason) => reason,
            });
        }
        let Some(mut state) = self.session.lock_for(self.link_id) else { return Ok(()) };
        let properties = state.link.as_ref().map_or_else(Properties::new, |link| link.explanation(text));
        let ack = SubAck { packet_id: packet.packet_id, properties, reasons };
        self.session.reply(&mut state, Packet::SubAck(ack), batch); // [MQTT-3.8.4-1] [MQTT-3.8.4-2]
        drop(state);
        self.replay(batch);
        Ok(())
    }

    /// Whether retained messages are still to be sent that subscriptions asked for. No packet is to be handled
    /// before that is done: see [`Self::replay`].
    pub fn is_replaying(&self) -> bool {
        !self.replays.is_empty()
    }

    /// Queues retained messages that subscriptions asked for, as many as a batch may: a client that subscribes to
    /// everything a thousand times must not keep the others waiting.
    pub fn replay(&mut self, batch: &mut Batch) {
        let broker = Arc::clone(&self.broker);
        while batch.replayed < REPLAYED_AT_A_TIME
            && let Some(replay) = self.replays.pop_front()
        {
            let retained = broker.retained.read();
            let Some(mut state) = self.session.lock_for(self.link_id) else { return };
            self.send_retained(&retained, &mut state, &replay, batch);
        }
    }

    fn subscribe_one(
        &mut self,
        wanted: SubscribeFilter,
        identifier: Option<u32>,
        authorized: Result<QoS, Denied>,
        batch: &mut Batch,
    ) -> Result<Result<ReasonCode, ReasonCode>, Close> {
        let SubscribeFilter { filter, mut options } = wanted;
        let filter = match self.parse(&filter, batch) {
            Ok(filter) => filter,
            Err(reason) => return Ok(Err(reason)),
        };
        if filter.share_name().is_some() && options.no_local {
            // [MQTT-3.8.3-4]
            return Err(Close::new(ReasonCode::ProtocolError, "No Local on a Shared Subscription"));
        }
        if self.client().bridge {
            options.no_local = filter.share_name().is_none(); // [MQTT-3.8.3-4]
            options.retain_as_published = true;
        }
        let authorized = match self.client().may(Right::Subscribe, filter.filter()) {
            true => authorized,
            false => Err(ReasonCode::NotAuthorized.into()),
        };
        match authorized {
            Ok(most) => options.qos = options.qos.min(most),
            Err(denied) => {
                batch.counts.unauthorized += 1;
                return Ok(Err(refusal(denied.reason)));
            }
        }
        let subscription = Subscription { options, identifier };
        let (existed, before) = {
            // Who publishes a retained message holds the tree while it is stored and its route looked up; so each
            // subscriber gets the message either from the tree or live: never twice, never not at all.
            let retained = self.broker.retained.read();
            let Some(mut state) = self.session.lock_for(self.link_id) else {
                return Ok(Err(ReasonCode::UnspecifiedError)); // taken over; nobody reads the answer
            };
            if state.kept && !batch.stores() {
                batch.counts.store_refused += 1;
                return Ok(Err(ReasonCode::QuotaExceeded));
            }
            let room = state.subscriptions.len() < self.broker.limits.max_subscriptions;
            if !room && !state.subscriptions.contains_key(&filter) {
                batch.counts.limit_max_subscriptions += 1;
                return Ok(Err(ReasonCode::QuotaExceeded));
            }
            // Retained messages that wait are those of the tree, or were. A client that subscribes again and again
            // while they change must not gather them.
            let bound = self.broker.limits.max_queued_bytes.max(retained.bytes()).saturating_mul(2);
            if state.queue.replayed_bytes() > bound {
                batch.counts.limit_max_queued += 1;
                return Ok(Err(ReasonCode::QuotaExceeded));
            }
            let existed = state.subscriptions.insert(filter.clone(), subscription.clone()).is_some();
            state.suspended.remove(&filter);
            let subscriber =
                Subscriber { session: Arc::clone(&self.session), subscription: subscription.clone() };
            self.broker.router.subscribe(&filter, subscriber); // [MQTT-3.8.4-3]
            let ticket = self.session.keep_subscription(&state, &filter, &subscription, batch);
            state.promise(ticket);
            (existed, retained.moment())
        };
        if self.broker.watches.subscriptions.load(Relaxed) {
            let client = Arc::clone(self.client());
            batch.note(Event::Subscribed { client, filter: filter.as_str().into(), qos: options.qos });
        }
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
        if wants_retained {
            self.replays.push_back(Replay { filter, subscription, before });
        }
        Ok(Ok(reason))
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
        Replay { filter, subscription, before }: &Replay,
        batch: &mut Batch,
    ) {
        let broker = &self.broker;
        let now = batch.now;
        retained.visit(filter.filter(), *before, now, &mut |message| {
            batch.replayed += 1;
            if subscription.options.no_local && message.publisher == self.session.id
                || !self.client().may(Right::Receive, &message.topic)
            {
                return;
            }
            let watched = broker.watches.sent.load(Relaxed) || broker.watches.delivers.load(Relaxed);
            let route = watched.then(|| batch.routes.route(&broker.router, &message.topic));
            let taps = route.as_ref().and_then(|route| route.taps.as_deref());
            if let Some(deciders) = taps.and_then(|taps| taps.deliver.as_ref()) {
                let grant = Grant::one(subscription);
                let session = Arc::clone(&self.session);
                let receiver = Receiver { session, grant, retain: true, replayed: true };
                return broker::Broker::put_before(
                    Arc::clone(message),
                    vec![receiver],
                    deciders,
                    None,
                    batch,
                );
            }
            let delivery = Delivery {
                message: Arc::clone(message),
                qos: message.qos.min(subscription.options.qos),
                retain: true, // [MQTT-3.3.1-8]
                identifiers: subscription.identifier.into_iter().collect(),
                taps: taps.and_then(|taps| taps.sent.clone()),
                replayed: true,
                number: 0,
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
                    state.suspended.remove(&filter);
                    let ticket = self.session.keep_unsubscribed(&state, &filter, batch);
                    state.promise(ticket);
                    if self.broker.watches.subscriptions.load(Relaxed) {
                        let client = Arc::clone(self.client());
                        batch.note(Event::Unsubscribed { client, filter: (&**text).into() });
                    }
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

/// Retained messages that a subscription asked for: those that were stored before a moment, for what comes later
/// comes live.
pub(crate) struct Replay {
    filter: TopicFilter,
    subscription: Subscription,
    before: u64,
}

impl crate::Broker {
    /// Adds an observer and returns the retained messages that match its filter: each message comes to it
    /// either here or later, never twice.
    pub fn add_tap_with_retained(&self, filter: &TopicFilter, tap: Tap, now: Millis) -> Vec<Arc<Message>> {
        let retained = self.retained.read();
        self.add_tap(filter, tap);
        let mut found = Vec::new();
        retained
            .visit(filter.filter(), retained.moment(), now, &mut |message| found.push(Arc::clone(message)));
        found
    }
}
