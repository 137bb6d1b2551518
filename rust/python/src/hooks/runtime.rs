//! Which event goes into which queue.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hashbrown::HashMap;
use hookmq_codec::{QoS, ReasonCode};
use hookmq_engine::{Batch, Broker, Client, Event, Gate, Message, Observer, Passing, Receipt, TapId};
use hookmq_rules::Event as RuleEvent;
use hookmq_server::deciders::Later;
use hookmq_server::rules::{ActiveRule, Elsewhere, Happening as RuleHappening, Rules};
use hookmq_server::{
    Action, Answer, Asked, Clock, Deciders, Exchange, Hub, Pages, Request, Response, Step, Transformed,
    Verdict,
};
use parking_lot::{Mutex, RwLock};
use smallvec::SmallVec;
use tokio::sync::oneshot;

use super::calls::Call;
use super::deliveries::{Deciding, Delivery};
use super::desk::Desk;
use super::feed::Row;
use super::hook::{Counters, Hook};
use super::lane::{Happening, Lost};
use super::log::Notice;
use super::parcel::Parcel;
use super::queue::{Overflow, Queue};
use super::stopwatch::Stopwatch;
use super::table::HookTable;
use crate::inbox::InboxQueue;
use crate::rules::RuleRun;

/// Where the messages of a tap go.
pub(crate) enum Sink {
    Hook(Arc<Hook>),
    Inbox(Arc<InboxQueue>),
    History(Arc<Queue<Row>>, Overflow),
    /// Nowhere by themselves: it is asked.
    Decider(Arc<Hook>),
    /// A rule runs on them at once.
    Rule(Arc<ActiveRule>),
    /// A rule runs on them on the thread of this hook, because it calls functions of Python's.
    RuleElsewhere(Arc<ActiveRule>, Arc<Hook>),
}

/// What a hook wants to know of clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interest {
    Connected,
    Disconnected,
    Subscribed,
    Unsubscribed,
    /// Nothing by itself: rules give it their results.
    Rule,
}

/// A hook that is told of clients, and how early among them.
pub(crate) struct ClientHook {
    pub(crate) hook: Arc<Hook>,
    pub(crate) interest: Interest,
    pub(crate) rank: i32,
    pub(crate) order: u32,
}

/// The native side of the hooks. Its methods run on network threads and never enter Python.
pub(crate) struct Runtime {
    pub(crate) hooks: Arc<HookTable>,
    pub(crate) sinks: RwLock<HashMap<TapId, Sink>>,
    pub(crate) client_hooks: RwLock<Vec<ClientHook>>,
    pub(crate) hubs: RwLock<Vec<HubPlace>>,
    next_tap: AtomicU32,
    pub(crate) notices: Arc<Queue<Notice>>,
    pub(crate) decisions: Arc<Queue<Call>>,
    pub(crate) pages: Arc<Queue<Call>>,
    /// Requests for the broker's own pages, which no slow page of a user's keeps from being answered.
    pub(crate) console: Arc<Queue<Call>>,
    /// What their paths begin with, or are.
    pub(crate) console_paths: RwLock<Vec<String>>,
    pub(crate) deliveries: Arc<Queue<Delivery>>,
    pub(crate) deciding: Deciding,
    stopwatches: Mutex<Vec<(String, Weak<Counters>)>>,
    /// Which kinds of deciders exist.
    pub(crate) authenticates: AtomicBool,
    pub(crate) greets: AtomicBool,
    pub(crate) authorizes_publish: AtomicBool,
    pub(crate) authorizes_subscribe: AtomicBool,
    /// Changes whenever they do.
    pub(crate) generation: AtomicU64,
    /// Methods of enhanced authentication that hooks know.
    pub(crate) methods: RwLock<Vec<String>>,
    next_exchange: AtomicU64,
    pub(crate) decision_timeout: Duration,
    pub(crate) page_timeout: Duration,
    clock: Clock,
    /// The broker whose hooks these are.
    pub(crate) broker: OnceLock<Weak<Broker>>,
    pub(crate) rules: Rules,
    /// Hooks that run rules, by the rules' numbers.
    pub(crate) rule_hooks: RwLock<HashMap<u32, Arc<Hook>>>,
    /// Whether rules run on the coming and going of clients or subscriptions.
    pub(crate) rules_on_clients: AtomicBool,
    /// This.
    own: OnceLock<Weak<Self>>,
}

