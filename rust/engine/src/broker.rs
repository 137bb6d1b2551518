//! The broker: which sessions there are, and what happens with time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hookmq_codec::{ReasonCode, TopicFilter};
use parking_lot::{Mutex, RwLock, RwLockReadGuard};

use crate::acl::Right;
use crate::bans::Bans;
use crate::batch::{Batch, Lost};
use crate::client::Client;
use crate::connection::{Close, End};
use crate::hook::{Event, Gate, Observer};
use crate::inspect::Totals;
use crate::jail::Jail;
use crate::ledger::Ledger;
use crate::limits::Limits;
use crate::message::{Message, Millis};
use crate::presence::Presence;
use crate::publishing::Origin;
use crate::retained::Retained;
use crate::router::Router;
use crate::session::{PendingWill, Session, State, expires_at};
use crate::statistics::Statistics;
use crate::subscribers::Subscriber;
use crate::taps::{Tap, TapId, TapKind, Watches};
use crate::timer::{Timer, Timers};
use crate::topics::{Bounds, Topics};
use crate::turns::Turns;

/// A will that is to be published now, and whose it is.
pub(crate) type DueWill = (Box<PendingWill>, Arc<Client>, Arc<Session>);

/// Sessions by Client Identifier, in whose order they are listed.
pub(crate) type Sessions = BTreeMap<Arc<str>, Arc<Session>>;

/// The broker. Threads share one behind an [`Arc`].
pub struct Broker {
    pub(crate) limits: Arc<Limits>,
    pub(crate) router: Router,
    pub(crate) retained: RwLock<Retained>,
    pub(crate) sessions: Mutex<Sessions>,
    /// What it held when it was counted last.
    pub(crate) recent: Mutex<Option<(Instant, Totals)>>,
    timers: Mutex<Timers>,
    /// Who came back too often, and who is connected; nothing else is locked while these are.
    pub(crate) jail: Mutex<Jail>,
    pub(crate) presence: Mutex<Presence>,
    /// Connections that the broker has to itself: no client of a limit.
    pub(crate) own_clients: AtomicI64,
    pub(crate) bans: RwLock<Bans>,
    /// What was counted.
    pub statistics: Statistics,
    observer: Arc<dyn Observer>,
    pub(crate) watches: Arc<Watches>,
    pub(crate) next_serial: AtomicU64,
    /// Batches for threads that come and go, such as Python's.
    spare: Mutex<Vec<Batch>>,
    turns: Turns,
    pub(crate) topics: Arc<Topics>,
    /// Where what outlives the process is noted, if anything does.
    pub(crate) ledger: Option<Arc<Ledger>>,
}

impl Broker {
    /// A broker without clients, which keeps everything in memory.
    pub fn new(limits: Limits, observer: Arc<dyn Observer>) -> Arc<Self> {
        Self::with_ledger(limits, observer, None)
    }

