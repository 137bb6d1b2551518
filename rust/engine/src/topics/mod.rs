//! Statistics of topics: which there are, how much is published to them, and what came last.
//!
//! Nothing is counted before [`Broker::count_topics`]. A message costs its thread some ten nanoseconds: the route that the
//! thread has cached knows the topic's slot in what the thread has [gathered](gathered), where the counts are raised and the
//! payload is copied over the one before. No other thread is met on the way: what was gathered lies on the batch's desk
//! between two turns, and goes into a list when it is much. [`Broker::collect_topics`], called by a thread of its own a few
//! times a second, takes it all and adds it to the [tree](tree), whose lock no network thread ever takes.
//!
//! The tree is bounded in topics and bytes: the topic that is silent for longest makes room, and is counted. A
//! [`TopicWatch`] finds out what changed by looking at what is to be seen: each node knows when something changed at or
//! below it.

mod gathered;
#[cfg(test)]
mod tests;
mod tree;
mod watch;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use crate::broker::Broker;
use crate::inspect::Page;
#[cfg(test)]
use crate::limits::Limits;
use crate::message::{Message, Millis};

pub(crate) use gathered::{Counting, Place};
use gathered::{Desk, Gathered};
use tree::Tree;
pub use watch::{TopicChanges, TopicWatch};

/// So much of a payload is kept.
pub(crate) const KEPT: usize = 4 << 10;

/// What was handed over and waits; further counts are lost, and counted. A thread hands over a megabyte at a time.
const WAITING: usize = 64;
/// Memory that is used again.
const SPARE: usize = 8;

/// So many topics are merged, or searched, with the tree locked.
const STEP: usize = 512;
const SEARCH_STEP: usize = 16 << 10;

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub(crate) topics: usize,
    pub(crate) bytes: usize,
}

impl Bounds {
    pub(crate) fn within(bytes: usize) -> Self {
        // A million, and the broker's own: one more than there is room for would push another out with each message.
        Self { topics: 1_250_000, bytes }
    }
}

#[cfg(test)]
impl Default for Bounds {
    fn default() -> Self {
        Self::within(Limits::default().max_topic_statistics_bytes)
    }
}

/// What is told of a topic, or of a level that topics have above them.
#[derive(Debug, Clone, Default)]
pub struct TopicFigures {
    /// The whole topic.
    pub topic: String,
    /// Its last level.
    pub name: String,
    /// Messages published to it.
    pub messages: u64,
    /// Messages a second.
    pub rate: f64,
    /// Bytes of all payloads.
    pub bytes: u64,
    /// When the last message came; `None` if nothing was published to the level itself.
    pub at: Option<Millis>,
    /// Levels directly below it.
    pub children: usize,
    /// Topics below it, at any depth, that were published to.
    pub below_topics: usize,
    /// Messages to them.
    pub below_messages: u64,
    /// Whether it has a retained message.
    pub retained: bool,
    /// The last payload, of which at most 4 KiB are kept.
    pub payload: Option<Bytes>,
}

/// A page of topics.
#[derive(Debug, Clone, Default)]
pub struct TopicPage {
    /// The topics in the order of their names.
    pub items: Vec<TopicFigures>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// How many there are on all pages.
    pub total: usize,
}

/// What is counted of topics, and where.
pub(crate) struct Topics {
    on: AtomicBool,
    desks: Mutex<Vec<Weak<Desk>>>,
    waiting: Mutex<VecDeque<Box<Gathered>>>,
    #[allow(clippy::vec_box)] // it goes from hand to hand
    spare: Mutex<Vec<Box<Gathered>>>,
    /// Counts that were lost because nobody took them.
    lost: AtomicU64,
    /// Held by whoever collects: what is taken first is merged first.
    collecting: Mutex<()>,
    tree: Mutex<Tree>,
    bounds: Bounds,
}

impl Topics {
    pub(crate) fn new(bounds: Bounds) -> Arc<Self> {
        Arc::new(Self {
            on: AtomicBool::new(false),
            desks: Mutex::default(),
            waiting: Mutex::default(),
            spare: Mutex::default(),
            lost: AtomicU64::new(0),
            collecting: Mutex::default(),
            tree: Mutex::new(Tree::new(bounds)),
            bounds,
        })
    }

    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    /// The desk of a new batch.
    pub(crate) fn desk(&self) -> Arc<Desk> {
        let desk = Arc::default();
        let mut desks = self.desks.lock();
        desks.retain(|desk| desk.strong_count() > 0);
        desks.push(Arc::downgrade(&desk));
        desk
    }

    /// Memory to gather in.
    fn fresh(&self, epoch: u32) -> Box<Gathered> {
        let spare = self.spare.lock().pop();
        spare.map_or_else(|| Gathered::new(epoch), |spare| spare.renew(epoch))
    }

    /// Takes what a thread has gathered.
    fn hand_over(&self, gathered: Box<Gathered>) {
        let mut waiting = self.waiting.lock();
        match waiting.len() < WAITING {
            true => waiting.push_back(gathered),
            false => _ = self.lost.fetch_add(gathered.slots.iter().map(|slot| slot.messages).sum(), Relaxed),
        }
    }

