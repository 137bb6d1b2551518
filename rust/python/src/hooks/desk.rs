//! Where the events of a batch are sorted by queues, each of which is locked once then.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use hookmq_engine::{Gate, Message, Passing, Receipt};
use smallvec::SmallVec;

use super::deliveries::Delivery;
use super::feed::{Row, RowRun};
use super::hook::Hook;
use super::lane::{Happening, Work, WorkRun};
use super::parcel::{Observed, Parcel, Stretch};
use super::queue::{Overflow, Queue};
use super::table::HookTable;
use crate::inbox::InboxQueue;

/// What a batch has for hooks and for the history.
pub(crate) struct Desk<'a, 'g> {
    at: Instant,
    hooks: &'a HookTable,
    gates: &'g mut Vec<Arc<dyn Gate>>,
    /// How many events there are.
    events: usize,
    /// Mostly one: what happens together mostly goes to one.
    lanes: SmallVec<[Calls<'a>; 1]>,
    rows: Option<Rows<'a>>,
    deliveries: Vec<Delivery>,
    inboxes: Vec<(&'a InboxQueue, Arc<Message>)>,
}

/// What a batch has for one queue of calls.
struct Calls<'a> {
    queue: &'a Arc<Queue<Work>>,
    parcel: Parcel,
    due: Vec<(&'a Hook, Due)>,
    /// One of them holds an acknowledgement back.
    keeps: bool,
}

enum Due {
    /// Neighbours in the parcel.
    Packed(Range<u32>),
    /// A message in the parcel that its publisher is to be told of.
    Kept(u32, Receipt),
    Shared(Arc<Message>, Option<Receipt>),
    Other(Happening),
}

/// What a batch has for the history.
struct Rows<'a> {
    queue: &'a Queue<Row>,
    overflow: Overflow,
    parcel: Parcel,
    due: Vec<DueRow>,
}

enum DueRow {
    Packed(Range<u32>),
    Shared(Arc<Message>),
}

impl<'a, 'g> Desk<'a, 'g> {
    pub(crate) fn new(events: usize, hooks: &'a HookTable, gates: &'g mut Vec<Arc<dyn Gate>>) -> Self {
        Self {
            at: Instant::now(),
            hooks,
            gates,
            events,
            lanes: SmallVec::new(),
            rows: None,
            deliveries: Vec::new(),
            inboxes: Vec::new(),
        }
    }

    /// When the events are queued.
    pub(crate) fn at(&self) -> Instant {
        self.at
    }

    /// Keeps whoever causes events from causing more, until there is room in a queue.
    fn hold<T: Gate + 'static>(&mut self, queue: &Arc<T>) {
        if !self.gates.iter().any(|gate| std::ptr::addr_eq(Arc::as_ptr(gate), Arc::as_ptr(queue))) {
            self.gates.push(Arc::<T>::clone(queue));
        }
    }

    /// Puts down a message for a hook.
    pub(crate) fn put_message(&mut self, hook: &'a Hook, message: &Passing, receipt: Option<&Receipt>) {
        let receipt = receipt.filter(|_| hook.keeps).map(Receipt::share);
        let Calls { parcel, due, keeps, .. } = self.calls(hook.lane(&message.publisher));
        *keeps |= receipt.is_some();
        match (message, receipt) {
            (Passing::Shared(shared), receipt) => due.push((hook, Due::Shared(Arc::clone(shared), receipt))),
            (Passing::Own(own), Some(receipt)) => due.push((hook, Due::Kept(parcel.pack(own), receipt))),
            (Passing::Own(own), None) => {
                let index = parcel.pack(own);
                match due.last_mut() {
                    Some((last, Due::Packed(range))) if std::ptr::eq(*last, hook) && range.end == index => {
                        range.end += 1;
                    }
                    _ => due.push((hook, Due::Packed(index..index + 1))),
                }
            }
        }
    }

    /// Puts down anything else for a hook.
    pub(crate) fn put(&mut self, hook: &'a Hook, happening: Happening) {
        let calls = self.calls(hook.lane(happening.client_id()));
        calls.due.push((hook, Due::Other(happening)));
    }

    /// Puts down a message for the history.
    pub(crate) fn put_row(&mut self, queue: &'a Queue<Row>, overflow: Overflow, message: &Passing) {
        let Rows { parcel, due, .. } = self.rows.get_or_insert_with(|| {
            let parcel = Parcel::expecting(self.events);
            Rows { queue, overflow, parcel, due: Vec::new() }
        });
        match message {
            Passing::Shared(shared) => due.push(DueRow::Shared(Arc::clone(shared))),
            Passing::Own(own) => {
                let index = parcel.pack(own);
                match due.last_mut() {
                    Some(DueRow::Packed(range)) if range.end == index => range.end += 1,
                    _ => due.push(DueRow::Packed(index..index + 1)),
                }
            }
        }
    }

