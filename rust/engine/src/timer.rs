//! When sessions without a connection are looked after: at their end, or for their delayed will.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::message::Millis;
use crate::session::Session;

/// With fewer timers than this nothing is searched for stale ones.
const FEW: usize = 1024;

/// A session's timer. The session itself says what is due; a timer that it does not remember is stale.
pub(crate) struct Timer {
    pub(crate) at: Millis,
    pub(crate) session: Arc<Session>,
}

impl Timer {
    fn is_stale(&self) -> bool {
        let state = self.session.state.lock();
        state.ended || state.timer != Some(self.at)
    }
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

/// The timers, the next one first. None is cancelled; a session has one at a time as long as its times only
/// grow, and what became stale is dropped when it is half of all.
#[derive(Default)]
pub(crate) struct Timers {
    heap: BinaryHeap<Reverse<Timer>>,
    /// How many there were after stale ones were dropped last.
    kept: usize,
}

impl Timers {
    pub(crate) fn add(&mut self, timer: Timer) {
        self.heap.push(Reverse(timer));
    }

    /// The next timer that is due at `now`.
    pub(crate) fn pop(&mut self, now: Millis) -> Option<Timer> {
        match self.heap.peek() {
            Some(Reverse(timer)) if timer.at <= now => self.heap.pop().map(|Reverse(timer)| timer),
            _ => None,
        }
    }

    /// Drops stale timers, if there may be many: a client that comes and goes with a long expiry would
    /// leave one each time.
    pub(crate) fn drop_stale(&mut self) {
        if self.heap.len() > FEW && self.heap.len() > 2 * self.kept {
            self.heap.retain(|Reverse(timer)| !timer.is_stale());
            self.kept = self.heap.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timers_of_sessions_that_are_over_do_not_pile_up() {
        let mut timers = Timers::default();
        for serial in 0..10_000 {
            let session = Session::new(Arc::default(), serial);
            session.state.lock().ended = serial != 9_999;
            session.state.lock().timer = Some(Millis::MAX);
            timers.add(Timer { at: Millis::MAX, session });
            timers.drop_stale();
        }
        assert!(timers.heap.len() <= 2 * FEW, "{}", timers.heap.len());
    }
}