    pub(crate) fn tree(&self) -> MutexGuard<'_, Tree> {
        self.tree.lock()
    }

    fn switch(&self, on: bool) {
        let _collecting = self.collecting.lock();
        if self.on.swap(on, Relaxed) && !on {
            self.take_all();
            self.waiting.lock().clear();
            self.spare.lock().clear();
            let empty = Tree::new(self.bounds);
            let old = std::mem::replace(&mut *self.tree.lock(), empty);
            drop(old); // with the lock free
        }
    }

    /// Has everything that was gathered put into the list.
    fn take_all(&self) {
        let desks: Vec<_> = self.desks.lock().iter().filter_map(Weak::upgrade).collect();
        for desk in desks {
            let mut place = desk.gathered.lock();
            match place.take() {
                None => desk.wanted.store(true, Relaxed), // it is at work, or has never been
                Some(gathered) if gathered.slots.is_empty() => *place = Some(gathered),
                Some(gathered) => {
                    *place = Some(self.fresh(gathered.next_epoch()));
                    drop(place);
                    self.hand_over(gathered);
                }
            }
        }
    }

    /// Adds all that was gathered so far to the tree.
    pub(crate) fn collect(&self) {
        let _collecting = self.collecting.lock();
        self.take_all();
        // What is handed over meanwhile is for the next time: threads may be faster than this.
        let there = self.waiting.lock().len();
        for _ in 0..there {
            let Some(gathered) = self.waiting.lock().pop_front() else { return };
            if self.is_on() {
                for slots in gathered.slots.chunks(STEP) {
                    let mut tree = self.tree.lock();
                    slots.iter().for_each(|slot| tree.merge(&gathered, slot));
                }
            }
            let mut spare = self.spare.lock();
            if spare.len() < SPARE {
                spare.push(gathered);
            }
        }
    }
}

impl Broker {
    /// Begins with counting topics, or ends it and forgets what was counted.
    pub fn count_topics(&self, on: bool) {
        self.topics.switch(on);
    }

    /// Whether topics are counted.
    pub fn counts_topics(&self) -> bool {
        self.topics.is_on()
    }

    /// Adds what threads have counted to what is told of topics. To be called a few times a second while topics are counted.
    pub fn collect_topics(&self) {
        self.topics.collect();
    }

    /// How many topics are known, how many were forgotten to make room, and how many messages were not counted because they
    /// were too many.
    pub fn topic_counts(&self) -> (usize, u64, u64) {
        let tree = self.topics.tree();
        (tree.len(), tree.evicted, self.topics.lost.load(Relaxed))
    }

    /// A page of what is directly below a place in the tree of topics; `None` is the top.
    pub fn topics_below(
        &self,
        parent: Option<&str>,
        limit: usize,
        after: Option<&str>,
        now: Millis,
    ) -> TopicPage {
        let limit = limit.max(1);
        self.topics.collect();
        let (mut items, total) = self.topics.tree().below(parent, limit + 1, after, now);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|item| item.name.clone());
        self.note_retained(&mut items);
        TopicPage { items, next, total }
    }

    /// A page of the topics below a place, at any depth, that were published to and have a part in their name.
    pub fn find_topics(
        &self,
        parent: Option<&str>,
        part: &str,
        limit: usize,
        after: Option<&str>,
        now: Millis,
    ) -> TopicPage {
        self.topics.collect();
        let part = part.to_lowercase();
        let mut page: Page<Arc<str>, ()> = Page::new(limit, after.map(Into::into));
        let mut from = Some(0);
        while let Some(place) = from {
            let tree = self.topics.tree();
            from =
                tree.search(place, SEARCH_STEP, parent, &part, &mut |topic| page.offer(topic.into(), || ()));
        }
        let (found, next, total) = page.finish();
        let tree = self.topics.tree();
        let mut items: Vec<_> = found.iter().filter_map(|(topic, ())| tree.topic(topic, now)).collect();
        drop(tree);
        items.iter_mut().for_each(|item| item.name.clone_from(&item.topic));
        self.note_retained(&mut items);
        TopicPage { items, next: next.map(|topic| topic.to_string()), total }
    }

    /// What is told of one topic, or level.
    pub fn topic(&self, topic: &str, now: Millis) -> Option<TopicFigures> {
        self.topics.collect();
        let mut figures = self.topics.tree().topic(topic, now);
        self.note_retained(figures.as_mut_slice());
        figures
    }

    /// The last message of a topic, of whose payload at most 4 KiB are kept, and the bytes of the whole payload.
    pub fn topic_value(&self, topic: &str) -> Option<(Message, usize)> {
        self.topics.collect();
        self.topics.tree().value(topic)
    }

    /// Looks at what is directly below some places, of each at the first `limit` topics.
    pub fn watch_topics(&self, parents: Vec<Option<String>>, limit: usize) -> TopicWatch {
        TopicWatch::new(Arc::clone(&self.topics), parents, limit.max(1))
    }

    /// What changed since a watch looked last.
    pub fn topic_changes(&self, watch: &mut TopicWatch, now: Millis) -> TopicChanges {
        let mut changes = watch.changes(now);
        self.note_retained(&mut changes.set);
        changes
    }

    fn note_retained(&self, items: &mut [TopicFigures]) {
        let retained = self.are_retained(items.iter().map(|item| &*item.topic));
        items.iter_mut().zip(retained).for_each(|(item, retained)| item.retained = retained);
    }
}