/// A place for WebSockets of pages: its path, and whether what is below it belongs to it.
pub(crate) struct HubPlace {
    pub(crate) path: String,
    pub(crate) below: bool,
    pub(crate) hub: Arc<Hub>,
}

/// Questions that may wait; further ones are denied at once.
const MAX_QUESTIONS: usize = 100_000;
/// Bytes of messages in them.
const MAX_QUESTION_BYTES: usize = 256 << 20;
/// For fewer events than this, and for messages that go to more places, a parcel saves nothing.
const FEW: usize = 4;
const SEVERAL: usize = 2;
/// Notices that may wait.
const MAX_NOTICES: usize = 10_000;

impl Runtime {
    pub(crate) fn new(
        decision_timeout: Duration,
        page_timeout: Duration,
        (events, bytes): (usize, usize),
        clock: Clock,
    ) -> Self {
        Self {
            hooks: Arc::default(),
            sinks: RwLock::default(),
            client_hooks: RwLock::default(),
            hubs: RwLock::default(),
            next_tap: AtomicU32::new(1),
            notices: Arc::new(Queue::new(MAX_NOTICES, 16 << 20)),
            decisions: Arc::new(Queue::new(MAX_QUESTIONS, MAX_QUESTION_BYTES)),
            pages: Arc::new(Queue::new(MAX_QUESTIONS, 256 << 20)),
            console: Arc::new(Queue::new(MAX_QUESTIONS, 256 << 20)),
            console_paths: RwLock::default(),
            deliveries: Arc::new(Queue::new(events, bytes)),
            deciding: Deciding::default(),
            stopwatches: Mutex::default(),
            authenticates: AtomicBool::new(false),
            greets: AtomicBool::new(false),
            authorizes_publish: AtomicBool::new(false),
            authorizes_subscribe: AtomicBool::new(false),
            generation: AtomicU64::new(0),
            methods: RwLock::default(),
            next_exchange: AtomicU64::new(1),
            decision_timeout,
            page_timeout,
            clock,
            broker: OnceLock::new(),
            rules: Rules::new(clock),
            rule_hooks: RwLock::default(),
            rules_on_clients: AtomicBool::new(false),
            own: OnceLock::new(),
        }
    }

    /// Learns whose runtime it is.
    pub(crate) fn belong_to(self: &Arc<Self>, broker: &Arc<Broker>) {
        // Both are set once.
        let _ = self.broker.set(Arc::downgrade(broker));
        let _ = self.own.set(Arc::downgrade(self));
    }

    /// This, as rules know it.
    pub(crate) fn elsewhere(&self) -> Option<Arc<dyn Elsewhere>> {
        let own = self.own.get()?.upgrade()?;
        Some(own)
    }

    /// Says to the engine what of clients somebody wants to know: hooks, or rules.
    pub(crate) fn watch_for_rules(&self, broker: &Broker) {
        let clients = self.rules.wants(&[RuleEvent::ClientConnected, RuleEvent::ClientDisconnected]);
        let subscriptions = self.rules.wants(&[RuleEvent::SessionSubscribed, RuleEvent::SessionUnsubscribed]);
        self.rules_on_clients.store(clients || subscriptions, Relaxed);
        self.watch_clients(broker, &self.client_hooks.read());
    }

    /// The same, when these are the hooks.
    pub(crate) fn watch_clients(&self, broker: &Broker, hooks: &[ClientHook]) {
        let wanted = |kinds: [Interest; 2]| hooks.iter().any(|entry| kinds.contains(&entry.interest));
        let rules = |events: [RuleEvent; 2]| self.rules.wants(&events);
        broker.watch_clients(
            wanted([Interest::Connected, Interest::Disconnected])
                || rules([RuleEvent::ClientConnected, RuleEvent::ClientDisconnected]),
        );
        broker.watch_subscriptions(
            wanted([Interest::Subscribed, Interest::Unsubscribed])
                || rules([RuleEvent::SessionSubscribed, RuleEvent::SessionUnsubscribed]),
        );
    }

