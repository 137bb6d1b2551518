//! What results ask for, until it can be done.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use hookmq_codec::ReasonCode;
use hookmq_engine::{Broker, Event, Message, Millis, Origin};
use hookmq_rules::{Object, Value};

use super::action::{Action, Asked};
use super::active::ActiveRule;
use super::chain::{Way, along};

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
    /// Why not.
    pub error: &'static str,
    /// How often it was tried.
    pub tries: u32,
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

    /// Does what can be done here: publishes, disconnects and logs. What is for hooks goes to `results`, what could not be
    /// published to `refused`. What is published is told to rules before this returns.
    pub fn act(
        self,
        broker: &Broker,
        now: Millis,
        results: &mut Vec<ResultRow>,
        refused: &mut dyn FnMut(Publish),
    ) {
        let Self { all, notes, .. } = self;
        if !notes.is_empty() {
            broker.with_batch(now, |batch| {
                notes.into_iter().for_each(|text| batch.note(Event::Log { warning: true, text }));
            });
        }
        let mut all = all.into_iter().peekable();
        while let Some(first) = all.next() {
            let way = first.way.clone();
            // What comes the same way is one batch: one write for each receiver.
            along(way.clone(), || {
                broker.with_batch(now, |batch| {
                    let mut next = Some(first);
                    while let Some(Output { rule, action, asked, .. }) = next {
                        match asked {
                            Asked::Publish(message) => {
                                publish(broker, rule, action, *message, 1, batch, results, refused);
                            }
                            Asked::Disconnect(client) => {
                                match broker.disconnect(&client, ReasonCode::AdministrativeAction) {
                                    true => _ = rule.actions[action].done.fetch_add(1, Relaxed),
                                    false => {
                                        rule.action_failed(action, &format!("{client:?} is not connected"))
                                    }
                                }
                            }
                            Asked::Log(warning, text) => {
                                rule.actions[action].done.fetch_add(1, Relaxed);
                                let text = format!("rule {}: {text}", rule.name);
                                batch.note(Event::Log { warning, text });
                            }
                            Asked::Result(row) => {
                                rule.actions[action].done.fetch_add(1, Relaxed);
                                results.push(row);
                            }
                        }
                        next = all.next_if(|output| output.way == way);
                    }
                });
            });
        }
    }
}

/// How often a message is tried that is refused for want of room, the first time included.
pub(super) const TRIES: u32 = 4;

/// Publishes a message of a rule.
#[allow(clippy::too_many_arguments)]
pub(super) fn publish(
    broker: &Broker,
    rule: Arc<ActiveRule>,
    action: usize,
    message: Message,
    tries: u32,
    batch: &mut hookmq_engine::Batch,
    results: &mut Vec<ResultRow>,
    refused: &mut dyn FnMut(Publish),
) {
    // With QoS 0 nobody has to keep it, so nobody refuses it; the copy shares the payload.
    let kept = message.clone();
    match broker.publish(message, Origin::broker(), batch) {
        Ok(_) => _ = rule.actions[action].done.fetch_add(1, Relaxed),
        Err(error) if tries < TRIES => {
            refused(Publish { rule, action, message: kept, error: error.what, tries });
        }
        Err(error) => {
            rule.action_failed(action, error.what);
            if let Action::Republish { dead: Some(hook), .. } = &rule.actions[action].action {
                let row = vec![
                    ("error".into(), Value::text(error.what)),
                    ("topic".into(), Value::text(kept.topic.to_string())),
                    ("payload".into(), Value::Bytes(kept.payload.to_vec().into())),
                    ("qos".into(), Value::Int(i64::from(kept.qos.value()))),
                    ("retain".into(), Value::Bool(kept.retain)),
                ];
                results.push(ResultRow { hook: *hook, row: Object(row), source: None });
            }
        }
    }
}
