//! Messages on their way from a network thread to one that Python made, packed one behind the other.
//!
//! A message that is allocated on one thread and freed on another costs both of them cache misses for each of its
//! parts, which is more than routing it does. So the messages that a batch has for one queue travel in one piece of
//! memory. Whoever takes them out and keeps them makes them messages of their own, so that one that is kept
//! does not keep the others.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use bytestring::ByteString;
use hookmq_codec::{Properties, QoS};
use hookmq_engine::{Message, Millis};
use smallvec::SmallVec;

/// Messages as large as this travel by themselves: they are copied once for all who get them.
const LARGE: usize = 4 << 10;

/// A Client Identifier up to this is copied into each parcel.
const SHORT: usize = 64;

/// At most so much is reserved for messages that may come.
const RESERVED: usize = 64 << 10;

/// What stands in a parcel for a message, beside its topic and its payload: it is small, because it is written
/// for each.
struct Head {
    /// Where its topic and its payload end; they begin where those before end.
    topic_end: u32,
    payload_end: u32,
    /// Its place among the publishers.
    publisher: u32,
    qos: QoS,
    retain: bool,
    received_at: Millis,
}

/// What few messages have.
struct Extras {
    index: u32,
    /// What these make it larger, as bounds count it.
    size: usize,
    expires_at: Option<Millis>,
    properties: Properties,
}

/// Messages of one batch for one queue.
#[derive(Default)]
pub(crate) struct Parcel {
    /// About how many are expected.
    expected: usize,
    heads: Vec<Head>,
    topics: String,
    payloads: Vec<u8>,
    publishers: SmallVec<[Arc<str>; 1]>,
    /// In order.
    extras: Vec<Extras>,
}

impl Parcel {
    /// A parcel for about so many messages.
    pub(crate) fn expecting(messages: usize) -> Self {
        Self { expected: messages, ..Self::default() }
    }

    /// Whether a message is to travel in a parcel. A batch has so few messages that all of them fit into one.
    pub(crate) fn takes(message: &Message) -> bool {
        message.size() < LARGE
    }

    /// The parcel for those who take messages out of it; `None` if there are none. It keeps no more memory than
    /// it needs: a queue holds many, and counts only their messages.
    pub(crate) fn close(mut self) -> Option<Arc<Self>> {
        if self.heads.is_empty() {
            return None;
        }
        if self.heads.capacity() > 2 * self.heads.len() {
            self.heads.shrink_to_fit();
        }
        if self.topics.capacity() > 2 * self.topics.len() {
            self.topics.shrink_to_fit();
        }
        if self.payloads.capacity() > 2 * self.payloads.len() {
            self.payloads.shrink_to_fit();
        }
        Some(Arc::new(self))
    }

    /// Packs a message; its place in the parcel.
    pub(crate) fn pack(&mut self, message: &Message) -> u32 {
        let Message { topic, payload, properties, expires_at, .. } = message;
        let index = self.heads.len() as u32;
        if index == 0 {
            // Neighbours are mostly alike.
            let room = |each: usize| (self.expected * each).min(RESERVED);
            self.heads.reserve(room(size_of::<Head>()) / size_of::<Head>());
            self.topics.reserve(room(topic.len()));
            self.payloads.reserve(room(payload.len()));
        }
        let publisher = &message.publisher;
        if !self.publishers.last().is_some_and(|last| same(last, publisher)) {
            // A copy: a count of references that two threads change all the time costs each of them 30 ns a
            // message. A long one is shared all the same, because nobody counts what it takes.
            self.publishers.push(match publisher.len() {
                ..=SHORT => Arc::from(&**publisher),
                _ => Arc::clone(publisher),
            });
        }
        self.topics.push_str(topic);
        self.payloads.extend_from_slice(payload);
        if expires_at.is_some() || !properties.is_empty() {
            self.extras.push(Extras {
                index,
                size: message.size() - topic.len() - payload.len(),
                expires_at: *expires_at,
                properties: message.detached_properties(),
            });
        }
        self.heads.push(Head {
            topic_end: self.topics.len() as u32,
            payload_end: self.payloads.len() as u32,
            publisher: self.publishers.len() as u32 - 1,
            qos: message.qos,
            retain: message.retain,
            received_at: message.received_at,
        });
        index
    }

    fn head(&self, index: u32) -> &Head {
        &self.heads[index as usize]
    }

    /// The ends of the one before, where this one begins.
    fn starts(&self, index: u32) -> (usize, usize) {
        let before = index.checked_sub(1).map(|before| self.head(before));
        before.map_or((0, 0), |head| (head.topic_end as usize, head.payload_end as usize))
    }

    fn topic(&self, index: u32) -> &str {
        &self.topics[self.starts(index).0..self.head(index).topic_end as usize]
    }

    fn payload(&self, index: u32) -> &[u8] {
        &self.payloads[self.starts(index).1..self.head(index).payload_end as usize]
    }

    fn publisher(&self, index: u32) -> &Arc<str> {
        &self.publishers[self.head(index).publisher as usize]
    }

    fn extras(&self, index: u32) -> Option<&Extras> {
        if self.extras.is_empty() {
            return None;
        }
        let found = self.extras.binary_search_by_key(&index, |extras| extras.index);
        found.ok().map(|place| &self.extras[place])
    }