    pub(crate) fn now(&self) -> hookmq_engine::Millis {
        self.clock.now()
    }

    /// The name of a new tap.
    pub(crate) fn name_tap(&self) -> TapId {
        self.next_tap.fetch_add(1, Relaxed)
    }

    /// Names a new tap and says where its messages go.
    pub(crate) fn add_sink(&self, sink: Sink) -> TapId {
        let id = self.name_tap();
        self.sinks.write().insert(id, sink);
        id
    }

    /// The hooks that decide what becomes of a publish: those behind these taps. If one was let go since, those
    /// that are there now.
    pub(crate) fn transforms(&self, taps: &[TapId], topic: &str) -> Vec<Arc<Hook>> {
        self.deciders(taps, |broker, batch| broker.transforms(topic, batch))
    }

    /// The same for what receivers get.
    pub(crate) fn delivers(&self, taps: &[TapId], topic: &str) -> Vec<Arc<Hook>> {
        self.deciders(taps, |broker, batch| broker.delivers(topic, batch))
    }

    fn deciders(
        &self,
        taps: &[TapId],
        now: impl FnOnce(&Broker, &mut Batch) -> Option<Arc<[TapId]>>,
    ) -> Vec<Arc<Hook>> {
        let find = |taps: &[TapId]| -> Option<Vec<Arc<Hook>>> {
            let sinks = self.sinks.read();
            let hooks = taps.iter().map(|tap| match sinks.get(tap) {
                Some(Sink::Decider(hook)) => Some(Arc::clone(hook)),
                _ => None,
            });
            hooks.collect()
        };
        find(taps).unwrap_or_else(|| {
            let Some(broker) = self.broker.get().and_then(Weak::upgrade) else { return Vec::new() };
            let taps = broker.with_batch(self.now(), |batch| now(&broker, batch));
            taps.and_then(|taps| find(&taps)).unwrap_or_default()
        })
    }

    /// Measures the calls of a hook that Python makes by itself.
    pub(crate) fn stopwatch(&self, name: String) -> Stopwatch {
        let counters = Arc::new(Counters::default());
        let mut stopwatches = self.stopwatches.lock();
        stopwatches.retain(|(_, counters)| counters.strong_count() > 0);
        stopwatches.push((name, Arc::downgrade(&counters)));
        Stopwatch { counters }
    }

    /// The counters of everything that is called, with its name.
    pub(crate) fn watched(&self) -> Vec<(String, Arc<Counters>)> {
        let mut all: Vec<_> =
            self.hooks.all().map(|hook| (hook.name.clone(), Arc::clone(&hook.counters))).collect();
        let stopwatches = self.stopwatches.lock();
        all.extend(
            stopwatches.iter().filter_map(|(name, counters)| Some((name.clone(), counters.upgrade()?))),
        );
        all
    }

