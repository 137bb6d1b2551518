//! The broker: which sessions there are, who connects and who is replaced, what happens with time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytestring::ByteString;
use hashbrown::HashMap;
use hookmq_codec::{ConnAck, Connect, Properties, PropertyId, ReasonCode, TopicFilter, Version};
use parking_lot::{Mutex, RwLock};

use crate::acl::Right;
use crate::batch::{Batch, Lost};
use crate::client::Client;
use crate::connection::{Close, Connection, End};
use crate::hook::{Event, Observer};
use crate::jail::Jail;
use crate::limits::Limits;
use crate::link::{Aliases, Link};
use crate::message::{Message, Millis};
use crate::outbox::Outbox;
use crate::packet_ids::PacketIds;
use crate::presence::Presence;
use crate::publishing::Origin;
use crate::receipt::Acks;
use crate::retained::Retained;
use crate::router::Router;
use crate::session::{PendingWill, Session, State, expires_at};
use crate::statistics::Statistics;
use crate::subscribers::Subscriber;
use crate::taps::{Tap, TapId, TapKind, Watches};
use crate::timer::{Timer, Timers};
use crate::transport::Transport;

/// A will that is to be published now, and whose it is.
type DueWill = (PendingWill, Arc<Client>, Arc<Session>);

/// The broker. Threads share one behind an [`Arc`].
pub struct Broker {
    pub(crate) limits: Arc<Limits>,
    pub(crate) router: Router,
    pub(crate) retained: RwLock<Retained>,
    pub(crate) sessions: Mutex<HashMap<Arc<str>, Arc<Session>>>,
    timers: Mutex<Timers>,
    /// Who came back too often, and who is connected; nothing else is locked while these are.
    jail: Mutex<Jail>,
    presence: Mutex<Presence>,
    /// What was counted.
    pub statistics: Statistics,
    observer: Arc<dyn Observer>,
    pub(crate) watches: Arc<Watches>,
    next_serial: AtomicU64,
    /// Batches for threads that come and go, such as Python's.
    spare: Mutex<Vec<Batch>>,
}

impl Broker {
    /// A broker without clients.
    pub fn new(limits: Limits, observer: Arc<dyn Observer>) -> Arc<Self> {
        Arc::new(Self {
            limits: Arc::new(limits),
            router: Router::default(),
            retained: RwLock::default(),
            sessions: Mutex::default(),
            timers: Mutex::default(),
            jail: Mutex::default(),
            presence: Mutex::default(),
            statistics: Statistics::default(),
            observer,
            watches: Arc::default(),
            next_serial: AtomicU64::new(1),
            spare: Mutex::default(),
        })
    }

    /// A working state for a thread.
    pub fn batch(&self) -> Batch {
        Batch::new(Arc::clone(&self.limits), Arc::clone(&self.watches))
    }

    /// Does some work with a borrowed batch and finishes it.
    pub fn with_batch<T>(&self, now: Millis, work: impl FnOnce(&mut Batch) -> T) -> T {
        let mut batch = self.spare.lock().pop().unwrap_or_else(|| self.batch());
        batch.begin(now);
        let result = work(&mut batch);
        self.finish(&mut batch);
        batch.take_gates(); // whoever borrows a batch cannot be held back
        self.spare.lock().push(batch);
        result
    }

    /// Ends a batch: observers are told, every touched session is written out, counters are added.
    pub fn finish(&self, batch: &mut Batch) {
        // First of all, so that whoever got an acknowledgement finds that the observers were told.
        self.hand_over(batch);
        // Writing may send more from a queue and so touch sessions again.
        while !batch.touched.is_empty() {
            batch.flush();
        }
        self.statistics.add(&mut batch.counts);
        self.hand_over(batch);
    }

    /// Tells the observers what has happened so far.
    pub(crate) fn hand_over(&self, batch: &mut Batch) {
        self.tell_late(batch);
        if !batch.events.is_empty() {
            let (events, gates) = batch.told();
            self.observer.observe(events, gates);
            events.clear();
        }
    }