    fn calls(&mut self, queue: &'a Arc<Queue<Work>>) -> &mut Calls<'a> {
        let found = self.lanes.iter().position(|calls| Arc::ptr_eq(calls.queue, queue));
        let index = found.unwrap_or_else(|| {
            // What is not alike goes to several queues, each of which gets a part.
            let parcel = Parcel::expecting(self.events / (1 + self.lanes.len()));
            self.lanes.push(Calls { queue, parcel, due: Vec::new(), keeps: false });
            self.lanes.len() - 1
        });
        &mut self.lanes[index]
    }

    /// Puts down a message for a Python iterator.
    pub(crate) fn put_into(&mut self, inbox: &'a InboxQueue, message: Arc<Message>) {
        self.inboxes.push((inbox, message));
    }

    /// Puts down a message for those who decide who gets it.
    pub(crate) fn put_delivery(&mut self, delivery: Delivery) {
        self.deliveries.push(delivery);
    }

    /// Puts everything into its queue, and counts what is dropped on the hook that loses it. First what is told,
    /// then what may answer or cause something: nobody is to hear of that before.
    pub(crate) fn close(mut self, deliveries: &Arc<Queue<Delivery>>) {
        if let Some(rows) = self.rows.take() {
            rows.hand_over();
        }
        let mut lanes = std::mem::take(&mut self.lanes);
        lanes.sort_by_key(|calls| calls.keeps);
        for calls in lanes {
            let queue = calls.queue;
            if calls.hand_over(self.at, self.hooks) {
                self.hold(queue);
            }
        }
        for (inbox, message) in std::mem::take(&mut self.inboxes) {
            inbox.push(message);
        }
        if self.deliveries.is_empty() {
            return;
        }
        let mut pusher = deliveries.pusher();
        let mut hold = false;
        for delivery in std::mem::take(&mut self.deliveries) {
            hold |= pusher.push(delivery, Overflow::Block);
        }
        drop(pusher.finish());
        if hold {
            self.hold(deliveries);
        }
    }
}

impl Calls<'_> {
    /// Whether whoever causes events is to be held back.
    fn hand_over(self, at: Instant, hooks: &HookTable) -> bool {
        let parcel = self.parcel.close();
        let mut hold = false;
        let mut pusher = self.queue.pusher();
        for (hook, due) in self.due {
            let count = match &due {
                Due::Packed(range) => range.len() as u64,
                _ => 1,
            };
            // Before anybody can take them out.
            hook.counters.queued.0.fetch_add(count, Relaxed);
            let work = |happening, receipt| Work { hook: hook.number, happening, at, receipt };
            let message = |message, receipt| work(Happening::Message(message), receipt);
            hold |= match (due, &parcel) {
                (Due::Packed(range), Some(parcel)) => {
                    let messages = Stretch::new(parcel, range);
                    pusher.push_run(WorkRun { hook: hook.number, messages, at }, hook.overflow)
                }
                (Due::Kept(index, receipt), Some(parcel)) => {
                    let packed = Observed::Packed(Arc::clone(parcel), index);
                    pusher.push(message(packed, Some(receipt)), hook.overflow)
                }
                (Due::Shared(shared, receipt), _) => {
                    pusher.push(message(Observed::Shared(shared), receipt), hook.overflow)
                }
                (Due::Other(happening), _) => pusher.push(work(happening, None), hook.overflow),
                (Due::Packed(_) | Due::Kept(..), None) => false, // nothing is in a parcel without messages
            };
        }
        for lost in pusher.finish().dropped {
            if let Some(hook) = hooks.get(lost.hook) {
                hook.counters.dropped.fetch_add(1, Relaxed);
            }
        }
        hold
    }
}

impl Rows<'_> {
    fn hand_over(self) {
        let parcel = Arc::new(self.parcel);
        let mut pusher = self.queue.pusher();
        for due in self.due {
            match due {
                DueRow::Packed(range) => pusher.push_run(RowRun(Stretch::new(&parcel, range)), self.overflow),
                DueRow::Shared(shared) => pusher.push(Row(Observed::Shared(shared)), self.overflow),
            };
        }
        drop(pusher.finish());
    }
}
