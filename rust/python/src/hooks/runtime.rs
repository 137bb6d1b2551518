//! Which event goes into which queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use hookmq_codec::{QoS, ReasonCode};
use hookmq_engine::{Client, Event, Message, Observer, Sent, TapId};
use hookmq_server::deciders::Later;
use hookmq_server::{Action, Answer, Deciders, Exchange, Pages, Request, Response, Step, Verdict};
use parking_lot::RwLock;
use tokio::sync::oneshot;

use super::calls::Call;
use super::feed::Row;
use super::hook::Hook;
use super::lane::{Happening, Work};
use super::log::Notice;
use super::queue::{Overflow, Queue};
use crate::inbox::InboxQueue;

/// Where the messages of a tap go.
pub(crate) enum Sink {
    Hook(Arc<Hook>, Arc<Queue<Work>>),
    Inbox(Arc<InboxQueue>),
    History(Arc<Queue<Row>>, Overflow),
}

/// A hook that is told of clients.
pub(crate) struct ClientHook {
    pub(crate) hook: Arc<Hook>,
    pub(crate) lane: Arc<Queue<Work>>,
    /// Whether it is told that clients come, or that they go.
    pub(crate) connected: bool,
}

/// The native side of the hooks. Its methods run on network threads and never enter Python.
pub(crate) struct Runtime {
    pub(crate) sinks: RwLock<HashMap<TapId, Sink>>,
    pub(crate) client_hooks: RwLock<Vec<ClientHook>>,
    next_tap: AtomicU32,
    pub(crate) notices: Arc<Queue<Notice>>,
    pub(crate) decisions: Arc<Queue<Call>>,
    pub(crate) pages: Arc<Queue<Call>>,
    /// Whether an `authenticate` or an `authorize` hook exists.
    pub(crate) authenticates: AtomicBool,
    pub(crate) authorizes: AtomicBool,
    /// Methods of enhanced authentication that hooks know.
    pub(crate) methods: RwLock<Vec<String>>,
    next_exchange: AtomicU64,
    pub(crate) decision_timeout: Duration,
    pub(crate) page_timeout: Duration,
}

/// Questions that may wait; further ones are denied at once.
const MAX_QUESTIONS: usize = 100_000;
/// Notices that may wait.
const MAX_NOTICES: usize = 10_000;

impl Runtime {
    pub(crate) fn new(decision_timeout: Duration, page_timeout: Duration) -> Self {
        Self {
            sinks: RwLock::default(),
            client_hooks: RwLock::default(),
            next_tap: AtomicU32::new(1),
            notices: Arc::new(Queue::new(MAX_NOTICES, 16 << 20)),
            decisions: Arc::new(Queue::new(MAX_QUESTIONS, usize::MAX)),
            pages: Arc::new(Queue::new(MAX_QUESTIONS, 256 << 20)),
            authenticates: AtomicBool::new(false),
            authorizes: AtomicBool::new(false),
            methods: RwLock::default(),
            next_exchange: AtomicU64::new(1),
            decision_timeout,
            page_timeout,
        }
    }

    /// Names a new tap and says where its messages go.
    pub(crate) fn add_sink(&self, sink: Sink) -> TapId {
        let id = self.next_tap.fetch_add(1, Relaxed);
        self.sinks.write().insert(id, sink);
        id
    }

    fn tell(sinks: &HashMap<TapId, Sink>, taps: &[TapId], message: &Arc<Message>, sent: Option<&Sent>) {
        for sink in taps.iter().filter_map(|tap| sinks.get(tap)) {
            match sink {
                Sink::Hook(hook, lane) => {
                    push(hook, lane, Happening::Message(Arc::clone(message), sent.cloned()));
                }
                Sink::Inbox(inbox) => inbox.push(Arc::clone(message)),
                Sink::History(queue, overflow) => {
                    queue.push(Row(Arc::clone(message)), *overflow);
                }
            }
        }
    }

    fn tell_client(&self, connected: bool, happening: impl Fn() -> Happening) {
        for entry in self.client_hooks.read().iter().filter(|entry| entry.connected == connected) {
            push(&entry.hook, &entry.lane, happening());
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

/// Queues one call and counts what is dropped for it, on the hook that loses it.
fn push(hook: &Arc<Hook>, lane: &Queue<Work>, happening: Happening) {
    hook.counters.queued.fetch_add(1, Relaxed);
    let work = Work { hook: Arc::clone(hook), happening };
    for lost in lane.push(work, hook.overflow).dropped {
        lost.hook.counters.queued.fetch_sub(1, Relaxed);
        lost.hook.counters.dropped.fetch_add(1, Relaxed);
    }
}

impl Observer for Runtime {
    fn observe(&self, events: &mut Vec<Event>) {
        let sinks = self.sinks.read();
        for event in events.drain(..) {
            match event {
                Event::Published { message, taps } => Self::tell(&sinks, &taps, &message, None),
                Event::Sent { message, sent, taps } => Self::tell(&sinks, &taps, &message, Some(&sent)),
                Event::Connected { client } => {
                    self.tell_client(true, || Happening::Connected(Arc::clone(&client)));
                }
                Event::Disconnected { client, reason, detail } => {
                    self.tell_client(false, || Happening::Disconnected(Arc::clone(&client), reason, detail));
                }
                Event::Notice { client_id, text } => {
                    let notice = Notice { client_id: Some(client_id), warning: false, text };
                    self.notices.push(notice, Overflow::DropNewest);
                }
                Event::Log { warning, text } => {
                    self.notices.push(Notice { client_id: None, warning, text }, Overflow::DropNewest);
                }
            }
        }
    }
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

    fn authorizes(&self) -> bool {
        self.authorizes.load(Relaxed)
    }

    fn authorize(&self, client: &Arc<Client>, action: Action, topic: &str, qos: QoS, retain: bool) -> Answer {
        let (reply, answer) = oneshot::channel();
        let (client, topic) = (Arc::clone(client), topic.to_owned());
        self.decide(Call::Authorize { client, action, topic, qos, retain, reply }, answer)
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

impl Pages for Runtime {
    fn answer(&self, request: Request) -> Later<Response> {
        let (reply, answer) = oneshot::channel();
        self.pages.push(Call::Page { request, reply }, Overflow::DropNewest);
        let limit = self.page_timeout;
        Box::pin(async move {
            match tokio::time::timeout(limit, answer).await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => Response::text(503, "the server cannot answer at the moment\n"),
                Err(_) => Response::text(504, "the page took too long\n"),
            }
        })
    }
}