    /// Looks up who observes what was acknowledged and what was dropped. Both happen with a session locked,
    /// and rarely in the middle of a route.
    fn tell_late(&self, batch: &mut Batch) {
        for (message, sent) in std::mem::take(&mut batch.acks) {
            let route = batch.routes.route(&self.router, &message.topic);
            if let Some(taps) = route.taps.as_ref().and_then(|taps| taps.acked.clone()) {
                batch.events.push(Event::Acked { message, sent, taps });
            }
        }
        for Lost { message, receiver, why } in std::mem::take(&mut batch.lost) {
            let route = batch.routes.route(&self.router, &message.topic);
            if let Some(taps) = route.taps.as_ref().and_then(|taps| taps.dropped.clone()) {
                batch.events.push(Event::Dropped { message, receiver, why, taps });
            }
        }
    }

    /// The limits it keeps.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Says whether [`Event::Connected`] and [`Event::Disconnected`] are wanted.
    pub fn watch_clients(&self, wanted: bool) {
        self.watches.clients.store(wanted, Relaxed);
    }

    /// Says whether [`Event::Subscribed`] and [`Event::Unsubscribed`] are wanted.
    pub fn watch_subscriptions(&self, wanted: bool) {
        self.watches.subscriptions.store(wanted, Relaxed);
    }

    /// Adds an observer of messages.
    pub fn add_tap(&self, filter: &TopicFilter, tap: Tap) {
        let watches = &self.watches;
        let watch = match tap.kind {
            TapKind::Sent => Some(&watches.sent),
            TapKind::Acked => Some(&watches.acked),
            TapKind::Dropped => Some(&watches.dropped),
            TapKind::Transform => Some(&watches.transforms),
            TapKind::Deliver => Some(&watches.delivers),
            TapKind::Received | TapKind::Routed => tap.keeps.then_some(&watches.keeps),
        };
        if let Some(watch) = watch {
            watch.store(true, Relaxed);
        }
        self.router.add_tap(filter, tap);
    }

    /// To be called after access rules were replaced: what was found before is looked up again, and subscriptions
    /// have an effect if they would be allowed now.
    pub fn access_changed(&self) {
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        for session in sessions {
            let client = session.client();
            if client.listener.access.is_none() {
                continue;
            }
            let State { subscriptions, suspended, .. } = &mut *session.state.lock();
            for (filter, subscription) in subscriptions.iter() {
                let allowed = client.may(Right::Subscribe, filter.filter());
                if !allowed && suspended.insert(filter.clone()) {
                    self.router.unsubscribe([filter], &session);
                } else if allowed && suspended.remove(filter) {
                    let subscription = subscription.clone();
                    let session = Arc::clone(&session);
                    self.router.subscribe(filter, Subscriber { session, subscription });
                }
            }
        }
        self.router.invalidate();
    }

    /// Removes an observer of messages.
    pub fn remove_tap(&self, filter: &TopicFilter, id: TapId) {
        self.router.remove_tap(filter, id);
    }

