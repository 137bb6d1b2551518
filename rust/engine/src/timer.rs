//! What is to happen to sessions without a connection: their end and their delayed wills.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::message::Millis;
use crate::session::Session;

/// What a timer is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// The Will Delay Interval has passed.
    Will,
    /// The Session Expiry Interval has passed.
    SessionEnd,
}

/// A session's timer. It counts only while the session's epoch is the same, so nothing is ever cancelled.
pub(crate) struct Timer {
    pub(crate) at: Millis,
    pub(crate) due: Due,
    pub(crate) session: Arc<Session>,
    pub(crate) epoch: u64,
}

impl PartialEq for Timer {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl Eq for Timer {}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Timer {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}

/// The timers, the next one first.
#[derive(Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<Timer>>);

impl Timers {
    pub(crate) fn add(&mut self, timer: Timer) {
        self.0.push(Reverse(timer));
    }

    /// The next timer that is due at `now`.
    pub(crate) fn pop(&mut self, now: Millis) -> Option<Timer> {
        match self.0.peek() {
            Some(Reverse(timer)) if timer.at <= now => self.0.pop().map(|Reverse(timer)| timer),
            _ => None,
        }
    }
}
