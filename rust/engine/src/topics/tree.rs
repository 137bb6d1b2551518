//! The tree of the topics that were counted.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use bytes::Bytes;
use hashbrown::HashTable;
use hookmq_codec::property::Carrier;
use hookmq_codec::wire::Reader;
use hookmq_codec::{Properties, QoS};

use crate::inspect::contains;
use crate::levels::Levels;
use crate::message::{Message, Millis};
use crate::topics::gathered::{Gathered, Slot};
use crate::topics::{Bounds, TopicFigures};

/// No node.
const NONE: u32 = u32::MAX;
/// The place above all topics.
const ROOT: u32 = 0;

/// Over so many milliseconds a rate is averaged: what was before counts for a third after them.
const MEMORY: f64 = 10_000.0;

/// What an allocation takes beside what was asked for, roughly.
const BLOCK: usize = 16;

/// What a level takes beside its name, in bytes: its node, with half as many in reserve, and its place in the level above.
const NODE: usize = size_of::<Node>() * 3 / 2 + size_of::<(Box<str>, u32)>() * 3 / 2 + 3 * BLOCK;

/// What a topic takes beside its texts and payload: its counts, and its place in the index.
const TOPIC: usize = size_of::<Counted>() + 4 * BLOCK + 12;

/// A level of a topic.
struct Node {
    parent: u32,
    name: Box<str>,
    children: Levels<u32>,
    /// Which it is of all that ever were: places are used again.
    birth: u64,
    /// When something here or below it changed last, in changes of the tree.
    version: u64,
    /// Topics below it that were published to, and messages to them.
    below_topics: u32,
    below_messages: u64,
    counted: Option<Box<Counted>>,
}

/// What was counted of a topic.
struct Counted {
    topic: Box<str>,
    messages: u64,
    bytes: u64,
    first_at: Millis,
    at: Millis,
    rate: f64,
    payload: Box<[u8]>,
    whole: u32,
    qos: QoS,
    retain: bool,
    publisher: Arc<str>,
    /// As they are written on the wire, with their length.
    properties: Box<[u8]>,
    /// The topics that were silent for less and for longer.
    newer: u32,
    older: u32,
}

impl Counted {
    fn weight(&self) -> usize {
        TOPIC + self.topic.len() + self.payload.len() + self.properties.len() + self.publisher.len()
    }

    fn read_properties(&self) -> Properties {
        let mut reader = Reader::new(Bytes::copy_from_slice(&self.properties));
        match self.properties.is_empty() {
            true => Properties::new(),
            // They were taken from a PUBLISH, or checked like those of one.
            false => Properties::decode(&mut reader, Carrier::Publish).unwrap_or_default(),
        }
    }

    /// Messages a second at a time. What the average cannot know yet, because the topic is young, is made up for.
    fn rate(&self, now: Millis) -> f64 {
        let age = |since: Millis| now.saturating_sub(since) as f64;
        let known = 1.0 - (-(age(self.first_at).max(1000.0)) / MEMORY).exp();
        self.rate * (-age(self.at) / MEMORY).exp() / known
    }
}

/// A level's share of the memory: its name is in its node, and in the level above.
fn node_weight(name: &str) -> usize {
    NODE + 2 * name.len()
}

/// A node that somebody looks at: which it is, when it changed, its rate, and how to tell of it.
pub(crate) struct Seen<'a> {
    pub(crate) birth: u64,
    pub(crate) version: u64,
    pub(crate) rate: f64,
    pub(crate) figures: &'a dyn Fn() -> TopicFigures,
}

/// All topics.
pub(crate) struct Tree {
    nodes: Vec<Node>,
    free: Vec<u32>,
    /// Nodes that were counted, by their topic.
    index: HashTable<u32>,
    hasher: RandomState,
    bounds: Bounds,
    bytes: usize,
    /// The topic that spoke last, and that which is silent for longest.
    newest: u32,
    oldest: u32,
    births: u64,
    version: u64,
    pub(crate) evicted: u64,
}

