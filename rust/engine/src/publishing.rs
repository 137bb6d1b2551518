//! From one publish to all its receivers.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::Bytes;
use hookmq_codec::{QoS, ReasonCode};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::delivering::Receiver;
use crate::hook::Event;
use crate::keeping::is_own;
use crate::limits::QueuePolicy;
use crate::message::{Message, Passing};
use crate::receipt::Receipt;
use crate::route::{self, Route};
use crate::routed::Routed;
use crate::router::Grant;
use crate::session::Session;
use crate::taps::{TapId, Taps};

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

    /// Counts a message for which somebody who must keep it has no room.
    pub(crate) fn for_want_of_room(batch: &mut Batch) -> Self {
        batch.counts.messages_refused += 1;
        if batch.stores() {
            batch.counts.limit_max_queued += 1;
            return Self { what: "a subscriber's queue is full" };
        }
        batch.counts.store_refused += 1;
        Self { what: "what is to be kept cannot be stored at the moment" }
    }
}

/// Where a message comes from.
pub struct Origin<'a> {
    /// The session that published it, for No Local.
    session: Option<&'a Session>,
    by_client: bool,
    /// Its connection is there, and asked for room.
    live: bool,
    /// Everybody has it, but for those who are to keep it.
    handed_out: bool,
    receipt: Option<Receipt>,
}

impl<'a> Origin<'a> {
    /// A client's connection. The receipt holds its acknowledgement back.
    pub(crate) fn connection(session: &'a Session, handed_out: bool, receipt: Option<Receipt>) -> Self {
        Self { session: Some(session), by_client: true, live: true, handed_out, receipt }
    }

    /// Somebody who replaced what a client published. Nobody asked for room before.
    pub(crate) fn instead(session: &'a Session, handed_out: bool, receipt: Option<Receipt>) -> Self {
        Self { live: false, ..Self::connection(session, handed_out, receipt) }
    }

    /// A client that is gone: its Will. No Local is kept for its session as well. [MQTT-3.8.3-3]
    pub(crate) const fn will(session: &'a Session) -> Self {
        Self { session: Some(session), by_client: true, live: false, handed_out: false, receipt: None }
    }

    /// Somebody who publishes without being connected, for whom hooks and rules are called as for a client.
    pub const fn caller() -> Self {
        Self { session: None, by_client: true, live: false, handed_out: false, receipt: None }
    }

    /// The broker itself.
    pub const fn broker() -> Self {
        Self { session: None, by_client: false, live: false, handed_out: false, receipt: None }
    }
}

impl Broker {
    /// Hands a message to all its receivers, the retained tree and the observers.
    ///
    /// With QoS 1 or 2 the message is refused as a whole if any receiver that must keep it has no room: an
    /// acknowledged message is never dropped for want of space.
    pub fn publish(
        &self,
        message: Message,
        origin: Origin<'_>,
        batch: &mut Batch,
    ) -> Result<Published, Refused> {
        let Origin { session: from, by_client, live, handed_out, receipt } = origin;
        let mut route = batch.routes.route(&self.router, &message.topic);
        // With this policy the connection asked before, and waited: see `Connection::has_room`.
        let asked = handed_out || live && self.limits.queue_policy == QueuePolicy::Hold;
        if !asked && message.qos > QoS::AtMostOnce && !has_room(&route, message.qos, batch) {
            return Err(Refused::for_want_of_room(batch));
        }
        let retains = message.retain && !handed_out;
        if retains && !message.payload.is_empty() && !is_own(&message) && !batch.stores() {
            return Err(Refused::for_want_of_room(batch));
        }
        let mut scratch = std::mem::take(&mut batch.scratch);
        let mut routed = Routed::new(Passing::Own(message), &mut scratch);
        batch.scratch = scratch;

        if retains {
            let shared = routed.shared();
            // The route is looked up again with the tree locked. Who subscribes locks the tree as well while
            // the subscription is made and the tree is read, so each subscriber gets the message either
            // from the tree or live: never twice, never not at all.
            let mut retained = self.retained.write();
            let before = retained.get(&shared.topic).cloned();
            if retained.store(&shared, &batch.limits).is_err() {
                batch.counts.messages_refused += 1;
                batch.counts.limit_max_retained += 1;
                return Err(Refused { what: "there is no room for another retained message" });
            }
            batch.keep_retained(&shared, before.as_deref());
            route = batch.routes.route(&self.router, &routed.message.topic);
        }
        if !handed_out {
            batch.topics.count(&route.place, &routed.message);
        }
        let published = Published { matched: !route.receivers.is_empty() || !route.groups.is_empty() };
        match &route.taps {
            None if handed_out => {}
            None => self.hand_out(&route, &mut routed, from, None, batch),
            Some(taps) => {
                let held = receipt.as_ref();
                match &taps.deliver {
                    _ if handed_out => {}
                    None => self.hand_out(&route, &mut routed, from, taps.sent.as_ref(), batch),
                    Some(deliver) => {
                        let receivers = chosen(&route, &routed.message, from, batch);
                        if !receivers.is_empty() {
                            let receipt = held.map(Receipt::share_to_hand_out);
                            Self::put_before(routed.shared(), receivers, deliver, receipt, batch);
                        }
                    }
                }
                if let Some(observers) = if by_client { &taps.client } else { &taps.broker } {
                    let mut message = routed.message;
                    if taps.bare
                        && let Passing::Own(own) = &mut message
                    {
                        own.payload = Bytes::new(); // nobody looks at it
                    }
                    let receipt = held.filter(|_| taps.keeps).map(Receipt::share);
                    batch.events.push(Event::Published { message, taps: Arc::clone(observers), receipt });
                }
            }
        }
        // Whoever holds the acknowledgement back has a share of it by now.
        receipt.into_iter().for_each(Receipt::keep);
        self.relieve(batch);
        Ok(published)
    }

