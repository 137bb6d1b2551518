//! From what the store holds to the broker as it was.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytestring::ByteString;
use hashbrown::HashMap;
use hookmq_codec::{PropertyId, QoS, TopicFilter, Will};
use hookmq_store::{Change, Key, KeyRef};

use crate::bans::Ban;
use crate::blob::Blob;
use crate::broker::Broker;
use crate::client::Client;
use crate::kept::{self, KeptDelivery, KeptSession, Owner, Stage, Taken, decode_message, decode_will, kind};
use crate::listener::Listener;
use crate::message::{Message, Millis};
use crate::outbound::{Delivery, Phase};
use crate::receipt::Unsettled;
use crate::session::{PendingWill, Session, Subscription, expires_at};
use crate::subscribers::Subscriber;

/// The listener by which somebody came, by its name and its realm.
pub type FindListener<'a> = &'a dyn Fn(&str, Option<&Arc<str>>) -> Arc<Listener>;

/// What a store holds, as it is read.
#[derive(Default)]
pub struct Found {
    messages: HashMap<u64, (Message, u32)>,
    sessions: HashMap<u64, KeptSession>,
    subscriptions: Vec<(u64, ByteString, Subscription)>,
    /// By session and number.
    deliveries: Vec<(u64, u64, u64, KeptDelivery)>,
    received: Vec<(u64, u16, Taken)>,
    retained: Vec<u64>,
    wills: Vec<(u64, Owner, Will, Option<Millis>)>,
    bans: Vec<Ban>,
    /// References to blobs that were not read yet.
    references: HashMap<u64, u32>,
    /// The largest blob's number.
    last_blob: u64,
    /// Values that could not be read.
    unreadable: u64,
}

/// What was restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restored {
    /// Sessions.
    pub sessions: usize,
    /// Messages that wait for them, or are under way.
    pub messages: usize,
    /// Retained messages.
    pub retained: usize,
    /// What was given up, because it could not be read or belongs to nobody.
    pub given_up: u64,
}

impl Found {
    /// Takes what a store holds, piece by piece.
    pub fn add(&mut self, change: Change<'_>) {
        if self.read(change).is_none() {
            self.unreadable += 1;
        }
    }

    /// The number of the first blob that is written next.
    pub fn next_blob(&self) -> u64 {
        self.last_blob + 1
    }

    fn read(&mut self, change: Change<'_>) -> Option<()> {
        match change {
            Change::Blob { number, data } => {
                self.last_blob = self.last_blob.max(number);
                self.messages.insert(number, (decode_message(data).ok()?, 0));
            }
            Change::Put { key, refers, value } => {
                if refers != 0 {
                    *self.references.entry(refers).or_default() += 1;
                }
                match key {
                    KeyRef::Pair(kind::TIME, ..) => {}
                    KeyRef::Pair(kind::SESSION, serial, _) => {
                        self.sessions.insert(serial, KeptSession::decode(value).ok()?);
                    }
                    KeyRef::Text(kind::SUBSCRIPTION, serial, filter) => {
                        let subscription = Subscription::decode(value).ok()?;
                        self.subscriptions.push((serial, filter.into(), subscription));
                    }
                    KeyRef::Pair(kind::DELIVERY, serial, number) => {
                        let delivery = KeptDelivery::decode(value).ok()?;
                        self.deliveries.push((serial, number, refers, delivery));
                    }
                    KeyRef::Pair(kind::RECEIVED, serial, packet_id) => {
                        let packet_id = u16::try_from(packet_id).ok()?;
                        self.received.push((serial, packet_id, Taken::decode(value).ok()?));
                    }
                    KeyRef::Text(kind::RETAINED, _, _) => self.retained.push(refers),
                    KeyRef::Text(kind::BAN, by, of) => self.bans.push(Ban::decode(by, of, value).ok()?),
                    KeyRef::Pair(kind::WILL, serial, _) => {
                        let (owner, will, at) = decode_will(value).ok()?;
                        self.wills.push((serial, owner, will, at));
                    }
                    _ => return None,
                }
            }
            Change::Delete { .. } => {}
        }
        Some(())
    }
}

