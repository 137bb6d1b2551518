//! Which rules a message has come through: one that comes back to a rule is a loop.
//!
//! What a rule publishes is handed to all who see it before the call returns, on the same thread. So the way that a
//! message has come is a property of the thread at that moment, and costs messages that come from no rule nothing.

use std::cell::{Cell, RefCell};

use smallvec::SmallVec;

/// The longest way; a message says how long its own is, for when another thread goes on with it.
pub(super) const LONGEST: usize = 16;

/// Results that each result of a message may cause through further rules. Ways that do not come back can be many: of ten
/// rules that see everything and publish something, there are ten million.
const CAUSED: usize = 1000;

/// Numbers of rules, the first first.
pub type Way = SmallVec<[u32; 4]>;

thread_local! {
    static WAY: RefCell<Way> = const { RefCell::new(SmallVec::new_const()) };
    /// How many results may still be caused.
    static LEFT: Cell<usize> = const { Cell::new(0) };
}

/// The way of a rule's results, if it is no loop.
pub(super) fn extended(rule: u32) -> Option<Way> {
    WAY.with_borrow(|way| {
        if way.len() >= LONGEST || way.contains(&rule) {
            return None;
        }
        let mut longer = way.clone();
        longer.push(rule);
        Some(longer)
    })
}

/// Does something as part of a way.
pub fn along<T>(way: Way, work: impl FnOnce() -> T) -> T {
    let before = WAY.replace(way);
    let result = work();
    WAY.set(before);
    result
}

/// Does what so many results ask for. Those of a message that comes from no rule set how many they may cause in all.
pub(super) fn causing<T>(results: usize, work: impl FnOnce() -> T) -> T {
    if WAY.with_borrow(|way| way.is_empty()) {
        LEFT.set(results.saturating_mul(CAUSED));
    }
    work()
}

/// Whether a result of this way may be: what comes from no rule always may.
pub(super) fn may_cause(way: &Way) -> bool {
    if way.len() < 2 {
        return true;
    }
    let left = LEFT.get();
    LEFT.set(left.saturating_sub(1));
    left > 0
}

/// The way of what this thread is doing.
pub fn current() -> Way {
    WAY.with_borrow(Clone::clone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_that_comes_back_is_a_loop() {
        let first = extended(1).unwrap();
        along(first, || {
            assert_eq!(extended(1), None);
            let second = extended(2).unwrap();
            along(second, || {
                assert_eq!(extended(1), None);
                assert_eq!(extended(3).unwrap().as_slice(), [1, 2, 3]);
            });
            assert!(extended(2).is_some());
        });
        assert!(extended(1).is_some());
    }

    #[test]
    fn a_way_ends_somewhere() {
        fn go(rule: u32) -> u32 {
            extended(rule).map_or(rule, |way| along(way, || go(rule + 1)))
        }
        assert_eq!(go(0), LONGEST as u32);
    }
}
