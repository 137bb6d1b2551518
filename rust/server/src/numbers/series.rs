//! What the broker did over time: a ring for each span, in steps of a second, ten seconds and four minutes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hookmq_engine::{Broker, Millis};

use super::process;

/// What is written down. The first [`RATES`] are counted a second, the others are as they are at the moment.
pub const NAMES: [&str; 10] = [
    "received",
    "sent",
    "bytes_received",
    "bytes_sent",
    "dropped",
    "connects",
    "clients",
    "queued",
    "memory",
    "cpu",
];

/// How many of [`NAMES`] are rates.
pub const RATES: usize = 6;

/// The counters of the rates.
const COUNTERS: [&str; RATES] = [
    "messages_received",
    "messages_sent",
    "network_bytes_received",
    "network_bytes_sent",
    "messages_dropped",
    "connects",
];

type Values = [f64; NAMES.len()];

/// How far back, and in which steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// 300 steps of a second.
    Minutes,
    /// 360 steps of ten seconds.
    Hour,
    /// 360 steps of four minutes.
    Day,
}

impl Span {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Minutes, Self::Hour, Self::Day];

    /// The seconds of a step, and how many steps there are.
    pub const fn steps(self) -> (usize, usize) {
        match self {
            Self::Minutes => (1, 300),
            Self::Hour => (10, 360),
            Self::Day => (240, 360),
        }
    }
}

struct Ring {
    span: Span,
    steps: VecDeque<Values>,
    /// The end of the last step.
    end: Millis,
    /// What came since.
    sum: Values,
    count: usize,
}

impl Ring {
    fn new(span: Span) -> Self {
        let sum = [0.0; NAMES.len()];
        Self { span, steps: VecDeque::with_capacity(span.steps().1), end: 0, sum, count: 0 }
    }

    /// Adds what a second was like.
    fn add(&mut self, values: &Values, now: Millis) {
        self.sum.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
        self.count += 1;
        let (step, length) = self.span.steps();
        if self.count < step {
            return;
        }
        if self.steps.len() == length {
            self.steps.pop_front();
        }
        self.steps.push_back(self.sum.map(|sum| sum / step as f64));
        (self.end, self.sum, self.count) = (now, [0.0; NAMES.len()], 0);
    }
}

/// Rings of numbers, written once a second.
pub struct Series {
    rings: [Ring; Span::ALL.len()],
    /// The end of the last step, when the counters were read for it, which is a little later, and what they were.
    last: Option<(Instant, Instant, [i64; RATES], Option<f64>)>,
    rates: [f64; RATES],
}

impl Default for Series {
    fn default() -> Self {
        let rings = Span::ALL.map(Ring::new);
        Self { rings, last: None, rates: [0.0; RATES] }
    }
}

/// What there is to be written down at a moment.
pub(crate) struct Reading {
    at: Instant,
    counts: [i64; RATES],
    cpu: Option<f64>,
    clients: i64,
    queued: usize,
    memory: u64,
}

impl Reading {
    /// Of this moment. It looks through sessions and asks the system: nobody should wait for it.
    pub(crate) fn of(broker: &Broker) -> Self {
        let counters = broker.statistics.snapshot();
        let count = |name| counters.iter().find(|(other, _)| *other == name).map_or(0, |(_, value)| *value);
        Self {
            at: Instant::now(),
            counts: COUNTERS.map(count),
            cpu: process::cpu_seconds(),
            clients: count("clients_connected"),
            queued: broker.recent_totals().queued,
            memory: process::resident_bytes(),
        }
    }
}

impl Series {
    /// Whether a second is over.
    pub(crate) fn is_due(&self) -> bool {
        self.last.is_none_or(|(last, ..)| last.elapsed() >= Duration::from_secs(1))
    }

    /// Writes down what happened since the last time.
    pub(crate) fn add(&mut self, reading: &Reading, now: Millis) {
        let Reading { at, counts, cpu, .. } = *reading;
        let Some((last, read, before, cpu_before)) = self.last else {
            self.last = Some((at, at, counts, cpu));
            return;
        };
        // Whole seconds only, and as many as have passed: steps stay where they are when a thread comes late.
        let passed = (at - last).as_secs();
        let elapsed = (at - read).as_secs_f64();
        self.last = Some((last + Duration::from_secs(passed), at, counts, cpu));
        for (rate, (now, before)) in self.rates.iter_mut().zip(counts.iter().zip(before)) {
            *rate = (now - before).max(0) as f64 / elapsed;
        }
        let mut values = [0.0; NAMES.len()];
        values[..RATES].copy_from_slice(&self.rates);
        values[RATES..].copy_from_slice(&[
            reading.clients as f64,
            reading.queued as f64,
            reading.memory as f64,
            cpu.zip(cpu_before).map_or(f64::NAN, |(now, before)| (now - before) / elapsed),
        ]);
        let longest = Span::Day.steps();
        for number in 0..passed.min((longest.0 * longest.1) as u64) {
            let end = now.saturating_sub((passed - 1 - number) * 1000);
            self.rings.iter_mut().for_each(|ring| ring.add(&values, end));
        }
    }

    /// The rates of the last second, in the order of [`NAMES`].
    pub fn rates(&self) -> [f64; RATES] {
        self.rates
    }

    /// The values of one of [`NAMES`] in a span, the newest last, and when the last step ended; `None` for steps before
    /// the start and where the system does not tell.
    pub fn values(&self, name: usize, span: Span) -> (Vec<Option<f64>>, Option<Millis>) {
        let Some(ring) = self.rings.iter().find(|ring| ring.span == span) else { return (Vec::new(), None) };
        let missing = span.steps().1 - ring.steps.len();
        let value = |values: &Values| values.get(name).copied().filter(|value| !value.is_nan());
        let values = std::iter::repeat_n(None, missing).chain(ring.steps.iter().map(value)).collect();
        (values, (!ring.steps.is_empty()).then_some(ring.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_means_of_seconds_and_the_oldest_go() {
        let mut rings = Span::ALL.map(Ring::new);
        for second in 1..=1000u64 {
            let values = [second as f64; NAMES.len()];
            rings.iter_mut().for_each(|ring| ring.add(&values, second * 1000));
        }
        let [minutes, hour, day] = rings;
        assert_eq!((minutes.steps.len(), minutes.steps[0][0], minutes.steps[299][0]), (300, 701.0, 1000.0));
        assert_eq!((hour.steps.len(), hour.steps[0][0], hour.steps[99][0]), (100, 5.5, 995.5));
        assert_eq!((day.steps.len(), day.end, day.count), (4, 960_000, 40));
        let series = Series { rings: [minutes, hour, day], ..Series::default() };
        let (values, end) = series.values(1, Span::Hour);
        assert_eq!((values.len(), values[259], values[260], end), (360, None, Some(5.5), Some(1_000_000)));
    }
}