    /// A broker without clients. What outlives the process is noted in the ledger.
    pub fn with_ledger(
        limits: Limits,
        observer: Arc<dyn Observer>,
        ledger: Option<Arc<Ledger>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            topics: Topics::new(Bounds::within(limits.max_topic_statistics_bytes)),
            limits: Arc::new(limits),
            router: Router::default(),
            retained: RwLock::default(),
            sessions: Mutex::default(),
            recent: Mutex::default(),
            timers: Mutex::default(),
            jail: Mutex::default(),
            presence: Mutex::default(),
            own_clients: AtomicI64::new(0),
            bans: RwLock::default(),
            statistics: Statistics::default(),
            observer,
            watches: Arc::default(),
            next_serial: AtomicU64::new(1),
            spare: Mutex::default(),
            turns: Turns::default(),
            ledger,
        })
    }

    /// A working state for a thread.
    pub fn batch(&self) -> Batch {
        let (limits, watches) = (Arc::clone(&self.limits), Arc::clone(&self.watches));
        let topics = Arc::clone(&self.topics);
        Batch::new(limits, watches, self.turns.add(), topics, self.ledger.clone())
    }

    /// Does some work with a borrowed batch and finishes it.
    pub fn with_batch<T>(&self, now: Millis, work: impl FnOnce(&mut Batch) -> T) -> T {
        let (result, _) = self.with_gated_batch(now, work); // whoever borrows a batch cannot be held back
        result
    }

    /// The same for those who can: what keeps them from going on.
    pub fn with_batch_held(&self, now: Millis, work: impl FnOnce(&mut Batch)) -> Vec<Arc<dyn Gate>> {
        self.with_gated_batch(now, work).1
    }

    fn with_gated_batch<T>(
        &self,
        now: Millis,
        work: impl FnOnce(&mut Batch) -> T,
    ) -> (T, Vec<Arc<dyn Gate>>) {
        let mut batch = self.spare.lock().pop().unwrap_or_else(|| self.batch());
        batch.begin(now);
        let result = work(&mut batch);
        self.finish(&mut batch);
        let gates = batch.take_gates();
        self.spare.lock().push(batch);
        (result, gates)
    }

    /// Ends a batch: observers are told, every touched session is written out, counters are added.
    pub fn finish(&self, batch: &mut Batch) {
        // First of all, so that whoever got an acknowledgement finds that the observers were told, and have acted.
        self.hand_over(batch);
        self.observer.settle(batch.told().1);
        // Writing may send more from a queue and so touch sessions again.
        while !batch.touched.is_empty() {
            batch.flush();
        }
        self.statistics.add(&mut batch.counts);
        self.hand_over(batch);
        self.observer.settle(batch.told().1);
        batch.end();
    }

    /// Ends a turn of work that others may follow at once: if it has only bytes to write, they are left for
    /// [`Broker::finish`], which has to come when nothing follows. Where many clients publish a little each to one, that is
    /// a write for all of them instead of one for each. Says whether something was left.
    pub fn finish_later(&self, batch: &mut Batch) -> bool {
        let left = batch.leave();
        if !left {
            self.finish(batch);
        }
        left
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

    /// As long as it is held, what is noted comes into one commit: a will is not published twice, and not forgotten
    /// before it is. Nothing else is locked by whoever asks for it.
    pub(crate) fn together(&self) -> Option<RwLockReadGuard<'_, ()>> {
        self.ledger.as_ref().map(|ledger| ledger.together())
    }

    /// Whether so much waits for the disk that whoever publishes should pause.
    pub fn is_behind(&self) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.is_behind())
    }

    /// Writes out sessions whose outbox waited for a commit.
    pub fn write_out(&self, sessions: &[Arc<Session>], batch: &mut Batch) {
        sessions.iter().for_each(|session| session.flush(batch));
    }

    /// Closes the connections of sessions whose outbox waits for a commit that failed: their clients come again, and
    /// send again what was not acknowledged.
    pub fn give_up_waiting(&self, sessions: &[Arc<Session>]) {
        for session in sessions {
            if let Some(link) = &session.state.lock().link {
                link.close(ReasonCode::ServerBusy);
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
        self.watch_for(&tap);
        self.router.add_tap(filter, tap);
    }

    /// Puts observers in the place of others: every message is told to these or to those, none to some of either.
    /// When it returns, nobody is being told any more of those that were removed, or `limit` is over.
    pub fn swap_taps<'a>(
        &self,
        added: impl IntoIterator<Item = &'a (TopicFilter, Tap)>,
        removed: impl IntoIterator<Item = &'a (TopicFilter, Tap)>,
        limit: Duration,
    ) {
        let added: Vec<_> = added.into_iter().collect();
        added.iter().for_each(|(_, tap)| self.watch_for(tap));
        self.router.swap_taps(added, removed);
        self.turns.wait(limit);
    }

    /// From now on somebody wants what this observer sees.
    fn watch_for(&self, tap: &Tap) {
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
        let _together = self.together();
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
            if state.kept && !ends {
                session.keep(state, state.ends_at, batch);
            }
            session.keep_will(state, batch);
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
                self.end_session(&mut sessions, session, batch);
            }
        } else {
            self.set_timer(session);
        }
    }

    /// Sets a timer for what is due next, unless one is set that comes before.
    pub(crate) fn set_timer(&self, session: &Arc<Session>) {
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

    pub(crate) fn client_came(&self, client: &Client) {
        let connected = self.statistics.clients_connected.fetch_add(1, Relaxed) + 1;
        self.statistics.clients_maximum.fetch_max(connected, Relaxed);
        client.listener.connected.fetch_add(1, Relaxed);
        self.own_clients.fetch_add(i64::from(client.listener.own), Relaxed);
        if self.limits.counts_clients() {
            self.presence.lock().add(client);
        }
    }

    pub(crate) fn client_left(
        &self,
        client: &Arc<Client>,
        reason: ReasonCode,
        detail: &'static str,
        batch: &mut Batch,
    ) {
        self.statistics.clients_connected.fetch_sub(1, Relaxed);
        client.listener.connected.fetch_sub(1, Relaxed);
        self.own_clients.fetch_sub(i64::from(client.listener.own), Relaxed);
        if self.limits.counts_clients() {
            self.presence.lock().remove(client);
        }
        if self.watches.clients.load(Relaxed) {
            batch.events.push(Event::Disconnected { client: Arc::clone(client), reason, detail });
        }
    }

    /// Ends a session and all it kept. A will that waited for this is handed back to be published.
    pub(crate) fn end_session(
        &self,
        sessions: &mut Sessions,
        session: &Arc<Session>,
        batch: &mut Batch,
    ) -> Option<DueWill> {
        if sessions.get(&session.id).is_some_and(|current| current.serial == session.serial) {
            sessions.remove(&session.id);
        }
        let (subscriptions, will) = {
            let state = &mut *session.state.lock();
            let will = state.will.take();
            session.keep_will(state, batch);
            session.keep_no_more(state, batch);
            let over = State { ended: true, timer: state.timer, ..State::default() };
            (std::mem::replace(state, over).subscriptions, will)
        };
        if !subscriptions.is_empty() {
            self.router.unsubscribe(subscriptions.keys(), session);
        }
        // [MQTT-3.1.2-8] of 5.0: or when the session ends
        will.map(|will| (will, session.client(), Arc::clone(session)))
    }

    /// Ends sessions without a connection, chosen by their Client Identifier. Says how many messages waited in each.
    pub fn end_sessions(&self, chosen: impl Fn(&str) -> bool, batch: &mut Batch) -> Vec<(Arc<str>, usize)> {
        let _together = self.together();
        let mut sessions = self.sessions.lock();
        let found: Vec<_> = sessions.values().filter(|session| chosen(&session.id)).cloned().collect();
        let (mut ended, mut wills) = (Vec::new(), Vec::new());
        for session in found.iter().filter(|session| !session.is_connected()) {
            let waiting = {
                let state = session.state.lock();
                state.queue.len() + state.inflight.len()
            };
            ended.push((Arc::clone(&session.id), waiting));
            wills.extend(self.end_session(&mut sessions, session, batch));
        }
        drop(sessions);
        wills.into_iter().for_each(|will| self.publish_will(will, batch));
        ended
    }

    /// Forgets which QoS 2 messages a session has received: its client begins anew with its Packet Identifiers, and what
    /// comes next is no repetition.
    pub fn forget_received(&self, client_id: &str, batch: &mut Batch) {
        let Some(session) = self.sessions.lock().get(client_id).cloned() else { return };
        let state = &mut *session.state.lock();
        let mut received = Vec::with_capacity(state.received.len());
        state.received.each(&mut |id| received.push(id));
        for id in received {
            session.forget_received(state, id, batch);
        }
    }

    pub(crate) fn publish_will(&self, (pending, client, session): DueWill, batch: &mut Batch) {
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
        self.lift_bans(batch);
        let mut retained = self.retained.write();
        let expired = retained.drop_expired(batch.now);
        expired.iter().for_each(|message| batch.keep_retained_no_more(message));
    }

    /// A session's timer has run out: does what is due for it by now, and sets the next.
    fn look_after(&self, timer: &Timer, batch: &mut Batch) {
        let session = &timer.session;
        let _together = self.together();
        let mut sessions = self.sessions.lock();
        let (ends, will) = {
            let state = &mut *session.state.lock();
            if state.timer != Some(timer.at) {
                return; // another one was set since
            }
            state.timer = None;
            let now = batch.now;
            let due = |at: Option<Millis>| at.is_some_and(|at| at <= now);
            let will = if due(state.will_at) { state.will.take() } else { None };
            if will.is_some() {
                state.will_at = None;
                session.keep_will(state, batch);
            }
            (due(state.ends_at), will.map(|will| (will, session.client(), Arc::clone(session))))
        };
        let last = if ends { self.end_session(&mut sessions, session, batch) } else { None };
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