    /// Tells everyone behind these taps of a message that was published.
    fn tell<'a>(
        &self,
        sinks: &'a HashMap<TapId, Sink>,
        desk: &mut Desk<'a, '_>,
        rules: &mut RuleRun<'_>,
        taps: &[TapId],
        message: &mut Passing,
        (receipt, shared): (Option<&Receipt>, bool),
    ) {
        // Whoever keeps it; a rule only looks at it.
        let keep = |message: &mut Passing| {
            if shared {
                message.share();
            }
        };
        for tap in taps {
            match sinks.get(tap) {
                Some(Sink::Hook(hook)) if hook.wants(&message.payload) => {
                    keep(message);
                    desk.put_message(hook, message, receipt);
                }
                Some(Sink::History(queue, overflow)) => {
                    keep(message);
                    desk.put_row(queue, *overflow, message);
                }
                Some(Sink::Inbox(inbox)) => desk.put_into(inbox, message.share()),
                Some(Sink::Rule(rule)) => rules.published(rule, message),
                Some(Sink::RuleElsewhere(rule, hook)) => {
                    let happening = happening_of(RuleEvent::MessagePublished, message.share());
                    self.put_rule(desk, hook, rule, Some(happening));
                }
                Some(Sink::Hook(_) | Sink::Decider(_)) | None => {}
            }
        }
    }

    /// Runs the rules behind these taps on what has happened to a message.
    fn tell_rules<'a>(
        &self,
        sinks: &'a HashMap<TapId, Sink>,
        desk: &mut Desk<'a, '_>,
        rules: &mut RuleRun<'_>,
        taps: &[TapId],
        happening: impl Fn() -> RuleHappening,
    ) {
        for tap in taps {
            match sinks.get(tap) {
                Some(Sink::Rule(rule)) => rules.happened(rule, &happening()),
                Some(Sink::RuleElsewhere(rule, hook)) => self.put_rule(desk, hook, rule, Some(happening())),
                _ => {}
            }
        }
    }

    /// Runs rules on the coming and going of a client or of its subscriptions.
    fn tell_rules_of_clients<'a>(
        &self,
        hooks: &'a HashMap<u32, Arc<Hook>>,
        desk: &mut Desk<'a, '_>,
        rules: &mut RuleRun<'_>,
        event: RuleEvent,
        happening: impl Fn() -> RuleHappening,
    ) {
        for rule in self.rules_of(event) {
            match hooks.get(&rule.number) {
                Some(hook) => self.put_rule(desk, hook, &rule, Some(happening())),
                None => rules.happened(&rule, &happening()),
            }
        }
    }

    /// The hooks behind these taps that want to be told of a message.
    fn observers<'a>(
        sinks: &'a HashMap<TapId, Sink>,
        taps: &[TapId],
        message: &Message,
    ) -> SmallVec<[&'a Arc<Hook>; 4]> {
        let wanting = taps.iter().filter_map(|tap| match sinks.get(tap) {
            Some(Sink::Hook(hook)) if hook.wants(&message.payload) => Some(hook),
            _ => None,
        });
        wanting.collect()
    }

    /// Whether a coroutine is to be asked about one of these publishes. Not if a hook before it, or it itself, is
    /// paused: that is answered here, also when the event loop is held up.
    pub(crate) fn asks_later(&self, asked: &[Asked]) -> bool {
        let sinks = self.sinks.read();
        let decider = |tap: &TapId| match sinks.get(tap) {
            Some(Sink::Decider(hook)) => Some((hook.later, hook.paused.load(Relaxed))),
            _ => None,
        };
        asked.iter().any(|one| {
            one.taps.iter().filter_map(decider).take_while(|(_, paused)| !paused).any(|(later, _)| later)
        })
    }

    fn tell_clients<'a>(
        hooks: &'a [ClientHook],
        interest: Interest,
        desk: &mut Desk<'a, '_>,
        happening: impl Fn() -> Happening,
    ) {
        for entry in hooks.iter().filter(|entry| entry.interest == interest) {
            if entry.hook.wants(b"") {
                desk.put(&entry.hook, happening());
            }
        }
    }

    fn decide(&self, call: Call, answer: oneshot::Receiver<Verdict>) -> Answer {
        // The question is dropped if there is no room, and its sender with it: that denies.
        self.decisions.push(call, Overflow::DropNewest);
        // The time runs from here on, also for answers that are awaited one after the other.
        let answer = tokio::time::timeout(self.decision_timeout, answer);
        Answer::Later(Box::pin(async move {
            match answer.await {
                Ok(Ok(verdict)) => verdict,
                Ok(Err(_)) => Verdict::deny(ReasonCode::NotAuthorized),
                Err(_) => Verdict::Deny {
                    reason: ReasonCode::ServerUnavailable,
                    text: Some("the decision took too long".to_owned()),
                },
            }
        }))
    }
}

