//! What one thread has counted since it was asked last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use bytes::BytesMut;
use hookmq_codec::QoS;
use parking_lot::Mutex;

use crate::message::{Message, Millis};
use crate::topics::{KEPT, Topics};

/// A thread hands over what it gathered when it is so much.
const SLOTS: usize = 4096;
const MEMORY: usize = 1 << 20;

/// Counts of one topic, and its newest message. Texts and bytes are places in [`Gathered::memory`].
pub(crate) struct Slot {
    topic: Part,
    payload: Room,
    /// As they are written on the wire, since a copy takes many times that in memory.
    properties: Room,
    pub(crate) whole: u32,
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    pub(crate) at: Millis,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) publisher: Arc<str>,
}

/// Where bytes are in [`Gathered::memory`]: from where on, and how many.
type Part = (u32, u32);

/// Bytes, and room for so many from where they begin.
#[derive(Default, Clone, Copy)]
struct Room {
    part: Part,
    room: u32,
}

/// Counts by topic in the order in which the topics came first.
#[derive(Default)]
pub(crate) struct Gathered {
    /// Tells places that routes remember from those of what was gathered before.
    epoch: u32,
    pub(crate) slots: Vec<Slot>,
    memory: BytesMut,
    /// Bytes that are held on to beside the memory: names of publishers.
    names: usize,
    /// Where properties are written first.
    scratch: BytesMut,
}

/// Where a route's topic is counted: what was gathered, and the slot in it.
#[derive(Debug, Default)]
pub(crate) struct Place(AtomicU64);

impl Gathered {
    pub(crate) fn new(epoch: u32) -> Box<Self> {
        Box::new(Self { epoch: epoch.max(1), ..Self::default() })
    }

    /// Forgets what it has, for a later epoch.
    pub(crate) fn renew(mut self: Box<Self>, epoch: u32) -> Box<Self> {
        self.slots.clear();
        self.memory.clear();
        self.names = 0;
        self.epoch = epoch.max(1);
        self
    }

    pub(crate) fn next_epoch(&self) -> u32 {
        self.epoch.wrapping_add(1)
    }

    fn is_full(&self) -> bool {
        self.slots.len() >= SLOTS || self.memory.len() + self.names >= MEMORY
    }

    /// Counts a message. Some ten nanoseconds for a topic that was there, half of them for its payload.
    pub(crate) fn count(&mut self, place: &Place, message: &Message) {
        let found = place.0.load(Relaxed);
        let index = match (found >> 32) as u32 == self.epoch {
            true => found as u32 as usize,
            false => {
                let index = self.slots.len();
                place.0.store(u64::from(self.epoch) << 32 | index as u64, Relaxed);
                let topic = append(&mut self.memory, message.topic.as_bytes());
                self.names += message.publisher.len();
                self.slots.push(Slot::new(topic, Arc::clone(&message.publisher)));
                index
            }
        };
        let Self { slots, memory, names, scratch, .. } = self;
        let Some(slot) = slots.get_mut(index) else { return };
        let whole = message.payload.len();
        slot.messages += 1;
        slot.bytes += whole as u64;
        slot.at = message.received_at;
        (slot.qos, slot.retain, slot.whole) = (message.qos, message.retain, whole as u32);
        if !Arc::ptr_eq(&slot.publisher, &message.publisher) {
            slot.publisher = Arc::clone(&message.publisher);
            *names += message.publisher.len();
        }
        if !(message.properties.is_empty() && slot.properties.part.1 == 0) {
            scratch.clear();
            if !message.properties.is_empty() && message.properties.encoded_len() <= KEPT {
                message.properties.encode(scratch);
            }
            slot.properties.write(memory, scratch);
        }
        slot.payload.write(memory, &message.payload[..whole.min(KEPT)]);
    }

    pub(crate) fn topic(&self, slot: &Slot) -> &str {
        std::str::from_utf8(self.part(slot.topic)).unwrap_or_default() // it was text when it came
    }

    pub(crate) fn payload(&self, slot: &Slot) -> &[u8] {
        self.part(slot.payload.part)
    }

    /// Its properties as they are written on the wire, with their length; nothing if there are none.
    pub(crate) fn properties(&self, slot: &Slot) -> &[u8] {
        self.part(slot.properties.part)
    }

    fn part(&self, (start, length): Part) -> &[u8] {
        let start = start as usize;
        self.memory.get(start..start + length as usize).unwrap_or_default()
    }
}

fn append(memory: &mut BytesMut, bytes: &[u8]) -> Part {
    let start = memory.len() as u32; // it is bounded far below that
    memory.extend_from_slice(bytes);
    (start, bytes.len() as u32)
}

impl Room {
    /// Writes over what is there, or at the end if it is more than fits.
    fn write(&mut self, memory: &mut BytesMut, bytes: &[u8]) {
        if bytes.len() > self.room as usize {
            self.part = append(memory, bytes);
            self.room = self.part.1;
            return;
        }
        let start = self.part.0 as usize;
        memory[start..start + bytes.len()].copy_from_slice(bytes);
        self.part.1 = bytes.len() as u32;
    }
}

impl Slot {
    fn new(topic: Part, publisher: Arc<str>) -> Self {
        Self {
            topic,
            payload: Room::default(),
            properties: Room::default(),
            whole: 0,
            messages: 0,
            bytes: 0,
            at: 0,
            qos: QoS::AtMostOnce,
            retain: false,
            publisher,
        }
    }
}

/// Where a batch leaves what it gathered between its turns, so that others can take it.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) gathered: Mutex<Option<Box<Gathered>>>,
    /// Somebody came for it during a turn: it is to be handed over at the end of that.
    pub(crate) wanted: AtomicBool,
}

/// A batch's side of it.
pub(crate) struct Counting {
    topics: Arc<Topics>,
    desk: Arc<Desk>,
    /// What this turn counts in; taken off the desk when its first message is counted.
    current: Option<Box<Gathered>>,
}

impl Counting {
    pub(crate) fn new(topics: Arc<Topics>) -> Self {
        Self { desk: topics.desk(), topics, current: None }
    }

    /// Counts a message, if topics are counted.
    #[inline]
    pub(crate) fn count(&mut self, place: &Place, message: &Message) {
        if !self.topics.is_on() {
            return;
        }
        let desk = &self.desk;
        let current = self
            .current
            .get_or_insert_with(|| desk.gathered.lock().take().unwrap_or_else(|| Gathered::new(1)));
        if current.is_full() {
            let next = self.topics.fresh(current.next_epoch());
            self.topics.hand_over(std::mem::replace(current, next));
        }
        current.count(place, message);
    }

    /// The turn is over: what it counted may be taken.
    #[inline]
    pub(crate) fn rest(&mut self) {
        let Some(current) = self.current.take() else { return };
        let current = match self.desk.wanted.swap(false, Relaxed) {
            true => {
                let next = self.topics.fresh(current.next_epoch());
                self.topics.hand_over(current);
                next
            }
            false => current,
        };
        *self.desk.gathered.lock() = Some(current);
    }
}
