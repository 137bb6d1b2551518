//! How long things take: counts by length, from which any share can be read.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Steps for each doubling, so that a figure is off by a tenth at most.
const STEPS: u32 = 8;

/// From 1 ns to about 9 minutes.
const PLACES: usize = (40 * STEPS) as usize;

/// Lengths of time, counted.
pub(crate) struct Meter {
    counts: Box<[AtomicU64]>,
    /// Nanoseconds in all.
    total: AtomicU64,
}

impl Default for Meter {
    fn default() -> Self {
        Self { counts: (0..PLACES).map(|_| AtomicU64::new(0)).collect(), total: AtomicU64::new(0) }
    }
}

fn place(nanos: u64) -> usize {
    let nanos = nanos.max(1);
    let doubling = nanos.ilog2();
    // The bits behind the first say which step of the doubling it is.
    let step = if doubling < 3 { (nanos << (3 - doubling)) & 7 } else { (nanos >> (doubling - 3)) & 7 };
    ((doubling * STEPS) as usize + step as usize).min(PLACES - 1)
}

/// The length in the middle of a place, in nanoseconds.
fn middle(place: usize) -> f64 {
    let (doubling, step) = (place as u32 / STEPS, place as u32 % STEPS);
    (1u64 << doubling) as f64 * (1.0 + (f64::from(step) + 0.5) / f64::from(STEPS))
}

impl Meter {
    pub(crate) fn record(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[place(nanos)].fetch_add(1, Relaxed);
        self.total.fetch_add(nanos, Relaxed);
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().map(|count| count.load(Relaxed)).sum()
    }

    /// All of it, in seconds.
    pub(crate) fn total(&self) -> f64 {
        self.total.load(Relaxed) as f64 / 1e9
    }

    /// The length that this share of all do not exceed, in seconds; 0 when nothing was recorded.
    pub(crate) fn share(&self, share: f64) -> f64 {
        let counts: Vec<u64> = self.counts.iter().map(|count| count.load(Relaxed)).collect();
        let wanted = counts.iter().sum::<u64>() as f64 * share;
        let mut seen = 0;
        for (place, count) in counts.into_iter().enumerate() {
            seen += count;
            if count > 0 && seen as f64 >= wanted {
                return middle(place) / 1e9;
            }
        }
        0.0
    }
}
