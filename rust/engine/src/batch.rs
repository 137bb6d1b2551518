//! The work of one turn of a thread: what it touched, what it counted, what it tells the hooks.

use std::sync::Arc;

use bytes::BytesMut;

use crate::hook::{Event, Sent, TapId};
use crate::limits::Limits;
use crate::link::Link;
use crate::message::{Message, Millis};
use crate::outbox::BufferPool;
use crate::route::RouteCache;
use crate::session::Session;
use crate::statistics::Counts;

/// After so many bytes appended to outboxes, sessions touched or events noted, a batch is relieved of them
/// even though it goes on: one that fans out to a thousand sessions would otherwise hold a thousand copies
/// of itself.
const LARGE_BYTES: usize = 1 << 20;
const LARGE_TOUCHED: usize = 1024;
const LARGE_EVENTS: usize = 4096;

/// One thread's working state. A connection handles every packet it has read with the same batch, then the
/// broker ends it: each session that was touched is written out once, counters are added once, events are
/// handed over once.
pub struct Batch {
    /// The time at which this batch happens.
    pub(crate) now: Millis,
    pub(crate) limits: Arc<Limits>,
    pub(crate) touched: Vec<Arc<Session>>,
    pub(crate) events: Vec<Event>,
    pub(crate) counts: Counts,
    pub(crate) pool: BufferPool,
    pub(crate) routes: RouteCache,
    /// Where frames are encoded once for many receivers.
    pub(crate) scratch: BytesMut,
    /// Bytes appended to outboxes since the last flush.
    pub(crate) appended: usize,
}

impl Batch {
    /// An empty batch; each thread keeps one.
    pub(crate) fn new(limits: Arc<Limits>) -> Self {
        Self {
            now: 0,
            limits,
            touched: Vec::new(),
            events: Vec::new(),
            counts: Counts::default(),
            pool: BufferPool::default(),
            routes: RouteCache::default(),
            scratch: BytesMut::new(),
            appended: 0,
        }
    }

    /// Starts a turn of work at this time.
    pub fn begin(&mut self, now: Millis) {
        self.now = now;
    }

    /// Counters of this batch, for what the server counts itself.
    pub fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    /// Adds an event for the observers.
    pub fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Writes out every session that was touched.
    pub(crate) fn flush(&mut self) {
        let mut touched = std::mem::take(&mut self.touched);
        for session in touched.drain(..) {
            session.flush(self);
        }
        // The memory, for the next time; sessions that were touched meanwhile wait in the other list.
        touched.append(&mut self.touched);
        self.touched = touched;
        self.appended = 0;
    }

    /// Remembers that a session has something to write. Its lock is held by the caller.
    pub(crate) fn touch(&mut self, session: &Arc<Session>, link: &mut Link) {
        if !link.touched {
            link.touched = true;
            self.touched.push(Arc::clone(session));
        }
    }

    /// Counts a PUBLISH that was handed to a connection.
    pub(crate) fn count_sent(&mut self, payload: usize) {
        self.counts.packets_sent += 1;
        self.counts.messages_sent += 1;
        self.counts.bytes_sent += payload as u64;
    }

    /// Tells observers that a message was sent.
    pub(crate) fn sent(&mut self, message: Arc<Message>, taps: Arc<[TapId]>, sent: Sent) {
        self.events.push(Event::Sent { message, sent, taps });
    }

    /// Whether so much has gathered that it is to be written out before the batch ends.
    pub(crate) fn is_large(&self) -> bool {
        self.appended >= LARGE_BYTES
            || self.touched.len() >= LARGE_TOUCHED
            || self.events.len() >= LARGE_EVENTS
    }
}