impl Observer for Runtime {
    fn observe(&self, events: &mut Vec<Event>, gates: &mut Vec<Arc<dyn Gate>>) {
        let (sinks, clients) = (self.sinks.read(), self.client_hooks.read());
        let rule_hooks = self.rule_hooks.read();
        let mut desk = Desk::new(events.len(), &self.hooks, gates);
        let mut rules = RuleRun::new(self);
        let few = events.len() < FEW;
        let mut held = false;
        // Messages are large, so they are looked at where they lie.
        for event in &mut *events {
            match event {
                Event::Published { message, taps, receipt } => {
                    let shared = few || taps.len() > SEVERAL || !Parcel::takes(message);
                    self.tell(&sinks, &mut desk, &mut rules, taps, message, (receipt.as_ref(), shared));
                    held |= receipt.is_some();
                }
                Event::Sent { message, sent, taps } | Event::Acked { message, sent, taps } => {
                    for hook in Self::observers(&sinks, taps, message) {
                        let both = Box::new((Arc::clone(message), sent.clone()));
                        desk.put(hook, Happening::Sent(both));
                    }
                }
                Event::Dropped { message, receiver, why, taps } => {
                    for hook in Self::observers(&sinks, taps, message) {
                        let lost = Lost { message: Arc::clone(message), receiver: Arc::clone(receiver), why };
                        desk.put(hook, Happening::Dropped(Box::new(lost)));
                    }
                }
                Event::Deliver { message, receivers, taps, receipt } => {
                    desk.put_delivery(Delivery {
                        message: Arc::clone(message),
                        receivers: std::mem::take(receivers),
                        taps: Arc::clone(taps),
                        receipt: receipt.take(),
                        at: desk.at(),
                    });
                }
                Event::Connected { client } => {
                    Self::tell_clients(&clients, Interest::Connected, &mut desk, || {
                        Happening::Connected(Arc::clone(client))
                    });
                }
                Event::Disconnected { client, reason, detail } => {
                    Self::tell_clients(&clients, Interest::Disconnected, &mut desk, || {
                        Happening::Disconnected(Box::new((Arc::clone(client), *reason, detail)))
                    });
                }
                Event::Subscribed { client, filter, qos } => {
                    Self::tell_clients(&clients, Interest::Subscribed, &mut desk, || {
                        Happening::Subscribed(Box::new((Arc::clone(client), Arc::clone(filter), *qos)))
                    });
                }
                Event::Unsubscribed { client, filter } => {
                    Self::tell_clients(&clients, Interest::Unsubscribed, &mut desk, || {
                        Happening::Unsubscribed(Box::new((Arc::clone(client), Arc::clone(filter))))
                    });
                }
                Event::Notice { client_id, text } => {
                    let client_id = Some(Arc::clone(client_id));
                    let notice = Notice { client_id, warning: false, text: std::mem::take(text) };
                    self.notices.push(notice, Overflow::DropNewest);
                }
                Event::Log { warning, text } => {
                    let notice = Notice { client_id: None, warning: *warning, text: std::mem::take(text) };
                    self.notices.push(notice, Overflow::DropNewest);
                }
            }
            if let Some((kind, taps)) = ruled(event) {
                let happening = || happening_of_event(kind, event, self.now());
                match taps {
                    Some(taps) => self.tell_rules(&sinks, &mut desk, &mut rules, taps, happening),
                    None => self.tell_rules_of_clients(&rule_hooks, &mut desk, &mut rules, kind, happening),
                }
            }
        }
        desk.close(&self.deliveries);
        rules.close();
        drop((sinks, clients, rule_hooks));
        // Whoever is told that a message is kept finds that the observers were told of it.
        for event in events.iter_mut().filter(|_| held) {
            if let Event::Published { receipt, .. } = event {
                receipt.take().into_iter().for_each(Receipt::keep);
            }
        }
    }

    fn settle(&self, gates: &mut Vec<Arc<dyn Gate>>) {
        self.settle_rules(gates);
    }
}

