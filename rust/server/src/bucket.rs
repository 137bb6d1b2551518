//! A token bucket: how much may pass in a second.

use std::time::{Duration, Instant};

/// Lets `rate` units through each second, and as many at once after a second of rest.
#[derive(Debug, Clone)]
pub(crate) struct Bucket {
    rate: f64,
    tokens: f64,
    filled: Instant,
}

impl Bucket {
    /// A full bucket; `None` for a rate of 0, which is no bound.
    pub(crate) fn new(rate: f64, now: Instant) -> Option<Self> {
        (rate > 0.0).then(|| Self { rate, tokens: rate.max(1.0), filled: now })
    }

    fn fill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.tokens = (self.tokens + passed * self.rate).min(self.rate.max(1.0));
        self.filled = now;
    }

    /// Takes units that have come already; the bucket may be in debt afterwards.
    pub(crate) fn take(&mut self, units: f64) {
        self.tokens -= units;
    }

    /// Takes a unit if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        self.fill(now);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    /// How long until the debt is paid; `None` if there is none.
    pub(crate) fn debt(&mut self, now: Instant) -> Option<Duration> {
        if self.tokens > 0.0 {
            return None; // the clock is asked only when it matters
        }
        self.fill(now);
        (self.tokens <= 0.0).then(|| Duration::from_secs_f64((1.0 - self.tokens).max(0.0) / self.rate))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_bounded_by_the_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, start).unwrap();
        let passed = (0..100).filter(|_| bucket.try_take(start)).count();
        assert_eq!(passed, 10);
        assert!(!bucket.try_take(start + Duration::from_millis(50)));
        assert!(bucket.try_take(start + Duration::from_millis(150)));
        assert!(Bucket::new(0.0, start).is_none());
    }

    #[test]
    fn a_debt_takes_its_time() {
        let start = Instant::now();
        let mut bucket = Bucket::new(10.0, start).unwrap();
        bucket.take(9.0);
        assert_eq!(bucket.debt(start), None);
        bucket.take(6.0);
        let wait = bucket.debt(start).unwrap();
        assert!((wait.as_secs_f64() - 0.6).abs() < 0.01, "{wait:?}");
        assert_eq!(bucket.debt(start + Duration::from_secs(1)), None);
    }
}
