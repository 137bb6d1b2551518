//! Items that wait one behind the other, some of them many in one place.

use std::collections::VecDeque;
use std::iter::Empty;

/// What can wait.
pub(crate) trait Weigh: Sized {
    /// Several of them in one place; [`Empty`] for what comes one at a time.
    type Run: Run<Item = Self> + Send;

    /// What it counts against a bound in bytes.
    fn weight(&self) -> usize;
}

/// Several items, of which the first can be taken off.
pub(crate) trait Run: Iterator {
    /// How many are left.
    fn count_left(&self) -> usize;

    /// What all that are left weigh.
    fn weight(&self) -> usize;

    /// Takes off so many, at most.
    fn split(&mut self, count: usize) -> Self;
}

impl<T> Run for Empty<T> {
    fn count_left(&self) -> usize {
        0
    }

    fn weight(&self) -> usize {
        0
    }

    fn split(&mut self, _: usize) -> Self {
        Self::default()
    }
}

/// A place in a line.
pub(crate) enum Place<T: Weigh> {
    One(T),
    Run(T::Run),
}

impl<T: Weigh> Place<T> {
    fn count(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Run(run) => run.count_left(),
        }
    }

    fn weight(&self) -> usize {
        match self {
            Self::One(item) => item.weight(),
            Self::Run(run) => run.weight(),
        }
    }

    /// Moves what stands there to `out`.
    pub(crate) fn unroll(self, out: &mut Vec<T>) {
        match self {
            Self::One(item) => out.push(item),
            Self::Run(run) => out.extend(run),
        }
    }
}

/// A line. It knows how many items wait in it, and what they weigh.
pub(crate) struct Line<T: Weigh> {
    /// None of them is an empty run.
    places: VecDeque<Place<T>>,
    count: usize,
    weight: usize,
}

impl<T: Weigh> Line<T> {
    pub(crate) const fn new() -> Self {
        Self { places: VecDeque::new(), count: 0, weight: 0 }
    }

    /// How many items wait.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// What they weigh.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    pub(crate) fn push(&mut self, place: Place<T>) {
        let count = place.count();
        if count > 0 {
            self.count += count;
            self.weight += place.weight();
            self.places.push_back(place);
        }
    }

    pub(crate) fn push_front(&mut self, item: T) {
        self.count += 1;
        self.weight += item.weight();
        self.places.push_front(Place::One(item));
    }

    /// Takes the item that waits longest.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = match self.places.pop_front()? {
            Place::One(item) => item,
            Place::Run(mut run) => {
                let item = run.next()?;
                if run.count_left() > 0 {
                    self.places.push_front(Place::Run(run));
                }
                item
            }
        };
        self.count -= 1;
        self.weight -= item.weight();
        Some(item)
    }

    /// Takes up to `max` of the items that wait longest, as they stand.
    pub(crate) fn take(&mut self, max: usize) -> Vec<Place<T>> {
        let (mut taken, mut room) = (Vec::new(), max);
        while room > 0
            && let Some(mut place) = self.places.pop_front()
        {
            if place.count() > room
                && let Place::Run(run) = &mut place
            {
                let first = run.split(room);
                self.places.push_front(place);
                place = Place::Run(first);
            }
            room -= place.count();
            self.count -= place.count();
            self.weight -= place.weight();
            taken.push(place);
        }
        taken
    }

    /// Takes everything.
    pub(crate) fn take_all(&mut self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.count);
        for place in std::mem::replace(self, Self::new()).places {
            place.unroll(&mut all);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use std::ops::Range;

    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    struct Number(usize);

    struct Numbers(Range<usize>);

    impl Weigh for Number {
        type Run = Numbers;

        fn weight(&self) -> usize {
            self.0
        }
    }

    impl Iterator for Numbers {
        type Item = Number;

        fn next(&mut self) -> Option<Number> {
            self.0.next().map(Number)
        }
    }

    impl Run for Numbers {
        fn count_left(&self) -> usize {
            self.0.len()
        }

        fn weight(&self) -> usize {
            self.0.clone().sum()
        }

        fn split(&mut self, count: usize) -> Self {
            let middle = (self.0.start + count).min(self.0.end);
            let first = self.0.start..middle;
            self.0.start = middle;
            Self(first)
        }
    }

    fn line() -> Line<Number> {
        let mut line = Line::new();
        line.push(Place::One(Number(0)));
        line.push(Place::Run(Numbers(1..6)));
        line.push(Place::Run(Numbers(6..6)));
        line.push(Place::Run(Numbers(6..8)));
        line.push(Place::One(Number(8)));
        line
    }

    #[test]
    fn items_leave_in_their_order_however_they_are_taken() {
        for step in 1..12 {
            let mut line = line();
            assert_eq!((line.count(), line.weight()), (9, 36));
            let mut left = Vec::new();
            while !line.is_empty() {
                let before = left.len();
                line.take(step).into_iter().for_each(|place| place.unroll(&mut left));
                assert_eq!(left.len() - before, step.min(9 - before));
                let weight: usize = left.iter().map(Weigh::weight).sum();
                assert_eq!((line.count(), line.weight()), (9 - left.len(), 36 - weight));
            }
            assert_eq!(left, (0..9).map(Number).collect::<Vec<_>>());
        }
    }

    #[test]
    fn one_at_a_time_from_either_end() {
        let mut line = line();
        assert_eq!(line.pop(), Some(Number(0)));
        assert_eq!(line.pop(), Some(Number(1)));
        line.push_front(Number(7));
        assert_eq!((line.count(), line.weight()), (8, 42));
        assert_eq!(line.pop(), Some(Number(7)));
        let rest = line.take_all();
        assert_eq!(rest, (2..9).map(Number).collect::<Vec<_>>());
        assert_eq!((line.count(), line.weight(), line.is_empty()), (0, 0, true));
        assert_eq!(line.pop(), None);
    }
}
