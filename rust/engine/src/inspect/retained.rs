//! Retained messages page by page.

use std::ops::ControlFlow;
use std::sync::Arc;

use bytes::Bytes;
use hookmq_codec::{Publish, QoS};

use crate::batch::Batch;
use crate::broker::Broker;
use crate::inspect::page::contains;
use crate::message::{Message, Millis};
use crate::publishing::Origin;

/// So many places of the tree are looked at with it locked: retained publishes wait for no more than that.
const STEP: usize = 2048;
/// So many are cleared in one turn.
const CLEARED: usize = 512;

/// A page of retained messages.
#[derive(Debug, Clone, Default)]
pub struct RetainedPage {
    /// The messages in the order of their topics, level by level.
    pub items: Vec<Arc<Message>>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// How many there are on all pages, if that is known without looking at all of them.
    pub total: Option<usize>,
}

impl Broker {
    /// Goes through retained messages that match a filter, from behind a topic on, until `found` breaks.
    fn each_retained(
        &self,
        filter: &str,
        behind: Option<&str>,
        now: Millis,
        mut found: impl FnMut(&Arc<Message>) -> ControlFlow<()>,
    ) {
        let mut behind = behind.map(str::to_owned);
        let mut broken = false;
        while !broken {
            let stopped = self.retained.read().walk(filter, behind.as_deref(), STEP, &mut |message| {
                if message.expired(now) {
                    return ControlFlow::Continue(());
                }
                let flow = found(message);
                broken = flow.is_break();
                flow
            });
            if stopped.is_none() {
                return;
            }
            behind = stopped;
        }
    }

    /// A page of retained messages whose topics match a filter and have a part in them.
    pub fn retained_page(
        &self,
        filter: &str,
        search: Option<&str>,
        limit: usize,
        after: Option<&str>,
        now: Millis,
    ) -> RetainedPage {
        let limit = limit.max(1);
        let part = search.map(str::to_lowercase);
        let mut items = Vec::new();
        self.each_retained(filter, after, now, |message| {
            if part.as_deref().is_none_or(|part| contains(&message.topic, part)) {
                items.push(Arc::clone(message));
            }
            if items.len() > limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let more = items.len() > limit;
        let total = match filter == "#" && part.is_none() {
            true => Some(self.retained.read().len()),
            false => (!more && after.is_none()).then_some(items.len()),
        };
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|message| message.topic.to_string());
        RetainedPage { items, next, total }
    }

    /// The retained message of a topic.
    pub fn retained_value(&self, topic: &str, now: Millis) -> Option<Arc<Message>> {
        self.retained.read().get(topic).filter(|message| !message.expired(now)).cloned()
    }

    /// Which of these topics have a retained message.
    pub fn are_retained<'a>(&self, topics: impl IntoIterator<Item = &'a str>) -> Vec<bool> {
        let mut topics = topics.into_iter().peekable();
        let mut found = Vec::new();
        while topics.peek().is_some() {
            let retained = self.retained.read();
            found.extend(topics.by_ref().take(STEP).map(|topic| retained.get(topic).is_some()));
        }
        found
    }

    /// Clears the retained messages of the first few hundred topics that match a filter, from behind one on, as empty
    /// retained publishes do: how many there were, and behind which topic to go on in another turn.
    pub fn clear_retained(
        &self,
        filter: &str,
        behind: Option<&str>,
        batch: &mut Batch,
    ) -> (usize, Option<String>) {
        let mut topics = Vec::new();
        self.each_retained(filter, behind, batch.now, |message| {
            topics.push(message.topic.clone());
            if topics.len() < CLEARED { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
        let last = topics.last().filter(|_| topics.len() == CLEARED).map(ToString::to_string);
        let mut cleared = 0;
        for topic in topics {
            let publish = Publish {
                topic,
                payload: Bytes::new(),
                qos: QoS::AtMostOnce,
                retain: true,
                ..Publish::default()
            };
            let message = Message::from_publish(publish, "".into(), batch.now);
            cleared += usize::from(self.publish(message, Origin::broker(), batch).is_ok());
        }
        (cleared, last)
    }
}