    /// Takes a client whose CONNECT was read and who was authenticated. The answer is in its outbox when
    /// this returns; an error is the reason for a CONNACK that the caller sends.
    ///
    /// `extra` are properties of CONNACK that are not the engine's: an assigned Client Identifier, the last
    /// data of an enhanced authentication. Without effect before 5.0.
    pub fn connect(
        self: &Arc<Self>,
        mut connect: Connect,
        client: Arc<Client>,
        extra: Properties,
        transport: Arc<dyn Transport>,
        batch: &mut Batch,
    ) -> Result<Connection, Close> {
        if connect.version.is_v5() && connect.will.as_ref().is_some_and(|will| will.retain) {
            self.check_retain(batch)?; // [MQTT-3.2.2-13]
        }
        let expiry = self.session_expiry(&connect, batch);
        let clean_start = connect.clean_start;
        let will = connect.will.take().map(|mut will| {
            let delay = will.properties.number(PropertyId::WillDelayInterval).unwrap_or(0);
            will.topic = ByteString::from(&*will.topic); // keeps no read buffer alive
            will.payload = bytes::Bytes::copy_from_slice(&will.payload);
            PendingWill { will, delay }
        });

        // One lock for look-up and change, so that of two connects with one Client Identifier each sees
        // the other's session whole. [MQTT-3.1.4-3]
        let mut sessions = self.sessions.lock();
        let existing = sessions.get(&client.id).cloned();
        self.admit(&client, existing.as_deref(), sessions.len(), batch)?;
        let mut wills = Vec::new();
        let mut resumed = None;
        if let Some(session) = existing {
            let ends = self.take_over(&session, clean_start, &mut wills, batch);
            match ends || clean_start {
                true => wills.extend(self.end_session(&mut sessions, &session)), // [MQTT-3.1.2-4]
                false => resumed = Some(session),
            }
        }
        let session_present = resumed.is_some(); // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
        let session = resumed.unwrap_or_else(|| {
            let session = Session::new(Arc::clone(&client), self.next_serial.fetch_add(1, Relaxed));
            sessions.insert(Arc::clone(&client.id), Arc::clone(&session));
            session
        });
        if session.identify(&client) {
            self.router.invalidate(); // the rules may decide otherwise about it now
        }
        let link_id = self.next_serial.fetch_add(1, Relaxed);
        let link = self.link(link_id, &connect, Arc::clone(&client), transport);
        let connack = ConnAck {
            session_present,
            reason: ReasonCode::Success,
            properties: self.connack_properties(&connect, &client, extra, expiry),
        };
        {
            let state = &mut *session.state.lock();
            state.expiry = expiry;
            state.asked_to_be_kept = match connect.version.is_v5() {
                true => connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0) > 0,
                false => expiry > 0,
            };
            state.will = will; // a delayed will of the earlier connection is over [MQTT-3.1.3-9]
            session.attach(state, link, connack, batch);
        }
        self.client_came(&client);
        drop(sessions);