impl Tree {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let mut tree = Self {
            nodes: Vec::new(),
            free: Vec::new(),
            index: HashTable::new(),
            hasher: RandomState::new(),
            bounds,
            bytes: 0,
            newest: NONE,
            oldest: NONE,
            births: 0,
            version: 0,
            evicted: 0,
        };
        tree.add_node(NONE, "");
        tree
    }

    /// Topics that were published to.
    pub(crate) fn len(&self) -> usize {
        self.index.len()
    }

    fn node(&self, index: u32) -> &Node {
        &self.nodes[index as usize]
    }

    fn node_mut(&mut self, index: u32) -> &mut Node {
        &mut self.nodes[index as usize]
    }

    fn counted(&self, index: u32) -> Option<&Counted> {
        self.nodes.get(index as usize).and_then(|node| node.counted.as_deref())
    }

    fn counted_mut(&mut self, index: u32) -> Option<&mut Counted> {
        self.nodes.get_mut(index as usize).and_then(|node| node.counted.as_deref_mut())
    }

    fn add_node(&mut self, parent: u32, name: &str) -> u32 {
        self.births += 1;
        self.bytes += node_weight(name);
        let node = Node {
            parent,
            name: name.into(),
            children: Levels::default(),
            birth: self.births,
            version: self.version,
            below_topics: 0,
            below_messages: 0,
            counted: None,
        };
        match self.free.pop() {
            Some(index) => {
                self.nodes[index as usize] = node;
                index
            }
            None => {
                self.nodes.push(node);
                (self.nodes.len() - 1) as u32 // as many topics with as many levels do not fit into memory
            }
        }
    }

    fn find(&self, topic: &str) -> Option<u32> {
        let is = |index: &u32| self.counted(*index).is_some_and(|counted| &*counted.topic == topic);
        self.index.find(self.hasher.hash_one(topic), is).copied()
    }

    /// The place of a path of levels; `None` for the top.
    fn place(&self, path: Option<&str>) -> Option<u32> {
        let Some(path) = path else { return Some(ROOT) };
        let below = |index: u32, level: &str| self.node(index).children.get(level).copied();
        path.split('/').try_fold(ROOT, below)
    }

    /// Adds what a thread has gathered of a topic.
    pub(crate) fn merge(&mut self, gathered: &Gathered, slot: &Slot) {
        let (topic, payload) = (gathered.topic(slot), gathered.payload(slot));
        let properties = gathered.properties(slot);
        let index = self.find(topic).unwrap_or_else(|| self.add_topic(topic, slot));
        let before = self.counted(index).map_or(0, Counted::weight);
        if let Some(counted) = self.counted_mut(index) {
            counted.messages += slot.messages;
            counted.bytes += slot.bytes;
            // Threads hand over in any order.
            let later = slot.at.saturating_sub(counted.at) as f64;
            counted.rate = counted.rate * (-later / MEMORY).exp() + slot.messages as f64 * 1000.0 / MEMORY;
            if slot.at >= counted.at {
                counted.at = slot.at;
                (counted.whole, counted.qos, counted.retain) = (slot.whole, slot.qos, slot.retain);
                match counted.payload.len() == payload.len() {
                    true => counted.payload.copy_from_slice(payload),
                    false => counted.payload = payload.into(),
                }
                if !Arc::ptr_eq(&counted.publisher, &slot.publisher) {
                    counted.publisher = Arc::clone(&slot.publisher);
                }
                if *counted.properties != *properties {
                    counted.properties = properties.into();
                }
            }
        }
        self.bytes = self.bytes + self.counted(index).map_or(0, Counted::weight) - before;
        self.unlink(index);
        self.link(index);
        self.changed(index, slot.messages as i64, 0);
        // The newest stays, however large it is.
        while (self.index.len() > self.bounds.topics || self.bytes > self.bounds.bytes)
            && self.oldest != index
        {
            self.evict();
        }
    }

    fn add_topic(&mut self, topic: &str, slot: &Slot) -> u32 {
        let mut index = ROOT;
        for level in topic.split('/') {
            index = match self.node(index).children.get(level) {
                Some(child) => *child,
                None => {
                    let child = self.add_node(index, level);
                    self.node_mut(index).children.insert(level, child);
                    child
                }
            };
        }
        self.node_mut(index).counted = Some(Box::new(Counted {
            topic: topic.into(),
            messages: 0,
            bytes: 0,
            first_at: slot.at,
            at: slot.at,
            rate: 0.0,
            payload: Box::default(),
            whole: 0,
            qos: QoS::AtMostOnce,
            retain: false,
            publisher: Arc::clone(&slot.publisher),
            properties: Box::default(),
            newer: NONE,
            older: NONE,
        }));
        let Self { index: table, nodes, hasher, .. } = self;
        let hash = |index: &u32| {
            let counted = nodes.get(*index as usize).and_then(|node| node.counted.as_deref());
            hasher.hash_one(counted.map_or("", |counted| &*counted.topic))
        };
        table.insert_unique(hasher.hash_one(topic), index, hash);
        self.bytes += self.counted(index).map_or(0, Counted::weight);
        self.link(index);
        self.changed(index, 0, 1);
        index
    }

    /// Something changed here, and so it did for everything above.
    fn changed(&mut self, index: u32, messages: i64, topics: i32) {
        self.version += 1;
        let version = self.version;
        let node = self.node_mut(index);
        node.version = version;
        let mut above = node.parent;
        while above != NONE {
            let node = self.node_mut(above);
            node.version = version;
            node.below_messages = node.below_messages.wrapping_add_signed(messages);
            node.below_topics = node.below_topics.wrapping_add_signed(topics);
            above = node.parent;
        }
    }

    /// Puts a topic at the end of those that spoke.
    fn link(&mut self, index: u32) {
        let last = std::mem::replace(&mut self.newest, index);
        if let Some(counted) = self.counted_mut(index) {
            (counted.older, counted.newer) = (last, NONE);
        }
        match self.counted_mut(last) {
            Some(counted) => counted.newer = index,
            None => self.oldest = index,
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(counted) = self.counted(index) else { return };
        let (newer, older) = (counted.newer, counted.older);
        match self.counted_mut(newer) {
            Some(counted) => counted.older = older,
            None => self.newest = older,
        }
        match self.counted_mut(older) {
            Some(counted) => counted.newer = newer,
            None => self.oldest = newer,
        }
    }

    /// Forgets the topic that is silent for longest.
    fn evict(&mut self) {
        let index = self.oldest;
        self.unlink(index);
        let Some(counted) = self.nodes.get_mut(index as usize).and_then(|node| node.counted.take()) else {
            return;
        };
        self.evicted += 1;
        self.bytes -= counted.weight();
        let hash = self.hasher.hash_one(&*counted.topic);
        if let Ok(entry) = self.index.find_entry(hash, |other| *other == index) {
            entry.remove();
        }
        self.changed(index, -(counted.messages as i64), -1);
        let mut index = index;
        while index != ROOT && self.node(index).counted.is_none() && self.node(index).children.is_empty() {
            let name = std::mem::take(&mut self.node_mut(index).name);
            let parent = self.node(index).parent;
            self.node_mut(parent).children.remove(&name);
            self.bytes -= node_weight(&name);
            self.free.push(index);
            index = parent;
        }
    }

    fn figures(&self, index: u32, topic: String, now: Millis) -> TopicFigures {
        let node = self.node(index);
        let counted = node.counted.as_deref();
        TopicFigures {
            name: (*node.name).to_owned(),
            topic,
            messages: counted.map_or(0, |counted| counted.messages),
            bytes: counted.map_or(0, |counted| counted.bytes),
            rate: counted.map_or(0.0, |counted| counted.rate(now)),
            at: counted.map(|counted| counted.at),
            children: node.children.len(),
            below_topics: node.below_topics as usize,
            below_messages: node.below_messages,
            retained: false,
            payload: counted.map(|counted| Bytes::copy_from_slice(&counted.payload)),
        }
    }

    /// What is told of one topic.
    pub(crate) fn topic(&self, topic: &str, now: Millis) -> Option<TopicFigures> {
        let index = self.place(Some(topic))?;
        Some(self.figures(index, topic.to_owned(), now))
    }

    /// The newest message of a topic, as far as it was kept, and the bytes of its whole payload.
    pub(crate) fn value(&self, topic: &str) -> Option<(Message, usize)> {
        let counted = self.counted(self.find(topic)?)?;
        let message = Message {
            topic: (&*counted.topic).into(),
            payload: Bytes::copy_from_slice(&counted.payload),
            qos: counted.qos,
            retain: counted.retain,
            properties: counted.read_properties(),
            publisher: Arc::clone(&counted.publisher),
            received_at: counted.at,
            ..Message::default()
        };
        Some((message, counted.whole as usize))
    }

    /// What is directly below a place, in the order of the names, from behind one on, and how much there is in all.
    pub(crate) fn below(
        &self,
        parent: Option<&str>,
        limit: usize,
        after: Option<&str>,
        now: Millis,
    ) -> (Vec<TopicFigures>, usize) {
        let Some(place) = self.place(parent) else { return (Vec::new(), 0) };
        let children = &self.node(place).children;
        let behind = children.from(after.unwrap_or_default()).filter(|(name, _)| after != Some(*name));
        let items = behind.take(limit).map(|(name, index)| self.figures(*index, joined(parent, name), now));
        (items.collect(), children.len())
    }

    /// Visits the topics from one place of the memory on that have a part in their name, and says where to go on.
    pub(crate) fn search(
        &self,
        from: usize,
        count: usize,
        parent: Option<&str>,
        part: &str,
        found: &mut dyn FnMut(&str),
    ) -> Option<usize> {
        let to = (from + count).min(self.nodes.len());
        for counted in self.nodes[from.min(to)..to].iter().filter_map(|node| node.counted.as_deref()) {
            let inside = parent.is_none_or(|parent| {
                counted.topic.strip_prefix(parent).is_some_and(|rest| rest.starts_with('/'))
            });
            if inside && contains(&counted.topic, part) {
                found(&counted.topic);
            }
        }
        (to < self.nodes.len()).then_some(to)
    }

    /// Visits what is directly below a place.
    pub(crate) fn each_below<'a>(
        &'a self,
        parent: Option<&'a str>,
        limit: usize,
        now: Millis,
        visit: &mut dyn FnMut(Seen<'_>),
    ) {
        let Some(place) = self.place(parent) else { return };
        for (name, index) in self.node(place).children.iter().take(limit) {
            let node = self.node(*index);
            let rate = node.counted.as_deref().map_or(0.0, |counted| counted.rate(now));
            let figures = || self.figures(*index, joined(parent, name), now);
            visit(Seen { birth: node.birth, version: node.version, rate, figures: &figures });
        }
    }
}

fn joined(parent: Option<&str>, name: &str) -> String {
    parent.map_or_else(|| name.to_owned(), |parent| format!("{parent}/{name}"))
}
