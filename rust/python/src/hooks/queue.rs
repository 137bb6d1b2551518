//! A bounded queue between network threads and a thread that is attached to the interpreter.

use std::pin::{Pin, pin};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hookmq_engine::Gate;
use parking_lot::{Condvar, Mutex, MutexGuard};
use tokio::sync::Notify;

use super::line::{Line, Place, Run as _, Weigh};

/// What happens when a queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// The item that waits longest goes.
    DropOldest,
    /// The item that comes goes.
    DropNewest,
    /// None goes; whoever brings items is held back until half of the queue is empty again. It may be longer
    /// than its bound by what was under way.
    Block,
}

impl Overflow {
    /// The policy of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "drop_oldest" => Self::DropOldest,
            "drop_newest" => Self::DropNewest,
            "block" => Self::Block,
            _ => return None,
        })
    }
}

struct State<T: Weigh> {
    items: Line<T>,
    closed: bool,
    /// How many wait until everything is done: whoever gathers items does not wait for more.
    awaited: usize,
    /// Items that came, and items whose handling is over; for those who wait for a point in time.
    pushed: u64,
    done: u64,
    dropped: u64,
}

type Bell = Box<dyn Fn() + Send + Sync>;

/// A queue with a bound in items and in bytes. Taking waits, pushing never does.
pub(crate) struct Queue<T: Weigh> {
    state: Mutex<State<T>>,
    filled: Condvar,
    emptied: Condvar,
    /// Whether somebody is held back, and what tells them to go on.
    holds: AtomicBool,
    room: Notify,
    /// Rung when something comes into an empty queue, beside waking threads.
    bell: OnceLock<Bell>,
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

/// A queue that is open for pushing: several items cost one lock.
pub(crate) struct Pusher<'a, T: Weigh> {
    pub(crate) queue: &'a Queue<T>,
    state: MutexGuard<'a, State<T>>,
    was_empty: bool,
    dropped: Vec<T>,
}

impl<T: Weigh> Pusher<'_, T> {
    /// Adds an item. Says whether the queue is full now and whoever brings items is to be held back.
    pub(crate) fn push(&mut self, item: T, overflow: Overflow) -> bool {
        let (queue, state) = (self.queue, &mut *self.state);
        let weight = item.weight();
        let full = !queue.fits(state, 1, weight);
        if state.closed || full && overflow == Overflow::DropNewest {
            state.dropped += 1;
            self.dropped.push(item);
            return false;
        }
        if full && overflow == Overflow::DropOldest {
            self.make_room(1, weight);
        }
        let state = &mut *self.state;
        state.pushed += 1;
        state.items.push(Place::One(item));
        let hold = full && overflow == Overflow::Block;
        if hold {
            queue.holds.store(true, Relaxed);
        }
        hold
    }

    /// Adds several items: at once if they fit, else one by one.
    pub(crate) fn push_run(&mut self, run: T::Run, overflow: Overflow) -> bool {
        let (count, weight) = (run.count_left(), run.weight());
        let could = count <= self.queue.max_items && weight <= self.queue.max_bytes;
        if overflow == Overflow::DropOldest && could {
            self.make_room(count, weight);
        }
        if self.state.closed || !self.queue.fits(&self.state, count, weight) {
            let mut hold = false;
            for item in run {
                hold |= self.push(item, overflow);
            }
            return hold;
        }
        self.state.pushed += count as u64;
        self.state.items.push(Place::Run(run));
        false
    }

    /// Drops what waits longest until so many more fit, or nothing waits.
    fn make_room(&mut self, count: usize, weight: usize) {
        let state = &mut *self.state;
        while !state.closed
            && !self.queue.fits(state, count, weight)
            && let Some(oldest) = state.items.pop()
        {
            state.dropped += 1;
            state.done += 1;
            self.dropped.push(oldest);
        }
    }

    /// Closes the queue for pushing and wakes a thread if nothing waited before: otherwise one is awake or
    /// about to be.
    pub(crate) fn finish(self) -> Pushed<T> {
        let Self { queue, state, was_empty, dropped } = self;
        let was_empty = was_empty && !state.items.is_empty();
        drop(state);
        if was_empty {
            queue.filled.notify_one();
            if let Some(bell) = queue.bell.get() {
                bell();
            }
        }
        Pushed { was_empty, dropped }
    }
}

impl<T: Weigh> Queue<T> {
    pub(crate) fn new(max_items: usize, max_bytes: usize) -> Self {
        let state = State { items: Line::new(), closed: false, awaited: 0, pushed: 0, done: 0, dropped: 0 };
        Self {
            state: Mutex::new(state),
            filled: Condvar::new(),
            emptied: Condvar::new(),
            holds: AtomicBool::new(false),
            room: Notify::new(),
            bell: OnceLock::new(),
            max_items: max_items.max(1),
            max_bytes,
        }
    }

    /// Sets what is rung when something comes into an empty queue.
    pub(crate) fn set_bell(&self, bell: impl Fn() + Send + Sync + 'static) {
        let _ = self.bell.set(Box::new(bell)); // set once, when the queue is made
    }