impl Broker {
    /// Puts what was found in its place. Nobody is connected, and `now` is when everybody's connection ended.
    pub fn restore(self: &Arc<Self>, found: Found, now: Millis, listener: FindListener<'_>) -> Restored {
        let Found { messages, sessions, references, .. } = found;
        let whole = |(number, (message, _)): (u64, (Message, u32))| {
            let references = references.get(&number).copied().unwrap_or(0);
            (number, Arc::new(Message { blob: Blob::found(number, references), ..message }))
        };
        let serials = sessions.keys().chain(found.wills.iter().map(|(serial, ..)| serial));
        self.next_serial.fetch_max(serials.max().map_or(1, |last| last + 1), Relaxed);
        let mut restoring = Restoring {
            broker: self,
            now,
            listener,
            messages: messages.into_iter().map(whole).collect(),
            sessions: HashMap::with_capacity(sessions.len()),
            orphans: Vec::new(),
            restored: Restored { given_up: found.unreadable, ..Restored::default() },
        };
        found.bans.into_iter().for_each(|ban| self.bans.write().add(ban));
        restoring.retained(&found.retained);
        restoring.sessions(sessions);
        restoring.subscriptions(found.subscriptions);
        restoring.deliveries(found.deliveries);
        restoring.received(found.received);
        restoring.wills(found.wills);
        restoring.finish()
    }
}

/// What was found, on its way into its place.
struct Restoring<'a> {
    broker: &'a Arc<Broker>,
    now: Millis,
    listener: FindListener<'a>,
    messages: HashMap<u64, Arc<Message>>,
    /// By serial.
    sessions: HashMap<u64, Arc<Session>>,
    /// What belongs to a session that is not there.
    orphans: Vec<Key>,
    restored: Restored,
}