/// What of an event is for rules that do not run on publishes: which event it is to them, and the taps of a message.
fn ruled(event: &Event) -> Option<(RuleEvent, Option<&Arc<[TapId]>>)> {
    Some(match event {
        Event::Sent { taps, .. } => (RuleEvent::MessageDelivered, Some(taps)),
        Event::Acked { taps, .. } => (RuleEvent::MessageAcked, Some(taps)),
        Event::Dropped { taps, .. } => (RuleEvent::MessageDropped, Some(taps)),
        Event::Connected { .. } => (RuleEvent::ClientConnected, None),
        Event::Disconnected { .. } => (RuleEvent::ClientDisconnected, None),
        Event::Subscribed { .. } => (RuleEvent::SessionSubscribed, None),
        Event::Unsubscribed { .. } => (RuleEvent::SessionUnsubscribed, None),
        Event::Published { .. } | Event::Deliver { .. } | Event::Notice { .. } | Event::Log { .. } => {
            return None;
        }
    })
}

/// A message that was published, for keeping.
fn happening_of(event: RuleEvent, message: Arc<Message>) -> RuleHappening {
    RuleHappening {
        client_id: Arc::clone(&message.publisher),
        qos: Some(message.qos),
        at: message.received_at,
        message: Some(message),
        ..RuleHappening::new(event, 0)
    }
}

/// Anything else that happened, for keeping.
fn happening_of_event(kind: RuleEvent, event: &Event, now: hookmq_engine::Millis) -> RuleHappening {
    let blank = RuleHappening::new(kind, now);
    match event {
        Event::Sent { message, sent, .. } | Event::Acked { message, sent, .. } => RuleHappening {
            client_id: Arc::clone(&sent.receiver),
            qos: Some(sent.qos),
            message: Some(Arc::clone(message)),
            ..blank
        },
        Event::Dropped { message, receiver, why, .. } => RuleHappening {
            client_id: Arc::clone(receiver),
            qos: Some(message.qos),
            message: Some(Arc::clone(message)),
            reason: Arc::from(*why),
            ..blank
        },
        Event::Connected { client } => of_client(blank, client),
        Event::Disconnected { client, reason, detail } => {
            RuleHappening { reason: format!("{detail} ({reason})").into(), ..of_client(blank, client) }
        }
        Event::Subscribed { client, filter, qos } => {
            RuleHappening { filter: Arc::clone(filter), qos: Some(*qos), ..of_client(blank, client) }
        }
        Event::Unsubscribed { client, filter } => {
            RuleHappening { filter: Arc::clone(filter), ..of_client(blank, client) }
        }
        Event::Published { .. } | Event::Deliver { .. } | Event::Notice { .. } | Event::Log { .. } => blank,
    }
}

fn of_client(blank: RuleHappening, client: &Arc<Client>) -> RuleHappening {
    RuleHappening { client: Some(Arc::clone(client)), client_id: Arc::clone(&client.id), ..blank }
}

impl Deciders for Runtime {
    fn authenticates(&self) -> bool {
        self.authenticates.load(Relaxed)
    }

