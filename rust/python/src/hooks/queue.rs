//! A bounded queue between network threads and a thread that is attached to the interpreter.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What an item counts against the queue's bound in bytes.
pub(crate) trait Weigh {
    fn weight(&self) -> usize;
}

/// What happens when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The item that waits longest goes.
    DropOldest,
    /// The item that comes goes.
    DropNewest,
}

struct State<T> {
    items: VecDeque<T>,
    bytes: usize,
    closed: bool,
    /// Items that came, and items whose handling is over; for those who wait for a point in time.
    pushed: u64,
    done: u64,
    dropped: u64,
}

impl<T> State<T> {
    /// Whether an item of this weight has no room. One that is alone always has.
    fn is_full(&self, queue: &Queue<T>, weight: usize) -> bool {
        !self.items.is_empty()
            && (self.items.len() >= queue.max_items || self.bytes.saturating_add(weight) > queue.max_bytes)
    }
}

/// A queue with a bound in items and in bytes. Taking waits, pushing never does.
pub(crate) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
    max_items: usize,
    max_bytes: usize,
}

/// What a push did.
pub(crate) struct Pushed<T> {
    /// Whether nothing waited before.
    pub(crate) was_empty: bool,
    /// What was dropped for it, or instead of it. Dropped by the caller, when the lock is free: the end of
    /// a Python object may run code.
    pub(crate) dropped: Vec<T>,
}

impl<T: Weigh> Queue<T> {
    pub(crate) fn new(max_items: usize, max_bytes: usize) -> Self {
        let state = State { items: VecDeque::new(), bytes: 0, closed: false, pushed: 0, done: 0, dropped: 0 };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            max_items: max_items.max(1),
            max_bytes,
        }
    }

    /// Adds an item. A thread is woken only if nothing waited: otherwise one is awake or about to be.
    pub(crate) fn push(&self, item: T, overflow: Overflow) -> Pushed<T> {
        let mut state = self.state.lock();
        let was_empty = state.items.is_empty();
        let weight = item.weight();
        let mut dropped = Vec::new();
        if state.closed || overflow == Overflow::DropNewest && state.is_full(self, weight) {
            state.dropped += 1;
            dropped.push(item);
            return Pushed { was_empty: false, dropped };
        }
        while state.is_full(self, weight)
            && let Some(oldest) = state.items.pop_front()
        {
            state.bytes -= oldest.weight();
            state.dropped += 1;
            state.done += 1;
            dropped.push(oldest);
        }
        state.bytes += weight;
        state.pushed += 1;
        state.items.push_back(item);
        drop(state);
        if was_empty {
            self.filled.notify_one();
        }
        Pushed { was_empty, dropped }
    }

    /// Puts items in front of all others, because they came first. Of those that do not fit the first ones
    /// are dropped.
    pub(crate) fn prepend(&self, items: Vec<T>) {
        let mut state = self.state.lock();
        for item in items.into_iter().rev() {
            let weight = item.weight();
            if state.is_full(self, weight) {
                state.dropped += 1;
                continue;
            }
            state.bytes += weight;
            state.pushed += 1;
            state.items.push_front(item);
        }
        drop(state);
        self.filled.notify_one();
    }

    /// Moves up to `max` items to `out`, waiting for the first until `timeout`, for ever without one.
    /// `false` when the queue is closed and empty, or the time is over.
    pub(crate) fn take(&self, out: &mut Vec<T>, max: usize, timeout: Option<Duration>) -> bool {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut state = self.state.lock();
        while state.items.is_empty() {
            if state.closed {
                return false;
            }
            match deadline {
                None => self.filled.wait(&mut state),
                Some(deadline) => {
                    if self.filled.wait_until(&mut state, deadline).timed_out() && state.items.is_empty() {
                        return false;
                    }
                }
            }
        }
        let count = max.min(state.items.len());
        let before = out.len();
        out.extend(state.items.drain(..count));
        state.bytes -= out[before..].iter().map(Weigh::weight).sum::<usize>();
        if !state.items.is_empty() {
            // Several threads may take: what is left is for another, whom no push will wake.
            self.filled.notify_one();
        }
        true
    }

    /// Says that the handling of `count` taken items is over.
    pub(crate) fn done(&self, count: usize) {
        self.state.lock().done += count as u64;
        self.emptied.notify_all();
    }

    /// Waits until everything that was pushed before the call is done. `false` if the time is over first.
    pub(crate) fn wait_done(&self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let mut state = self.state.lock();
        let target = state.pushed;
        while state.done < target {
            match deadline {
                None => self.emptied.wait(&mut state),
                Some(deadline) => {
                    if self.emptied.wait_until(&mut state, deadline).timed_out() {
                        return state.done >= target;
                    }
                }
            }
        }
        true
    }

    /// Takes nothing more. What waits can still be taken out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
    }

    /// Drops what waits.
    pub(crate) fn clear(&self) {
        let items = {
            let mut state = self.state.lock();
            let items = std::mem::take(&mut state.items);
            state.done += items.len() as u64;
            state.dropped += items.len() as u64;
            state.bytes = 0;
            items
        };
        drop(items); // with the lock free: the end of a Python object may run code
        self.emptied.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().items.len()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}
