//! How long a bridge waits before it connects again.

use std::time::Duration;

/// After so many failures the time does not grow any more, whatever it began with.
const DOUBLINGS: u32 = 20;

/// No setting makes it longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A time that is chosen anew each time, anywhere between nothing and a bound that doubles with each failure: bridges
/// that lost the same broker do not come back in the same moment.
#[derive(Debug, Clone)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) fn new((first, longest): (Duration, Duration)) -> Self {
        Self { first, longest: longest.max(first).min(LONGEST), failures: 0 }
    }

    /// The connection was good: the next failure is the first one again.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The time after one more failure; `random` is any number.
    pub(crate) fn next(&mut self, random: u32) -> Duration {
        let bound = self.first.saturating_mul(1 << self.failures.min(DOUBLINGS)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_doubles_until_it_is_reached_and_begins_anew() {
        let seconds = Duration::from_secs;
        let mut backoff = Backoff::new((seconds(1), seconds(60)));
        let bounds: Vec<_> = (0..9).map(|_| backoff.next(u32::MAX)).collect();
        assert_eq!(bounds, [1, 2, 4, 8, 16, 32, 60, 60, 60].map(seconds));
        backoff.reset();
        assert_eq!(backoff.next(0), Duration::ZERO);
        assert_eq!(backoff.next(u32::MAX), seconds(2));
    }

    #[test]
    fn it_bears_any_number_of_failures() {
        let mut backoff = Backoff { failures: u32::MAX, ..Backoff::new((Duration::MAX, Duration::ZERO)) };
        assert!(backoff.next(u32::MAX / 2) > Duration::from_secs(1));
    }
}