    /// Whether the acknowledgement of a message with this topic waits for an observer.
    pub(crate) fn keeps(&self, topic: &str, batch: &mut Batch) -> bool {
        let watched = self.watches.keeps.load(Relaxed) || self.watches.delivers.load(Relaxed);
        let keeps = |taps: &Taps| taps.keeps || taps.deliver.is_some();
        watched && batch.routes.route(&self.router, topic).taps.as_deref().is_some_and(keeps)
    }

    /// Whom to ask what becomes of a message with this topic that a client publishes.
    pub fn transforms(&self, topic: &str, batch: &mut Batch) -> Option<Arc<[TapId]>> {
        if !self.watches.transforms.load(Relaxed) {
            return None;
        }
        batch.routes.route(&self.router, topic).taps.as_ref().and_then(|taps| taps.transform.clone())
    }

    /// Whom to ask what a receiver gets of a message with this topic.
    pub fn delivers(&self, topic: &str, batch: &mut Batch) -> Option<Arc<[TapId]>> {
        batch.routes.route(&self.router, topic).taps.as_ref().and_then(|taps| taps.deliver.clone())
    }

    /// Delivers to every receiver, and to one of each group.
    fn hand_out(
        &self,
        route: &Route,
        routed: &mut Routed,
        from: Option<&Session>,
        taps: Option<&Arc<[TapId]>>,
        batch: &mut Batch,
    ) {
        let retain = routed.message.retain;
        if route.receivers.len() + route.groups.len() == 1 {
            routed.set_single();
        }
        for receiver in &route.receivers {
            let Some(grant) = granted(receiver, from) else { continue };
            // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
            let retain = retain && grant.retain_as_published;
            receiver.session.deliver(routed, grant, retain, taps, batch);
            self.relieve(batch);
        }
        for group in &route.groups {
            match group.pick(routed.message.qos) {
                Some(member) => {
                    let grant = Grant::of(member);
                    let retain = retain && grant.retain_as_published;
                    member.session.deliver(routed, &grant, retain, taps, batch);
                }
                None => batch.dropped(&Arc::from(""), NOBODY, || routed.shared()),
            }
        }
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

/// On which terms a receiver gets a message, if it does.
fn granted<'a>(receiver: &'a route::Receiver, from: Option<&Session>) -> Option<&'a Grant> {
    match from {
        Some(session) if session.serial == receiver.session.serial => receiver.own.as_ref(), // [MQTT-3.8.3-3]
        _ => Some(&receiver.grant),
    }
}

/// Everyone who is to get a message, for those who decide about it.
fn chosen(route: &Route, message: &Message, from: Option<&Session>, batch: &mut Batch) -> Vec<Receiver> {
    let receiver = |session: &Arc<Session>, grant: Grant| {
        let retain = message.retain && grant.retain_as_published;
        Receiver { session: Arc::clone(session), grant, retain, replayed: false }
    };
    let single = route.receivers.iter().filter_map(|one| Some((&one.session, granted(one, from)?.clone())));
    let mut all: Vec<_> = single.map(|(session, grant)| receiver(session, grant)).collect();
    for group in &route.groups {
        match group.pick(message.qos) {
            Some(member) => all.push(receiver(&member.session, Grant::of(member))),
            None => batch.dropped(&Arc::from(""), NOBODY, || Arc::new(message.detached())),
        }
    }
    all
}

/// Why a message for a shared group is dropped.
const NOBODY: &str = "nobody of the shared group can take it";

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
