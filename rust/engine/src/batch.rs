//! The work of one turn of a thread: what it touched, what it counted, what it tells the hooks.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use bytes::BytesMut;
use hookmq_store::Changes;

use crate::hook::{Event, Gate, Sent};
use crate::ledger::{Ledger, Takes, Ticket};
use crate::limits::Limits;
use crate::link::Link;
use crate::message::{Message, Millis};
use crate::outbound::Delivery;
use crate::outbox::BufferPool;
use crate::route::RouteCache;
use crate::session::Session;
use crate::statistics::Counts;
use crate::taps::{TapId, Watches};
use crate::topics::{Counting, Topics};
use crate::turns::Turn;

/// After so many bytes appended to outboxes, sessions touched or events noted, a batch is relieved of them
/// even though it goes on: one that fans out to a thousand sessions would otherwise hold a thousand copies
/// of itself. The bytes are what takes memory; with a thousand sessions as the bound, each message for five thousand was
/// written by itself, at eighty times the cost of a delivery to a hundred.
///
/// Eight megabytes: with one, a message of 256 bytes for a thousand receivers was written after each fourth, and the
/// writes cost four times as much as all the rest.
const LARGE_BYTES: usize = 8 << 20;
const LARGE_TOUCHED: usize = 64 << 10;
const LARGE_EVENTS: usize = 4096;

/// After so many turns, or so many bytes appended to outboxes, what turns have left is written out.
const MOST_LEFT: u32 = 32;
const MOST_LEFT_BYTES: usize = 64 << 10;

/// A message that a receiver did not get.
pub(crate) struct Lost {
    pub(crate) message: Arc<Message>,
    pub(crate) receiver: Arc<str>,
    pub(crate) why: &'static str,
}

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
    /// Messages that receivers did not get, if somebody wants to know.
    pub(crate) lost: Vec<Lost>,
    /// Messages that receivers have acknowledged to the end, if somebody wants to know.
    pub(crate) acks: Vec<(Arc<Message>, Sent)>,
    /// What keeps whoever causes events from causing more.
    gates: Vec<Arc<dyn Gate>>,
    watches: Arc<Watches>,
    turn: Arc<Turn>,
    /// What it counts of topics.
    pub(crate) topics: Counting,
    pub(crate) ledger: Option<Arc<Ledger>>,
    /// The last commit that something of this turn is part of.
    pub(crate) ticket: Ticket,
    /// Where frames are encoded once for many receivers.
    pub(crate) scratch: BytesMut,
    /// Bytes appended to outboxes since the last flush.
    pub(crate) appended: usize,
    /// Retained messages that were queued in this turn.
    pub(crate) replayed: usize,
    /// Turns that have left what they had to write.
    left: u32,
}

impl Batch {
    /// An empty batch; each thread keeps one.
    pub(crate) fn new(
        limits: Arc<Limits>,
        watches: Arc<Watches>,
        turn: Arc<Turn>,
        topics: Arc<Topics>,
        ledger: Option<Arc<Ledger>>,
    ) -> Self {
        Self {
            now: 0,
            limits,
            touched: Vec::new(),
            events: Vec::new(),
            counts: Counts::default(),
            pool: BufferPool::default(),
            routes: RouteCache::default(),
            lost: Vec::new(),
            acks: Vec::new(),
            gates: Vec::new(),
            watches,
            turn,
            topics: Counting::new(topics),
            ledger,
            ticket: 0,
            scratch: BytesMut::new(),
            appended: 0,
            replayed: 0,
            left: 0,
        }
    }

    /// Starts a turn of work at this time.
    pub fn begin(&mut self, now: Millis) {
        self.now = now;
        self.replayed = 0;
        self.ticket = 0;
        self.turn.begin();
    }

    /// Ends a turn of work: nothing that was looked up in it is used any more.
    pub(crate) fn end(&mut self) {
        self.left = 0;
        self.topics.rest();
        self.turn.end();
        if let Some(ledger) = self.ledger.as_ref().filter(|_| self.ticket > 0) {
            ledger.kick();
        }
    }

    /// Ends a turn of work and leaves what it has to write, if nothing but that is to be done: neither an observer waits
    /// for it nor the store. `false` if it cannot be left.
    pub(crate) fn leave(&mut self) -> bool {
        let only_bytes = self.events.is_empty() && self.lost.is_empty() && self.acks.is_empty();
        let few = self.left < MOST_LEFT && self.appended < MOST_LEFT_BYTES;
        if !(few && only_bytes && self.ticket == 0) {
            return false;
        }
        self.left += 1;
        self.topics.rest();
        self.turn.end();
        true
    }

    /// Whether a turn has left something to write.
    pub fn is_left(&self) -> bool {
        self.left > 0
    }

    /// Notes changes for the store, if there is one; in which commit they will be. What they are about is locked.
    pub(crate) fn keep(&mut self, write: impl FnOnce(&mut Changes)) -> Ticket {
        let Some(ledger) = &self.ledger else { return 0 };
        self.ticket = ledger.note(write);
        self.ticket
    }

    /// The last commit that anything noted so far is part of, by whomever.
    pub(crate) fn noted(&self) -> Ticket {
        self.ledger.as_ref().map_or(0, |ledger| ledger.noted())
    }

    /// Whether what is to outlive the process can be stored at the moment.
    pub(crate) fn stores(&self) -> bool {
        self.stores_as(Takes::More)
    }

    /// Whether as much can be stored at the moment.
    pub(crate) fn stores_as(&self, what: Takes) -> bool {
        self.ledger.as_ref().is_none_or(|ledger| ledger.takes(what))
    }

    /// Counters of this batch, for what the server counts itself.
    pub fn counts(&mut self) -> &mut Counts {
        &mut self.counts
    }

    /// Adds an event for the observers.
    pub fn note(&mut self, event: Event) {
        self.events.push(event);
    }

    /// Events and gates, for the observers.
    pub(crate) fn told(&mut self) -> (&mut Vec<Event>, &mut Vec<Arc<dyn Gate>>) {
        (&mut self.events, &mut self.gates)
    }

    /// What keeps whoever used this batch from going on, if anything does.
    pub fn take_gates(&mut self) -> Vec<Arc<dyn Gate>> {
        std::mem::take(&mut self.gates)
    }

    /// Counts a message that a receiver does not get, and remembers it if somebody wants to know.
    pub(crate) fn dropped(
        &mut self,
        receiver: &Arc<str>,
        why: &'static str,
        message: impl FnOnce() -> Arc<Message>,
    ) {
        self.counts.messages_dropped += 1;
        if self.watches.dropped.load(Relaxed) {
            self.lost.push(Lost { message: message(), receiver: Arc::clone(receiver), why });
        }
    }

    /// Whether anybody wants to know what was acknowledged.
    pub(crate) fn wants_acked(&self) -> bool {
        self.watches.acked.load(Relaxed)
    }

    /// Remembers a message that its receiver has acknowledged to the end, if somebody wants to know.
    pub(crate) fn acked(&mut self, receiver: &Arc<str>, packet_id: u16, delivery: Delivery) {
        if self.wants_acked() {
            let Delivery { message, qos, retain, .. } = delivery;
            let sent = Sent { receiver: Arc::clone(receiver), qos, retain, packet_id };
            self.acks.push((message, sent));
        }
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
            || self.lost.len() >= LARGE_EVENTS
            || self.touched.len() >= LARGE_TOUCHED
            || self.events.len() >= LARGE_EVENTS
    }
}