    fn size(&self, index: u32) -> usize {
        let extras = self.extras(index).map_or(0, |extras| extras.size);
        self.topic(index).len() + self.payload(index).len() + extras
    }

    /// A message of its own.
    fn unpack(&self, index: u32) -> Message {
        let (head, extras) = (self.head(index), self.extras(index));
        Message {
            topic: ByteString::from(self.topic(index)),
            payload: Bytes::copy_from_slice(self.payload(index)),
            qos: head.qos,
            retain: head.retain,
            properties: extras.map(|extras| extras.properties.clone()).unwrap_or_default(),
            expires_at: extras.and_then(|extras| extras.expires_at),
            publisher: Arc::clone(self.publisher(index)),
            received_at: head.received_at,
            ..Message::default()
        }
    }
}

/// Whether a parcel's publisher is that of a message; of long names only those that are shared are compared.
fn same(ours: &Arc<str>, theirs: &Arc<str>) -> bool {
    match theirs.len() {
        ..=SHORT => **ours == **theirs,
        _ => Arc::ptr_eq(ours, theirs),
    }
}

/// A message for a thread that Python made.
pub(crate) enum Observed {
    /// One that somebody else keeps as well, or that is large.
    Shared(Arc<Message>),
    /// One in a parcel, and its place there.
    Packed(Arc<Parcel>, u32),
}

impl Observed {
    /// The topic name.
    pub(crate) fn topic(&self) -> &str {
        match self {
            Self::Shared(message) => &message.topic,
            Self::Packed(parcel, index) => parcel.topic(*index),
        }
    }

    /// The payload.
    pub(crate) fn payload(&self) -> &[u8] {
        match self {
            Self::Shared(message) => &message.payload,
            Self::Packed(parcel, index) => parcel.payload(*index),
        }
    }

    /// The publisher's Client Identifier.
    pub(crate) fn publisher(&self) -> &str {
        match self {
            Self::Shared(message) => &message.publisher,
            Self::Packed(parcel, index) => parcel.publisher(*index),
        }
    }

    /// The QoS it was published with.
    pub(crate) fn qos(&self) -> QoS {
        match self {
            Self::Shared(message) => message.qos,
            Self::Packed(parcel, index) => parcel.head(*index).qos,
        }
    }

    /// Whether it was published with RETAIN.
    pub(crate) fn retain(&self) -> bool {
        match self {
            Self::Shared(message) => message.retain,
            Self::Packed(parcel, index) => parcel.head(*index).retain,
        }
    }

    /// When the broker received it.
    pub(crate) fn received_at(&self) -> Millis {
        match self {
            Self::Shared(message) => message.received_at,
            Self::Packed(parcel, index) => parcel.head(*index).received_at,
        }
    }

    /// The properties that travel with it.
    pub(crate) fn properties(&self) -> &Properties {
        static NONE: Properties = Properties::new();
        match self {
            Self::Shared(message) => &message.properties,
            Self::Packed(parcel, index) => parcel.extras(*index).map_or(&NONE, |extras| &extras.properties),
        }
    }

    /// When it expires.
    pub(crate) fn expires_at(&self) -> Option<Millis> {
        match self {
            Self::Shared(message) => message.expires_at,
            Self::Packed(parcel, index) => parcel.extras(*index).and_then(|extras| extras.expires_at),
        }
    }

    /// Roughly the memory it takes.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::Shared(message) => message.size(),
            Self::Packed(parcel, index) => parcel.size(*index),
        }
    }

    /// The message for whoever keeps it.
    pub(crate) fn shared(&self) -> Arc<Message> {
        match self {
            Self::Shared(message) => Arc::clone(message),
            Self::Packed(parcel, index) => Arc::new(parcel.unpack(*index)),
        }
    }

    /// The same, from who has done with it.
    pub(crate) fn into_shared(self) -> Arc<Message> {
        match self {
            Self::Shared(message) => message,
            Self::Packed(parcel, index) => Arc::new(parcel.unpack(index)),
        }
    }
}

/// Neighbours in a parcel.
pub(crate) struct Stretch {
    parcel: Arc<Parcel>,
    range: Range<u32>,
}

impl Stretch {
    pub(crate) fn new(parcel: &Arc<Parcel>, range: Range<u32>) -> Self {
        Self { parcel: Arc::clone(parcel), range }
    }

    pub(crate) fn count_left(&self) -> usize {
        self.range.len()
    }

    /// Roughly the memory they take.
    pub(crate) fn size(&self) -> usize {
        let (topics, payloads) = self.parcel.starts(self.range.start);
        let (topics_end, payloads_end) = self.parcel.starts(self.range.end);
        let extras = &self.parcel.extras;
        let from = extras.partition_point(|extras| extras.index < self.range.start);
        let behind = extras[from..].iter().take_while(|extras| extras.index < self.range.end);
        topics_end - topics + payloads_end - payloads + behind.map(|extras| extras.size).sum::<usize>()
    }

    /// Takes off so many, at most.
    pub(crate) fn split(&mut self, count: usize) -> Self {
        let count = count.min(self.range.len()) as u32;
        let first = self.range.start..self.range.start + count;
        self.range.start = first.end;
        Self::new(&self.parcel, first)
    }
}

impl Iterator for Stretch {
    type Item = Observed;

    fn next(&mut self) -> Option<Observed> {
        self.range.next().map(|index| Observed::Packed(Arc::clone(&self.parcel), index))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.range.size_hint()
    }
}