    /// Opens the queue for pushing.
    pub(crate) fn pusher(&self) -> Pusher<'_, T> {
        let state = self.state.lock();
        Pusher { was_empty: state.items.is_empty(), queue: self, state, dropped: Vec::new() }
    }

    /// Adds an item.
    pub(crate) fn push(&self, item: T, overflow: Overflow) -> Pushed<T> {
        let mut pusher = self.pusher();
        pusher.push(item, overflow);
        pusher.finish()
    }

    /// Puts items in front of all others, because they came first. Of those that do not fit the first ones
    /// are dropped.
    pub(crate) fn prepend(&self, items: Vec<T>) {
        let mut state = self.state.lock();
        for item in items.into_iter().rev() {
            let weight = item.weight();
            if !self.fits(&state, 1, weight) {
                state.dropped += 1;
                continue;
            }
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
        self.take_some(state, out, max);
        true
    }

    /// Moves up to `max` further items to `out`, waiting for them until `deadline`. `false` when it is not worth
    /// while to wait any longer: the time is over, the queue is closed, or somebody waits for the end.
    pub(crate) fn take_more(&self, out: &mut Vec<T>, max: usize, deadline: Instant) -> bool {
        let mut state = self.state.lock();
        while state.items.is_empty() {
            if state.closed || state.awaited > 0 || self.filled.wait_until(&mut state, deadline).timed_out() {
                return false;
            }
        }
        self.take_some(state, out, max);
        true
    }

    /// The same without waiting. `false` when nothing waits.
    pub(crate) fn take_now(&self, out: &mut Vec<T>, max: usize) -> bool {
        let state = self.state.lock();
        let some = !state.items.is_empty();
        if some {
            self.take_some(state, out, max);
        }
        some
    }

    fn take_some(&self, mut state: MutexGuard<'_, State<T>>, out: &mut Vec<T>, max: usize) {
        let taken = state.items.take(max);
        let more = !state.items.is_empty();
        let room = self.holds.load(Relaxed) && self.has_room(&state);
        if room {
            self.holds.store(false, Relaxed);
        }
        drop(state);
        // What stands in one place is made single items here, where nobody waits for the lock.
        taken.into_iter().for_each(|place| place.unroll(out));
        if more {
            // Several threads may take: what is left is for another, whom no push will wake.
            self.filled.notify_one();
        }
        if room {
            self.room.notify_waiters();
        }
    }

    fn has_room(&self, state: &State<T>) -> bool {
        let items = &state.items;
        state.closed || items.count() <= self.max_items / 2 && items.weight() <= self.max_bytes / 2
    }

    /// Whether the bounds allow so many more; a queue in which nothing waits takes one of any size.
    fn fits(&self, state: &State<T>, count: usize, weight: usize) -> bool {
        let items = &state.items;
        items.is_empty() && count == 1
            || items.count() + count <= self.max_items
                && items.weight().saturating_add(weight) <= self.max_bytes
    }

    /// Takes what fulfils a condition out of the queue.
    pub(crate) fn take_where(&self, wanted: impl Fn(&T) -> bool) -> Vec<T> {
        let mut state = self.state.lock();
        let (taken, left) = state.items.take_all().into_iter().partition::<Vec<_>, _>(wanted);
        left.into_iter().for_each(|item| state.items.push(Place::One(item)));
        state.done += taken.len() as u64;
        state.dropped += taken.len() as u64;
        let room = self.holds.load(Relaxed) && self.has_room(&state);
        if room {
            self.holds.store(false, Relaxed);
        }
        drop(state);
        self.emptied.notify_all();
        if room {
            self.room.notify_waiters();
        }
        taken
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
        state.awaited += 1;
        self.filled.notify_all();
        let mut in_time = true;
        while state.done < target && in_time {
            match deadline {
                None => self.emptied.wait(&mut state),
                Some(deadline) => in_time = !self.emptied.wait_until(&mut state, deadline).timed_out(),
            }
        }
        state.awaited -= 1;
        state.done >= target
    }

    /// Takes nothing more. What waits can still be taken out.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.filled.notify_all();
        self.room.notify_waiters();
    }

    /// Drops what waits.
    pub(crate) fn clear(&self) {
        let items = {
            let mut state = self.state.lock();
            let items = std::mem::replace(&mut state.items, Line::new());
            state.done += items.count() as u64;
            state.dropped += items.count() as u64;
            items
        };
        drop(items); // with the lock free: the end of a Python object may run code
        self.emptied.notify_all();
        self.room.notify_waiters();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.state.lock().closed
    }

    pub(crate) fn len(&self) -> usize {
        self.state.lock().items.count()
    }

    pub(crate) fn dropped(&self) -> u64 {
        self.state.lock().dropped
    }
}

impl<T: Weigh + Send> Gate for Queue<T> {
    fn is_open(&self) -> bool {
        self.has_room(&self.state.lock())
    }

    fn opened(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async {
            loop {
                let mut room = pin!(self.room.notified());
                room.as_mut().enable(); // before the look, so that no notice is missed
                if self.is_open() {
                    return;
                }
                // What was let through meanwhile may have cleared the flag.
                self.holds.store(true, Relaxed);
                room.await;
            }
        })
    }
}
