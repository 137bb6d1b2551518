//! Which messages belong together in time.

use std::collections::VecDeque;

use super::aggregate::Gathered;
use crate::program::AggregateKind;

/// Messages that a sliding window of one group holds; beyond it the oldest go. Fewer where single values are kept, of which
/// no sum of a part can be made that is smaller than the part.
const MOST: usize = 10_000;
const MOST_KEPT: usize = 1000;
/// Pieces that a hopping window is made of at most.
pub(crate) const MOST_HOPS: u64 = 1000;

/// A kind of window, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Window {
    /// One after the other; with `hop` below `size` they overlap.
    Hopping { size: u64, hop: u64 },
    /// What came in the time before each message.
    Sliding(u64),
}

/// A window that has closed.
#[derive(Debug)]
pub(crate) struct Closed {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) all: Vec<Gathered>,
}

/// What one group has in its window.
#[derive(Debug)]
pub(crate) enum WindowState {
    /// Pieces of one hop each, oldest first, and when the next window closes.
    Hopping {
        pieces: VecDeque<(u64, Vec<Gathered>)>,
        closes: u64,
    },
    Sliding(Slide),
}

/// A queue that knows the sum of all in it: those that go first stand with the sum of themselves and all that came after
/// them on one stack, those that came last on another, with one sum. When the first stack is empty the other is turned over.
#[derive(Debug, Default)]
pub(crate) struct Slide {
    /// The last goes first; each with the sum from it to the end of the stack.
    first: Vec<(u64, Vec<Gathered>)>,
    last: VecDeque<(u64, Vec<Gathered>)>,
    sum: Option<Vec<Gathered>>,
    /// Single values are kept: then all stand on the second stack, and are added up each time.
    keeps: bool,
}

impl Window {
    /// About how much memory values take that are added, in bytes: numbers become one with those that are there, unless
    /// the window slides.
    pub(crate) fn weight_of(self, values: &[Gathered]) -> usize {
        let alone: usize = values.iter().map(Gathered::weight).sum();
        match self {
            Self::Hopping { .. } => alone - size_of_val(values),
            Self::Sliding(_) => alone,
        }
    }

    /// The time from one end to the next.
    fn step(self) -> u64 {
        match self {
            Self::Hopping { hop, .. } => hop,
            Self::Sliding(_) => 0,
        }
    }

    /// The state of a group of which nothing has come yet.
    pub(crate) fn state(self, kinds: &[AggregateKind], now: u64) -> WindowState {
        match self {
            Self::Hopping { hop, .. } => {
                WindowState::Hopping { pieces: VecDeque::new(), closes: (now / hop + 1).saturating_mul(hop) }
            }
            Self::Sliding(_) => {
                let keeps = |kind: &AggregateKind| {
                    matches!(kind, AggregateKind::Collect | AggregateKind::CountDistinct)
                };
                WindowState::Sliding(Slide { keeps: kinds.iter().any(keeps), ..Slide::default() })
            }
        }
    }
}

impl WindowState {
    /// Roughly the memory it takes, in bytes.
    pub(crate) fn weight(&self) -> usize {
        let of = |(_, values): &(u64, Vec<Gathered>)| values.iter().map(Gathered::weight).sum::<usize>();
        match self {
            Self::Hopping { pieces, .. } => pieces.iter().map(of).sum(),
            Self::Sliding(slide) => slide.first.iter().chain(&slide.last).map(of).sum(),
        }
    }

    /// When the next window closes, if one does by itself.
    pub(crate) fn due(&self) -> Option<u64> {
        match self {
            Self::Hopping { pieces, closes } if !pieces.is_empty() => Some(*closes),
            _ => None,
        }
    }

    /// The next window that has closed by now. One with nothing in it is none.
    pub(crate) fn close(&mut self, window: Window, kinds: &[AggregateKind], now: u64) -> Option<Closed> {
        let (Self::Hopping { pieces, closes }, Window::Hopping { size, .. }) = (self, window) else {
            return None;
        };
        let step = window.step();
        if pieces.is_empty() {
            // Nothing has come for a while: the next window is that of now.
            *closes = (*closes).max((now / step + 1).saturating_mul(step));
            return None;
        }
        if *closes > now {
            return None;
        }
        let end = *closes;
        let start = end.saturating_sub(size);
        let all = sum(kinds, pieces.iter().map(|(_, piece)| piece));
        *closes = end.saturating_add(step);
        let next = closes.saturating_sub(size);
        while pieces.front().is_some_and(|(began, _)| *began < next) {
            pieces.pop_front();
        }
        Some(Closed { start, end, all })
    }

