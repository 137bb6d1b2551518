//! What results ask for, until it can be done.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hookmq_codec::ReasonCode;
use hookmq_engine::{Batch, Broker, Event, Gate, Message, Millis, Origin};
use hookmq_rules::{Object, Value};

use super::action::{Action, Asked};
use super::active::ActiveRule;
use super::chain::{Way, along, causing};

/// What the results of one batch may take in memory, in bytes: one message of many items, each of which is made to a
/// message as large, is not to fill it.
const MOST: usize = 64 << 20;

/// A message that could not be published.
#[derive(Debug)]
pub struct Publish {
    /// Whose it is.
    pub rule: Arc<ActiveRule>,
    /// By which of its actions.
    pub action: usize,
    /// What.
    pub message: Message,
    /// Through which rules it has come.
    pub way: Way,
    /// Why not.
    pub error: &'static str,
    /// How often it was tried.
    pub tries: u32,
}

/// What is left to others of what results ask for.
pub struct Rest<'r> {
    /// For hooks.
    pub results: Vec<ResultRow>,
    /// What could not be published, and may be later.
    pub refused: Vec<Publish>,
    /// What has more than it can take: whoever caused it is to wait.
    pub gates: &'r mut Vec<Arc<dyn Gate>>,
}

/// A result for a hook.
#[derive(Debug)]
pub struct ResultRow {
    /// The hook.
    pub hook: u32,
    /// The columns.
    pub row: Object<'static>,
    /// What it was made of, if the hook wants it.
    pub source: Option<Object<'static>>,
    /// Through which rules it has come.
    pub way: Way,
}

impl ResultRow {
    /// Roughly the memory it takes, in bytes.
    pub fn size(&self) -> usize {
        let weight = |object: &Object<'static>| -> usize {
            object.0.iter().map(|(key, value)| 2 * size_of::<Value<'_>>() + key.len() + value.weight()).sum()
        };
        64 + weight(&self.row) + self.source.as_ref().map_or(0, weight)
    }
}

struct Output {
    rule: Arc<ActiveRule>,
    action: usize,
    asked: Asked,
    way: Way,
}

/// What results ask for.
#[derive(Default)]
pub struct Outputs {
    all: Vec<Output>,
    notes: Vec<String>,
    bytes: usize,
}

impl Outputs {
    /// Adds what another has.
    pub fn append(&mut self, mut other: Self) {
        self.all.append(&mut other.all);
        self.notes.append(&mut other.notes);
        self.bytes += other.bytes;
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty() && self.notes.is_empty()
    }

    /// Adds something, if there is room for it.
    pub(super) fn add(&mut self, rule: &Arc<ActiveRule>, action: usize, asked: Asked, way: &Way) -> bool {
        let size = asked.size();
        if self.bytes + size > MOST && !self.all.is_empty() {
            return false;
        }
        self.bytes += size;
        self.all.push(Output { rule: Arc::clone(rule), action, asked, way: way.clone() });
        true
    }

    /// Adds a line for the log.
    pub(super) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Does what can be done here: publishes, disconnects and logs. What is published is told to rules before this returns.
    pub fn act(self, broker: &Broker, now: Millis, rest: &mut Rest<'_>) {
        let Self { all, notes, .. } = self;
        if !notes.is_empty() {
            broker.with_batch(now, |batch| {
                notes.into_iter().for_each(|text| batch.note(Event::Log { warning: true, text }));
            });
        }
        causing(all.len(), || {
            let mut all = all.into_iter().peekable();
            while let Some(first) = all.next() {
                // What comes the same way is one batch: one write for each receiver.
                let way = first.way.clone();
                let same =
                    std::iter::once(first).chain(std::iter::from_fn(|| all.next_if(|next| next.way == way)));
                let (way, same): (Way, Vec<Output>) = (way.clone(), same.collect());
                along(way, || {
                    let gates = broker.with_batch_held(now, |batch| {
                        same.into_iter().for_each(|output| output.act(broker, batch, rest));
                    });
                    rest.gates.extend(gates);
                });
            }
        });
    }
}

impl Output {
    fn act(self, broker: &Broker, batch: &mut Batch, rest: &mut Rest<'_>) {
        let Self { rule, action, asked, way } = self;
        let done = || rule.actions[action].done.fetch_add(1, Relaxed);
        match asked {
            Asked::Publish(message) => {
                let (message, error) = (*message, "");
                Publish { rule, action, message, way, error, tries: 0 }.again(broker, batch, rest);
            }
            Asked::Disconnect(client) => match broker.disconnect(&client, ReasonCode::AdministrativeAction) {
                true => _ = done(),
                false => rule.action_failed(action, &format!("{client:?} is not connected")),
            },
            Asked::Log(warning, text) => {
                done();
                batch.note(Event::Log { warning, text: format!("rule {}: {text}", rule.name) });
            }
            Asked::Result(row) => {
                done();
                rest.results.push(ResultRow { way, ..row });
            }
        }
    }
}

/// How often a message is tried that is refused for want of room, the first time included.
const TRIES: u32 = 4;

impl Publish {
    /// Publishes it, once more.
    pub(super) fn again(mut self, broker: &Broker, batch: &mut Batch, rest: &mut Rest<'_>) {
        // The copy shares the payload.
        match broker.publish(self.message.clone(), Origin::broker(), batch) {
            Ok(_) => _ = self.rule.actions[self.action].done.fetch_add(1, Relaxed),
            Err(error) => {
                (self.error, self.tries) = (error.what, self.tries + 1);
                match self.tries < TRIES {
                    true => rest.refused.push(self),
                    false => rest.results.extend(self.give_up()),
                }
            }
        }
    }

    /// Counts that it failed; what the hook for dead letters is told, if there is one.
    pub fn give_up(self) -> Option<ResultRow> {
        let Self { rule, action, message, error, way, .. } = self;
        rule.action_failed(action, error);
        let Action::Republish { dead: Some(hook), .. } = rule.actions[action].action else { return None };
        let row = vec![
            ("error".into(), Value::text(error)),
            ("topic".into(), Value::text(message.topic.to_string())),
            ("payload".into(), Value::Bytes(message.payload.to_vec().into())),
            ("qos".into(), Value::Int(i64::from(message.qos.value()))),
            ("retain".into(), Value::Bool(message.retain)),
        ];
        Some(ResultRow { hook, row: Object(row), source: None, way })
    }
}