impl Restoring<'_> {
    fn client(&self, owner: &Owner) -> Arc<Client> {
        Arc::new(client(owner, (self.listener)(&owner.listener, owner.realm.as_ref())))
    }

    /// The session, or `None` if it is not there; then what belongs to it goes as well.
    fn session_of(&mut self, serial: u64, key: KeyRef<'_>) -> Option<Arc<Session>> {
        let session = self.sessions.get(&serial).map(Arc::clone);
        if session.is_none() {
            self.orphans.push(key.to_owned());
        }
        session
    }

    fn retained(&mut self, numbers: &[u64]) {
        let mut retained = self.broker.retained.write();
        for number in numbers {
            match self.messages.get(number) {
                Some(message) if retained.store(message, &self.broker.limits).is_ok() => {
                    self.restored.retained += 1;
                }
                _ => self.restored.given_up += 1,
            }
        }
    }

    fn sessions(&mut self, found: HashMap<u64, KeptSession>) {
        for (serial, kept) in found {
            let session = Session::new(self.client(&kept.owner), serial);
            let state = &mut *session.state.lock();
            session.set_durable(state, true);
            (state.expiry, state.asked_to_be_kept) = (kept.expiry, kept.asked_to_be_kept);
            state.ends_at = kept.ends_at.or_else(|| expires_at(kept.expiry, self.now));
            self.broker.sessions.lock().insert(Arc::clone(&session.id), Arc::clone(&session));
            self.sessions.insert(serial, Arc::clone(&session));
            self.restored.sessions += 1;
        }
    }

    fn subscriptions(&mut self, found: Vec<(u64, ByteString, Subscription)>) {
        for (serial, filter, subscription) in found {
            let Some(session) = self.session_of(serial, kept::subscription(serial, &filter)) else {
                continue;
            };
            let Ok(filter) = TopicFilter::parse(filter) else {
                self.restored.given_up += 1;
                continue;
            };
            session.state.lock().subscriptions.insert(filter.clone(), subscription.clone());
            self.broker.router.subscribe(&filter, Subscriber { session, subscription });
        }
    }

    fn deliveries(&mut self, mut found: Vec<(u64, u64, u64, KeptDelivery)>) {
        found.sort_unstable_by_key(|(serial, number, ..)| (*serial, *number));
        let mut under_way: HashMap<u64, Vec<(u64, u16, Phase)>> = HashMap::new();
        for (serial, number, blob, kept) in found {
            let Some(session) = self.session_of(serial, kept::delivery(serial, number)) else { continue };
            let state = &mut *session.state.lock();
            state.next_number = number;
            match place(kept, number, self.messages.get(&blob).map(Arc::clone)) {
                Some(Place::Waits(delivery)) => state.queue.push(delivery),
                Some(Place::UnderWay(order, packet_id, phase)) => {
                    under_way.entry(serial).or_default().push((order, packet_id, phase));
                }
                None => {
                    self.restored.given_up += 1;
                    continue;
                }
            }
            self.restored.messages += 1;
        }
        for (serial, mut phases) in under_way {
            phases.sort_unstable_by_key(|(order, ..)| *order);
            self.sessions[&serial].state.lock().inflight.restore(phases);
        }
    }

    fn received(&mut self, found: Vec<(u64, u16, Taken)>) {
        for (serial, packet_id, taken) in found {
            if let Some(session) = self.session_of(serial, kept::received(serial, packet_id)) {
                let state = &mut *session.state.lock();
                state.received.insert(packet_id);
                if taken == Taken::HandedOut {
                    state.unsettled.insert(packet_id, Unsettled::HandedOut);
                }
            }
        }
    }

    fn wills(&mut self, found: Vec<(u64, Owner, Will, Option<Millis>)>) {
        for (serial, owner, will, at) in found {
            let session = match self.sessions.get(&serial) {
                Some(session) => Arc::clone(session),
                None => {
                    // It has ended with its connection, and leaves this behind.
                    let session = Session::new(self.client(&owner), serial);
                    session.state.lock().ends_at = Some(self.now);
                    self.sessions.insert(serial, Arc::clone(&session));
                    session
                }
            };
            let state = &mut *session.state.lock();
            let delay = will.properties.number(PropertyId::WillDelayInterval).unwrap_or(0);
            state.will_at = at.or_else(|| Some(self.now + Millis::from(delay) * 1000));
            (state.will, state.will_kept) = (Some(Box::new(PendingWill { will, delay })), true);
        }
    }

    fn finish(self) -> Restored {
        let Self { broker, now, sessions, orphans, mut restored, .. } = self;
        restored.given_up += orphans.len() as u64;
        broker.with_batch(now, |batch| {
            for session in sessions.values() {
                let state = &mut *session.state.lock();
                session.note_fullness(state, &broker.limits);
                // The time from which it is counted: whatever ends the process next is not another disconnection.
                if state.kept && state.ends_at.is_some() {
                    session.keep(state, state.ends_at, batch);
                }
                session.keep_will(state, batch);
            }
            if !orphans.is_empty() {
                batch.keep(|changes| orphans.iter().for_each(|key| changes.delete(key.as_ref())));
            }
        });
        sessions.values().for_each(|session| broker.set_timer(session));
        restored
    }
}

enum Place {
    Waits(Delivery),
    UnderWay(u64, u16, Phase),
}

fn place(kept: KeptDelivery, number: u64, message: Option<Arc<Message>>) -> Option<Place> {
    let KeptDelivery { stage, qos, retain, replayed, identifiers } = kept;
    let delivery =
        message.map(|message| Delivery { message, qos, retain, identifiers, taps: None, replayed, number });
    match stage {
        Stage::Waiting => delivery.filter(|_| qos > QoS::AtMostOnce).map(Place::Waits),
        Stage::Published { packet_id, order } => {
            delivery.map(|delivery| Place::UnderWay(order, packet_id, Phase::Published(delivery)))
        }
        Stage::Released { packet_id, order } => {
            Some(Place::UnderWay(order, packet_id, Phase::Released { number, delivery: None }))
        }
    }
}

fn client(owner: &Owner, listener: Arc<Listener>) -> Client {
    let Owner { id, username, principal, certificate, address, version, .. } = owner.clone();
    Client {
        id,
        username,
        principal,
        certificate,
        address,
        version,
        clean_start: false,
        listener,
        ..Client::default()
    }
}
