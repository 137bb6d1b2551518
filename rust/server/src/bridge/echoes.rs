//! Messages that come back from a broker which knows neither No Local nor bridges.

use std::collections::VecDeque;
use std::hash::BuildHasher as _;
use std::time::{Duration, Instant};

use hashbrown::{DefaultHashBuilder, HashMap};

/// How long a message is expected to come back.
const REMEMBERED: Duration = Duration::from_secs(10);

/// Messages that are remembered; more in that time are too fast for this.
const MOST: usize = 100_000;

/// What went out a moment ago, by a number made of its topic and its payload. What comes in with the same number is its
/// echo, once for each time it went out.
#[derive(Default)]
pub(crate) struct Echoes {
    hasher: DefaultHashBuilder,
    order: VecDeque<(Instant, u64)>,
    /// How often each may still come back.
    expected: HashMap<u64, u32>,
}

impl Echoes {
    /// A message goes out.
    pub(crate) fn expect(&mut self, topic: &str, payload: &[u8], now: Instant) {
        self.forget(now);
        let number = self.hasher.hash_one((topic, payload));
        self.order.push_back((now, number));
        *self.expected.entry(number).or_default() += 1;
    }

    /// Whether a message that comes in is one that went out.
    pub(crate) fn is_echo(&mut self, topic: &str, payload: &[u8], now: Instant) -> bool {
        self.forget(now);
        let number = self.hasher.hash_one((topic, payload));
        match self.expected.get_mut(&number) {
            Some(times) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, number)) = self.order.front()
            && (self.order.len() >= MOST || now.duration_since(*at) >= REMEMBERED)
        {
            // Its echo may have come, and then this is one too many: a message that went out later with the same
            // number is not expected then, so it comes in once more. The other way round one would be lost.
            if let Some(times) = self.expected.get_mut(number) {
                *times = times.saturating_sub(1);
                if *times == 0 {
                    self.expected.remove(number);
                }
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_went_out_comes_back_once() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        echoes.expect("a", b"1", now);
        echoes.expect("a", b"1", now);
        assert!(!echoes.is_echo("a", b"2", now));
        assert!(!echoes.is_echo("b", b"1", now));
        assert!(echoes.is_echo("a", b"1", now));
        assert!(echoes.is_echo("a", b"1", now));
        assert!(!echoes.is_echo("a", b"1", now));
    }

    #[test]
    fn it_is_forgotten_after_a_while() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        echoes.expect("a", b"1", now);
        assert!(!echoes.is_echo("a", b"1", now + REMEMBERED));
        assert!(echoes.expected.is_empty() && echoes.order.is_empty());
    }

    #[test]
    fn it_is_bounded() {
        let (mut echoes, now) = (Echoes::default(), Instant::now());
        for number in 0..MOST + 100 {
            echoes.expect(&number.to_string(), b"", now);
        }
        assert!(echoes.order.len() <= MOST && echoes.expected.len() <= MOST);
        assert!(!echoes.is_echo("0", b"", now));
        assert!(echoes.is_echo(&(MOST + 99).to_string(), b"", now));
    }
}
