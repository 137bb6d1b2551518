//! When every thread has ended what it was at.
//!
//! Who takes something away that batches may still hold on to, such as the taps of a route, waits here until none
//! does: those that begin later find what is there by then.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst, fence};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How long it is waited between two looks. A batch takes microseconds.
const LOOK: Duration = Duration::from_micros(50);

/// Where one batch stands: its number is odd while it is at work.
#[derive(Debug, Default)]
pub(crate) struct Turn(AtomicU64);

impl Turn {
    /// Work begins.
    pub(crate) fn begin(&self) {
        self.0.store((self.0.load(Relaxed) + 1) | 1, Relaxed);
        // Either who waits sees that this batch is at work, or this batch sees what was changed before the waiting.
        fence(SeqCst);
    }

    /// Work ends.
    pub(crate) fn end(&self) {
        let number = self.0.load(Relaxed);
        self.0.store(number + (number & 1), std::sync::atomic::Ordering::Release);
    }
}

/// Of every batch there is.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<Vec<Weak<Turn>>>);

impl Turns {
    /// That of a new batch.
    pub(crate) fn add(&self) -> Arc<Turn> {
        let turn = Arc::new(Turn::default());
        let mut all = self.0.lock();
        all.retain(|turn| turn.strong_count() > 0);
        all.push(Arc::downgrade(&turn));
        turn
    }

    /// Waits until every batch has ended that is at work now. Says whether they all have within `limit`.
    pub(crate) fn wait(&self, limit: Duration) -> bool {
        fence(SeqCst);
        let turns: Vec<_> = self.0.lock().iter().filter_map(Weak::upgrade).collect();
        let at_work: Vec<_> = turns.iter().map(|turn| turn.0.load(SeqCst)).collect();
        let until = Instant::now() + limit;
        turns.iter().zip(at_work).filter(|(_, number)| number & 1 == 1).all(|(turn, number)| {
            while turn.0.load(SeqCst) == number {
                if Instant::now() >= until {
                    return false;
                }
                std::thread::sleep(LOOK);
            }
            true
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_work_is_waited_for_and_nobody_else() {
        let turns = Turns::default();
        let (one, other) = (turns.add(), turns.add());
        assert!(turns.wait(Duration::ZERO), "nobody is at work");
        one.begin();
        other.begin();
        other.end();
        assert!(!turns.wait(Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.wait(Duration::from_secs(60)));
            // Other work begins at once, whenever the thread has looked: it does not wait for that.
            while !waiting.is_finished() {
                one.end();
                one.begin();
                std::thread::sleep(Duration::from_millis(1));
            }
            assert!(waiting.join().unwrap());
        });
        drop((one, other));
        assert!(turns.wait(Duration::ZERO), "batches that are gone are forgotten");
    }
}