    fn authenticate(&self, client: &Arc<Client>, vouched: bool) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.decide(Call::Authenticate { client: Arc::clone(client), vouched, reply }, answer)
    }

    fn has_methods(&self) -> bool {
        !self.methods.read().is_empty()
    }

    fn exchange(&self, client: &Arc<Client>, method: &str) -> Option<Box<dyn Exchange>> {
        let known = self.methods.read().iter().any(|known| known == method);
        known.then(|| {
            let exchange: Box<dyn Exchange> = Box::new(HookExchange {
                number: self.next_exchange.fetch_add(1, Relaxed),
                method: method.into(),
                client: Arc::clone(client),
                questions: Arc::clone(&self.decisions),
                timeout: self.decision_timeout,
            });
            exchange
        })
    }

    fn greets(&self) -> bool {
        self.greets.load(Relaxed)
    }

    fn greet(&self, client: &Arc<Client>) -> Answer {
        let (reply, answer) = oneshot::channel();
        self.decide(Call::Greet { client: Arc::clone(client), reply }, answer)
    }

    fn authorizes(&self, action: Action) -> bool {
        match action {
            Action::Publish => self.authorizes_publish.load(Relaxed),
            Action::Subscribe => self.authorizes_subscribe.load(Relaxed),
        }
    }

    fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    fn authorize(&self, client: &Arc<Client>, action: Action, topic: &str, qos: QoS, retain: bool) -> Answer {
        let (reply, answer) = oneshot::channel();
        let (client, topic) = (Arc::clone(client), topic.to_owned());
        self.decide(Call::Authorize { client, action, topic, qos, retain, reply }, answer)
    }

    fn transform(&self, client: &Arc<Client>, asked: &Arc<Vec<Asked>>) -> Later<Vec<Transformed>> {
        let (reply, mut answer) = oneshot::channel();
        let progress = Arc::new(AtomicUsize::new(0));
        let call = Call::Transform {
            client: Arc::clone(client),
            asked: Arc::clone(asked),
            at: Instant::now(),
            progress: Arc::clone(&progress),
            reply,
        };
        self.decisions.push(call, Overflow::DropNewest);
        let limit = self.decision_timeout;
        Box::pin(async move {
            // The time is for each message: a client that was away sends many at once.
            let mut decided = 0;
            loop {
                match tokio::time::timeout(limit, &mut answer).await {
                    Ok(answers) => return answers.unwrap_or_default(),
                    Err(_) if progress.load(Relaxed) == decided => return Vec::new(), // all count as failed
                    Err(_) => decided = progress.load(Relaxed),
                }
            }
        })
    }
}

/// An enhanced authentication that a hook leads. The Python side knows it by its number.
struct HookExchange {
    number: u64,
    method: Arc<str>,
    client: Arc<Client>,
    questions: Arc<Queue<Call>>,
    timeout: Duration,
}

impl Exchange for HookExchange {
    fn step(&mut self, data: Bytes) -> Later<Step> {
        let (reply, answer) = oneshot::channel();
        let (method, client) = (Arc::clone(&self.method), Arc::clone(&self.client));
        self.questions
            .push(Call::Step { exchange: self.number, method, client, data, reply }, Overflow::DropNewest);
        let answer = tokio::time::timeout(self.timeout, answer);
        Box::pin(async move {
            match answer.await {
                Ok(Ok(step)) => step,
                Ok(Err(_)) => Step::Deny { reason: ReasonCode::NotAuthorized, text: None },
                Err(_) => Step::Deny {
                    reason: ReasonCode::ServerUnavailable,
                    text: Some("the decision took too long".to_owned()),
                },
            }
        })
    }
}

impl Drop for HookExchange {
    /// Lets the Python side forget it, however it ended.
    fn drop(&mut self) {
        self.questions.push(Call::Forget { exchange: self.number }, Overflow::DropNewest);
    }
}

impl Runtime {
    fn is_of_console(&self, path: &str) -> bool {
        self.console_paths.read().iter().any(|one| match one.ends_with('/') {
            true => path.starts_with(&**one),
            false => path == one,
        })
    }
}

impl Pages for Runtime {
    fn answer(&self, request: Request) -> Later<Response> {
        let (reply, answer) = oneshot::channel();
        let queue = if self.is_of_console(&request.path) { &self.console } else { &self.pages };
        queue.push(Call::Page { request, reply }, Overflow::DropNewest);
        let limit = self.page_timeout;
        Box::pin(async move {
            match tokio::time::timeout(limit, answer).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => Response::text(503, "the server cannot answer at the moment\n"),
                Err(_) => Response::text(504, "the page took too long\n"),
            }
        })
    }

    fn hub(&self, path: &str) -> Option<Arc<Hub>> {
        let hubs = self.hubs.read();
        let exact = hubs.iter().find(|place| place.path == path);
        // Of those that what is below belongs to, the nearest.
        let below = |place: &&HubPlace| {
            place.below
                && path
                    .strip_prefix(&*place.path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let found = exact.or_else(|| hubs.iter().filter(below).max_by_key(|place| place.path.len()));
        found.map(|place| Arc::clone(&place.hub))
    }
}