    /// Adds a message; with a sliding window what that holds then. Whether one had to go for it.
    pub(crate) fn add(
        &mut self,
        window: Window,
        kinds: &[AggregateKind],
        values: Vec<Gathered>,
        now: u64,
    ) -> (Option<Closed>, bool) {
        match (self, window) {
            (Self::Hopping { pieces, .. }, Window::Hopping { hop, .. }) => {
                let began = now / hop * hop;
                match pieces.back_mut() {
                    Some((last, piece)) if *last == began => {
                        piece.iter_mut().zip(&values).for_each(|(all, more)| all.add(more));
                    }
                    _ => pieces.push_back((began, values)),
                }
                (None, false)
            }
            (Self::Sliding(slide), Window::Sliding(size)) => {
                slide.push(now, values);
                // A message that is as old as the window is long is in it no more.
                let from = (now + 1).saturating_sub(size);
                while slide.oldest().is_some_and(|at| at < from) {
                    slide.pop();
                }
                let full = slide.len() > if slide.keeps { MOST_KEPT } else { MOST };
                if full {
                    slide.pop();
                }
                let all = slide.total(kinds);
                (Some(Closed { start: from, end: now, all }), full)
            }
            _ => (None, false),
        }
    }
}

fn sum<'g>(kinds: &[AggregateKind], parts: impl Iterator<Item = &'g Vec<Gathered>>) -> Vec<Gathered> {
    let mut all: Vec<_> = kinds.iter().map(|kind| kind.nothing()).collect();
    for part in parts {
        all.iter_mut().zip(part).for_each(|(all, more)| all.add(more));
    }
    all
}

impl Slide {
    fn len(&self) -> usize {
        self.first.len() + self.last.len()
    }

    fn oldest(&self) -> Option<u64> {
        self.first.last().or(self.last.front()).map(|(at, _)| *at)
    }

    fn push(&mut self, at: u64, values: Vec<Gathered>) {
        match &mut self.sum {
            _ if self.keeps => {}
            Some(sum) => sum.iter_mut().zip(&values).for_each(|(all, more)| all.add(more)),
            None => self.sum = Some(values.clone()),
        }
        self.last.push_back((at, values));
    }

    fn pop(&mut self) {
        if self.keeps {
            self.last.pop_front();
            return;
        }
        if self.first.is_empty() {
            self.sum = None;
            while let Some((at, mut values)) = self.last.pop_back() {
                if let Some((_, after)) = self.first.last() {
                    values.iter_mut().zip(after).for_each(|(all, later)| all.add(later));
                }
                self.first.push((at, values));
            }
        }
        self.first.pop();
    }

    fn total(&self, kinds: &[AggregateKind]) -> Vec<Gathered> {
        if self.keeps {
            return sum(kinds, self.last.iter().map(|(_, values)| values));
        }
        let first = self.first.last().map(|(_, sum)| sum);
        sum(kinds, first.into_iter().chain(&self.sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;
    use proptest::prelude::*;

    /// With and without what keeps single values.
    const KINDS: [AggregateKind; 4] =
        [AggregateKind::Count, AggregateKind::Sum, AggregateKind::Min, AggregateKind::Collect];
    const FEW: &[AggregateKind] = &[AggregateKind::Count, AggregateKind::Sum, AggregateKind::Min];

    fn gathered(value: i64) -> Vec<Gathered> {
        KINDS.iter().map(|kind| kind.of(Value::Int(value)).unwrap()).collect()
    }

    fn results(all: &[Gathered]) -> Vec<String> {
        KINDS.iter().zip(all).map(|(kind, one)| crate::format::to_json(&kind.result(one))).collect()
    }

    /// The same without any cleverness.
    fn plainly(values: &[(u64, i64)], from: u64, to: u64) -> Vec<String> {
        let inside: Vec<i64> =
            values.iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, one)| *one).collect();
        let sum: i64 = inside.iter().sum();
        let least = inside.iter().min().map_or("null".to_owned(), i64::to_string);
        vec![inside.len().to_string(), sum.to_string(), least, serde_json::to_string(&inside).unwrap()]
    }

    proptest! {
        #[test]
        fn windows_hold_what_came_in_their_time(
            steps in proptest::collection::vec((0u64..400, -9i64..9), 1..100),
            hops in 1u64..5,
        ) {
            let (hopping, sliding) = (Window::Hopping { size: 100 * hops, hop: 100 }, Window::Sliding(250));
            let (mut hop, mut slide) = (hopping.state(&KINDS, 1000), sliding.state(&KINDS, 1000));
            let mut sums = sliding.state(FEW, 1000);
            let (mut now, mut all) = (1000, Vec::new());
            for (wait, value) in steps {
                now += wait;
                while let Some(closed) = hop.close(hopping, &KINDS, now) {
                    prop_assert_eq!(closed.end - closed.start, 100 * hops);
                    prop_assert_eq!(results(&closed.all), plainly(&all, closed.start, closed.end));
                    prop_assert_ne!(&results(&closed.all)[0], "0");
                }
                hop.add(hopping, &KINDS, gathered(value), now);
                all.push((now, value));
                let (closed, full) = slide.add(sliding, &KINDS, gathered(value), now);
                prop_assert!(!full);
                let closed = closed.unwrap();
                let (few, _) = sums.add(sliding, FEW, gathered(value)[..3].to_vec(), now);
                prop_assert_eq!(&results(&few.unwrap().all)[..], &results(&closed.all)[..3]);
                prop_assert_eq!(results(&closed.all), plainly(&all, (now + 1).saturating_sub(250), now + 1));
            }
        }
    }
}