        for will in wills {
            self.publish_will(will, batch);
        }
        batch.counts.connects += 1;
        if self.watches.clients.load(Relaxed) {
            batch.events.push(Event::Connected { client: Arc::clone(&client) });
        }
        Ok(Connection::new(Arc::clone(self), session, link_id, client))
    }

    /// Whether the bounds and the owner of the session let a client in. `existing` is the session with its
    /// Client Identifier.
    fn admit(
        &self,
        client: &Client,
        existing: Option<&Session>,
        sessions: usize,
        batch: &mut Batch,
    ) -> Result<(), Close> {
        if self.jail.lock().holds(client, batch.now) {
            batch.counts.limit_max_reconnects += 1;
            let what = "this client identifier reconnects too often";
            return Err(Close::new(ReasonCode::ConnectionRateExceeded, what));
        }
        if existing.is_some_and(|session| !session.belongs_to(client)) {
            batch.counts.takeovers_refused += 1;
            let what = "the session of this client identifier belongs to another user";
            return Err(Close::new(ReasonCode::NotAuthorized, what));
        }
        if existing.is_none() && sessions >= self.limits.max_sessions {
            batch.counts.limit_max_sessions += 1;
            return Err(Close::new(ReasonCode::QuotaExceeded, "there are too many sessions"));
        }
        let replaced = existing.filter(|session| session.is_connected()).map(|session| session.client());
        let connected = self.statistics.clients_connected.load(Relaxed);
        let same = replaced.as_ref().is_some_and(|other| Arc::ptr_eq(&other.listener, &client.listener));
        if connected >= self.limits.max_clients as i64 && replaced.is_none()
            || client.listener.connected() >= client.listener.max_clients && !same
        {
            batch.counts.limit_max_clients += 1;
            return Err(Close::new(ReasonCode::ServerBusy, "too many clients are connected"));
        }
        match self.limits.counts_clients() {
            true => self.presence.lock().check(client, replaced.as_deref(), batch),
            false => Ok(()),
        }
    }

    /// Whether messages are retained at all.
    fn retains_any(&self) -> bool {
        self.limits.max_retained_messages > 0
    }

    /// Says no to who wants a message retained although none is, which was told in the CONNACK.
    pub(crate) fn check_retain(&self, batch: &mut Batch) -> Result<(), Close> {
        if self.retains_any() {
            return Ok(());
        }
        batch.counts.limit_max_retained += 1;
        Err(Close::new(ReasonCode::RetainNotSupported, "retained messages are switched off"))
    }

    /// Session Expiry Interval in seconds that is granted. Before 5.0 a session lasts for ever or not at all.
    fn session_expiry(&self, connect: &Connect, batch: &mut Batch) -> u32 {
        let wanted = match connect.version {
            Version::V5 => connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0),
            _ if connect.clean_start => 0,
            _ => u32::MAX,
        };
        batch.counts.limit_max_session_expiry += u64::from(wanted > self.limits.max_session_expiry);
        wanted.min(self.limits.max_session_expiry)
    }

    fn link(&self, id: u64, connect: &Connect, client: Arc<Client>, transport: Arc<dyn Transport>) -> Link {
        let number = |id| connect.properties.number(id);
        let own = usize::from(self.limits.max_inflight);
        let aliases = number(PropertyId::TopicAliasMaximum).unwrap_or(0) as u16;
        Link {
            id,
            transport,
            client,
            outbox: Outbox::default(),
            writing: false,
            blocked: false,
            touched: false,
            receive_maximum: number(PropertyId::ReceiveMaximum)
                .map_or(own, |theirs| own.min(theirs as usize)),
            max_packet_size: number(PropertyId::MaximumPacketSize).map_or(usize::MAX, |size| size as usize),
            aliases: Aliases::new(aliases.min(self.limits.topic_alias_maximum)),
            explains: number(PropertyId::RequestProblemInformation) != Some(0) && connect.version.is_v5(),
            received: PacketIds::default(),
            acks: Acks::default(),
        }
    }

    fn connack_properties(
        &self,
        connect: &Connect,
        client: &Client,
        extra: Properties,
        expiry: u32,
    ) -> Properties {
        if !connect.version.is_v5() {
            return Properties::new();
        }
        let limits = &*self.limits;
        let max_packet_size = limits.max_packet_size.min(client.listener.max_packet_size);
        let mut properties = extra
            .with(PropertyId::ReceiveMaximum, u32::from(limits.receive_maximum))
            .with(PropertyId::MaximumPacketSize, u32::try_from(max_packet_size).unwrap_or(u32::MAX))
            .with(PropertyId::TopicAliasMaximum, u32::from(limits.topic_alias_maximum));
        if !self.retains_any() {
            properties = properties.with(PropertyId::RetainAvailable, 0);
        }
        if expiry != connect.properties.number(PropertyId::SessionExpiryInterval).unwrap_or(0) {
            properties = properties.with(PropertyId::SessionExpiryInterval, expiry);
        }
        if client.keep_alive != connect.keep_alive {
            properties = properties.with(PropertyId::ServerKeepAlive, u32::from(client.keep_alive));
        }
        properties
    }

    /// Ends the connection that a session has, because its client connects again. Says whether the session
    /// is over with it, as one is that lasts as long as its connection.
    fn take_over(
        &self,
        session: &Arc<Session>,
        clean_start: bool,
        wills: &mut Vec<DueWill>,
        batch: &mut Batch,
    ) -> bool {
        let (link, ends) = {
            let state = &mut *session.state.lock();
            let ends = state.expiry == 0;
            let Some(link) = session.detach(state, batch) else { return ends };
            // A new connection before the delay is over keeps the will back, unless the session ends.
            let delayed = state.will.as_ref().is_some_and(|will| will.delay > 0);
            if !delayed || clean_start || ends {
                let owned = |will| (will, Arc::clone(&link.client), Arc::clone(session));
                wills.extend(state.will.take().map(owned));
            }
            (link, ends)
        };
        link.close(ReasonCode::SessionTakenOver); // [MQTT-3.1.4-3]
        self.jail.lock().note(&link.client, batch.now, &self.limits);
        self.client_left(&link.client, ReasonCode::SessionTakenOver, "another connection took over", batch);
        ends
    }

    /// Ends the connection of a client from this side, by its Client Identifier. Says whether it had one.
    pub fn disconnect(&self, client_id: &str, reason: ReasonCode) -> bool {
        let session = self.sessions.lock().get(client_id).cloned();
        let Some(session) = session else { return false };
        let state = session.state.lock();
        state.link.as_ref().map(|link| link.close(reason)).is_some()
    }

    /// Ends every connection, each with a DISCONNECT that says why if it is 5.0.
    pub fn disconnect_all(&self, reason: ReasonCode) {
        let sessions: Vec<_> = self.sessions.lock().values().cloned().collect();
        for session in sessions {
            if let Some(link) = &session.state.lock().link {
                link.close(reason);
            }
        }
    }

    /// The connection with this id is over. Without effect if it was taken over meanwhile.
    pub(crate) fn connection_ended(
        &self,
        session: &Arc<Session>,
        link_id: u64,
        end: &End,
        batch: &mut Batch,
    ) {
        let (client, will, ends, epoch) = {
            let Some(mut guard) = session.lock_for(link_id) else { return };
            let state = &mut *guard;
            let Some(link) = session.detach(state, batch) else { return };
            if !end.publish_will {
                state.will = None; // [MQTT-3.1.2-10] [MQTT-3.14.4-3]
            }
            if let Some(expiry) = end.session_expiry {
                state.expiry = expiry.min(self.limits.max_session_expiry);
            }
            let ends = state.expiry == 0;
            let due = state.will.as_ref().is_some_and(|will| will.delay == 0 || ends);
            let will = if due { state.will.take() } else { None };
            state.ends_at = expires_at(state.expiry, batch.now);
            state.will_at = state.will.as_ref().map(|will| batch.now + Millis::from(will.delay) * 1000);
            (link.client, will, ends, state.epoch)
        };
        if !end.by_client {
            self.jail.lock().note(&client, batch.now, &self.limits);
        }
        self.client_left(&client, end.reason, end.detail, batch);
        if let Some(will) = will {
            self.publish_will((will, client, Arc::clone(session)), batch); // [MQTT-3.1.2-8]
        }
        if ends {
            let mut sessions = self.sessions.lock();
            if session.state.lock().epoch == epoch {
                // [MQTT-3.1.2-23] of 5.0, [MQTT-3.1.2-6] of 3.1.1; its will is gone already
                self.end_session(&mut sessions, session);
            }
        } else {
            self.set_timer(session);
        }
    }

    /// Sets a timer for what is due next, unless one is set that comes before.
    fn set_timer(&self, session: &Arc<Session>) {
        let at = {
            let state = &mut *session.state.lock();
            let Some(at) = state.ends_at.into_iter().chain(state.will_at).min() else { return };
            if state.timer.is_some_and(|set| set <= at) {
                return;
            }
            state.timer = Some(at);
            at
        };
        self.timers.lock().add(Timer { at, session: Arc::clone(session) });
    }

    fn client_came(&self, client: &Client) {
        let connected = self.statistics.clients_connected.fetch_add(1, Relaxed) + 1;
        self.statistics.clients_maximum.fetch_max(connected, Relaxed);
        client.listener.connected.fetch_add(1, Relaxed);
        if self.limits.counts_clients() {
            self.presence.lock().add(client);
        }
    }

    fn client_left(&self, client: &Arc<Client>, reason: ReasonCode, detail: &'static str, batch: &mut Batch) {
        self.statistics.clients_connected.fetch_sub(1, Relaxed);
        client.listener.connected.fetch_sub(1, Relaxed);
        if self.limits.counts_clients() {
            self.presence.lock().remove(client);
        }
        if self.watches.clients.load(Relaxed) {
            batch.events.push(Event::Disconnected { client: Arc::clone(client), reason, detail });
        }
    }

    /// Ends a session and all it kept. A will that waited for this is handed back to be published.
    fn end_session(
        &self,
        sessions: &mut HashMap<Arc<str>, Arc<Session>>,
        session: &Arc<Session>,
    ) -> Option<DueWill> {
        if sessions.get(&session.id).is_some_and(|current| current.serial == session.serial) {
            sessions.remove(&session.id);
        }
        let State { subscriptions, will, .. } = {
            let mut state = session.state.lock();
            let over = State { ended: true, timer: state.timer, ..State::default() };
            std::mem::replace(&mut *state, over)
        };
        if !subscriptions.is_empty() {
            self.router.unsubscribe(subscriptions.keys(), session);
        }
        // [MQTT-3.1.2-8] of 5.0: or when the session ends
        will.map(|will| (will, session.client(), Arc::clone(session)))
    }

    fn publish_will(&self, (pending, client, session): DueWill, batch: &mut Batch) {
        // Asked again: the right may have been taken away since CONNECT.
        if !client.may(Right::Publish, &pending.will.topic) {
            batch.counts.unauthorized += 1;
            return;
        }
        let message = Message::from_will(pending.will, Arc::clone(&client.id), batch.now);
        // A will has nobody to answer to: with a full queue it is counted as refused, like any publish.
        let _ = self.publish(message, Origin::will(&session), batch);
    }

    /// Does what time has made due: delayed wills, ends of sessions, expired retained messages. To be
    /// called about every second or more often.
    pub fn tick(&self, batch: &mut Batch) {
        loop {
            let Some(timer) = self.timers.lock().pop(batch.now) else { break };
            self.look_after(&timer, batch);
        }
        self.timers.lock().drop_stale();
        self.jail.lock().sweep(batch.now);
        self.retained.write().drop_expired(batch.now);
    }

    /// A session's timer has run out: does what is due for it by now, and sets the next.
    fn look_after(&self, timer: &Timer, batch: &mut Batch) {
        let session = &timer.session;
        let mut sessions = self.sessions.lock();
        let (ends, will) = {
            let state = &mut *session.state.lock();
            if state.timer != Some(timer.at) {
                return; // another one was set since
            }
            state.timer = None;
            let due = |at: Option<Millis>| at.is_some_and(|at| at <= batch.now);
            let will = if due(state.will_at) { state.will.take() } else { None };
            if will.is_some() {
                state.will_at = None;
            }
            (due(state.ends_at), will.map(|will| (will, session.client(), Arc::clone(session))))
        };
        let last = if ends { self.end_session(&mut sessions, session) } else { None };
        batch.counts.sessions_expired += u64::from(ends);
        drop(sessions);
        if !ends {
            self.set_timer(session);
        }
        for will in will.into_iter().chain(last) {
            self.publish_will(will, batch);
        }
    }

    /// Refuses what a peer did wrong after CONNECT; counts it.
    pub(crate) fn count_protocol_error(&self, close: &Close, batch: &mut Batch) {
        batch.counts.protocol_errors += u64::from(close.reason.is_error());
        match close.reason {
            ReasonCode::PacketTooLarge => batch.counts.limit_max_packet_size += 1,
            ReasonCode::ReceiveMaximumExceeded => batch.counts.limit_receive_maximum += 1,
            ReasonCode::TopicAliasInvalid => batch.counts.limit_topic_alias_maximum += 1,
            _ => {}
        }
    }
}
