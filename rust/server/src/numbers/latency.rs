//! How long messages take from being read to being written.
//!
//! Measured is a turn of a connection now and then: from the moment at which bytes were read until what came of them was
//! handed to the system. What waits for a receiver's acknowledgement, or for somebody's decision, is not in it.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// Seconds that are remembered.
const SECONDS: usize = 10;
/// Buckets for each doubling, and the doublings from a microsecond on: a bucket is a tenth wide.
const STEPS: f64 = 8.0;
const BUCKETS: usize = 8 * 26;

#[derive(Clone)]
struct Second {
    number: u64,
    counts: [u32; BUCKETS],
}

struct Samples {
    started: Instant,
    seconds: Vec<Second>,
    count: u64,
    sum: Duration,
}

/// Times of the last ten seconds, shared by all threads. A thread comes by a few dozen times a second.
pub struct Latency(Mutex<Samples>);

impl Default for Latency {
    fn default() -> Self {
        let seconds = vec![Second { number: 0, counts: [0; BUCKETS] }; SECONDS];
        Self(Mutex::new(Samples { started: Instant::now(), seconds, count: 0, sum: Duration::ZERO }))
    }
}

fn bucket(time: Duration) -> usize {
    let micros = (time.as_nanos() as f64 / 1000.0).max(1.0);
    ((micros.log2() * STEPS) as usize).min(BUCKETS - 1)
}

/// The middle of a bucket, in seconds.
fn seconds(bucket: usize) -> f64 {
    ((bucket as f64 + 0.5) / STEPS).exp2() / 1e6
}

impl Latency {
    /// Adds a time that was measured.
    pub(crate) fn add(&self, time: Duration) {
        let samples = &mut *self.0.lock();
        let number = samples.started.elapsed().as_secs();
        samples.count += 1;
        samples.sum += time;
        let second = &mut samples.seconds[number as usize % SECONDS];
        if second.number != number {
            *second = Second { number, counts: [0; BUCKETS] };
        }
        second.counts[bucket(time)] += 1;
    }

    /// Times in seconds that these shares of the messages of the last ten seconds took at most; `None` if there were none.
    pub fn quantiles<const N: usize>(&self, shares: [f64; N]) -> Option<[f64; N]> {
        let samples = self.0.lock();
        let now = samples.started.elapsed().as_secs();
        let mut counts = [0u64; BUCKETS];
        let recent = |second: &&Second| now - second.number < SECONDS as u64;
        for second in samples.seconds.iter().filter(recent) {
            counts.iter_mut().zip(second.counts).for_each(|(sum, count)| *sum += u64::from(count));
        }
        drop(samples);
        let total: u64 = counts.iter().sum();
        let quantile = |share: f64| {
            let rank = ((share * total as f64).ceil() as u64).max(1);
            let mut seen = 0;
            let reached = |count: &u64| {
                seen += count;
                seen >= rank
            };
            seconds(counts.iter().position(reached).unwrap_or(BUCKETS - 1))
        };
        (total > 0).then(|| shares.map(quantile))
    }

    /// How many times were measured since the start, and their sum.
    pub(crate) fn totals(&self) -> (u64, Duration) {
        let samples = self.0.lock();
        (samples.count, samples.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_to_a_tenth() {
        let latency = Latency::default();
        assert_eq!(latency.quantiles([0.5]), None);
        for micros in 1..=1000 {
            latency.add(Duration::from_micros(micros));
        }
        let [half, most] = latency.quantiles([0.5, 0.99]).unwrap();
        assert!((half / 500e-6 - 1.0).abs() < 0.1 && (most / 990e-6 - 1.0).abs() < 0.1, "{half} {most}");
        latency.add(Duration::from_secs(1000));
        latency.add(Duration::ZERO);
        assert!(latency.quantiles([1.0]).unwrap()[0] > 50.0);
        assert_eq!(latency.totals().0, 1002);
    }
}
